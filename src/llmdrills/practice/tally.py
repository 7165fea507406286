"""How many events of each kind the history has had, kept in a file beside it: what a rebuild measures its loss by.

The file is written after each commit, and never says more than what was committed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from llmdrills.files import write_atomically
from llmdrills.practice import schema

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

__all__ = ["count", "lacking", "place", "read", "write"]

_SEQUENCES = "SELECT name, seq FROM main.sqlite_sequence"


def place(path: Path) -> Path:
    """Where the counts of a history are."""
    return path.with_name(path.name + ".counts")


def read(path: Path) -> dict[str, int] | None:
    """The counts that were kept for the history at `path`; None where there are none that can be read."""
    try:
        found = json.loads(place(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {kind: number for kind, number in found.items() if kind in schema.EVENTS and type(number) is int}


def count(connection: sqlite3.Connection) -> dict[str, int]:
    """The events of each kind: they are numbered without gaps. Raises sqlite3.Error."""
    return {name: seq for name, seq in connection.execute(_SEQUENCES) if name in schema.EVENTS and seq}


def write(path: Path, counts: dict[str, int]) -> None:
    """Keep the counts for the history at `path`."""
    try:
        write_atomically(place(path), json.dumps(counts), durable=False)
    except OSError:
        # The events themselves are recorded; without newer counts a rebuild can only say less of what is missing.
        return


def lacking(path: Path, counts: dict[str, int]) -> bool:
    """Whether fewer events are there than were counted: then the file is not the one that was written last."""
    kept = read(path) or {}
    return any(number > counts.get(kind, 0) for kind, number in kept.items())
