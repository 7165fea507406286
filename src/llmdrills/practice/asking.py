"""Questions about fresh numbers: which families are asked, what is asked of each, and how an answer is judged.

The same seed and workspace give the same questions, in every language; the numbers of a note follow from the seed,
its id and its turn alone, so that another note in the deck changes none of them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.arithmetic import formula
from llmdrills.content.computed import fill
from llmdrills.content.nearness import is_right, plain
from llmdrills.practice.typed_number import Unread, read_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.content.arithmetic import Value
    from llmdrills.content.family import Drawn, Family
    from llmdrills.content.model import Note
    from llmdrills.language import Bilingual, Language

__all__ = ["Judged", "Question", "asked_of", "draw", "number_text", "question_of"]

_EXACT_DIGITS = 12
_AGAIN = 20
"""Draws that are tried for one that was not asked in this run."""


class Judged(NamedTuple):
    """What was typed, as it was read, and whether that is right."""

    value: float
    right: bool


class Question(NamedTuple):
    """One instance of a note's family. Texts are Markdown, in one language."""

    note: str
    text: str
    unit: Bilingual
    tolerance: str
    drawn: Drawn
    quantities: dict[str, Value]
    formula: str  # as it is written
    worked: str  # with its numbers filled in
    answer: str  # as it is told, without the unit
    more: str  # the note's own explanation of these numbers; empty where it has none

    def judge(self, typed: str) -> Judged | Unread:
        """Whether an answer is right; why it cannot be read where it cannot."""
        found = read_number(typed, self.unit)
        if isinstance(found, Unread):
            return found
        return Judged(found, is_right(found, self.drawn.answer, self.tolerance))


def number_text(value: float, language: str, digits: int = 5) -> str:
    """A number as that language writes it: from five digits on, English parts them in groups of three."""
    text = plain(value, digits)
    whole, point, rest = text.partition(".")
    if language.startswith("zh") or not whole.lstrip("-").isdigit() or abs(value) < 10_000:
        return text
    return f"{int(whole):,}{point}{rest}"


def question_of(note: Note, language: Language, seed: str) -> Question:
    """The question that a seed draws from the family of a note; ValueError where it has none."""
    family = note.family
    if family is None or note.answer is None:
        raise ValueError(f"{note.id} has no family")
    drawn = family.draw(seed)
    tolerance = family.tolerance or "exact"
    digits = _EXACT_DIGITS if tolerance == "exact" else 5
    front, back = (family.front, family.back) if family.front else (note.front, note.back)
    answer = number_text(drawn.answer, language, digits)
    about = "" if float(plain(drawn.answer, digits)) == drawn.answer else "≈ "
    return Question(
        note=note.id,
        text=fill(front[language].strip(), drawn.names)[0],
        unit=note.answer.unit,
        tolerance=tolerance,
        drawn=drawn,
        quantities={one.name: drawn.names[one.name] for one in family.quantities},
        formula=family.formula,
        worked=f"{_worked(family, drawn, language)} {about or '= '}{answer}",
        answer=answer,
        more=fill(back[language].strip(), drawn.names)[0] if back is not None else "",
    )


def _worked(family: Family, drawn: Drawn, language: Language) -> str:
    """The formula with numbers in it: a step that another formula names is written out where it stands alone."""

    def number(value: float) -> str:
        return number_text(value, language)

    steps = [
        f"{name} = {formula(text).shown(drawn.names, number)} = {number(drawn.names[name])}"
        for name, text in family.steps.items()
    ]
    return "; ".join([*steps, formula(family.formula).shown(drawn.names, number)])


def asked_of(notes: Sequence[Note], count: int, seed: int) -> list[Note]:
    """So many notes of them, each before any of them again, in the order of the seed."""
    source = random.Random(f"{seed} notes")  # noqa: S311  # questions, not a secret
    found: list[Note] = []
    while notes and len(found) < count:
        found += source.sample(notes, len(notes))
    return found[:count]


def draw(notes: Sequence[Note], count: int, seed: int, language: Language) -> list[Question]:
    """The questions of a run: as many as asked for, of these notes, none twice where there are others to ask."""
    turns: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    questions: list[Question] = []
    for note in asked_of(notes, count, seed):
        for _ in range(_AGAIN):
            turn = turns[note.id] = turns.get(note.id, 0) + 1
            question = question_of(note, language, f"{seed} {note.id} {turn}")
            if (note.id, question.text) not in seen:
                break
        seen.add((note.id, question.text))
        questions.append(question)
    return questions
