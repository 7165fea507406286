"""Katas, once loaded: plain data. Apart from the notes, because the daily command needs no more than this to start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.language import Bilingual

__all__ = ["TOPICS", "Budget", "Forbidden", "Kata", "Position", "Source", "Variant", "WrongKernel"]

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
    positions: Mapping[str, Position] = field(default_factory=dict, compare=False)  # key path → where it stands

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
