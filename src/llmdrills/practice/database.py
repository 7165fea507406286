"""The file of the history: made, migrated, copied and opened. What is wrong with it is raised, not put right here.

Before every event table stands a temporary view of the same name, for this connection only: a query sees the events
whose values are in their domains (`domains`), and the table itself is called `main.reviews`. So no query has to think
of a rating of 99 that an earlier release let in.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from llmdrills.errors import HistoryError
from llmdrills.practice import domains, schema
from llmdrills.practice.alone import alone

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["UNREADABLE", "Damaged", "connect", "copy", "is_damage", "is_made", "is_whole", "make"]

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
        if check and connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            raise Damaged(str(path))
    except UnicodeDecodeError as error:  # a name in the table of tables: no check of SQLite's own sees it
        connection.close()
        raise Damaged(str(path)) from error
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
    ours = identity == schema.APPLICATION_ID
    if version > schema.version() and ours:
        raise HistoryError(
            f"{path} was written by a newer llmdrills (version {version}; this one knows {schema.version()})",
            "update llmdrills: pip install --upgrade llmdrills",
        )
    if tables and not ours and not tables >= set(_FIRST_TABLES):
        raise HistoryError(
            f"{path} is not a history of llmdrills", "move it away, or set LLMDRILLS_HOME to another folder"
        )
    if tables and (not ours or version < 1):
        raise Damaged(f"{path} says that it is version {version} of a database with the mark {identity:#x}")
    if not tables or version < schema.version():
        connection.execute("PRAGMA journal_mode = WAL")
        _migrate(connection, path)
    _check_tables(connection, path)
    # In WAL mode only FULL keeps the last commit through a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")
    for kind in _SEEN_IF_SOUND:
        connection.execute(f"CREATE TEMP VIEW {kind} AS SELECT * FROM main.{kind} WHERE {domains.sound(kind)}")


_FIRST_TABLES = ("sessions", "attempts", "reviews", "undos")  # what every version has had
# An undo is followed by its review's id alone, and parameters are looked at as a whole before they are used.
_SEEN_IF_SOUND = tuple(kind for kind in schema.EVENTS if kind not in {"undos", "parameters"})


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raise Damaged where an event table, a column of one or its triggers are missing; make derived tables anew."""
    found = _columns(connection)
    if not _are_whole(connection, found):
        raise Damaged(f"{path} lacks a table, a column or a trigger")
    if any(found.get(name) != columns for name, columns in schema.DERIVED.items()):
        connection.execute("BEGIN IMMEDIATE")
        try:
            schema.make_derived(connection)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


def _columns(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """The tables, and the names of their columns in order."""
    found: dict[str, tuple[str, ...]] = {}
    query = (
        "SELECT m.name AS tbl, c.name AS col FROM main.sqlite_master AS m JOIN pragma_table_info(m.name, 'main') AS c "
        "WHERE m.type = 'table' ORDER BY m.name, c.cid"
    )
    for table, column in connection.execute(query):
        found[table] = (*found.get(table, ()), column)
    return found


def _are_whole(connection: sqlite3.Connection, found: dict[str, tuple[str, ...]]) -> bool:
    if any(found.get(kind) != (*schema.COMMON, *columns) for kind, columns in schema.EVENTS.items()):
        return False
    triggers = {row[0] for row in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'trigger'")}
    return triggers >= {f"{kind}_{what}" for kind in schema.EVENTS for what in ("keep", "hold")}


def is_whole(path: Path) -> bool:
    """Whether the file is a whole history of this version, page by page. Nothing is changed."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return (
                _state(connection)[:2] == (schema.version(), schema.APPLICATION_ID)
                and _are_whole(connection, _columns(connection))
                and connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            )
    except (sqlite3.Error, UnicodeDecodeError):
        return False


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


def copy(connection: sqlite3.Connection, target: Path, mode: str = "DELETE") -> None:
    """Write a whole copy to `target`, which appears at once or not at all. Raises Damaged, sqlite3.Error and OSError.

    `mode`: its journal's. DELETE makes one file, which can be read where nothing can be written; a history has WAL.
    """
    partial = target.with_name(target.name + ".partial")
    for ending in ("", "-wal", "-shm", "-journal"):
        partial.with_name(partial.name + ending).unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(partial)) as backup:
        connection.backup(backup)
        if backup.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise Damaged(f"{target} would be a copy of a damaged file")
        backup.execute(f"PRAGMA journal_mode = {mode}")
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
