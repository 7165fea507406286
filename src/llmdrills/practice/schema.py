"""The tables of the history, and the steps from one version to the next.

Two sorts of table. *Events* are what happened: append-only, each row with a UUID and the time. *Derived* tables hold
what follows from them; they are thrown away and rebuilt whenever that is simpler.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "APPLICATION_ID",
    "BY_ORIGIN",
    "COMMON",
    "DERIVED",
    "EVENTS",
    "KINDS",
    "MIGRATIONS",
    "Column",
    "make_derived",
    "version",
]

APPLICATION_ID = 0x6C6C6D64  # "llmd": tells our database from any other


@dataclass(frozen=True)
class Column:
    """One column of an event table."""

    type: str
    null: bool = False


_TEXT, _INTEGER, _REAL = Column("TEXT"), Column("INTEGER"), Column("REAL")
_CODE = {"code": _TEXT, "encoding": _TEXT}  # encoding: utf-8, or base64 where the bytes are not

# `kind` repeats the table's name, so that a row found in a damaged file can be put back where it belongs;
# `seq` counts without gaps, so that what was lost can be counted.
COMMON = ("seq", "kind", "id", "at", "zone")

EVENTS: dict[str, dict[str, Column]] = {
    # `mode`: repair where it began from a wrong kernel, which is then the one of `slip`; null where from a blank.
    "sessions": {
        "kata": _TEXT,
        "variant": _TEXT,
        "file": _TEXT,
        "seed": _INTEGER,
        "mode": Column("TEXT", null=True),
        "slip": Column("TEXT", null=True),
    },
    "archives": {"session": _TEXT, "kata": _TEXT, "file": _TEXT, **_CODE},
    "attempts": {
        "session": _TEXT,
        "kata": _TEXT,
        "variant": _TEXT,
        "outcome": _TEXT,
        "diagnosis": Column("TEXT", null=True),
        "seconds": _REAL,
        "seed": _INTEGER,
        "device": _TEXT,
        "cases": _TEXT,
        **_CODE,
    },
    "hints": {"session": _TEXT, "kata": _TEXT, "number": _INTEGER},
    "solutions": {"session": _TEXT, "kata": _TEXT, "how": _TEXT},
    "skips": {"session": _TEXT, "kata": _TEXT, "reason": _TEXT},
    "reviews": {
        "session": _TEXT,
        "kata": _TEXT,
        "variant": _TEXT,
        "derived": _INTEGER,
        "rating": _INTEGER,
        "override": _INTEGER,
        "seconds": _REAL,
    },
    "undos": {"review": _TEXT},
    "parameters": {"weights": _TEXT, "reviews": _INTEGER, "loss": _REAL},
    # `source`: self (marked by the learner) or anki; `origin` names the answer where it was given.
    "note_reviews": {"note": _TEXT, "language": _TEXT, "rating": _INTEGER, "source": _TEXT, "origin": _TEXT},
    # What Anki remembers of a card of a note: `at` is its last answer, `as_of` (ms) the age of the collection that said
    # so; `method`: fsrs, interval (an estimate) or forgotten.
    "note_memories": {
        "note": _TEXT,
        "language": _TEXT,
        "card": _INTEGER,
        "rating": _INTEGER,
        "stability": _REAL,
        "difficulty": Column("REAL", null=True),
        "decay": _REAL,
        "method": _TEXT,
        "as_of": _INTEGER,
        "origin": _TEXT,
    },
    # An item of the readiness checklist that was ready, and the katas that showed it, joined by blanks.
    "shown": {"item": _TEXT, "katas": _TEXT, "origin": _TEXT},
}
KINDS = {
    "sessions": Bilingual("sessions", "练习"),
    "archives": Bilingual("archives", "存档"),
    "attempts": Bilingual("attempts", "提交"),
    "hints": Bilingual("hints", "提示"),
    "solutions": Bilingual("solutions", "查看答案"),
    "skips": Bilingual("skips", "跳过"),
    "reviews": Bilingual("reviews", "评级"),
    "undos": Bilingual("undos", "撤销"),
    "parameters": Bilingual("parameters", "参数"),
    "note_reviews": Bilingual("note_reviews", "笔记复习"),
    "note_memories": Bilingual("note_memories", "笔记记忆"),
    "shown": Bilingual("shown", "自查记录"),
}
"""What the kinds of events are called."""
BY_ORIGIN = frozenset({"note_reviews", "note_memories", "shown"})
"""Events that are the same event if their origin is the same, whatever their UUID: each is there once."""
_SINCE_VERSION_2 = ("note_reviews",)
_SINCE_VERSION_3 = {"sessions": ("mode", "slip")}
_SINCE_VERSION_4 = ("note_memories", "shown")

_INDEXES = """
CREATE INDEX sessions_kata ON sessions (kata, at);
CREATE INDEX sessions_at ON sessions (at);
CREATE INDEX archives_kata ON archives (kata, at);
CREATE INDEX attempts_session ON attempts (session);
CREATE INDEX attempts_kata ON attempts (kata, at);
CREATE INDEX hints_session ON hints (session);
CREATE INDEX solutions_session ON solutions (session);
CREATE INDEX skips_session ON skips (session);
CREATE INDEX reviews_session ON reviews (session);
CREATE INDEX reviews_kata ON reviews (kata, at, id);
CREATE INDEX reviews_at ON reviews (at);
CREATE INDEX undos_review ON undos (review);
"""

DERIVED = {"memories": ("kata", "body"), "days": ("day", "reviews", "seconds"), "marks": ("name", "value")}
"""The derived tables, and their columns."""

_DERIVED = """
CREATE TABLE memories (kata TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
CREATE TABLE days (day INTEGER PRIMARY KEY, reviews INTEGER NOT NULL, seconds REAL NOT NULL) STRICT;
CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


def _event_table(name: str, columns: dict[str, Column]) -> str:
    own = ", ".join(f"{column} {kind.type}{'' if kind.null else ' NOT NULL'}" for column, kind in columns.items())
    return f"""
CREATE TABLE {name} (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL DEFAULT '{name}' CHECK (kind = '{name}'),
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    zone INTEGER NOT NULL,
    {own}
) STRICT;
CREATE TRIGGER {name}_keep BEFORE UPDATE ON {name} BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
CREATE TRIGGER {name}_hold BEFORE DELETE ON {name} BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
"""


def _first(connection: sqlite3.Connection) -> None:
    events = {
        name: {column: kind for column, kind in columns.items() if column not in _SINCE_VERSION_3.get(name, ())}
        for name, columns in EVENTS.items()
        if name not in (*_SINCE_VERSION_2, *_SINCE_VERSION_4)
    }
    script = "".join(_event_table(name, columns) for name, columns in events.items()) + _INDEXES + _DERIVED
    for statement in _statements(script):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _second(connection: sqlite3.Connection) -> None:
    script = _event_table("note_reviews", EVENTS["note_reviews"]) + (
        "CREATE UNIQUE INDEX note_reviews_origin ON note_reviews (origin);"
        "CREATE INDEX note_reviews_note ON note_reviews (note, at);"
    )
    for statement in _statements(script):
        connection.execute(statement)


def _third(connection: sqlite3.Connection) -> None:
    for table, columns in _SINCE_VERSION_3.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {EVENTS[table][column].type}")
    connection.execute("CREATE INDEX sessions_repair ON sessions (kata, at) WHERE mode IS NOT NULL")


def _fourth(connection: sqlite3.Connection) -> None:
    script = "".join(
        f"{_event_table(name, EVENTS[name])}CREATE UNIQUE INDEX {name}_origin ON {name} (origin);"
        for name in _SINCE_VERSION_4
    )
    for statement in _statements(f"{script}CREATE INDEX note_memories_note ON note_memories (note, at);"):
        connection.execute(statement)


def make_derived(connection: sqlite3.Connection) -> None:
    """Make the derived tables anew, empty: for a file in which they are not what they should be."""
    for name in DERIVED:
        connection.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in _statements(_DERIVED):
        connection.execute(statement)


def _statements(script: str) -> list[str]:
    """The statements of a script one by one: `executescript` would commit the migration's transaction."""
    found, rest = [], ""
    for piece in script.split(";"):
        rest += piece + ";"
        if sqlite3.complete_statement(rest):
            found.append(rest.strip())
            rest = ""
    return [statement for statement in found if statement != ";"]


# Step n leads from version n to n + 1. A released step is never changed: a correction is another step.
MIGRATIONS: list[Callable[[sqlite3.Connection], None]] = [_first, _second, _third, _fourth]


def version() -> int:
    """The version that this llmdrills writes."""
    return len(MIGRATIONS)
