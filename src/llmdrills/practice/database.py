"""The file of the history: made, migrated, copied and opened. What is wrong with it is raised, not put right here."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from llmdrills.errors import HistoryError
from llmdrills.practice import schema
from llmdrills.practice.alone import alone

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["UNREADABLE", "Damaged", "connect", "copy", "is_damage", "is_made", "make"]

_WAIT = 15.0  # seconds that a process waits for another's transaction, which take milliseconds
_OLDEST = (3, 37)  # the first SQLite with STRICT tables
UNREADABLE = "Could not decode to UTF-8"
"""What SQLite says of text that is not UTF-8: no check of its own finds it."""
_CORRUPT = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB


class Damaged(Exception):  # noqa: N818  # never leaves this package: it becomes a recovery
    """The file is not a whole database."""


def is_made(path: Path) -> bool:
    """Whether there is a file with something in it; an empty one is no history yet."""
    return path.exists() and path.stat().st_size > 0


def make(path: Path) -> None:
    """Put an empty history in place, whole: no other process ever meets one without its tables, or in another mode."""
    with alone(path):
        if is_made(path):
            return
        fresh = path.with_name(path.name + ".new")
        for left in (fresh, *(fresh.with_name(fresh.name + end) for end in ("-wal", "-shm", "-journal"))):
            left.unlink(missing_ok=True)
        connect(fresh, check=False).close()
        fresh.replace(path)


def connect(path: Path, *, check: bool) -> sqlite3.Connection:
    """A connection to a whole database of this version. Raises Damaged, HistoryError and sqlite3.Error."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise HistoryError(f"this Python brings SQLite {sqlite3.sqlite_version}", "use one with SQLite 3.37 or newer")
    connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        _prepare(connection, path)
        if check and connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise Damaged(str(path))
    except sqlite3.Error as error:
        connection.close()
        if is_damage(error):
            raise Damaged(str(path)) from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version, identity, tables = _state(connection)
    if version > schema.version() and identity == schema.APPLICATION_ID:
        raise HistoryError(
            f"{path} was written by a newer llmdrills (version {version}; this one knows {schema.version()})",
            "update llmdrills: pip install --upgrade llmdrills",
        )
    if tables and identity != schema.APPLICATION_ID:
        raise HistoryError(
            f"{path} is not a history of llmdrills", "move it away, or set LLMDRILLS_HOME to another folder"
        )
    if not tables or version < schema.version():
        connection.execute("PRAGMA journal_mode = WAL")
        _migrate(connection, path)
    elif not tables >= {*schema.EVENTS, "memories", "days", "marks"}:
        raise Damaged(str(path))
    # In WAL mode only FULL keeps the last commit through a power cut.
    connection.execute("PRAGMA synchronous = FULL")


def _state(connection: sqlite3.Connection) -> tuple[int, int, set[str]]:
    """The version, the identity and the tables at one moment: another process may be making them right now."""
    connection.execute("BEGIN")
    try:
        version, identity = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
        )
        tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
    return version, identity, tables


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the tables to this version, step by step, with a copy of the whole database made first."""
    before = connection.execute("PRAGMA user_version").fetchone()[0]
    if before:
        copy(connection, path.with_name(f"{path.name}.version-{before}"))
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        for number in range(connection.execute("PRAGMA user_version").fetchone()[0], schema.version()):
            schema.MIGRATIONS[number](connection)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def copy(connection: sqlite3.Connection, target: Path) -> None:
    """Write a whole copy to `target`, which appears at once or not at all. Raises sqlite3.Error and OSError."""
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(partial)) as backup:
        connection.backup(backup)
    partial.replace(target)


def is_damage(error: Exception) -> bool:
    """Whether an error means that the file is broken, not that it is busy, full or out of reach."""
    text = str(error)
    return (
        isinstance(error, Damaged)
        or getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT
        or "no such table" in text
        or UNREADABLE in text
    )
