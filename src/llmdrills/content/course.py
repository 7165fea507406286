"""The course's own list, as the tags of notes give it: ten questions, three tasks, three open design questions.

A note tagged `llmdrills::course::q7` belongs to question 7. The first checklist of a question asks all of it, and every
other note with the tag is an atom of it: one fact that a full answer needs. `d1` … are the design questions, in the
same way, and `t1` … the tasks: the notes with such a tag name the kata. A workspace may have more of each, or none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmdrills.content.model import Note, Workspace
    from llmdrills.language import Language

__all__ = ["COURSE_TAG", "Course", "Part", "course_of"]

COURSE_TAG = "llmdrills::course::"
_PART = re.compile(rf"{COURSE_TAG}(?P<kind>[qtd])(?P<number>[1-9]\d*)")


class Part(NamedTuple):
    """One question or design question. `id`: q7, d2; `head` asks all of it, `atoms` one fact each, in deck order."""

    id: str
    head: Note
    atoms: tuple[Note, ...]


class Course(NamedTuple):
    """What the course asks, in its own order. `tasks`: the part's id (t1), and the id of its kata."""

    questions: tuple[Part, ...]
    tasks: tuple[tuple[str, str], ...]
    designs: tuple[Part, ...]

    def part_of_kata(self, kata: str) -> str:
        """The id of the task that the kata is; empty where it is none."""
        return next((part for part, task in self.tasks if task == kata), "")


def course_of(workspace: Workspace, language: Language) -> Course:
    """What the tags of the notes in that language say."""
    notes: dict[str, list[Note]] = {}
    for deck in workspace.decks:
        for note in deck.notes if language in deck.languages else ():
            for tag in note.tags:
                found = _PART.fullmatch(tag)
                if found is not None:
                    notes.setdefault(found["kind"] + found["number"], []).append(note)
    katas = {kata.id for kata in workspace.katas}
    tasks: dict[str, str] = {}
    for part in _ids(notes, "t"):
        for note in notes[part]:
            if note.kata is not None and note.kata in katas:
                tasks.setdefault(part, note.kata)
    return Course(
        questions=tuple(_part(id_, notes[id_]) for id_ in _ids(notes, "q")),
        tasks=tuple(tasks.items()),
        designs=tuple(_part(id_, notes[id_]) for id_ in _ids(notes, "d")),
    )


def _ids(notes: Mapping[str, object], kind: str) -> list[str]:
    """The parts of that kind, by number."""
    return sorted((id_ for id_ in notes if id_[0] == kind), key=lambda id_: int(id_[1:]))


def _part(id_: str, notes: Iterable[Note]) -> Part:
    found = tuple(notes)
    head = next((note for note in found if note.type == "checklist"), found[0])
    return Part(id_, head, tuple(note for note in found if note is not head))
