"""What `llmdrills doctor` finds out about the history: whether the other commands work with it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.catalogue import load_catalogue
from llmdrills.errors import ContentError, LLMDrillsError
from llmdrills.language import counted
from llmdrills.practice import exchange, plan, replay, stats, tally
from llmdrills.practice.history import History
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata

__all__ = ["Tried", "try_out"]

_SHOWN = 3  # events named


class Tried(NamedTuple):
    """What was found, and what must be fixed (empty: nothing)."""

    found: str
    fault: str = ""


def try_out(here: Place) -> Tried:
    """Open a copy of the history as every command does, page by page, and run what they run with it.

    Figures that do not follow from the events are made anew in the history itself: nothing else is changed.
    """
    path = here.locations.history_file
    with tempfile.TemporaryDirectory(prefix="llmdrills-doctor-") as folder:
        try:
            copy = _copy(path, Path(folder))
            with History.open(copy, check=True) as history:
                found, fault = _state(history)
                right = bool(fault) or _follows(history, _katas(here), here)
        except OSError as error:
            return Tried("", f"{error}; make the file readable, and see that {folder} has room for a copy")
        except LLMDrillsError as error:
            return Tried("", str(error).replace(folder, str(path.parent)))
    if not right:
        with History.open(path) as history:
            replay.forget(history)
        found += "; its figures did not follow from them, and were made anew"
    return Tried(found, fault)


def _copy(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    if tally.place(path).exists():
        shutil.copyfile(tally.place(path), tally.place(copy))
    try:
        # SQLite copies one state, also while another process writes.
        with (
            contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error:  # it is no database any more: then the bytes as they are
        for file in (path, path.with_name(path.name + "-wal")):
            if file.exists():
                shutil.copyfile(file, folder / file.name)
    return copy


def _state(history: History) -> Tried:
    events = sum(history.counts().values())
    found = counted(events, "event", "").en
    if history.recovery is not None:
        return Tried(
            found, "it is damaged; `llmdrills today` sets it aside, saves what can be read, and says what is missing"
        )
    told = [f"{kind} {event}" for kind, event in history.unsound()]
    if told:
        named = ", ".join(told[:_SHOWN]) + (f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else "")
        found += f", of which {len(told)} are left out for values that no event can have: {named}"
    return Tried(found)


def _follows(history: History, katas: Sequence[Kata], here: Place) -> bool:
    """Run what the commands run; whether the figures are the same when they are made anew from the events."""
    now, scheduling = Moment.now(), here.settings.scheduling
    stored = replay.load(history)
    plan.today(history, katas, now, plan.PlanOptions.from_settings(here.settings))
    figures = stats.gather(history, katas, now, scheduling)
    deque(exchange.export_lines(history), maxlen=0)
    replay.forget(history)
    return stored == replay.load(history) and figures == stats.gather(history, katas, now, scheduling)


def _katas(here: Place) -> Sequence[Kata]:
    """The katas; none where the workspace has problems, which another line of the report tells."""
    try:
        return load_catalogue(here.workspace, here.locations.cache)
    except ContentError:
        return ()
