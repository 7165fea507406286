"""Where each key's value of a note stands: positions are kept as two numbers, and made into objects when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from llmdrills.content.model import Position

__all__ = ["Places"]


class Places(Mapping[str, Position]):
    """Key path ("back.zh", "items.2.en") → Position, its file relative to the workspace."""

    __slots__ = ("_file", "_places")

    def __init__(self, file: Path, places: dict[str, tuple[int, int]]) -> None:
        self._file = file
        self._places = places

    def __getitem__(self, path: str) -> Position:
        line, column = self._places[path]
        return Position(self._file, line, column)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
