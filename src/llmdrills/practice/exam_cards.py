"""What an exam asks of a note, and what it is marked by: the front, and each thing that a full answer says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.cloze import deletions
from llmdrills.content.computed import fill
from llmdrills.practice.rating import Rating

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.content.computed import Computed, Value
    from llmdrills.content.model import Note
    from llmdrills.language import Language
    from llmdrills.practice.asking import Question

__all__ = ["Card", "card_of", "rating_of"]


class Card(NamedTuple):
    """A note as an exam shows it, Markdown. Each of `atoms` is marked; `more` is shown with them and is not.

    `question`: what is asked about drawn numbers, whose typed answer is judged; None where the learner marks alone.
    """

    front: str
    atoms: tuple[str, ...]
    more: tuple[str, ...]
    question: Question | None = None


def card_of(note: Note, language: Language, computed: Computed, seed: int | None = None) -> Card:
    """The card of a note.

    A checklist is marked item by item and a cloze hidden part by hidden part; a question and a number are one atom.
    With the `seed` of an exam, a note with a number family asks about numbers that the seed draws.
    Values that were never computed stay as they are written: `llmdrills check --write` computes them.
    """
    if note.family is not None and seed is not None:
        return _drawn(note, language, seed)
    values = computed.values(note) if note.shows_values else None
    front = _filled(note.front[language], values)
    more = [_filled(text[language], values) for text in (note.extra,) if text is not None]
    back = _filled(note.back[language], values) if note.back is not None else ""
    if note.type == "checklist":
        atoms = tuple(_filled(item[language], values) for item in note.items)
        more = [back, *more]
    elif note.type == "cloze":
        return _cloze(front, [back, *more])
    elif note.answer is not None:
        unit = note.answer.unit[language]
        atoms = (f"{_filled(note.answer.value, values)} {unit}".strip(),)
        more = [back, *more]
    else:
        atoms = (back,)
    return Card(front.strip(), atoms, tuple(text.strip() for text in more if text.strip()))


def rating_of(marks: Sequence[bool]) -> Rating:
    """What the marks of one note come to: all is Good, half or more is Hard, less is Again."""
    had = sum(marks)
    if had == len(marks):
        return Rating.GOOD
    return Rating.HARD if 2 * had >= len(marks) else Rating.AGAIN


def _filled(text: str, values: Mapping[str, Value] | None) -> str:
    return text if values is None else fill(text, values)[0]


def _drawn(note: Note, language: Language, seed: int) -> Card:
    """The question about numbers that the exam's seed draws: the same when the exam goes on, and in its report."""
    from llmdrills.practice.asking import question_of

    asked = question_of(note, language, f"exam {seed} {note.id}")
    unit = asked.unit[language]
    worked = f"{asked.worked} {unit}".strip()
    return Card(asked.text, (f"{asked.answer} {unit}".strip(),), tuple(filter(None, (worked, asked.more))), asked)


def _cloze(text: str, more: Sequence[str]) -> Card:
    """The text with its hidden parts as `[…]`, or as their hints, and one atom for each number."""
    hidden: dict[int, list[str]] = {}
    asked = told = ""
    at = 0
    for one in deletions(text):
        if one.start < at:
            continue  # inside another one: that one's text holds it
        answer, _, hint = one.text.partition("::")
        hidden.setdefault(one.number, []).append(answer)
        asked += f"{text[at : one.start]}[{hint or '…'}]"
        told += f"{text[at : one.start]}{answer}"
        at = one.end
    atoms = tuple(" · ".join(dict.fromkeys(hidden[number])) for number in sorted(hidden))
    whole = told + text[at:]
    return Card((asked + text[at:]).strip(), atoms, tuple(part.strip() for part in (whole, *more) if part.strip()))
