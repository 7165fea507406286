"""Whole copies of the history in `backups/` beside it: one a day, a few kept.

A rebuild takes back from them what a damaged file has lost, and `llmdrills history restore` does so on demand.
"""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.errors import HistoryError, UsageError
from llmdrills.practice import schema
from llmdrills.practice.alone import alone
from llmdrills.practice.history import explain
from llmdrills.practice.moments import DAY_TURNS, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmdrills.practice.history import History

__all__ = ["KEPT", "Backup", "Restored", "files", "find", "keep", "listed", "replace", "restore"]

KEPT = 5
_STAMP = "%Y-%m-%dT%H%M%S"
_ENDING = ".sqlite3"


class Backup(NamedTuple):
    """One copy: its file, its name (the local time at which it was made), and how many events it holds."""

    file: Path
    name: str
    events: int


class Restored(NamedTuple):
    """What a restore did: how many events came back, and where what was there before now lies, if it was replaced.

    `events` counts those that are there now where the history was replaced.
    """

    events: int
    aside: Path | None = None


def files(path: Path) -> list[Path]:
    """The backups of the history at `path`, newest first."""
    folder = path.parent / "backups"
    return sorted((file for file in folder.glob(f"*{_ENDING}") if _time(file)), reverse=True)


def listed(path: Path) -> list[Backup]:
    """The backups that can be read, newest first."""
    found = []
    for file in files(path):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_reading(file)) as connection:
            found.append(Backup(file, file.stem, _events(connection)))
    return found


def find(path: Path, wanted: str | None) -> Backup:
    """The backup whose name begins with that, or the newest. Raises UsageError where there is none."""
    there = listed(path)
    if not there:
        raise UsageError(
            f"there is no backup in {path.parent / 'backups'}",
            "one is made on each day of practice; an export of another machine is read by `llmdrills history import`",
        )
    fitting = [backup for backup in there if wanted is None or backup.name.startswith(wanted)]
    if not fitting:
        names = ", ".join(backup.name for backup in there)
        raise UsageError(f"there is no backup {wanted!r}", f"use one of {names}")
    return fitting[0]


def keep(history: History, now: Moment | None = None, *, always: bool = False) -> Path | None:
    """Make today's backup if there is none yet, and drop the oldest; `always`: make one in any case.

    Returns its file; None where none was due. Raises HistoryError.
    """
    now = now or Moment.now()
    folder = history.path.parent / "backups"
    try:
        if not (always or _due(files(history.path), now)) or not history.counts():
            return None
        folder.mkdir(exist_ok=True)
        with alone(folder):
            if not (always or _due(files(history.path), now)):  # another process has just made it
                return None
            target = folder / f"{now.local.strftime(_STAMP)}{_ENDING}"
            history.backup(target)
            _drop_old(history.path, target)
            return target
    except OSError as error:
        raise explain(error, folder) from error


def restore(history: History, backup: Backup) -> Restored:
    """Bring back the events of a backup that the history lacks; nothing that is there is changed. HistoryError."""
    from llmdrills.practice.exchange import insert_missing  # every command looks for a backup, and few restore one

    try:
        with contextlib.closing(_reading(backup.file)) as connection:
            return Restored(insert_missing(history, connection))
    except sqlite3.Error as error:
        raise HistoryError(
            f"{backup.file} cannot be read ({error})", "name an older one: `--list` shows them"
        ) from error


def replace(history: History, backup: Backup, now: Moment | None = None) -> Restored:
    """Put a backup in the place of the history, which is kept aside. Newer backups no longer count as such.

    Raises HistoryError; then nothing was changed.
    """
    path = history.path
    aside = path.with_name(f"{path.name}.replaced-{(now or Moment.now()).local.strftime('%Y%m%dT%H%M%S%f')}")
    history.become(backup.file, aside)
    try:
        for file in files(path):
            if file > backup.file:
                file.rename(file.with_name(file.name + ".replaced"))
    except OSError as error:
        raise explain(error, path) from error
    return Restored(sum(history.counts().values()), aside)


def _time(file: Path) -> datetime | None:
    """The local time in a backup's name; None for a file that is no backup."""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(file.stem)
    return None


def _due(there: Sequence[Path], now: Moment) -> bool:
    """Whether none of them is of this day of the learner's."""
    return now.day not in {(time - timedelta(hours=DAY_TURNS)).date() for file in there if (time := _time(file))}


def _drop_old(path: Path, fresh: Path) -> None:
    """Keep the newest few, and the fullest: a history that has lost something must not push out what it lost."""
    # One that a wrong clock dated into the future counts as the oldest.
    ordered = sorted(listed(path), key=lambda backup: (backup.name <= fresh.stem, backup.name), reverse=True)
    fullest = max(ordered, key=lambda backup: backup.events, default=None)
    for backup in ordered[KEPT:]:
        if backup != fullest and backup.file != fresh:
            backup.file.unlink(missing_ok=True)


def _reading(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _events(connection: sqlite3.Connection) -> int:
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return sum(
        int(connection.execute(f"SELECT count(*) FROM {kind}").fetchone()[0])  # noqa: S608  # a name of schema.py
        for kind in schema.EVENTS
        if kind in names
    )
