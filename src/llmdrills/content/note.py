"""Notes, decks and the workspace that holds them, once loaded: plain data, with the position of every text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llmdrills.content.remarks import Remark
from llmdrills.content.workspacefile import WorkspaceFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.content.family import Family
    from llmdrills.content.kata import Kata, Position, Source
    from llmdrills.language import Bilingual, Language

__all__ = ["Deck", "Note", "NoteType", "NumberAnswer", "Retired", "Workspace"]

NoteType = Literal["question", "cloze", "checklist", "number", "bug"]


@dataclass(frozen=True)
class NumberAnswer:
    """A number to be typed: its text as shown, the unit, and how far off is still right ("1%", "0.05", "exact")."""

    value: str
    unit: Bilingual
    tolerance: str


@dataclass(frozen=True)
class Note:
    """One fact to remember. `id` is its identity for ever. Texts are Markdown as written, values not filled in."""

    id: str
    type: NoteType
    topic: str
    position: Position
    front: Bilingual  # for a cloze, the whole text with its {{c1::…}}
    back: Bilingual | None = None
    items: tuple[Bilingual, ...] = ()  # checklist only
    answer: NumberAnswer | None = None  # number only
    family: Family | None = None  # number only: the ranges that `llmdrills ask` draws from
    extra: Bilingual | None = None
    tags: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    proves: tuple[str, ...] = ()
    kata: str | None = None
    core: tuple[str, ...] = ()  # an item of the checklist: the katas that show it, at most three; others are listed
    figure: str | None = None  # the name of a file in decks/figures, without its ending
    proof: str | None = None
    values: tuple[str, ...] = ()  # names that the proof leaves behind and the texts use as [[name]]
    waive: Mapping[str, str] = field(default_factory=dict)  # lint rule → why it does not hold here
    translation: Mapping[str, str] = field(
        default_factory=dict
    )  # {"of": hash of the English text that the Chinese follows}
    positions: Mapping[str, Position] = field(default_factory=dict)  # key path ("back.zh") → where it stands
    remarks: tuple[Remark, ...] = ()  # what the reader saw of how its texts are written

    @classmethod
    def of(cls, values: dict[str, Any]) -> Note:
        """The note with those values, which become its own: what is not among them it has from the class.

        A frozen dataclass sets its twenty values one by one; ten thousand notes are made, and kept by `pickle`, in
        half the time so.
        """
        note = object.__new__(cls)
        note.__dict__.update(values)
        return note

    @property
    def shows_values(self) -> bool:
        """Whether its texts may hold `[[name]]`, to be filled in before they are shown."""
        return bool(self.values) or self.family is not None


@dataclass(frozen=True)
class Deck:
    """A file of decks/: notes in the order in which a learner meets them."""

    id: str
    title: Bilingual
    description: Bilingual
    notes: tuple[Note, ...]
    position: Position
    languages: tuple[Language, ...] = ("en", "zh")  # a deck in one language is left out of the other's package
    waive: Mapping[str, str] = field(default_factory=dict)  # lint rule → why it does not hold for this deck
    remarks: tuple[Remark, ...] = ()  # of its title and description
    positions: Mapping[str, Position] = field(default_factory=dict)


@dataclass(frozen=True)
class Retired:
    """A note that left the decks on purpose; the lock keeps it as a tombstone."""

    id: str
    why: str


@dataclass(frozen=True)
class Workspace:
    """Everything in one folder, checked."""

    root: Path
    decks: tuple[Deck, ...]
    katas: tuple[Kata, ...]
    readiness: tuple[str, ...] = ()  # the ids of the checklist's items, in order
    namespace: str = "llmdrills"  # what the guids of its notes are made from: a copy made by `init` has one of its own
    about: WorkspaceFile = field(default_factory=WorkspaceFile)

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes, deck by deck."""
        return tuple(note for deck in self.decks for note in deck.notes)

    def kata(self, id: str) -> Kata | None:  # noqa: A002  # the word of the design
        """The kata of that id, if there is one."""
        return next((kata for kata in self.katas if kata.id == id), None)
