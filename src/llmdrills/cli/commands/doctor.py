"""`llmdrills doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from llmdrills import __version__
from llmdrills.cli.console import print_json, tell
from llmdrills.cli.day.editor import find_editor
from llmdrills.cli.day.pane import find_tmux
from llmdrills.cli.day.trial import fault_of
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, Place, WorkspaceOption, place
from llmdrills.content import load_workspace
from llmdrills.errors import LLMDrillsError, UsageError
from llmdrills.language import Bilingual, counted
from llmdrills.practice import backups
from llmdrills.practice.moments import Moment

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Check this installation, and print a report that can be pasted into an issue.",
        "检查安装是否正常，并打印一份可以贴到 issue 里的报告。",
    ),
    "llmdrills doctor",
    "llmdrills doctor --json",
    more=Bilingual("Exit status: 0 all well, 1 something must be fixed.", "退出状态：0 一切正常，1 有需要修复的问题。"),
)

_STRICT_TABLES = (3, 37, 0)  # the SQLite that brought them


@dataclass(frozen=True)
class Check:
    """One thing looked at: `fault` names a thing that must be fixed, else it is empty."""

    name: str
    found: str
    fault: str = ""


def command(json: JsonOption = False, lang: LangOption = None, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills doctor`."""
    here = place(workspace, lang=lang)
    checks = [_safely(look, here) for look in _LOOKS]
    faults = [check for check in checks if check.fault]
    if json:
        rows = [{"name": c.name, "found": c.found, "fault": c.fault} for c in checks]
        print_json({"schema": 1, "healthy": not faults, "checks": rows})
    else:
        for check in checks:
            tell(f"{'✗' if check.fault else '✓'} {check.name:<14} {check.found}")
            if check.fault:
                tell(f"  fault: {check.fault}")
        tell(f"\n{_n(len(faults), 'fault')} found" if faults else "\nall well")
    raise typer.Exit(1 if faults else 0)


def _n(count: int, one: str) -> str:
    return counted(count, one, "").en


def _safely(look: Callable[[Place], Check], here: Place) -> Check:
    """What a look finds; a folder that cannot be read, or whatever else stops it, is what it found."""
    try:
        return look(here)
    except (OSError, LLMDrillsError, sqlite3.Error) as error:
        return Check(look.__name__.strip("_"), "", f"{error}; give yourself the right to read and write it")


def _python(_here: Place) -> Check:
    found = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}"
    return Check("python", found, "" if sys.version_info >= (3, 11) else "llmdrills needs Python 3.11 or newer")


def _package(_here: Place) -> Check:
    return Check("llmdrills", __version__)


def _libraries(_here: Place) -> Check:
    names = ("torch", "transformers", "numpy", "genanki", "comrak", "fsrs", "typer", "rich", "watchfiles")
    versions, missing = [], []
    for name in names:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    fault = f"not installed: {', '.join(missing)}; run `pip install 'llmdrills[torch]'`" if missing else ""
    return Check("libraries", ", ".join(versions), fault)


def _sqlite(_here: Place) -> Check:
    old = sqlite3.sqlite_version_info < _STRICT_TABLES
    return Check("sqlite", sqlite3.sqlite_version, "the history needs SQLite 3.37 or newer" if old else "")


def _workspace(here: Place) -> Check:
    try:
        loaded = load_workspace(here.workspace)
    except LLMDrillsError as error:
        return Check("workspace", str(here.workspace), f"{error.what}; `llmdrills check` lists them")
    return Check("workspace", f"{here.workspace}: {_n(len(loaded.notes), 'note')}, {_n(len(loaded.katas), 'kata')}")


def _history(here: Place) -> Check:
    """Whether the commands work with it: a copy of it is opened, planned from, counted, replayed and exported."""
    path = here.locations.history_file
    if not path.exists():
        return Check("history", f"{path} (not there yet)")
    from llmdrills.cli.history_check import try_out

    tried = try_out(here)
    return Check("history", f"{path}: {tried.found}", tried.fault)


def _backups(here: Place) -> Check:
    found = backups.listed(here.locations.history_file)
    if not found:
        return Check("backups", "none yet: one is made on each day of practice")
    events = _n(found[0].events, "event")
    return Check("backups", f"{len(found)} in {found[0].file.parent}; the newest, {found[0].name}, has {events}")


def _clock(_here: Place) -> Check:
    try:
        return Check("clock", str(Moment.now()))
    except UsageError as error:
        return Check("clock", "", str(error))


def _folders(here: Place) -> Check:
    folders = (here.locations.data, here.locations.cache, here.practice)
    blocked = [str(folder) for folder in folders if not os.access(_nearest(folder), os.W_OK)]
    fault = (
        f"cannot write to {', '.join(blocked)}: give yourself the right to, or set LLMDRILLS_HOME" if blocked else ""
    )
    return Check("folders", str(here.locations.data), fault)


def _nearest(folder: Path) -> Path:
    return next(candidate for candidate in (folder, *folder.parents) if candidate.exists())


def _editor(here: Place) -> Check:
    try:
        editor = find_editor(here.settings.text("editor"), here.settings.text("editor_kind"))
    except LLMDrillsError as error:
        return Check("editor", "", str(error))
    if editor is None:
        return Check("editor", "none: set LLMDRILLS_EDITOR, VISUAL or EDITOR to have files opened for you")
    kind = "in the terminal" if editor.in_terminal else "in a window"
    fault = fault_of(editor)
    if not fault and editor.in_terminal:
        try:
            find_tmux()
        except LLMDrillsError as error:
            fault = str(error)
    return Check("editor", f"{' '.join(editor.command)} (from {editor.source}; opens {kind})", fault)


def _terminal(_here: Place) -> Check:
    names = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "LANG")
    return Check("terminal", ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ) or "none")


_LOOKS: tuple[Callable[[Place], Check], ...] = (
    _package,
    _python,
    _libraries,
    _sqlite,
    _workspace,
    _history,
    _backups,
    _clock,
    _folders,
    _editor,
    _terminal,
)
