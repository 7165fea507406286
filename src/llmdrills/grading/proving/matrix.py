"""The kill matrix: which case exposes which slip, and which tell two of them apart. Data only; no torch.

A case *kills* a slip when its answer there is wrong. Two slips are told apart by a case where their
answers differ. Cases derived by the framework (`llmdrills.grading.kernels.derived_cases`) count for killing, and are
left out when asking whether a case is redundant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Matrix"]


@dataclass(frozen=True)
class Matrix:
    """Slip × case for one variant.

    `kinds[slip][case]` is the kind of the first finding (`llmdrills.grading.judging.findings`), "" where the
    answer is right. `classes[case][slip]` numbers the distinct answers to a case; 0 is the right one.
    `same_as` holds declared pairs.
    """

    cases: tuple[str, ...]
    slips: tuple[str, ...]
    kinds: Mapping[str, Mapping[str, str]]
    classes: Mapping[str, Mapping[str, int]]
    derived: tuple[str, ...] = ()
    same_as: Mapping[str, str] = field(default_factory=dict)

    def killed_by(self, slip: str) -> tuple[str, ...]:
        """The cases that expose it."""
        return tuple(case for case in self.cases if self.kinds[slip][case])

    def survivors(self) -> tuple[str, ...]:
        """Slips that no case exposes."""
        return tuple(name for name in self.slips if not self.killed_by(name))

    def confused(self) -> tuple[tuple[str, str], ...]:
        """Pairs that give the same answer to every case and are not declared to be one."""
        found: dict[tuple[int, ...], list[str]] = {}
        for name in self.slips:
            found.setdefault(tuple(self.classes[case][name] for case in self.cases), []).append(name)
        pairs = [(a, b) for group in found.values() for i, a in enumerate(group) for b in group[i + 1 :]]
        return tuple((a, b) for a, b in pairs if not self.declared_one(a, b))

    def redundant(self) -> tuple[str, ...]:
        """Authored cases each of which could go without changing what is killed or what can be told apart."""
        authored = tuple(case for case in self.cases if case not in self.derived)
        whole = self._power(authored)
        return tuple(case for case in authored if self._power(tuple(c for c in authored if c != case)) == whole)

    def table(self) -> list[list[str]]:
        """Rows of text, the first being the head: a slip, then for each case the kind of failure or "·"."""
        head = ["", *self.cases]
        return [
            head,
            *([name, *(self.kinds[name][case] or "·" for case in self.cases)] for name in self.slips),
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain data, of which `from_json` makes the matrix again."""
        return {
            "cases": list(self.cases),
            "derived": list(self.derived),
            "misconceptions": list(self.slips),
            "kinds": {name: {case: kind for case, kind in row.items() if kind} for name, row in self.kinds.items()},
            "classes": {case: dict(row) for case, row in self.classes.items()},
            "same_as": dict(self.same_as),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Matrix:
        """The matrix that `to_json` wrote."""
        cases = tuple(data["cases"])
        kinds = {name: {case: row.get(case, "") for case in cases} for name, row in data["kinds"].items()}
        return cls(
            cases=cases,
            slips=tuple(data["misconceptions"]),
            kinds=kinds,
            classes=data["classes"],
            derived=tuple(data["derived"]),
            same_as=data["same_as"],
        )

    def declared_one(self, a: str, b: str) -> bool:
        """Whether the author said that the two cannot be told apart."""
        return self._root(a) == self._root(b)

    def _root(self, name: str) -> str:
        seen = {name}
        while (name := self.same_as.get(name, name)) not in seen:
            seen.add(name)
        return name

    def _power(self, cases: tuple[str, ...]) -> tuple[frozenset[str], frozenset[frozenset[str]]]:
        """What these cases kill, and into which groups they part the slips."""
        killed = frozenset(name for name in self.slips if any(self.kinds[name][case] for case in cases))
        groups: dict[tuple[int, ...], set[str]] = {}
        for name in self.slips:
            groups.setdefault(tuple(self.classes[case][name] for case in cases), set()).add(name)
        return killed, frozenset(frozenset(group) for group in groups.values())
