"""What an attempt prints, kept whole up to a limit and by cases. No torch.

The learner's process writes a mark into what it prints where one case ends and the next begins; only the attempt's
process and the command know it. So questions can wait in the channel, and each text still belongs to its case.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct

__all__ = ["CASE_BYTES", "Printed", "write_mark"]

CASE_BYTES = 4 << 10
"""Bytes that are kept of what one case prints."""
MOST_CASES = 10_000
_CUT = "\n…\n"
_NUMBER = struct.Struct("<I")


def write_mark(descriptor: int, mark: bytes, number: int) -> None:
    """Mark the end of what case `number` printed, counted from 1; 0 is what the file printed while it loaded."""
    with contextlib.suppress(OSError):  # the attempt closed it: then its prints are not told apart
        os.write(descriptor, mark + _NUMBER.pack(number))


class Printed:
    """Takes in what the learner's process prints. `limit` bounds the whole, and once more all cases together."""

    def __init__(self, limit: int) -> None:
        # No text in UTF-8 has the byte ff: the end of what was printed is never held back as the beginning of a mark.
        self.mark = b"\xff" + secrets.token_bytes(15)
        self.cut = False
        self._limit = limit
        self._whole = bytearray()
        self._part = bytearray()
        self._part_cut = False
        self._parts: list[str] = []  # loading, then case by case
        self._left = limit
        self._held = b""

    def add(self, data: bytes) -> None:
        """Take in what was printed since."""
        data = self._held + data
        size = len(self.mark) + _NUMBER.size
        while (at := data.find(self.mark)) >= 0 and len(data) - at >= size:
            self._keep(data[:at])
            self._end_part(_NUMBER.unpack_from(data, at + len(self.mark))[0])
            data = data[at + size :]
        kept = at if at >= 0 else len(data) - _overlap(data, self.mark)
        self._keep(data[:kept])
        self._held = data[kept:]

    def _keep(self, data: bytes) -> None:
        room = self._limit - len(self._whole)
        self._whole += data[: max(room, 0)]
        self.cut = self.cut or len(data) > room
        room = min(CASE_BYTES, self._left) - len(self._part)
        self._part += data[: max(room, 0)]
        self._part_cut = self._part_cut or len(data) > room

    def _end_part(self, number: int) -> None:
        if not len(self._parts) <= number <= MOST_CASES:
            return  # no mark that the grader writes
        self._parts += [""] * (number - len(self._parts))
        text = self._part.decode("utf-8", "replace")
        self._parts.append(text + _CUT if self._part_cut else text)
        if number:
            self._left -= len(self._part)
        self._part.clear()
        self._part_cut = False

    @property
    def text(self) -> str:
        """Everything, cut at the limit."""
        return self._whole.decode("utf-8", "replace")

    @property
    def unfinished(self) -> str:
        """What was printed since the last mark: by the case in which the process ended."""
        text = self._part.decode("utf-8", "replace")
        return text + _CUT if self._part_cut else text

    def cases(self, count: int) -> tuple[str, ...]:
        """What each of the first `count` cases printed; a text that was cut ends with a line of one ellipsis."""
        found = self._parts[1 : count + 1]
        return (*found, *[""] * (count - len(found)))


def _overlap(data: bytes, mark: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of `mark`."""
    return next((size for size in range(min(len(mark), len(data)), 0, -1) if data.endswith(mark[:size])), 0)
