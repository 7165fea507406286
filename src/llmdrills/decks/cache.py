"""Cache rendered fields by their content, so that no text is rendered twice.

The cache is one file. Everything in it can be made again, so a damaged or unreadable file is ignored and replaced.
It holds strings by `marshal`, which writes them in a fifth of the time that JSON takes and reads them in half; like
Python's own byte code it belongs to one version of Python, and to the user's own folder.
"""

from __future__ import annotations

import hashlib
import marshal
import sys
from typing import TYPE_CHECKING, cast

from llmdrills.decks.files import prepare
from llmdrills.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["RenderCache"]

_SPARE = 2000  # entries of earlier texts that are kept: an edit undone, the other language


class RenderCache:
    """Maps a key made of texts to the texts made from them. Without a folder it is kept in memory only.

    The first line of the file holds a checksum of the rest and the versions of the renderer: a card must never show
    text from a damaged cache.
    """

    def __init__(self, folder: Path | None, about: str) -> None:
        self._file = folder / "rendered.marshal" if folder else None
        # Versions of the renderer and of Python: another version empties the cache.
        self._about = f"{about} {sys.implementation.cache_tag}"
        self._old = self._read()
        self._used: dict[str, list[str]] = {}
        self._changed = False

    def _read(self) -> dict[str, list[str]]:
        if self._file is None:
            return {}
        try:
            head, _, body = self._file.read_bytes().partition(b"\n")
            if head == self._head(body):
                return cast("dict[str, list[str]]", marshal.loads(body))  # noqa: S302  # checksummed
        except (OSError, ValueError, EOFError, TypeError):
            pass
        return {}

    def _head(self, body: bytes) -> bytes:
        return f"{hashlib.blake2b(body, digest_size=16).hexdigest()} {self._about}".encode()

    def get(self, parts: Iterable[str], make: Callable[[], list[str]]) -> list[str]:
        """What `make` returns, from the cache where the same parts were asked for before."""
        key = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        found = self._used.get(key) or self._old.get(key)
        if found is None:
            found = make()
            self._changed = True
        self._used[key] = found
        return found

    def save(self) -> None:
        """Write the entries that were used, and some others. The build goes on if the folder cannot be written."""
        if self._file is None or not self._changed:
            return
        unused = [key for key in self._old if key not in self._used]
        kept = {key: self._old[key] for key in unused[-max(_SPARE, len(self._used)) :]}
        body = marshal.dumps(kept | self._used)
        try:
            prepare(self._file, self._head(body) + b"\n" + body, durable=False).commit()
        except BuildError:
            return
