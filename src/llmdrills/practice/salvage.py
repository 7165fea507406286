"""What can still be read of a damaged history: set it aside, and build a new one from every row that is left.

Rows are looked for in the file's pages themselves (https://www.sqlite.org/fileformat2.html), main file and log, so that
a broken header, index or inner page loses nothing but what stood in it. The backups are searched in the same way.

Every row names its kind, and `seq` counts without gaps. What was lost is the difference to the highest count that one
of three witnesses names: the count beside the file (`tally`), SQLite's own (`sqlite_sequence`), the highest `seq` of a
row. Where neither of the first two is left, nobody knows how much there was, and the message says so.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sqlite3
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmdrills.practice import backups, schema, tally
from llmdrills.practice.alone import alone
from llmdrills.practice.database import is_whole
from llmdrills.practice.moments import Moment
from llmdrills.practice.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["rebuild"]

_LEAF = 0x0D  # a page of a table's rows
_HOLE = "\ufffd"  # what stands for bytes that are not UTF-8
_FRAME = 24  # bytes before each page in the log
_LONGEST = 64 * 1024 * 1024  # no row of ours is longer: a larger figure is damage


@dataclass
class _Found:
    """The rows found so far, by kind and id (or origin).

    Of the damaged file also the highest `seq` seen of each kind, and SQLite's count of it.
    """

    rows: dict[str, dict[str, tuple[Any, ...]]] = field(default_factory=lambda: {kind: {} for kind in schema.EVENTS})
    highest: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)

    def take(self, seq: int, values: list[Any]) -> None:
        """Keep a row if it is one of ours, whole and of the right types, or SQLite's count of a table of ours."""
        if len(values) == 2 and values[0] in schema.EVENTS and _is_number(values[1]):
            self.counted[values[0]] = max(self.counted.get(values[0], 0), values[1])
        if len(values) <= len(schema.COMMON):
            return
        kind, own = values[1], tuple(values[2:])
        if not isinstance(kind, str) or kind not in schema.EVENTS or not 0 < seq < 2**48:
            return
        columns = schema.EVENTS[kind]
        own += (None,) * (3 + len(columns) - len(own))  # a row from before its last columns were added
        if len(own) != 3 + len(columns) or not _sound(own, columns):
            return
        self.rows[kind].setdefault(own[-1] if kind in schema.BY_ORIGIN else own[0], own)
        self.highest[kind] = max(self.highest.get(kind, 0), seq)

    @property
    def total(self) -> int:
        """How many rows."""
        return sum(map(len, self.rows.values()))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and 0 < value < 2**48


def rebuild(path: Path, *, certain: bool = False) -> Recovery | None:
    """Set the damaged database aside and put a rebuilt one in its place; None where another process has just done so.

    `certain`: it is damaged even if SQLite finds nothing wrong with it.
    Killed at any point, the next call goes on: the rebuilt file is a source too. Raises OSError and sqlite3.Error.
    """
    with alone(path):
        rebuilt = path.with_name(path.name + ".rebuilt")
        if not certain and not rebuilt.exists() and path.exists() and path.stat().st_size and is_whole(path):
            return None
        found = _Found()
        for source in (path, rebuilt):
            _read(source, found)
        recovery = _recovery(path, found)
        fresh = path.with_name(path.name + ".rebuilding")
        _remove(fresh)
        _build(fresh, found, recovery)
        fresh.replace(rebuilt)
        _remove(path)  # its log first: SQLite would replay an old log into the new file
        rebuilt.replace(path)
        tally.write(path, {kind: count for kind, count in recovery.kept.items() if count})
        return recovery


def _recovery(path: Path, found: _Found) -> Recovery:
    """What is lost of the damaged file; its rows that only backups hold are added to those found."""
    beside = tally.read(path) or {}
    own = found.total
    backup = _Found(found.rows)  # its `seq` may be of another numbering: it tells of rows, not of how many there were
    for file in backups.files(path):
        with contextlib.suppress(OSError):  # one that cannot be read has nothing to give back
            _read(file, backup)
    kept = {kind: len(rows) for kind, rows in found.rows.items()}
    expected = {kind: max(found.highest.get(kind, 0), found.counted.get(kind, 0), beside.get(kind, 0)) for kind in kept}
    return Recovery(
        aside=_set_aside(path),
        kept=kept,
        lost={kind: max(0, expected[kind] - kept[kind]) for kind in kept},
        witnesses=tuple(name for name, counts in (("beside", beside), ("within", found.counted)) if counts),
        returned=found.total - own,
    )


def _sound(values: tuple[Any, ...], columns: dict[str, schema.Column]) -> bool:
    identity, at, zone, *own = values
    if not (isinstance(identity, str) and isinstance(at, int) and isinstance(zone, int)) or _HOLE in identity:
        return False
    return Moment(at, zone).plausible and all(map(_fits, own, columns.values()))


def _fits(value: Any, column: schema.Column) -> bool:
    if value is None:
        return column.null
    if column.type == "REAL":
        return isinstance(value, int | float) and 0 <= value < math.inf
    return isinstance(value, str if column.type == "TEXT" else int)


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _remove(path: Path) -> None:
    for ending in ("-wal", "-shm", ""):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _set_aside(path: Path) -> tuple[Path, ...]:
    stamp = Moment.now().local.strftime("%Y%m%dT%H%M%S%f")
    made = []
    for ending in ("", "-wal"):
        source = path.with_name(path.name + ending)
        if source.exists():
            target = path.with_name(f"{path.name}.damaged-{stamp}{ending}")
            shutil.copyfile(source, target)
            with target.open("rb+") as file:
                os.fsync(file.fileno())
            made.append(target)
    return tuple(made)


def _build(path: Path, found: _Found, recovery: Recovery) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN")
        for step in schema.MIGRATIONS:
            step(connection)
        connection.execute(f"PRAGMA user_version = {schema.version()}")
        for kind, rows in found.rows.items():
            names = ("id", "at", "zone", *schema.EVENTS[kind])
            statement = f"INSERT INTO {kind} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            in_order: list[tuple[Any, ...]] = sorted(rows.values(), key=_time_and_id)
            connection.executemany(statement, in_order)
        connection.execute("INSERT INTO marks VALUES ('recovery', ?)", (recovery.to_text(),))
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")


def _time_and_id(row: tuple[Any, ...]) -> tuple[int, str]:
    return row[1], row[0]


# ---- reading pages ----------------------------------------


def _read(path: Path, found: _Found) -> None:
    data = path.read_bytes() if path.exists() else b""
    log = _log(path).read_bytes() if _log(path).exists() else b""
    size = _page_size(data, log)
    newest = _newest(data, log, size)
    for number in range(1, len(data) // size + 1):
        _leaf(data[(number - 1) * size : number * size], number, newest, size, found)
    for number, page in _frames(log, size):
        _leaf(page, number, newest, size, found)


def _page_size(data: bytes, log: bytes) -> int:
    for source, offset, form in ((data, 16, ">H"), (log, 8, ">I")):
        if len(source) >= 100 or (source is log and len(source) >= 32):
            size = int(struct.unpack_from(form, source, offset)[0])
            size = 65536 if size == 1 else size
            if 512 <= size <= 65536 and size & (size - 1) == 0:
                return size
    return 4096  # SQLite's default, which we never change


def _frames(log: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """The pages of the log that were committed, oldest first, with their numbers."""
    waiting: list[tuple[int, bytes]] = []
    if len(log) < 32:
        return
    salt = log[16:24]
    for start in range(32, len(log) - size - _FRAME + 1, size + _FRAME):
        number, commit = struct.unpack_from(">II", log, start)
        if log[start + 8 : start + 16] != salt:
            return  # left over from before the last checkpoint
        waiting.append((number, log[start + _FRAME : start + _FRAME + size]))
        if commit:
            yield from waiting
            waiting.clear()


def _newest(data: bytes, log: bytes, size: int) -> dict[int, bytes]:
    pages = {number: data[(number - 1) * size : number * size] for number in range(1, len(data) // size + 1)}
    pages.update(_frames(log, size))
    return pages


def _leaf(page: bytes, number: int, pages: dict[int, bytes], size: int, found: _Found) -> None:
    start = 100 if number == 1 else 0
    if len(page) < start + 8 or page[start] != _LEAF:
        return
    count = struct.unpack_from(">H", page, start + 3)[0]
    for index in range(min(count, (size - start - 8) // 2)):
        with contextlib.suppress(ValueError, IndexError, struct.error, UnicodeDecodeError, OverflowError):
            cell = struct.unpack_from(">H", page, start + 8 + 2 * index)[0]
            length, cell = _varint(page, cell)
            seq, cell = _varint(page, cell)
            found.take(seq, _record(_payload(page, cell, length, pages, size)))


def _payload(page: bytes, start: int, length: int, pages: dict[int, bytes], size: int) -> bytes:
    """A row's bytes: those on the page, then those of its overflow pages."""
    if length > _LONGEST:
        raise ValueError(length)
    if length <= size - 35:
        return page[start : start + length]
    least = (size - 12) * 32 // 255 - 23
    here = least + (length - least) % (size - 4)
    here = here if here <= size - 35 else least
    parts = [page[start : start + here]]
    following = struct.unpack_from(">I", page, start + here)[0]
    left = length - here
    while left > 0:
        more = pages.get(following, b"")
        if len(more) < 4:
            raise ValueError("an overflow page is missing")
        parts.append(more[4 : 4 + min(left, size - 4)])
        left -= size - 4
        following = struct.unpack_from(">I", more)[0]
    return b"".join(parts)


def _record(payload: bytes) -> list[Any]:
    end, place = _varint(payload, 0)
    kinds = []
    while place < end:
        kind, place = _varint(payload, place)
        kinds.append(kind)
    values: list[Any] = []
    place = end
    for kind in kinds:
        value, place = _value(payload, place, kind)
        values.append(value)
    if place != len(payload):
        raise ValueError("the row is not as long as it says")
    return values


def _value(payload: bytes, place: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, place
    if kind in {8, 9}:
        return kind - 8, place
    if kind == 7:
        return struct.unpack_from(">d", payload, place)[0], place + 8
    if 1 <= kind <= 6:
        width = (1, 2, 3, 4, 6, 8)[kind - 1]
        return int.from_bytes(payload[place : place + width], "big", signed=True), place + width
    if kind < 12:
        raise ValueError(kind)
    width = (kind - 12) // 2
    raw = payload[place : place + width]
    # A few broken bytes must not cost a learner the rest of their code.
    return (raw.decode("utf-8", "replace") if kind % 2 else raw), place + width


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count in range(9):
        byte = data[place + count]
        if count == 8:
            return value << 8 | byte, place + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError("no end")  # pragma: no cover  # the loop returns at the ninth byte
