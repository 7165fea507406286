"""Figures: SVG files of decks/figures, as media of a package.

A figure is `NAME.LANGUAGE.light.svg` and `NAME.LANGUAGE.night.svg`, or one `NAME.svg` for all. Anki never replaces a
medium by another of the same name, so the name of a medium holds a hash of its bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING

from llmdrills.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.language import Language

__all__ = ["Figure", "Figures", "read_media"]

# A figure is shown as an image, so a script would not run; a request to another server would reveal the learner.
_UNSAFE = re.compile(
    rb"<script|<foreignObject|(?:href|src)\s*=\s*[\"'](?!#|data:)|@import|url\(\s*[\"']?(?!#|data:|[\"']?#)",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title>([^<]*)</title>")


@dataclass(frozen=True)
class Figure:
    """A figure as a field shows it, and the media that it needs: name → bytes."""

    html: str
    media: dict[str, bytes]


class Figures:
    """Reads each figure of a workspace once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folder = root / "decks" / "figures"
        self._known: dict[tuple[str, Language], Figure] = {}

    def get(self, name: str, language: Language) -> Figure:
        """The figure of that name. Raises BuildError when there is none, or when it would load something."""
        if (name, language) not in self._known:
            self._known[name, language] = self._load(name, language)
        return self._known[name, language]

    def _load(self, name: str, language: Language) -> Figure:
        light = self._read(f"{name}.{language}.light.svg")
        night = self._read(f"{name}.{language}.night.svg") if light else None
        if light is None:
            light = self._read(f"{name}.svg")
        if light is None:
            wanted = self._folder / f"{name}.{language}.light.svg"
            raise BuildError(f"there is no figure {name!r}", f"draw {wanted}, or take `figure` out of the note")
        title = _TITLE.search(light.decode("utf-8", "replace"))
        shown = escape(unescape(title[1]) if title else name)
        media = {_media_name(name, light): light}
        html = f'<img class="light {"paired" if night else "alone"}" alt="{shown}" src="{_media_name(name, light)}">'
        if night:
            media[_media_name(name, night)] = night
            html += f'<img class="night" alt="{shown}" src="{_media_name(name, night)}">'
        return Figure(html, media)

    def files(self, name: str, language: Language) -> dict[str, bytes]:
        """The files that the figure of that name is made of in one language; Raises BuildError as `get`."""
        self.get(name, language)
        wanted = (f"{name}.{language}.light.svg", f"{name}.{language}.night.svg", f"{name}.svg")
        found = {file: data for file in wanted if (data := self._read(file)) is not None}
        return found if len(found) == 1 else {file: data for file, data in found.items() if file != f"{name}.svg"}

    def _read(self, file: str) -> bytes | None:
        path = self._folder / file
        data = read_media(path, self.root)
        if data is None:
            return None
        if found := _UNSAFE.search(data):
            what = found[0].decode(errors="replace")
            raise BuildError(f"{path} holds {what!r}", "figures hold no script and load nothing from elsewhere")
        return data


def read_media(path: Path, root: Path) -> bytes | None:
    """The bytes of a file that goes into a package, None where there is none. Raises BuildError; never waits.

    A pipe would be waited for, and a link to a file outside of the workspace would carry that file out into the world.
    """
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
            raise BuildError(f"{path} is a link to a file outside of the workspace", "copy the file there instead")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BuildError(f"{path} is not a file", "put the picture itself there")
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BuildError(f"cannot read {path}: {error.strerror or error}", "make it readable") from None


def _media_name(name: str, data: bytes) -> str:
    return f"llmdrills-{name}-{hashlib.sha256(data).hexdigest()[:12]}.svg"
