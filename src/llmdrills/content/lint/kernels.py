"""Rules about the wrong kernels that become cards."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from llmdrills.content.lint.rule import Context, Found, rule
from llmdrills.content.references import free_names

__all__: list[str] = []

_MOST_LINES = 24
_KNOWN = {*dir(builtins), "torch", "F", "math"}


@rule("kernel-not-whole")
def kernel_not_whole(context: Context) -> Iterator[Found]:
    """A card shows one function: helpers and constants of cases.py are out of sight there."""
    for kata in context.workspace.katas:
        for kernel in kata.wrong_kernels:
            missing = free_names(ast.parse(kernel.source)) - _KNOWN - set(kata.needs) if kernel.fix else set()
            if missing:
                names = ", ".join(f"`{name}`" for name in sorted(missing))
                todo = "write it out in the function, or leave out `fix=` so that no card is made"
                yield Found(kernel.position, f"the card of `{kernel.id}` would use {names} without showing it", todo)


@rule("kernel-too-long")
def kernel_too_long(context: Context) -> Iterator[Found]:
    """A wrong kernel that becomes a card fits on a phone."""
    for kata in context.workspace.katas:
        for kernel in kata.wrong_kernels:
            lines = sum(1 for line in kernel.source.splitlines() if line.strip())
            if kernel.fix and lines > _MOST_LINES:
                todo = f"shorten it to {_MOST_LINES}, or leave out `fix=` so that no card is made"
                yield Found(kernel.position, f"the card of `{kernel.id}` would have {lines} lines of code", todo)
