"""What checking a kata or a note's proof found, as data. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmdrills.errors import Problem
from llmdrills.grading.proving.matrix import Matrix

__all__ = [
    "CardFault",
    "CardReport",
    "Exposure",
    "Hole",
    "HolesReport",
    "KataHoles",
    "KataReport",
    "ProofReport",
    "VariantReport",
]

Scalar = int | float | str


@dataclass(frozen=True)
class Exposure:
    """The smallest input that exposes a wrong kernel, as text for a card."""

    case: str
    call: str
    expected: str
    got: str

    def without(self, folder: str) -> Exposure:
        """The same without a folder that is gone by the time the card is read: a file in it keeps its name alone."""
        return Exposure(self.case, *(text.replace(folder, "") for text in (self.call, self.expected, self.got)))


@dataclass(frozen=True)
class CardFault:
    """What is wrong with a spot-the-bug card, found by running it: the rule, the key of the card, what and what to
    do."""

    rule: str
    key: str
    what: str
    todo: str


@dataclass(frozen=True, kw_only=True)
class CardReport:
    """What the call of a card gives on the right kernel and on the wrong one, and what is wrong with the card."""

    expected: str
    got: str
    faults: tuple[CardFault, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CardReport:
        """The report that `dataclasses.asdict` made plain."""
        return cls(**{**data, "faults": tuple(CardFault(**fault) for fault in data["faults"])})


@dataclass(frozen=True)
class VariantReport:
    """One variant: its kill matrix, which cases could go, and for each slip the input that exposes it.

    `cards` are the spot-the-bug cards that show this variant, by slip.

    `equivalents` and `peers` name those that were run; `skipped` are "peer: case: why".
    """

    variant: str
    matrix: Matrix
    redundant: tuple[str, ...]
    exposures: Mapping[str, Exposure]
    equivalents: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    cards: Mapping[str, CardReport] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, of which `from_json` makes the report again."""
        return {
            "variant": self.variant,
            "matrix": self.matrix.to_json(),
            "redundant": list(self.redundant),
            "exposures": {name: dataclasses.asdict(shown) for name, shown in self.exposures.items()},
            "equivalents": list(self.equivalents),
            "peers": list(self.peers),
            "skipped": list(self.skipped),
            "cards": {name: dataclasses.asdict(card) for name, card in self.cards.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> VariantReport:
        """The report that `to_json` wrote."""
        return cls(
            variant=data["variant"],
            matrix=Matrix.from_json(data["matrix"]),
            redundant=tuple(data["redundant"]),
            exposures={name: Exposure(**shown) for name, shown in data["exposures"].items()},
            equivalents=tuple(data["equivalents"]),
            peers=tuple(data["peers"]),
            skipped=tuple(data["skipped"]),
            cards={name: CardReport.from_json(card) for name, card in data["cards"].items()},
        )


@dataclass(frozen=True)
class Hole:
    """A mutant that neither the named cases nor the draws of every grade expose; `seed` and `call` say what does."""

    mutant: str
    kind: str
    state: str
    seed: int = -1
    call: str = ""


@dataclass(frozen=True, kw_only=True)
class HolesReport:
    """The search in one variant: how much was drawn and tried, what is open, and the seeds chosen for draws.lock.

    `refused` counts the draws that were not admitted, by reason; `uncovered` says under which conditions the chosen
    draws expose less than all draws did.
    """

    variant: str
    draws: int
    refused: Mapping[str, int]
    mutants: int
    holes: tuple[Hole, ...]
    seeds: tuple[int, ...]
    uncovered: tuple[str, ...] = ()
    complete: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain data, of which `from_json` makes the report again."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HolesReport:
        """The report that `to_json` wrote."""
        holes = tuple(Hole(**hole) for hole in data["holes"])
        return cls(**{**data, "holes": holes, "seeds": tuple(data["seeds"]), "uncovered": tuple(data["uncovered"])})


@dataclass(frozen=True, kw_only=True)
class KataHoles:
    """The search for holes in one kata, a report for each variant that has a domain; `problems` are what is open."""

    kata: str
    variants: tuple[HolesReport, ...]
    problems: tuple[Problem, ...]
    seconds: float = 0.0
    cached: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data, of which `from_json` makes the report again."""
        return {
            "kata": self.kata,
            "variants": [variant.to_json() for variant in self.variants],
            "problems": [{**dataclasses.asdict(problem), "file": str(problem.file)} for problem in self.problems],
            "seconds": self.seconds,
            "cached": self.cached,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KataHoles:
        """The report that `to_json` wrote."""
        return cls(
            kata=data["kata"],
            variants=tuple(HolesReport.from_json(variant) for variant in data["variants"]),
            problems=tuple(Problem(**{**problem, "file": Path(problem["file"])}) for problem in data["problems"]),
            seconds=data["seconds"],
            cached=data["cached"],
        )


@dataclass(frozen=True)
class KataReport:
    """Everything found of one kata. It is sound when there are no problems; `cached` says that nothing was run this
    time."""

    kata: str
    seed: int
    problems: tuple[Problem, ...]
    variants: tuple[VariantReport, ...] = ()
    seconds: float = 0.0
    cached: bool = False

    @property
    def ok(self) -> bool:
        """Whether the grader of this kata is proven."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Plain data, of which `from_json` makes the report again."""
        return {
            "kata": self.kata,
            "seed": self.seed,
            "ok": self.ok,
            "problems": [{**dataclasses.asdict(problem), "file": str(problem.file)} for problem in self.problems],
            "variants": [variant.to_json() for variant in self.variants],
            "seconds": self.seconds,
            "cached": self.cached,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> KataReport:
        """The report that `to_json` wrote."""
        return cls(
            kata=data["kata"],
            seed=data["seed"],
            problems=tuple(Problem(**{**problem, "file": Path(problem["file"])}) for problem in data["problems"]),
            variants=tuple(VariantReport.from_json(variant) for variant in data["variants"]),
            seconds=data["seconds"],
            cached=data["cached"],
        )


@dataclass(frozen=True)
class ProofReport:
    """A note's proof: the values it left behind, or what is wrong with it."""

    note: str
    values: Mapping[str, Scalar] = field(default_factory=dict)
    problem: Problem | None = None
    seconds: float = 0.0
    cached: bool = False
