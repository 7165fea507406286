"""What an attempt prints, kept whole up to a limit and by cases. No torch."""

from __future__ import annotations

__all__ = ["CASE_BYTES", "Printed"]

CASE_BYTES = 4 << 10
"""Bytes that are kept of what one case prints."""
_CUT = "\n…\n"


class Printed:
    """Takes in what the learner's process prints. `limit` bounds the whole, and once more all cases together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._whole = bytearray()
        self._case = bytearray()
        self._case_cut = False
        self._cases: list[str] = []
        self._left = limit
        self.cut = False

    def add(self, part: bytes) -> None:
        """More was printed."""
        room = self._limit - len(self._whole)
        self._whole += part[:room]
        self.cut = self.cut or len(part) > room
        room = min(CASE_BYTES, self._left) - len(self._case)
        self._case += part[: max(room, 0)]
        self._case_cut = self._case_cut or len(part) > room

    def begin_cases(self) -> None:
        """What was printed so far was printed while the file loaded."""
        self._case.clear()
        self._case_cut = False

    def end_case(self) -> None:
        """What was printed since the last case is this case's."""
        text = self._case.decode("utf-8", "replace")
        self._cases.append(text + _CUT if self._case_cut else text)
        self._left -= len(self._case)
        self.begin_cases()

    @property
    def text(self) -> str:
        """Everything, cut at the limit."""
        return self._whole.decode("utf-8", "replace")

    @property
    def cases(self) -> tuple[str, ...]:
        """What each case printed, in order; a text that was cut ends with a line of one ellipsis."""
        return tuple(self._cases)
