"""The decks and katas as a whole, which take seconds to read: the cards of a kata, the readiness checklist, an exam.

A content pack is a workspace of its own.

Read in the thread that asks for them, so that a save never waits for it, and kept until a file changes.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills.content import load_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.model import Kata, Workspace
    from llmdrills.decks.preview.gallery import Gallery, PreviewCard
    from llmdrills.language import Language

__all__ = ["Library"]

_PICTURE = re.compile(r'(<(?:img|audio|source)\b[^>]*?\bsrc=")([^":/]+)"')


class _Known(NamedTuple):
    stamp: list[Any]
    workspace: Workspace


class Library:
    """The workspace at `root`, and those of content packs; safe from any thread."""

    def __init__(self, root: Path, cache: Path) -> None:
        self._root = root
        self._cache = cache
        self._lock = threading.Lock()
        self._known: dict[Path, _Known] = {}
        self._media: dict[str, bytes] = {}

    def workspace(self, root: Path | None = None) -> Workspace:
        """The workspace, or the one at `root`, read again where a file changed. Raises ContentError."""
        with self._lock:
            place = root or self._root
            known, stamp = self._known.get(place), _stamp(place)
            if known is None or known.stamp != stamp:
                known = self._known[place] = _Known(stamp, load_workspace(place, self._cache))
            return known.workspace

    def cards(self, kata: Kata, language: Language) -> dict[str, Any]:
        """The cards of a kata, each side as HTML, and their style. Raises ContentError and BuildError."""
        from llmdrills.decks.preview.gallery import cards_of  # it imports genanki, which nothing else here needs

        own = self.workspace(kata.folder.parents[1])  # WORKSPACE/drills/KATA
        found = cards_of(own, self._cache, language, kata.id)
        self._media |= found.media
        return {
            "cards": [{"title": card.title, **_sides(card, found)} for card in found.cards],
            "css": found.cards[0].css if found.cards else "",
        }

    def media(self, name: str) -> bytes | None:
        """A picture or sound of the cards that were shown."""
        return self._media.get(name)


def _stamp(root: Path) -> list[Any]:
    files = [*root.glob("decks/**/*"), *root.glob("drills/*/*"), *root.glob("*.toml")]
    stamp: list[Any] = []
    for file in sorted(files):
        try:
            found = file.stat()
        except OSError:  # removed just now
            continue
        stamp.append((str(file), found.st_mtime_ns, found.st_size))
    return stamp


def _sides(card: PreviewCard, gallery: Gallery) -> dict[str, str]:
    """Both sides; what is in the package is asked for at /media/."""

    def place(match: re.Match[str]) -> str:
        return f'{match[1]}/media/{match[2]}"' if match[2] in gallery.media else match[0]

    return {"front": _PICTURE.sub(place, card.question), "back": _PICTURE.sub(place, card.answer)}
