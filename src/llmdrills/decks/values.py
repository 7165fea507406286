"""Fill the values that proofs computed into the `[[name]]` placeholders of a note's texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.content.computed import fill
from llmdrills.errors import ContentError, Problem

if TYPE_CHECKING:
    from llmdrills.content.computed import Computed
    from llmdrills.content.model import Note

__all__ = ["Values"]


class Values:
    """Fills texts from decks/computed.json, and collects missing values so that all are reported together."""

    def __init__(self, computed: Computed) -> None:
        self._computed = computed
        self._problems: dict[Problem, None] = {}

    def __call__(self, note: Note, text: str, key: str) -> str:
        """The text with values filled in. `key`: where it stands ("front.en"). What can't be filled stays."""
        if not note.shows_values or "[[" not in text:
            return text
        filled, faults = fill(text, self._computed.values(note))
        place = note.positions.get(key, note.position)
        for fault in faults:
            what, _, todo = fault.partition(": ")
            self._problems[Problem(place.file, place.line, place.column, what, todo)] = None
        return filled

    def raise_if_any(self) -> None:
        """Raise ContentError with everything that could not be filled."""
        if self._problems:
            raise ContentError(self._problems)
