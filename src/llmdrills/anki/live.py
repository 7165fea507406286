"""The collection of a running Anki: it exports the decks that hold our notes, with their scheduling, and we read that.

AnkiConnect knows no guid, and asking it note by note is slow; an export holds everything, and is read like any other.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.anki.copying import opened
from llmdrills.anki.reading import Collection, FoundNote, read
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Collection as Some
    from collections.abc import Iterable

    from llmdrills.anki.connect import AnkiConnect

__all__ = ["read_live", "read_path"]

_FIND = '"note:LLM Drills*" or tag:llmdrills::*'
"""Our note types, the forks that Anki makes of them, and notes whose type was changed."""
_NOT_THERE = Bilingual(
    "Anki exported “{deck}”, but the file is not here: {path}", "Anki 导出了“{deck}”，但这里找不到文件：{path}"
)
_SANDBOX = Bilingual(
    "Anki runs on another machine or in a sandbox: export a file from it by hand, and give that",
    "Anki 运行在另一台机器或沙盒中：请手动导出文件，再把文件交给本命令",
)


def read_path(path: Path, guids: Iterable[str]) -> Collection:
    """What a collection, a profile's folder or a package says of those notes. Raises UsageError."""
    with opened(path) as connection:
        return read(connection, guids)


def read_live(anki: AnkiConnect, guids: Iterable[str]) -> Collection:
    """The same of a running Anki. Raises UsageError."""
    wanted = frozenset(guids)
    notes: dict[str, tuple[FoundNote, ...]] = {}
    changed = total = 0
    for deck in _topmost(anki.ask("getDecks", cards=anki.ask("findCards", query=_FIND))):
        found = _exported(anki, deck, wanted)
        # A deck may be exported on its own and within another one: the same note is the same in both.
        notes |= found.notes
        changed, total = max(changed, found.changed), total + found.total
    return Collection(notes, changed, total)


def _topmost(decks: Iterable[str]) -> list[str]:
    """The decks that lie in none of the others: an export takes what lies below."""
    names: Some[str] = set(decks)
    return sorted(one for one in names if not any(one.startswith(f"{other}::") for other in names))


def _exported(anki: AnkiConnect, deck: str, guids: frozenset[str]) -> Collection:
    with tempfile.TemporaryDirectory(prefix="llmdrills-anki-") as folder:
        path = Path(folder) / "export.apkg"
        anki.ask("exportPackage", deck=deck, path=str(path), includeSched=True)
        if not path.exists():
            raise UsageError(_NOT_THERE.format(deck=deck, path=path), _SANDBOX)
        return read_path(path, guids)
