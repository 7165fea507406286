"""Pictures and sounds of decks/media, which a text shows by `![what it shows](file.png)`.

Anki never replaces a medium by another of the same name, so the name of a medium holds a hash of its bytes.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from llmdrills.content.cloze import opaque_spans
from llmdrills.decks.figures import read_media
from llmdrills.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BEGINS", "LOCAL", "MOST_BYTES", "SOUNDS", "Media", "references"]

LOCAL = "media:"
"""How a text names a medium once its name in Anki is known."""
SOUNDS = ("mp3", "ogg", "oga", "opus", "wav", "m4a", "flac")
MOST_BYTES = {"picture": 5 << 20, "sound": 20 << 20}
"""Of one medium: AnkiWeb takes at most 100 MB a file, phones far less."""
_REFERENCE = re.compile(r"!\[([^\]]*)\]\(\s*<?([\w][\w. -]*\.(\w+))>?\s*\)")
BEGINS: dict[str, re.Pattern[bytes]] = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "avif": re.compile(rb"....ftypavi", re.DOTALL),
    "mp3": re.compile(rb"ID3|\xff[\xe0-\xff]"),
    "ogg": re.compile(rb"OggS"),
    "oga": re.compile(rb"OggS"),
    "opus": re.compile(rb"OggS"),
    "wav": re.compile(rb"RIFF....WAVE", re.DOTALL),
    "m4a": re.compile(rb"....ftyp", re.DOTALL),
    "flac": re.compile(rb"fLaC"),
}
"""By a name's ending, how such a file begins."""


def references(text: str) -> list[re.Match[str]]:
    """Where a text shows files of its own, outside of code and math: groups alt text, file, ending."""
    spans = opaque_spans(text)
    return [one for one in _REFERENCE.finditer(text) if not any(a <= one.start() < b for a, b in spans)]


class Media:
    """Reads each file of decks/media once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[str, bytes] | None] = {}

    def resolve(self, text: str) -> tuple[str, dict[str, bytes]]:
        """The text with the media by their names in Anki, and the media: name → bytes.

        A file that is not there stays as it is written. Raises BuildError for one that is no picture and no sound.
        """
        found: dict[str, bytes] = {}
        for one in reversed(references(text) if "![" in text else []):
            medium = self._get(one[2])
            if medium is not None:
                found[medium[0]] = medium[1]
                text = f"{text[: one.start(2)]}{LOCAL}{medium[0]}{text[one.end(2) :]}"
        return text, found

    def _get(self, file: str) -> tuple[str, bytes] | None:
        if file not in self._known:
            self._known[file] = self._load(file)
        return self._known[file]

    def _load(self, file: str) -> tuple[str, bytes] | None:
        path = self._root / "decks" / "media" / file
        data = read_media(path, self._root)
        if data is None:
            return None
        stem, _, ending = file.rpartition(".")
        known = BEGINS.get(ending.lower())
        if known is None:
            told = ", ".join(dict.fromkeys(BEGINS))
            raise BuildError(f"{path} is no picture and no sound that a card can show", f"use one of {told}")
        if not known.match(data):
            raise BuildError(f"{path} is no {ending.upper()} file, whatever its name says", "save it in that format")
        most = MOST_BYTES["sound" if ending.lower() in SOUNDS else "picture"]
        if len(data) > most:
            raise BuildError(f"{path} has {len(data) >> 20} MiB", f"make it smaller: at most {most >> 20} MiB")
        name = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:40] or "medium"
        return f"llmdrills-{name}-{hashlib.sha256(data).hexdigest()[:12]}.{ending.lower()}", data
