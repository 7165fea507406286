"""Export and import, so that the histories of two machines merge: JSON Lines, one event a line, oldest first.

Events have UUIDs and state is derived by replay, so an import can be repeated, and two machines that import each
other's export end with the same history, whichever goes first.

A file that is no export is refused as a whole, at the first line that says so. An event with a value out of its domain
(`domains`) is set aside and named, and the others are taken: an older release wrote it, or a wrong clock.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from llmdrills.errors import HistoryError
from llmdrills.language import Bilingual
from llmdrills.practice import domains, schema
from llmdrills.practice.history import insertion
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from llmdrills.practice.history import History

__all__ = [
    "FORMAT",
    "Imported",
    "SetAside",
    "export_lines",
    "has_origin",
    "import_file",
    "import_lines",
    "insert_missing",
    "write_export",
]

FORMAT = 1
_PYTHON = {"TEXT": (str,), "INTEGER": (int,), "REAL": (int, float)}


def export_lines(history: History) -> Iterator[str]:
    """The whole history as lines without their ends: a header, then the events by time and UUID."""
    yield json.dumps({"llmdrills": "history", "schema": FORMAT})
    for row in history.rows(_union()):  # keys only, and all at once: a rebuild on the way would close a running query
        yield _line(row["kind"], history, row["id"])


def write_export(history: History, file: IO[str]) -> int:
    """Write the export to an open text file, and return the number of events."""
    count = -1
    for line in export_lines(history):
        file.write(line + "\n")
        count += 1
    return count


class SetAside(NamedTuple):
    """An event that was not taken: the line that holds it, and the value that no event can have."""

    line: int
    kind: str
    id: str
    fault: domains.Fault

    @property
    def message(self) -> Bilingual:
        """What is wrong with it."""
        said = self.fault.message
        return Bilingual(f"line {self.line} ({self.kind}): {said.en}", f"第 {self.line} 行（{self.kind}）：{said.zh}")


class Imported(NamedTuple):
    """How many events of an import were new, how many were known already, and which were not taken."""

    new: int
    known: int
    set_aside: tuple[SetAside, ...] = ()


def import_file(history: History, path: Path) -> Imported:
    """Import an export.

    Raises HistoryError naming file and line; then nothing was imported.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return import_lines(history, file, str(path))
    except UnicodeDecodeError as error:
        raise HistoryError(
            f"{path} is not UTF-8 text ({error})", "give a file that `llmdrills history export` wrote"
        ) from error
    except OSError as error:
        raise HistoryError(f"cannot read {path}", os.strerror(error.errno or 0)) from error


def import_lines(history: History, lines: Iterable[str], name: str = "the import") -> Imported:
    """As `import_file`, from lines."""
    found = list(_events(lines, name))
    set_aside = tuple(
        SetAside(number, kind, row["id"], fault)
        for number, kind, row in found
        if (fault := domains.fault(kind, row)) is not None
    )
    unfit = {one.line for one in set_aside}
    events = [(number, kind, row) for number, kind, row in found if number not in unfit]

    def work() -> Imported:
        new = 0
        for number, kind, row in events:
            known = history.rows(f"SELECT * FROM main.{kind} WHERE id = ?", row["id"])
            if kind in schema.BY_ORIGIN and (known or has_origin(history, kind, row["origin"])):
                continue  # two machines that take the same answer from Anki need not agree on every column
            if not known:
                _insert(history, kind, row)
                new += 1
            elif any(known[0][column] != row[column] for column in row):
                raise HistoryError(
                    f"{name}:{number}: the event {row['id']} differs from the one recorded here",
                    "one of the two was edited: nothing was imported; export again from the other machine",
                )
        return Imported(new, len(events) - new, set_aside)

    return history.transaction(work)


def insert_missing(history: History, source: sqlite3.Connection) -> int:
    """Add the events of another database of ours that the history lacks, and return how many. All of them or none.

    Raises HistoryError, and sqlite3.Error where the other cannot be read.
    """
    there = {str(row[0]) for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def work() -> int:
        new = 0
        for kind in schema.EVENTS:
            known = {row["id"] for row in history.rows(f"SELECT id FROM main.{kind}")}
            for row in source.execute(f"SELECT * FROM {kind} ORDER BY seq") if kind in there else ():
                given = row["id"] not in known
                if given and not (kind in schema.BY_ORIGIN and has_origin(history, kind, row["origin"])):
                    _insert(history, kind, {**dict.fromkeys(schema.EVENTS[kind]), **dict(row)})
                    new += 1
        return new

    return history.transaction(work)


def has_origin(history: History, kind: str, origin: str) -> bool:
    """Whether an event of that origin is there."""
    return bool(history.rows(f"SELECT 1 FROM main.{kind} WHERE origin = ?", origin))


def _insert(history: History, kind: str, row: Mapping[str, Any]) -> None:
    history.execute(insertion(kind), *(row[column] for column in ("id", "at", "zone", *schema.EVENTS[kind])))


def _union() -> str:
    parts = " UNION ALL ".join(f"SELECT kind, id, at FROM main.{kind}" for kind in schema.EVENTS)
    return f"SELECT kind, id FROM ({parts}) ORDER BY at, id"


def _line(kind: str, history: History, event: str) -> str:
    row = history.rows(f"SELECT * FROM main.{kind} WHERE id = ?", event)[0]
    return json.dumps(_outside(kind, row), ensure_ascii=False)


def _outside(kind: str, row: sqlite3.Row) -> dict[str, Any]:
    values = {column: row[column] for column in schema.EVENTS[kind]}
    return {"kind": kind, "id": row["id"], "at": Moment(row["at"], row["zone"]).text, **values}


def _events(lines: Iterable[str], name: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    header = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad(name, number, f"not JSON ({error})") from None
        if not isinstance(event, dict):
            raise _bad(name, number, "not an event")
        if not header:
            _check_header(event, name, number)
            header = True
            continue
        yield number, *_inside(event, name, number)
    if not header:
        raise _bad(name, 1, "an empty file")


def _check_header(event: dict[str, Any], name: str, number: int) -> None:
    if event.get("llmdrills") != "history":
        raise _bad(name, number, "not a history: the header line is missing")
    if event.get("schema") != FORMAT:
        raise HistoryError(
            f"{name}:{number}: format {event.get('schema')!r}; this llmdrills knows {FORMAT}",
            "update llmdrills on this machine",
        )


def _inside(event: dict[str, Any], name: str, number: int) -> tuple[str, dict[str, Any]]:
    kind = event.get("kind")
    if not isinstance(kind, str) or kind not in schema.EVENTS:
        raise _bad(name, number, f"unknown kind {kind!r}")
    columns = schema.EVENTS[kind]
    for key in event:
        if key not in {"kind", "id", "at", *columns}:
            raise _bad(name, number, f"unknown key {key!r}")
    if not isinstance(event.get("id"), str) or not event["id"]:
        raise _bad(name, number, "no id")
    moment = _moment(event.get("at"), name, number)
    row: dict[str, Any] = {"id": event["id"], "at": moment.at, "zone": moment.zone}
    for column, wanted in columns.items():
        row[column] = _fitting(event.get(column), column, wanted, name, number)
    return kind, row


def _moment(text: Any, name: str, number: int) -> Moment:
    """The time of an event; one that no calendar holds (`Moment.text`) is read too, to be set aside by its domain."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return Moment.parse(text)
    stored = re.fullmatch(r"(-?\d{1,19}) µs, zone (-?\d{1,19}) s", text) if isinstance(text, str) else None
    if stored is None:
        raise _bad(name, number, f"{text!r} is not a time with its offset")
    return Moment(int(stored[1]), int(stored[2]))


def _fitting(value: Any, column: str, wanted: schema.Column, name: str, number: int) -> Any:
    if value is None and wanted.null:
        return None
    if isinstance(value, bool) or not isinstance(value, _PYTHON[wanted.type]):
        raise _bad(name, number, f"{column} is {value!r}")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise _bad(name, number, f"{column} holds half a character")
    return _real(value) if wanted.type == "REAL" else value


def _real(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer with hundreds of digits
        return math.inf


def _bad(name: str, number: int, what: str) -> HistoryError:
    return HistoryError(
        f"{name}:{number}: {what}", "nothing was imported; give a file that `llmdrills history export` wrote"
    )
