"""Number families: a note whose numbers may be drawn anew, so that what is learned is the formula and not its result.

The card in Anki shows one instance, the `card` of each quantity, and keeps it from build to build: only an edit of
the deck file changes it, and `build` then says that the note is updated. `llmdrills ask` and the exam draw others.
"""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.arithmetic import FormulaError, Value, formula

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmdrills.language import Bilingual

__all__ = ["Drawn", "Family", "Quantity"]

_TRIES = 10_000
"""Draws that `where` may refuse before it is given up; `check` reports a family that refuses 19 of 20."""


@dataclass(frozen=True)
class Quantity:
    """A number that may be drawn: which values it has, and the one that the card shows."""

    name: str
    values: tuple[Value, ...]
    card: Value


class Drawn(NamedTuple):
    """One instance: the quantities, then the steps, by name; and what the formula comes to."""

    names: Mapping[str, Value]
    answer: Value


@dataclass(frozen=True)
class Family:
    """The ranges of a note's numbers, and how its answer follows from them.

    `front` and `back` are what is asked and explained about drawn numbers; without them the note's own texts are.
    `named`: as what the texts show the answer, empty where `answer.value` is a plain number.
    """

    quantities: tuple[Quantity, ...]
    formula: str
    steps: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    tolerance: str = ""  # empty: neither the family nor the answer says one
    front: Bilingual | None = None
    back: Bilingual | None = None
    named: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What the texts may show as `[[name]]`."""
        own = (quantity.name for quantity in self.quantities)
        return frozenset((*own, *self.steps, *filter(None, (self.named,))))

    @property
    def count(self) -> int:
        """How many instances there are, those among them that `where` refuses."""
        count = 1
        for quantity in self.quantities:
            count *= len(quantity.values)
        return count

    def of(self, quantities: Mapping[str, Value]) -> Drawn:
        """The instance of these numbers. Raises FormulaError where a step or the formula has no value."""
        names = dict(quantities)
        for name, text in self.steps.items():
            names[name] = formula(text).value(names)
        answer = formula(self.formula).value(names)
        if self.named:
            names[self.named] = answer
        return Drawn(names, answer)

    def card(self) -> Drawn:
        """The instance that the card shows. Raises FormulaError, which the reader of the deck tells."""
        return self.of({quantity.name: quantity.card for quantity in self.quantities})

    def allows(self, quantities: Mapping[str, Value]) -> bool:
        """Whether these numbers go together. Raises FormulaError."""
        return not self.where or formula(self.where).holds(quantities)

    def pick(self, source: random.Random) -> dict[str, Value]:
        """Numbers from the ranges, whether or not they go together."""
        return {quantity.name: source.choice(quantity.values) for quantity in self.quantities}

    def draw(self, seed: str) -> Drawn:
        """An instance of that seed, the same on every machine; the card's own where nothing else is allowed.

        Numbers for which the formula has no value are passed over: a learner can do nothing about them, and `check`
        tells the author.
        """
        source = random.Random(seed)  # noqa: S311  # a question, not a secret
        for _ in range(_TRIES):
            quantities = self.pick(source)
            with contextlib.suppress(FormulaError):
                if self.allows(quantities):
                    return self.of(quantities)
        return self.card()

    def all(self) -> Iterator[dict[str, Value]]:
        """The numbers of every instance, whether or not they go together."""
        from itertools import product

        names = [quantity.name for quantity in self.quantities]
        for values in product(*(quantity.values for quantity in self.quantities)):
            yield dict(zip(names, values, strict=True))
