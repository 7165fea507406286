"""What `llmdrills doctor` finds out about the history: whether the other commands work with it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.packs import all_katas
from llmdrills.errors import ContentError, LLMDrillsError
from llmdrills.language import Bilingual, counted
from llmdrills.messages import in_both
from llmdrills.practice import exchange, plan, replay, stats, tally
from llmdrills.practice.history import History
from llmdrills.practice.moments import Moment
from llmdrills.practice.schema import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata

__all__ = ["Tried", "try_out"]

_SHOWN = 3  # events named
_UNREADABLE = Bilingual(
    "{what}; make the file readable, and see that {folder} has room for a copy",
    "{what}；请让这个文件可读，并确保 {folder} 有空间放一份副本",
)
_MADE_ANEW = Bilingual(
    "{found}; its figures did not follow from them, and were made anew", "{found}；统计数据与记录不符，已重新计算"
)
_DAMAGED = Bilingual(
    "it is damaged; `llmdrills today` sets it aside, saves what can be read, and says what is missing",
    "文件已损坏；`llmdrills today` 会把它移到一边，救回可读的部分，并说明缺了什么",
)
_LEFT_OUT = Bilingual(
    "{found}, of which {n} are left out for values that no event can have: {named}{more}",
    "{found}，其中 {n} 条因数值不合理而未计入：{named}{more}",
)
_MORE = Bilingual(" and {n} more", " 等，另有 {n} 条")


class Tried(NamedTuple):
    """What was found, and what must be fixed (empty: nothing)."""

    found: str | Bilingual
    fault: str | Bilingual = ""


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
            return Tried("", _UNREADABLE.format(what=in_both(error), folder=folder))
        except LLMDrillsError as error:
            said = error.in_both
            its_own = str(path.parent)
            return Tried("", Bilingual(said.en.replace(folder, its_own), said.zh.replace(folder, its_own)))
    if not right:
        with History.open(path) as history:
            replay.forget(history)
        found = _MADE_ANEW.format(found=found)
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
    found = counted(events, "event", "条记录")
    if history.recovery is not None:
        return Tried(found, _DAMAGED)
    told = [Bilingual(f"{kind} {event}", f"{KINDS[kind].zh} {event}") for kind, event in history.unsound()]
    if told:
        named = Bilingual(", ".join(one.en for one in told[:_SHOWN]), "、".join(one.zh for one in told[:_SHOWN]))
        more = _MORE.format(n=len(told) - _SHOWN) if len(told) > _SHOWN else ""
        found = _LEFT_OUT.format(found=found, n=len(told), named=named, more=more)
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
        return all_katas(here, quiet=True)
    except ContentError:
        return ()
