"""Which notes belong to which kata, for the plan of a day: from a cache as long as no file that says so changed.

Reading the decks takes a second, and a plan has to be there at once; so only what the plan needs is kept, as JSON.
"""

from __future__ import annotations

import json
import os
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills import __version__
from llmdrills.errors import ContentError

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.model import Note

__all__ = ["KataNote", "card_ordinals", "notes_of_katas"]

_FORMAT = 1


class KataNote(NamedTuple):
    """A note of a kata, and the cards that it has in Anki, from 0."""

    note: str
    kata: str
    cards: tuple[int, ...]


def notes_of_katas(root: Path, cache_dir: Path) -> tuple[KataNote, ...]:
    """The notes that name a kata, in the order of the decks, and those derived from its slips.

    None where the workspace has problems: whoever plans a day is not the one to fix them, and `check` names them.
    """
    root = root.absolute()
    stamp = _stamp(root)
    path = cache_dir / f"kata-notes-{zlib.crc32(os.fsencode(root)):08x}.json"
    try:
        kept = json.loads(path.read_bytes())
        if kept["stamp"] == stamp:
            return tuple(KataNote(note, kata, tuple(cards)) for note, kata, cards in kept["notes"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # no cache, or one that cannot be used: it is made anew
    try:
        found = _read(root, cache_dir)
    except ContentError:
        return ()
    _write(path, {"stamp": stamp, "notes": found})
    return found


def card_ordinals(note: Note) -> frozenset[int]:
    """The cards that a note has, from 0: one, or one for each number of a cloze's deletions."""
    from llmdrills.content.cloze import deletions

    if note.type != "cloze":
        return frozenset({0})
    return frozenset(one.number - 1 for one in deletions(note.front.en or note.front.zh))


def _read(root: Path, cache_dir: Path) -> tuple[KataNote, ...]:
    from llmdrills.content.derive import bug_notes
    from llmdrills.content.load import load_workspace

    workspace = load_workspace(root, cache_dir)
    notes = (*workspace.notes, *bug_notes(workspace.katas))
    return tuple(KataNote(note.id, note.kata, tuple(sorted(card_ordinals(note)))) for note in notes if note.kata)


def _stamp(root: Path) -> list[Any]:
    files = [*sorted((root / "decks").glob("*.yaml")), *sorted((root / "drills").glob("*/*.yaml"))]
    stamp: list[Any] = [_FORMAT, __version__, str(root)]
    for file in files:
        found = file.stat()
        stamp.append([str(file.relative_to(root)), found.st_mtime_ns, found.st_size])
    return stamp


def _write(path: Path, data: dict[str, Any]) -> None:
    from llmdrills.files import write_atomically

    try:
        write_atomically(path, json.dumps(data, ensure_ascii=False), durable=False)
    except OSError:
        return  # a cache that cannot be written costs a second tomorrow, and nothing else
