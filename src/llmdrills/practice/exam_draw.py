"""What an exam asks, drawn by a seed: the same seed, workspace and open repetitions give the same exam.

Questions, katas and the design question are drawn from streams of their own: asking for more katas changes no question.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from llmdrills.content.course import Course, Part
    from llmdrills.content.model import Kata, Note

__all__ = ["Drawn", "Kind", "Wanted", "draw", "listed", "listed_minutes"]

Kind = Literal["question", "kata", "design"]
_CODING = 0.75  # of the minutes may go to katas, as far as their number allows
_MINUTES = {"question": 2, "design": 5}  # what the course's own list allows for each


class Wanted(NamedTuple):
    """What the learner asked for. `minutes` is the whole exam's time."""

    minutes: int = 45
    katas: int = 3
    questions: int = 10


class Drawn(NamedTuple):
    """One thing to do. `course`: q7, t1, d2, empty for a kata that is no task of the course; `id`: of note or kata."""

    kind: Kind
    course: str
    id: str


def draw(
    course: Course, katas: Sequence[Kata], wanted: Wanted, seed: int, taken: Collection[str] = ()
) -> tuple[Drawn, ...]:
    """The questions, then the katas, then one design question. Fewer where the workspace has no more.

    `taken`: katas that are left out, because a repetition of theirs is open that a blank starter would end.
    """
    free = [kata for kata in katas if kata.id not in taken]
    return (
        *_questions(course.questions, wanted.questions, _stream(seed, "questions")),
        *_katas(course, free, wanted, _stream(seed, "katas")),
        *_design(course.designs, _stream(seed, "design")),
    )


def listed(course: Course) -> tuple[Drawn, ...]:
    """All of the course's own questions, tasks and design questions, in its order."""
    return (
        *(Drawn("question", part.id, part.head.id) for part in course.questions),
        *(Drawn("kata", part, kata) for part, kata in course.tasks),
        *(Drawn("design", part.id, part.head.id) for part in course.designs),
    )


def listed_minutes(drawn: Sequence[Drawn], katas: Sequence[Kata]) -> int:
    """The minutes that the course's own list takes, all together."""
    own = {kata.id: kata.minutes for kata in katas}
    return sum(_MINUTES.get(one.kind, 0) or own.get(one.id, 0) for one in drawn)


def _stream(seed: int, name: str) -> random.Random:
    return random.Random(f"{seed} {name}")  # noqa: S311  # an exam, not a secret


def _questions(parts: Sequence[Part], count: int, source: random.Random) -> list[Drawn]:
    """Every question of the course before any of them again; of each round, half in full and half by an atom."""
    used: set[str] = set()
    found: list[Drawn] = []
    while len(found) < count:
        order = source.sample(parts, len(parts))
        whole = set(source.sample(range(len(parts)), math.ceil(len(parts) / 2)))
        before = len(found)
        for place, part in enumerate(order):
            note = _note_of(part, place in whole, used, source)
            if note is not None and len(found) < count:
                used.add(note.id)
                found.append(Drawn("question", part.id, note.id))
        if len(found) == before:
            break  # everything was asked
    return found


def _note_of(part: Part, whole: bool, used: Collection[str], source: random.Random) -> Note | None:
    """A note of the part that was not asked yet; None where there is none."""
    atoms = [note for note in part.atoms if note.id not in used]
    head = part.head if part.head.id not in used else None
    if head is not None and (whole or not atoms):
        return head
    return source.choice(atoms) if atoms else None


def _katas(course: Course, katas: Sequence[Kata], wanted: Wanted, source: random.Random) -> list[Drawn]:
    """Katas of different topics first, as long as they fit into their part of the time; then the shortest."""
    order = source.sample(katas, len(katas))
    left = wanted.minutes * _CODING
    least = min((kata.minutes for kata in katas), default=0)
    found: list[Kata] = []
    for fresh in (True, False):
        for kata in order:
            others = (wanted.katas - len(found) - 1) * least  # a long one must leave room for them
            if len(found) < wanted.katas and kata not in found and kata.minutes <= left - others:
                if fresh and kata.topic in {one.topic for one in found}:
                    continue
                found.append(kata)
                left -= kata.minutes
    shortest = sorted((kata for kata in order if kata not in found), key=lambda kata: kata.minutes)
    found += shortest[: max(0, wanted.katas - len(found))]
    return [Drawn("kata", course.part_of_kata(kata.id), kata.id) for kata in found]


def _design(parts: Sequence[Part], source: random.Random) -> list[Drawn]:
    if not parts:
        return []
    part = source.choice(parts)
    return [Drawn("design", part.id, part.head.id)]
