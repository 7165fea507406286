"""Rules about the wrong kernels that become cards."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from llmdrills.content.lint.rule import Context, Found, rule
from llmdrills.content.model import Kata
from llmdrills.content.pythonfile import parse
from llmdrills.content.references import ALLOWED_MODULES, bound_names, free_names
from llmdrills.content.report import Report

__all__: list[str] = []

_MOST_LINES = 24
_KNOWN = {*dir(builtins), "torch", "F", "math"}


@rule("kernel-not-whole")
def kernel_not_whole(context: Context) -> Iterator[Found]:
    """A card shows one function: helpers and constants of cases.py are out of sight there."""
    for kata in context.workspace.katas:
        for kernel in kata.wrong_kernels:
            missing = free_names(ast.parse(kernel.source)) - _KNOWN if kernel.fix else set()
            if missing:
                missing -= _imported(kata)
            if missing:
                names = ", ".join(f"`{name}`" for name in sorted(missing))
                todo = "write it out in the function, or leave out `fix=` so that no card is made"
                yield Found(kernel.position, f"the card of `{kernel.id}` would use {names} without showing it", todo)


def _imported(kata: Kata) -> set[str]:
    """What cases.py imports from the standard library, torch and what the kata needs: a reader knows these by name."""
    file = parse(kata.cases_file, Report(kata.folder))
    known = ALLOWED_MODULES | set(kata.needs)
    found: set[str] = set()
    for node in file.imports if file else ():
        module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        if module.partition(".")[0] in known:
            found.update(bound_names(node))
    return found


@rule("kernel-too-long")
def kernel_too_long(context: Context) -> Iterator[Found]:
    """A wrong kernel that becomes a card fits on a phone."""
    for kata in context.workspace.katas:
        for kernel in kata.wrong_kernels:
            lines = sum(1 for line in kernel.source.splitlines() if line.strip())
            if kernel.fix and lines > _MOST_LINES:
                todo = f"shorten it to {_MOST_LINES}, or leave out `fix=` so that no card is made"
                yield Found(kernel.position, f"the card of `{kernel.id}` would have {lines} lines of code", todo)
