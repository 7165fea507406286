"""Rules about number families: every draw has an answer, the card's is the one that the formula gives, draws differ."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmdrills.content.arithmetic import FormulaError
from llmdrills.content.computed import fill
from llmdrills.content.lint.rule import Context, Found, place, rule
from llmdrills.content.nearness import is_right, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.content.arithmetic import Value
    from llmdrills.content.family import Drawn, Family
    from llmdrills.content.model import Note

__all__: list[str] = []

_LOOKED_AT = 1000
"""Instances of a family that are looked at: all where there are no more, else so many of a fixed seed."""
_FEWEST = 5
"""Questions that a family must be able to ask: of fewer, the answers are soon known by heart."""
_LEAST_ALLOWED = 0.05
_EXACT = 6
"""Digits that an exact answer may have, unless it is whole: whoever has more to type rounds."""


def _families(context: Context) -> Iterator[tuple[Note, Family]]:
    for note, _ in context.notes():
        if note.family is not None and note.answer is not None:
            yield note, note.family


def _picked(family: Family) -> list[dict[str, Value]]:
    """The instances that are looked at, whether or not `where` lets them pass."""
    if family.count <= _LOOKED_AT:
        return list(family.all())
    source = random.Random(0)  # noqa: S311  # a sample
    ends = [{one.name: end(one.values) for one in family.quantities} for end in (min, max)]
    return [*ends, *(family.pick(source) for _ in range(_LOOKED_AT))]


def _drawn(family: Family) -> Iterator[tuple[dict[str, Value], Drawn | FormulaError | None]]:
    """Each of them with its answer; None where `where` refuses it."""
    for quantities in _picked(family):
        try:
            yield quantities, family.of(quantities) if family.allows(quantities) else None
        except FormulaError as error:
            yield quantities, error


def _answers(family: Family) -> list[Drawn]:
    return [drawn for _, drawn in _drawn(family) if drawn is not None and not isinstance(drawn, FormulaError)]


def _told(quantities: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} = {plain(value)}" for name, value in quantities.items())


@rule("family-draw")
def family_draw(context: Context) -> Iterator[Found]:
    """A learner who is asked about numbers must be able to answer: every draw has a finite answer."""
    for note, family in _families(context):
        found = list(_drawn(family))
        failed = next(((numbers, one) for numbers, one in found if isinstance(one, FormulaError)), None)
        if failed is not None:
            what = f"with {_told(failed[0])}: {failed[1].what}"
            yield Found(place(note, "family.formula"), what, failed[1].todo, note)
        yield from _unfilled(note, family)
        refused = sum(one is None for _, one in found)
        if refused > (1 - _LEAST_ALLOWED) * len(found):
            what = f"`where` refuses {refused} of {len(found)} draws"
            yield Found(place(note, "family.where"), what, "narrow the ranges, so that most draws pass", note)


def _unfilled(note: Note, family: Family) -> Iterator[Found]:
    """What of the family's own texts cannot be filled in: `[[name:…]]` with a format that there is none of."""
    for path, both in (("family.front", family.front), ("family.back", family.back)):
        texts = (("en", both.en), ("zh", both.zh), *both.more) if both is not None else ()
        for language, text in texts:
            for fault in fill(text, family.card().names)[1]:
                what, _, todo = fault.partition(": ")
                yield Found(place(note, f"{path}.{language}"), what, todo, note)


@rule("family-card")
def family_card(context: Context) -> Iterator[Found]:
    """The numbers of the card are one instance: its answer is the one that the formula gives for them."""
    for note, family in _families(context):
        shown, faults = fill(note.answer.value if note.answer else "", context.computed.values(note))
        written = re.sub(r"[,_]", "", shown)
        try:
            card = float(written)
        except ValueError:
            continue  # not computed yet, or no number: other rules tell
        if faults:
            continue
        answer = family.card().answer
        # The card may round: half a unit of its last digit is no other answer.
        _, _, decimals = written.lower().partition("e")[0].partition(".")
        rounded = 0.5 * 10.0 ** -len(decimals) if "e" not in written.lower() else abs(card) * 1e-3
        if not is_right(card, answer, str(rounded * 1.000001)):
            what = f"for the card's numbers the formula gives {plain(answer)}, and the card says {shown}"
            yield Found(place(note, "family.formula"), what, "correct the formula, or the `card` of a quantity", note)


@rule("family-alike")
def family_alike(context: Context) -> Iterator[Found]:
    """Fresh numbers are asked so that nobody answers by heart."""
    for note, family in _families(context):
        found = _answers(family)
        answers = {one.answer for one in found}
        questions = {tuple(one.names[quantity.name] for quantity in family.quantities) for one in found}
        if len(found) > 1 and len(answers) == 1:
            what = f"the answer is {plain(found[0].answer)} in all draws"
            yield Found(place(note, "family.formula"), what, "ask for something that depends on the numbers", note)
        elif len(questions) < _FEWEST:
            what = f"the family has {len(questions)} different questions"
            yield Found(place(note, "family.quantities"), what, f"widen the ranges to at least {_FEWEST}", note)


@rule("family-tolerance")
def family_tolerance(context: Context) -> Iterator[Found]:
    """Whoever computes by hand must know how exactly; and nobody can type a number whose digits never end."""
    for note, family in _families(context):
        at, tolerance = place(note, "family.formula"), family.tolerance
        if not tolerance:
            todo = "say one: `exact`, a share such as `1%`, or a number"
            yield Found(place(note, "answer.value"), "the family has no tolerance", todo, note)
            continue
        for one in _answers(family):
            numbers = _told({quantity.name: one.names[quantity.name] for quantity in family.quantities})
            short = float(f"{one.answer:.{_EXACT}g}")
            long = one.answer != int(one.answer) and not is_right(short, one.answer, "exact")
            if tolerance == "exact" and long:
                what = f"the tolerance is exact, and with {numbers} the answer is {plain(one.answer, 8)}"
                yield Found(at, what, "write a tolerance such as `1%`", note)
                break
            if tolerance.endswith("%") and one.answer == 0:
                what = f"the tolerance is a share, and with {numbers} the answer is 0"
                yield Found(at, what, "write a tolerance that is a number", note)
                break
