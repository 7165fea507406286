"""Rendered fields, kept by content: what was rendered once is not rendered again.

One JSON file. It holds nothing that can't be made anew, so a damaged or unreadable one is ignored and replaced.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from llmdrills.decks.files import prepare
from llmdrills.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["RenderCache"]

_FORMAT = 1
_SPARE = 2000  # entries of earlier texts that are kept: an edit undone, the other language


class RenderCache:
    """Maps a key made of texts to the texts rendered from them. Without a folder it only lasts as long as the build."""

    def __init__(self, folder: Path | None, about: str) -> None:
        self._file = folder / "rendered.json" if folder else None
        self._about = about  # versions of what renders: another one empties the cache
        self._old = self._read()
        self._used: dict[str, list[str]] = {}
        self._changed = False

    def _read(self) -> dict[str, list[str]]:
        if self._file is None:
            return {}
        try:
            stored = json.loads(self._file.read_bytes())
            if stored["format"] == _FORMAT and stored["about"] == self._about and isinstance(stored["entries"], dict):
                return stored["entries"]  # each entry is checked where it is used
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return {}

    def get(self, parts: Iterable[str], make: Callable[[], list[str]]) -> list[str]:
        """What `make` returns, from the cache where the same parts were asked for before."""
        key = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        found = self._used.get(key) or self._old.get(key)
        if not (isinstance(found, list) and all(isinstance(text, str) for text in found)):
            found = make()
            self._changed = True
        self._used[key] = found
        return found

    def save(self) -> None:
        """Write what was used, and some of what was not. A folder that can't be written fails no build."""
        if self._file is None or not self._changed:
            return
        unused = [key for key in self._old if key not in self._used]
        room = max(_SPARE, len(self._used))
        kept = {key: self._old[key] for key in unused[-room:]}
        data = json.dumps(
            {"format": _FORMAT, "about": self._about, "entries": kept | self._used},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        try:
            prepare(self._file, data.encode("utf-8", "surrogatepass")).commit()
        except BuildError:
            return
