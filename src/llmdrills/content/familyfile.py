"""`family:` of a number note in decks/NAME.yaml: its keys, how it becomes a Family, and what must fit together."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmdrills.content.arithmetic import CONSTANTS, FUNCTIONS, FormulaError, Value, formula
from llmdrills.content.family import Family, Quantity
from llmdrills.content.report import did_you_mean
from llmdrills.content.shapes import Both, Key, Many, Record, Table, Text, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llmdrills.content.note import Note
    from llmdrills.content.shapes import Reader
    from llmdrills.language import Bilingual, Language

__all__ = ["FAMILY", "PLACEHOLDER", "TOLERANCE", "check_family", "read_family"]

PLACEHOLDER = re.compile(r"\[\[([^\W\d]\w*)(:[^\[\]]*)?\]\]")

MOST_VALUES = 10_000
"""Values of one quantity."""

TOLERANCE = Word(r"exact|\d+(\.\d+)?([eE][+-]?\d+)?%?", "`exact`, a share such as `1%`, or a number", numbers=True)
_NUMBER = Word(r"[+-]?(\d[\d_]*)?\.?\d+([eE][+-]?\d+)?", "a number", numbers=True)
_NAME = Word(r"[^\W\d]\w*", "a name as in Python: letters, digits and _")

_QUANTITY = Record(
    "a quantity",
    {
        "choices": Key(Many(_NUMBER, at_least=1, what="number"), "the numbers that it may be"),
        "low": Key(_NUMBER, "the least number that it may be"),
        "high": Key(_NUMBER, "the greatest"),
        "step": Key(_NUMBER, "from one to the next"),
        "card": Key(_NUMBER, "the one that the card shows, now and in every later release", needed=True),
    },
)

FAMILY = Record(
    "a family",
    {
        "quantities": Key(Table(_NAME, _QUANTITY, at_least=1), "the numbers that may be drawn, by name", needed=True),
        "where": Key(Text(), "a condition on them, such as `width % heads == 0`"),
        "steps": Key(Table(_NAME, Text(numbers=True)), "values on the way, each from those above it"),
        "formula": Key(Text(), "the answer, from quantities and steps", needed=True),
        "tolerance": Key(TOLERANCE, "how far from the answer is still right; the answer's unless said"),
        "front": Key(Both(), "the question about drawn numbers; the note's front unless said"),
        "back": Key(Both(), "the explanation of drawn numbers; with `front`"),
    },
)


def read_family(reader: Reader, values: Mapping[str, Any]) -> Family | None:
    """The family of a note whose keys were read; None where it has none, or after telling what is wrong with it."""
    given = values.get("family")
    if given is None:
        return None
    before = len(reader.report.problems)
    quantities = [_quantity(reader, name, one) for name, one in (given.get("quantities") or {}).items()]
    found = [one for one in quantities if one is not None]
    steps = given.get("steps") or {}
    named = PLACEHOLDER.fullmatch(values["answer"]["value"]) if values.get("answer") else None
    family = Family(
        quantities=tuple(found),
        formula=given.get("formula") or "0",
        steps=steps,
        where=given.get("where") or "",
        tolerance=given.get("tolerance") or (values.get("answer") or {}).get("tolerance") or "",
        front=given.get("front"),
        back=given.get("back"),
        named=named[1] if named else "",
    )
    if len(found) == len(quantities):
        _check_names(reader, family)
        if len(reader.report.problems) == before:
            _check_card(reader, family)
    return None if len(reader.report.problems) > before else family


# ---- quantities --------------------------------------------


def _number(text: str) -> Value:
    """A whole number as an int, any other as a float."""
    exact = Decimal(text.replace("_", ""))
    return int(exact) if exact == exact.to_integral_value() and abs(exact) < 10**18 else float(exact)


def _quantity(reader: Reader, name: str, given: Mapping[str, Any] | None) -> Quantity | None:
    at = reader.places[f"family.quantities.{name}"]

    def problem(what: str, todo: str) -> None:
        reader.report.add(reader.file, *at, what, todo)

    if given is None or given.get("card") is None:
        return None
    ranged = [key for key in ("low", "high", "step") if key in given]
    if ("choices" in given) == bool(ranged) or len(ranged) in {1, 2}:
        problem(f"`{name}` has no range", "write `choices: […]`, or `low:`, `high:` and `step:`")
        return None
    if any(one is None for one in given.values()):
        return None
    if "choices" in given:
        values = [_number(one) for one in given["choices"] if one is not None]
    else:
        low, high, step = (Decimal(given[key].replace("_", "")) for key in ("low", "high", "step"))
        if step <= 0 or high < low:
            problem(f"the range of `{name}` is empty", "write a `step` above 0, and a `high` of at least `low`")
            return None
        count = int((high - low) / step) + 1 if (high - low) / step < MOST_VALUES else MOST_VALUES + 1
        if count > MOST_VALUES:
            problem(f"`{name}` has more than {MOST_VALUES} values", "write a larger `step`")
            return None
        values = [_number(str(low + step * at)) for at in range(count)]
    if len(set(values)) < len(values):
        problem(f"`{name}` names a number twice", "keep one of them")
        return None
    card = _number(given["card"])
    if card not in values:
        problem(f"the card's {given['card']} is not in the range of `{name}`", "add it to the range")
        return None
    return Quantity(name, tuple(values), card)


# ---- names, and the card's instance --------------------------------------------


def _check_names(reader: Reader, family: Family) -> None:
    """Formulas can be read and use names that are there; no name stands for two things."""
    quantities = [one.name for one in family.quantities]
    for name in (*quantities, *family.steps):
        key = "quantities" if name in quantities else "steps"
        if name in CONSTANTS or name in FUNCTIONS or (key == "quantities" and name in family.steps):
            at = reader.places[f"family.{key}.{name}"]
            reader.report.add(reader.file, *at, f"`{name}` has a meaning already", "choose another name")
    if family.named in {*quantities, *family.steps}:
        what = f"the answer and a quantity or step are both called `{family.named}`"
        reader.report.add(reader.file, *reader.places["answer.value"], what, "give one of them another name")
    known = list(quantities)
    if family.where:
        _check_formula(reader, "where", family.where, known)
    for name, text in family.steps.items():
        _check_formula(reader, f"steps.{name}", text or "0", known)
        known.append(name)
    _check_formula(reader, "formula", family.formula, known)


def _check_formula(reader: Reader, key: str, text: str, known: Iterable[str]) -> None:
    at = reader.places[f"family.{key}"]
    try:
        unknown = sorted(formula(text).names - {*known})
    except FormulaError as error:
        reader.report.add(reader.file, *at, error.what, error.todo)
        return
    for name in unknown:
        reader.report.add(reader.file, *at, f"`{name}` in `{key}` is no quantity or step", did_you_mean(name, known))


def _check_card(reader: Reader, family: Family) -> None:
    """The instance that the card shows can be computed: `build` relies on it."""
    at = reader.places["family.formula"]
    try:
        family.card()
        if not family.allows({one.name: one.card for one in family.quantities}):
            what = "`where` refuses the card's own numbers"
            reader.report.add(reader.file, *reader.places["family.where"], what, "let them pass")
    except FormulaError as error:
        reader.report.add(reader.file, *at, f"on the card's numbers {error.what}", error.todo)


# ---- texts --------------------------------------------


def check_family(reader: Reader, note: Note, languages: tuple[Language, ...]) -> None:
    """What `ask` shows names quantities, steps and the answer alone, and every quantity stands in the question."""
    family = note.family
    if family is None:
        return
    problem = _at_text(reader)
    asked = ("family.front", family.front) if family.front else ("front", note.front)
    told = ("family.back", family.back) if family.front else ("back", note.back)
    if family.back and not family.front:
        what = "`back` of a family without its `front`"
        problem(f"family.back.{languages[0]}", what, "write both, or neither: the note's own are shown then")
    for path, both in (asked, told):
        for language in languages if both else ():
            text = _text(both, language)
            shown = [name for name, _ in PLACEHOLDER.findall(text)]
            for name in dict.fromkeys(shown):
                if name not in family.names:
                    todo = did_you_mean(name, sorted(family.names))
                    problem(f"{path}.{language}", f"`[[{name}]]` in {path} is no quantity, step or answer", todo)
            for one in family.quantities if path == asked[0] else ():
                if one.name not in shown:
                    what = f"{path}.{language} does not show the quantity `{one.name}`"
                    problem(f"{path}.{language}", what, f"write `[[{one.name}]]` where the number stands")
            if path == asked[0] and family.named in shown:
                problem(f"{path}.{language}", f"{path}.{language} shows the answer", f"take `[[{family.named}]]` out")


def _text(both: Bilingual | None, language: str) -> str:
    return both[language] if both is not None else ""


def _at_text(reader: Reader) -> Callable[[str, str, str], None]:
    """Reports what is wrong with a text; in a deck with one language it may stand without a language key."""

    def problem(path: str, what: str, todo: str) -> None:
        at = reader.places.get(path) or reader.places.get(path.rpartition(".")[0]) or reader.places["id"]
        reader.report.add(reader.file, *at, what, todo)

    return problem
