"""Rules about slips and contracts: what becomes a card, what a learner can still read."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from llmdrills.content.contract import MOST_LINES
from llmdrills.content.derive import shown_kernel
from llmdrills.content.lint.rule import Context, Found, place, rule
from llmdrills.content.model import Kata
from llmdrills.content.pythonfile import parse
from llmdrills.content.references import ALLOWED_MODULES, bound_names, free_names
from llmdrills.content.report import Report
from llmdrills.content.syntax import parsed

__all__: list[str] = []

_CODE = re.compile(r"`[^`]*`")
_STATES_A_FACT = re.compile(r"\d|√|\bNaN\b|\binfinite\b|\boverflows?\b|\bsaturates?\b|\bvariance is\b|\bsums? to\b")

_MOST_LINES = 24
_KNOWN = {*dir(builtins), "torch", "F", "math"}


@rule("kernel-not-whole")
def kernel_not_whole(context: Context) -> Iterator[Found]:
    """A card shows one function, so its reader cannot see the helpers and constants of the kata's files."""
    for kata in context.workspace.katas:
        for slip in kata.slips:
            missing = free_names(parsed(slip.source)) - _KNOWN if slip.card else set()
            if missing:
                missing -= _imported(kata)
            if missing:
                names = ", ".join(f"`{name}`" for name in sorted(missing))
                todo = "edit an equivalent that is whole, or leave out `card`"
                yield Found(slip.position, f"the card of `{slip.id}` would use {names} without showing it", todo)


def _imported(kata: Kata) -> set[str]:
    """What the kata's files import from the standard library, torch and its `needs`: a reader knows these by name."""
    known = ALLOWED_MODULES | set(kata.libraries)
    found: set[str] = set()
    for path in (kata.solution_file, kata.cases_file):
        file = parse(path, Report(kata.folder))
        for node in file.imports if file else ():
            module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            if module.partition(".")[0] in known:
                found.update(bound_names(node))
    return found


@rule("kernel-too-long")
def kernel_too_long(context: Context) -> Iterator[Found]:
    """A wrong kernel that becomes a card fits on a phone."""
    for kata in context.workspace.katas:
        for slip in (slip for slip in kata.slips if slip.card):
            lines = sum(1 for line in shown_kernel(slip.source, kata.entry).splitlines() if line.strip())
            if lines > _MOST_LINES:
                todo = f"edit a shorter right kernel (at most {_MOST_LINES} lines), or leave out `card`"
                yield Found(slip.position, f"the card of `{slip.id}` would have {lines} lines of code", todo)


@rule("contract-too-long")
def contract_too_long(context: Context) -> Iterator[Found]:
    """A contract of more than ten lines is not read; the generated lines count."""
    for kata in context.workspace.katas:
        for variant in kata.variants:
            if len(variant.clauses) > MOST_LINES:
                what = (
                    f"the contract of variant `{variant.id}` has {len(variant.clauses)} lines with the generated ones"
                )
                yield Found(place(kata, f"variants.{variant.id}"), what, f"say it in {MOST_LINES}")


@rule("feedback-without-proof")
def feedback_without_proof(context: Context) -> Iterator[Found]:
    """Feedback that states a number, or what a computation gives, is proven like the facts on cards."""
    for kata in context.workspace.katas:
        for slip in kata.slips:
            if not slip.proof and not slip.decorated and _STATES_A_FACT.search(_CODE.sub("", slip.feedback.en)):
                todo = (
                    "add `proof:`, Python that must hold (`right` and `wrong` are the two kernels), or say it without"
                )
                yield Found(slip.position, f"the feedback of `{slip.id}` states a fact that nothing proves", todo)
