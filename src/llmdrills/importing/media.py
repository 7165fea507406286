"""Pictures and sounds of a file: what a name in a text stands for, and under which name decks/media holds it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from llmdrills.decks.figures import read_media
from llmdrills.decks.media import BEGINS, MOST_BYTES, SOUNDS
from llmdrills.errors import BuildError
from llmdrills.importing.found import CannotTakeError
from llmdrills.language import Bilingual

__all__ = ["FolderMedia", "MediaBox", "MediaSource"]

_MOST_READ = max(MOST_BYTES.values()) + 1
_NOT_TAKEN = Bilingual("the medium “{name}” {why}", "媒体文件“{name}”{why}")
_SECOND = ("jpeg", "oga", "opus")  # endings of what has another
_ALSO = ("jpe", "jfif", "")


class MediaSource(Protocol):
    """Where the media of a file lie."""

    def read(self, name: str, most: int) -> bytes | None:
        """The first `most` bytes of the medium of that name; None where there is none."""


class FolderMedia:
    """Media beside a file. A name never leads out of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str, most: int) -> bytes | None:
        """See MediaSource."""
        if not name or name.startswith("/") or "\\" in name or ".." in Path(name).parts or "\0" in name:
            return None
        path = self._folder / name
        try:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                return None
            if path.stat().st_size >= most:
                with path.open("rb") as file:
                    return file.read(most)
            return read_media(path, self._folder)
        except (OSError, BuildError):  # a folder, a pipe, a name that no file can have: there is no such medium
            return None


class MediaBox:
    """Gives each medium that a note shows a name in decks/media, and keeps its bytes until they are written.

    `taken`: name → bytes. A file that is there with the same bytes is shown as it is.
    """

    def __init__(self, source: MediaSource | None, folder: Path, *, leave_out: bool = False) -> None:
        self._source = source
        self._folder = folder
        self.leave_out = leave_out
        self._known: dict[str, tuple[str, bytes]] = {}
        self._names: dict[str, bytes] = {}  # by casefolded name: file systems may not tell the cases apart
        self.taken: dict[str, bytes] = {}

    def take(self, name: str) -> str:
        """The name in decks/media of the medium that a text calls `name`. Raises CannotTakeError."""
        if name not in self._known:
            self._known[name] = self._find(name)
        new, data = self._known[name]
        self.taken[new] = data
        return new

    def keep(self, used: set[str]) -> None:
        """Forget the media that no note shows after all."""
        self.taken = {name: data for name, data in self.taken.items() if name in used}

    def bytes_of(self, name: str) -> bytes | None:
        """The bytes behind a name in decks/media that this box gave."""
        return self._names.get(name.casefold())

    def _find(self, name: str) -> tuple[str, bytes]:
        data = None
        for one in dict.fromkeys((name, unquote(name), *(unicodedata.normalize(f, name) for f in ("NFC", "NFD")))):
            data = self._source.read(one, _MOST_READ) if self._source and data is None else data
        if data is None:
            raise self._cannot(name, "is missing", "缺失")
        stem, _, ending = name.rpartition("/")[2].rpartition(".")
        ending = ending.lower()
        fits = BEGINS.get(ending)
        if fits is None or not fits.match(data):  # a wrong ending is put right by what the bytes are
            known = ending in BEGINS or ending in _ALSO
            found = [one for one, begins in BEGINS.items() if begins.match(data) and one not in _SECOND]
            if not found or not known:
                raise self._cannot(
                    name, "is no picture and no sound that a card can show", "不是卡片能显示的图片或音频"
                )
            stem, ending = stem or ending, found[0]
        most = MOST_BYTES["sound" if ending in SOUNDS else "picture"]
        if len(data) > most:
            raise self._cannot(name, f"is larger than {most >> 20} MiB", f"超过 {most >> 20} MiB")
        return self._name(stem, ending, data), data

    @staticmethod
    def _cannot(name: str, english: str, chinese: str) -> CannotTakeError:
        return CannotTakeError(_NOT_TAKEN.format(name=name[:60], why=Bilingual(english, chinese)))

    def _name(self, stem: str, ending: str, data: bytes) -> str:
        plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:40] or f"medium-{hashlib.sha256(data).hexdigest()[:8]}"
        number = 1
        while True:
            name = f"{plain}.{ending}" if number == 1 else f"{plain}-{number}.{ending}"
            if self._free(name, data):
                self._names[name.casefold()] = data
                return name
            number += 1

    def _free(self, name: str, data: bytes) -> bool:
        """Whether the name is free, or stands for the same bytes."""
        known = self._names.get(name.casefold())
        if known is not None:
            return known == data
        try:
            path = self._folder / name
            return not (path.exists() or path.is_symlink()) or read_media(path, self._folder) == data
        except (OSError, BuildError):  # something else has the name
            return False
