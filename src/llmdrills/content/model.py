"""What a workspace holds, once loaded: decks of notes, and katas. Plain data, with the position of every text."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.language import Bilingual, Language

__all__ = [
    "TOPICS",
    "Budget",
    "Deck",
    "Forbidden",
    "Kata",
    "Note",
    "NoteType",
    "NumberAnswer",
    "Position",
    "Retired",
    "Source",
    "Variant",
    "Workspace",
    "WrongKernel",
]

NoteType = Literal["question", "cloze", "checklist", "number", "bug"]

TOPICS: tuple[str, ...] = (
    "transformer",
    "position",
    "architecture",
    "optimisation",
    "tokenization",
    "generation",
    "systems",
    "retrieval",
    "multimodal",
)


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file, its path relative to the workspace; line and column count from 1."""

    file: Path
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """Where a fact can be looked up."""

    title: str
    url: str = ""


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
    extra: Bilingual | None = None
    tags: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    proves: tuple[str, ...] = ()
    kata: str | None = None
    figure: str | None = None  # the name of a file in decks/figures, without its ending
    proof: str | None = None
    values: tuple[str, ...] = ()  # names that the proof leaves behind and the texts use as [[name]]
    waive: Mapping[str, str] = field(default_factory=dict)  # lint rule → why it does not hold here
    translation: Mapping[str, str] = field(
        default_factory=dict
    )  # {"of": hash of the English text that the Chinese follows}
    positions: Mapping[str, Position] = field(default_factory=dict)  # key path ("back.zh") → where it stands


@dataclass(frozen=True)
class Deck:
    """A file of decks/: notes in the order in which a learner meets them."""

    id: str
    title: Bilingual
    description: Bilingual
    notes: tuple[Note, ...]
    position: Position
    languages: tuple[Language, ...] = ("en", "zh")  # a deck in one language is left out of the other's package


@dataclass(frozen=True)
class Retired:
    """A note that left the decks on purpose; the lock keeps it as a tombstone."""

    id: str
    why: str


@dataclass(frozen=True)
class Variant:
    """One pinned contract of a kata. `reference` names the function of reference.py that defines right."""

    id: str
    title: Bilingual
    contract: tuple[Bilingual, ...]
    reference: str
    mistaken: Bilingual | None  # what to tell a learner who wrote this variant when another was asked for


@dataclass(frozen=True)
class Forbidden:
    """A call that would make the kata pointless, as a dotted name, and what to say."""

    call: str
    why: Bilingual


@dataclass(frozen=True)
class Budget:
    """How much an attempt may cost on one case, as multiples of what the reference costs on the same input."""

    case: str
    why: Bilingual
    flops: float | None = None
    largest_tensor: float | None = None  # elements of the largest tensor that an operator allocates


@dataclass(frozen=True)
class WrongKernel:
    """A misconception as read from cases.py by parsing: what a spot-the-bug note is made of."""

    id: str
    feedback: Bilingual
    seen: str
    fix: str  # the right line; empty: no card is made
    source: str  # the function's text, decorator left out
    position: Position
    variants: tuple[str, ...] = ()  # empty: all


@dataclass(frozen=True)
class Kata:
    """A skill with one entry function, as drills/ID/kata.yaml says."""

    id: str
    title: Bilingual
    topic: str
    minutes: int
    entry: str
    prompt: Bilingual
    hints: tuple[Bilingual, ...]
    variants: tuple[Variant, ...]
    folder: Path
    position: Position
    requires: tuple[str, ...] = ()  # katas to be met before this one
    proves: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # libraries beyond torch
    forbidden: tuple[Forbidden, ...] = ()
    budgets: tuple[Budget, ...] = ()
    sources: tuple[Source, ...] = ()
    wrong_kernels: tuple[WrongKernel, ...] = ()

    @property
    def reference_file(self) -> Path:
        """reference.py."""
        return self.folder / "reference.py"

    @property
    def cases_file(self) -> Path:
        """cases.py."""
        return self.folder / "cases.py"

    def variant(self, id: str) -> Variant | None:  # noqa: A002  # the word of the design
        """The variant of that id, if there is one."""
        return next((variant for variant in self.variants if variant.id == id), None)


@dataclass(frozen=True)
class Workspace:
    """Everything in one folder, checked."""

    root: Path
    decks: tuple[Deck, ...]
    katas: tuple[Kata, ...]
    readiness: tuple[str, ...] = ()  # the ids of the checklist's items, in order
    namespace: str = "llmdrills"  # what the guids of its notes are made from: a copy made by `init` has one of its own

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes, deck by deck."""
        return tuple(note for deck in self.decks for note in deck.notes)

    def kata(self, id: str) -> Kata | None:  # noqa: A002  # the word of the design
        """The kata of that id, if there is one."""
        return next((kata for kata in self.katas if kata.id == id), None)
