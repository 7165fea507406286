"""The append-only record of what the learner did: one SQLite database (WAL, STRICT tables), safe for several processes.

    with History.open(path) as history:
        history.append("hints", Moment.now(), session=…, kata="rope-pairing", number=1)
        rows = history.rows("SELECT number FROM hints WHERE session = ?", session)

Every write is one transaction, on the disk before the call returns. What goes wrong is a HistoryError: a full disk, a
folder that cannot be written, another process that never lets go. A damaged database is set aside and rebuilt from what
can be read and from the backups (`recovery` tells what was lost); it is never silently replaced. So is one that holds
fewer events than were counted (`tally`): another file lies in its place.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from llmdrills.errors import HistoryError
from llmdrills.practice import domains, schema, tally
from llmdrills.practice.alone import alone
from llmdrills.practice.database import UNREADABLE, Damaged, connect, copy, is_damage, is_made, make
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from llmdrills.practice.recovery import Recovery

__all__ = ["Damaged", "History", "decode", "encode", "new_id"]

_T = TypeVar("_T")
_NO_FILE = (0, 0)


def new_id() -> str:
    """A fresh UUID (version 4)."""
    import uuid  # 5 ms, and needed only when something is written

    return str(uuid.uuid4())


def encode(code: str | bytes) -> dict[str, str]:
    """The columns `code` and `encoding` for a file's content, whatever its bytes are."""
    raw = code.encode("utf-8", "surrogatepass") if isinstance(code, str) else code
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:  # SQLite's own functions stop at a NUL
        return {"code": text, "encoding": "utf-8"}
    import base64

    return {"code": base64.b64encode(raw).decode("ascii"), "encoding": "base64"}


def decode(code: str, encoding: str) -> bytes:
    """The bytes that `encode` took."""
    if encoding == "base64":
        import base64

        with contextlib.suppress(ValueError):  # an event of an earlier release may say base64 of what is none
            return base64.b64decode(code, validate=True)
    return code.encode("utf-8", "surrogatepass")


class History:
    """An open history. Use `History.open`; one object may be shared by threads."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._file = _identity(path)
        self._lock = threading.RLock()
        self._inside = False  # a transaction: what fails in it is undone and run again as a whole
        self._counts: dict[str, int] = {}  # as last written to the file beside it

    @classmethod
    def open(cls, path: Path, *, check: bool = False) -> History:
        """Open the history, making or migrating it where needed.

        `check`: read every page and index first, and rebuild what is damaged (some seconds per million reviews).

        Raises HistoryError. After a recovery, by this process or an earlier one, `recovery` says what was lost.
        """
        from_earlier = path.with_name(path.name + ".rebuilt")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if from_earlier.exists() or _emptied(path):
                _recover(path)
            if not is_made(path):
                make(path)
            try:
                connection = connect(path, check=check)
            except Damaged:
                _recover(path)
                connection = connect(path, check=True)
            if tally.lacking(path, tally.count(connection)):
                connection.close()
                _recover(path, certain=True)
                connection = connect(path, check=True)
        except (sqlite3.Error, OSError) as error:
            raise explain(error, path) from error
        except Damaged as error:
            raise HistoryError(f"{path} is damaged", "free some disk space and run this again") from error
        return cls(path, connection)

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. Closing twice does nothing."""
        self._connection.close()

    def append(self, kind: str, moment: Moment, **fields: Any) -> str:
        """Record one event and return its UUID. Raises HistoryError; then nothing was written."""
        return self.write([(kind, fields)], moment)[0]

    def write(self, events: Sequence[tuple[str, Mapping[str, Any]]], moment: Moment) -> list[str]:
        """Record events together, all or none, and return their UUIDs (`id` among the fields gives one)."""
        if not moment.plausible:
            raise HistoryError(f"the clock says {moment.text}: nothing was recorded", "set the clock, then try again")
        rows = [(kind, {"id": new_id(), "at": moment.at, "zone": moment.zone, **fields}) for kind, fields in events]

        def insert() -> None:
            for kind, row in rows:
                self._connection.execute(
                    insertion(kind), [row[name] for name in ("id", "at", "zone")] + _values(kind, row)
                )

        self.transaction(insert)
        return [str(row["id"]) for _, row in rows]

    def transaction(self, work: Callable[[], _T]) -> _T:
        """Run `work` inside BEGIN IMMEDIATE … COMMIT; it is run again where the database had to be rebuilt first.

        Inside another transaction it joins that one.
        """

        def run() -> _T:
            if self._inside:
                return work()
            self._begin()
            self._inside = True
            try:
                result = work()
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._inside = False
            with contextlib.suppress(sqlite3.Error):  # the commit stands: an error here must not have it done twice
                self._keep_counts()
            return result

        return self._guard(run)

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query. Raises HistoryError."""
        return self._guard(lambda: self._connection.execute(query, values).fetchall())

    def execute(self, statement: str, *values: Any) -> None:
        """One statement; for the derived tables, inside `transaction`."""
        self._connection.execute(statement, values)

    def each(self, query: str, *values: Any) -> Iterator[sqlite3.Row]:
        """The rows of a query one by one, for those that are too many to hold."""
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            if self._inside:
                raise
            if not is_damage(error):
                raise explain(error, self.path) from error
            self._rebuild(error)
            raise HistoryError(f"{self.path} was damaged and has been rebuilt", "run this again") from error

    def check(self) -> list[str]:
        """What SQLite finds wrong with the file, page by page; empty when it is whole."""
        found = [str(row[0]) for row in self.rows("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def counts(self) -> dict[str, int]:
        """How many events of each kind there are. Raises HistoryError."""
        return self._guard(lambda: tally.count(self._connection))

    def unsound(self) -> list[tuple[str, str]]:
        """Kind and UUID of the events that no query sees, because a value is out of its domain. Raises HistoryError."""
        found = []
        for kind in schema.EVENTS:
            rows = self.rows(f"SELECT id FROM main.{kind} WHERE NOT ({domains.sound(kind)}) ORDER BY seq")
            found += [(kind, str(row["id"])) for row in rows]
        return found

    @property
    def recovery(self) -> Recovery | None:
        """What was set aside and lost when the database had to be rebuilt; None once the learner was `told`."""
        rows = self.rows("SELECT value FROM marks WHERE name = 'recovery'")
        if not rows:
            return None
        from llmdrills.practice.recovery import Recovery  # only ever needed after damage

        return Recovery.from_text(rows[0]["value"])

    def told(self) -> None:
        """The learner has read `recovery.message`."""
        self.transaction(lambda: self.execute("DELETE FROM marks WHERE name = 'recovery'"))

    def backup(self, target: Path) -> None:
        """Write a whole copy to `target`. Raises HistoryError."""
        try:
            self._guard(lambda: copy(self._connection, target))
        except OSError as error:
            raise explain(error, target) from error

    def become(self, file: Path, aside: Path) -> None:
        """Put a copy of another history's file in the place of this one, of which a copy goes to `aside`.

        Raises HistoryError; then nothing was changed.
        """
        fresh = self.path.with_name(self.path.name + ".restoring")
        try:
            with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as source:
                copy(source, fresh, "WAL")
            connect(fresh, check=True).close()  # brings it to this version
            with self._lock, alone(self.path):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._begin()  # nobody else writes until the other file is in place
                with contextlib.closing(sqlite3.connect(self.path)) as reading:  # SQLite copies nothing for the writer
                    copy(reading, aside)
                tally.place(self.path).unlink(missing_ok=True)  # fewer events than before are right from here on
                for ending in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
                fresh.replace(self.path)
                self._connection.close()
                self._reopen()
                self._keep_counts()
        except (sqlite3.Error, OSError, Damaged) as error:
            raise explain(error, self.path) from error

    def _keep_counts(self) -> None:
        counts = tally.count(self._connection)
        if counts != self._counts:
            tally.write(self.path, counts)
            self._counts = counts

    def _guard(self, work: Callable[[], _T]) -> _T:
        with self._lock:
            if self._inside:
                return work()
            try:
                return work()
            except (sqlite3.Error, Damaged) as error:
                if not is_damage(error):
                    raise explain(error, self.path) from error
                damage = error
            try:
                self._rebuild(damage)
                return work()
            except (sqlite3.Error, OSError, Damaged) as error:
                raise explain(error, self.path) from error

    def _rebuild(self, error: Exception) -> None:
        self._connection.close()
        # Text that is not UTF-8 passes every check of SQLite's own: the error itself is the proof.
        _recover(self.path, certain=UNREADABLE in str(error))
        self._reopen()

    def _begin(self) -> None:
        """Begin to write to the file that lies at the path, and not to one that was replaced while we waited."""
        while True:
            self._follow()
            self._connection.execute("BEGIN IMMEDIATE")
            if _identity(self.path) in {self._file, _NO_FILE}:
                return
            self._connection.execute("ROLLBACK")

    def _follow(self) -> None:
        # Another process may have put a rebuilt database in this one's place: what is written to the old file is lost.
        found = _identity(self.path)
        if found == self._file:
            return
        if found == _NO_FILE:  # deleted under our hands, but open here: put it back
            self.path.parent.mkdir(parents=True, exist_ok=True)
            copy(self._connection, self.path, "WAL")
        self._connection.close()
        self._reopen()

    def _reopen(self) -> None:
        self._connection = connect(self.path, check=False)
        self._file = _identity(self.path)


def _values(kind: str, row: Mapping[str, Any]) -> list[Any]:
    """What a row says for the columns of its kind; one that may be empty need not be given."""
    return [row.get(name) if column.null else row[name] for name, column in schema.EVENTS[kind].items()]


def insertion(kind: str, *, ignore: bool = False) -> str:
    """The statement that appends one event: id, at, zone, and the columns of its kind in order."""
    names = ("id", "at", "zone", *schema.EVENTS[kind])
    marks = ", ".join("?" * len(names))
    return f"INSERT {'OR IGNORE ' if ignore else ''}INTO main.{kind} ({', '.join(names)}) VALUES ({marks})"


def explain(error: Exception, path: Path) -> HistoryError:
    """The HistoryError that says what an error of SQLite or of the system means, and what to do."""
    if isinstance(error, HistoryError):
        return error
    text = str(error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {5, 6}:  # SQLITE_BUSY, SQLITE_LOCKED
        return HistoryError(f"{path} is held by another process", "close the other llmdrills and try again")
    if code == 13 or "full" in text or getattr(error, "errno", None) == 28:  # SQLITE_FULL, ENOSPC
        return HistoryError(
            f"{path}: the disk is full", "free some space and try again; nothing recorded so far is lost"
        )
    if code in {8, 14} or isinstance(error, OSError):  # SQLITE_READONLY, SQLITE_CANTOPEN
        return HistoryError(
            f"{path} cannot be written ({text})",
            "make its folder writable, or set LLMDRILLS_HOME to one that is; nothing recorded so far is lost",
        )
    if code == 10:  # SQLITE_IOERR
        return HistoryError(f"{path}: {text}", "check the disk and its free space; nothing recorded so far is lost")
    return HistoryError(f"{path}: {text}", "run `llmdrills doctor`")


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return _NO_FILE
    return (found.st_dev, found.st_ino)


def _emptied(path: Path) -> bool:
    """Whether a history was here: a file without a byte, or none beside what only a history leaves."""
    if path.exists():
        return path.stat().st_size == 0
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > 0:
        return True  # SQLite would throw the log away
    from llmdrills.practice.backups import files  # only before there is a history, and after damage

    return bool(tally.read(path) or files(path))


def _recover(path: Path, *, certain: bool = False) -> None:
    from llmdrills.practice.salvage import rebuild  # only ever needed after damage

    rebuild(path, certain=certain)
