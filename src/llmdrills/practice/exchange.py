"""Export and import, so that the histories of two machines merge: JSON Lines, one event a line, oldest first.

Events have UUIDs and state is derived by replay, so an import can be repeated, and two machines that import each
other's export end with the same history, whichever goes first.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import contextlib
import json
import math
import os
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from llmdrills.errors import HistoryError
from llmdrills.practice import schema
from llmdrills.practice.history import insertion
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from llmdrills.practice.history import History

__all__ = ["FORMAT", "Imported", "export_lines", "import_file", "import_lines", "write_export"]

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


class Imported(NamedTuple):
    """How many events of an import were new, and how many were known already."""

    new: int
    known: int


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
    events = list(_events(lines, name))

    def work() -> Imported:
        new = 0
        for number, kind, row in events:
            known = history.rows(f"SELECT * FROM {kind} WHERE id = ?", row["id"])
            if not known:
                history.execute(
                    insertion(kind), *(row[column] for column in ("id", "at", "zone", *schema.EVENTS[kind]))
                )
                new += 1
            elif any(known[0][column] != row[column] for column in row):
                raise HistoryError(
                    f"{name}:{number}: the event {row['id']} differs from the one recorded here",
                    "one of the two was edited: nothing was imported; export again from the other machine",
                )
        return Imported(new, len(events) - new)

    return history.transaction(work)


def _union() -> str:
    parts = " UNION ALL ".join(f"SELECT kind, id, at FROM {kind}" for kind in schema.EVENTS)
    return f"SELECT kind, id FROM ({parts}) ORDER BY at, id"


def _line(kind: str, history: History, event: str) -> str:
    row = history.rows(f"SELECT * FROM {kind} WHERE id = ?", event)[0]
    return json.dumps(_outside(kind, row), ensure_ascii=False)


def _outside(kind: str, row: sqlite3.Row) -> dict[str, Any]:
    values = {column: row[column] for column in schema.EVENTS[kind]}
    return {"kind": kind, "id": row["id"], "at": str(Moment(row["at"], row["zone"])), **values}


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
    moment = None
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        moment = Moment.parse(event.get("at", ""))
    if moment is None or not moment.plausible:
        raise _bad(name, number, f"{event.get('at')!r} is not a time with its offset")
    row: dict[str, Any] = {"id": event["id"], "at": moment.at, "zone": moment.zone}
    for column, wanted in columns.items():
        row[column] = _fitting(event.get(column), column, wanted, name, number)
    return kind, row


def _fitting(value: Any, column: str, wanted: schema.Column, name: str, number: int) -> Any:
    if value is None and wanted.null:
        return None
    if isinstance(value, bool) or not isinstance(value, _PYTHON[wanted.type]):
        raise _bad(name, number, f"{column} is {value!r}")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise _bad(name, number, f"{column} holds half a character")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _bad(name, number, f"{column} is {value!r}")
    if wanted.type == "REAL" and isinstance(value, int | float):
        if not 0 <= value < math.inf:
            raise _bad(name, number, f"{column} is {value!r}")
        return float(value)
    return value


def _bad(name: str, number: int, what: str) -> HistoryError:
    return HistoryError(
        f"{name}:{number}: {what}", "nothing was imported; give a file that `llmdrills history export` wrote"
    )
