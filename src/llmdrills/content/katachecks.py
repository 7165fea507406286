"""What must fit together in a kata.yaml whose keys could all be read; problems go to the reader's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.content.pythonfile import parse
from llmdrills.content.report import Report, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmdrills.content.kata import Kata, Stages
    from llmdrills.content.kernels import CasesFile
    from llmdrills.content.shapes import Reader

__all__ = ["check_kata"]


def _check_stages(kata: Kata, reader: Reader) -> None:
    file = parse(kata.reference_file, Report(kata.folder))  # `check_references` tells what is wrong there
    known = [function.name for function in file.functions] if file else []
    for path, name in _calls(kata.stages) if kata.stages and file else ():
        if name not in known:
            what = f"{kata.reference_file.name} has no function `{name}`"
            reader.report.add(reader.file, *reader.places[path], what, did_you_mean(name, known))


def _calls(stages: Stages) -> Iterator[tuple[str, str]]:
    """Each call that the stages name, with where it stands in kata.yaml."""
    for part, given in (("rounds", stages.rounds), ("last", stages.last)):
        for at, stage in enumerate(given):
            yield f"stages.{part}.{at}.call", stage.call
            yield from ((f"stages.{part}.{at}.inside.{i}.call", inner.call) for i, inner in enumerate(stage.inside))


def check_kata(kata: Kata, cases: CasesFile | None, reader: Reader) -> None:
    """Report what does not fit together; `cases` is None where cases.py could not be read."""
    _check_variants(kata, reader)
    _check_stages(kata, reader)
    _check_same_as(kata, reader.report)
    _check_engine(kata, reader)
    add, file, places = reader.report.add, reader.file, reader.places
    for i, budget in enumerate(kata.budgets):
        at = places[f"budgets.{i}.case"]
        if not budget.multiples:
            *others, last = (f"`{name}:`" for name in _COUNTED[kata.engine])
            todo = f"add {', '.join(others)} or {last}"
            add(file, *at, f"the budget of `{budget.case}` limits nothing", todo)
        if cases and cases.cases and budget.case not in cases.cases:
            add(file, *at, f"cases.py has no case `{budget.case}`", did_you_mean(budget.case, cases.cases))


_COUNTED = {"torch": ("flops", "largest_tensor", "alive"), "triton": ("bytes", "largest_tile", "launches", "dot_flops")}
"""What the budgets of a kata may limit, by its engine."""


def _check_engine(kata: Kata, reader: Reader) -> None:
    """Report the keys that the kata's engine has no use for."""
    add, file, places = reader.report.add, reader.file, reader.places
    for i, budget in enumerate(kata.budgets):
        for name in budget.multiples.keys() - set(_COUNTED[kata.engine]):
            todo = f"limit one of {', '.join(_COUNTED[kata.engine])}"
            add(file, *places[f"budgets.{i}.{name}"], f"engine {kata.engine} does not count `{name}`", todo)
    if kata.engine == "torch":
        return
    gradients = any(variant.gradients for variant in kata.variants)
    for key, given in (("starter.function", kata.starter.function), ("stages", kata.stages), ("holds", gradients)):
        if given:
            what = f"engine {kata.engine} has no {'gradients' if key == 'holds' else f'`{key}`'}"
            add(file, *(places.get(key) or (1, 1)), what, "leave it out")


def _check_variants(kata: Kata, reader: Reader) -> None:
    add, file, places = reader.report.add, reader.file, reader.places
    for variant in kata.variants:
        at = places[f"variants.{variant.id}"]
        if not any(not clause.generated for clause in variant.clauses):
            add(file, *at, f"variant `{variant.id}` has no contract", "add `contract:` to it or to the kata")
        twice = {clause.id for clause in variant.clauses if clause.id and variant.ids.count(clause.id) > 1}
        for name in sorted(twice):
            add(file, *at, f"variant `{variant.id}` has two clauses `{name}`", "give one of them another id")
        stronger = variant.weaker_than
        if stronger and (stronger == variant.id or stronger not in {one.id for one in kata.variants}):
            others = [one.id for one in kata.variants if one.id != variant.id]
            place = places[f"variants.{variant.id}.weaker_than"]
            add(file, *place, f"there is no other variant `{stronger}`", did_you_mean(stronger, others))
        alone = sum(not one.weaker_than for one in kata.variants) == 1
        if not alone and not stronger and variant.mistaken is None:
            todo = "add `mistaken:`: what to say to whoever wrote this variant when another was asked for"
            add(file, *at, f"variant `{variant.id}` has no `mistaken`", todo)
    if kata.variants and kata.variants[0].weaker_than:
        add(
            file,
            *places[f"variants.{kata.variants[0].id}"],
            "the first variant is weaker than another",
            "put the stronger first: the first is the default",
        )


def _check_same_as(kata: Kata, report: Report) -> None:
    ids = {slip.id for slip in kata.slips} | {f"variant-{variant.id}" for variant in kata.variants}
    for slip in kata.slips:
        if slip.same_as and slip.same_as not in ids and not slip.decorated:
            place = slip.position
            what = f"same_as names `{slip.same_as}`, which is no slip"
            report.add(place.file, place.line, place.column, what, did_you_mean(slip.same_as, sorted(ids)))
