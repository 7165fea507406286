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
from typing import TYPE_CHECKING

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
from llmdrills.lines import columns
from llmdrills.messages import in_both
from llmdrills.practice import backups
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    from llmdrills.language import Language

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
_NAMES = {
    "libraries": Bilingual("libraries", "依赖库"),
    "triton": Bilingual("triton", "triton"),
    "workspace": Bilingual("workspace", "工作区"),
    "packs": Bilingual("packs", "内容包"),
    "history": Bilingual("history", "历史记录"),
    "backups": Bilingual("backups", "备份"),
    "clock": Bilingual("clock", "时钟"),
    "folders": Bilingual("folders", "文件夹"),
    "editor": Bilingual("editor", "编辑器"),
    "terminal": Bilingual("terminal", "终端"),
}
_FAULT = Bilingual("fault: {what}", "问题：{what}")
_FAULTS = Bilingual("{count} found", "发现 {count}")
_WELL = Bilingual("all well", "一切正常")
_RIGHTS = Bilingual("{what}; give yourself the right to read and write it", "{what}；请取得它的读写权限")
_PYTHON = Bilingual("{version} on {platform}", "{version}（{platform}）")
_OLD_PYTHON = Bilingual("llmdrills needs Python 3.11 or newer", "llmdrills 需要 Python 3.11 或更新版本")
_MISSING = Bilingual(
    "not installed: {names}; run `pip install 'llmdrills[torch]'`",
    "未安装：{names}；请运行 `pip install 'llmdrills[torch]'`",
)
_NO_TRITON = Bilingual(
    "not installed: katas of Triton kernels are left out; `pip install 'llmdrills[triton]'` brings it",
    "未安装：Triton 练习不会出现在计划里；运行 `pip install 'llmdrills[triton]'` 安装",
)
_ONLY_LINUX = Bilingual("Linux only: katas of Triton kernels are left out", "仅支持 Linux：Triton 练习不会出现在计划里")
_OLD_TRITON = Bilingual(
    "katas of Triton kernels need triton {least} or newer: run `pip install -U 'llmdrills[triton]'`",
    "Triton 练习需要 triton {least} 或更新版本：请运行 `pip install -U 'llmdrills[triton]'`",
)
_OLD_SQLITE = Bilingual("the history needs SQLite 3.37 or newer", "历史记录需要 SQLite 3.37 或更新版本")
_PROBLEMS = Bilingual("{what}; `llmdrills check` lists them", "{what}；运行 `llmdrills check` 查看")
_HOLDS = Bilingual("{folder}: {notes}, {katas}", "{folder}：{notes}，{katas}")
_NOT_YET = Bilingual("{path} (not there yet)", "{path}（尚未创建）")
_AT = Bilingual("{path}: {found}", "{path}：{found}")
_NO_BACKUPS = Bilingual("none yet: one is made on each day of practice", "还没有：每个练习日会自动备份一次")
_BACKUPS = Bilingual(
    "{count} in {folder}; the newest, {name}, has {events}", "{folder} 中有 {count} 份；最新的 {name} 含 {events}"
)
_BLOCKED = Bilingual(
    "cannot write to {folders}: give yourself the right to, or set LLMDRILLS_HOME",
    "无法写入 {folders}：请取得写权限，或设置 LLMDRILLS_HOME",
)
_NO_EDITOR = Bilingual(
    "none: set LLMDRILLS_EDITOR, VISUAL or EDITOR to have files opened for you",
    "无：设置 LLMDRILLS_EDITOR、VISUAL 或 EDITOR 后会自动打开文件",
)
_IN_TERMINAL = Bilingual("{command} (from {source}; opens in the terminal)", "{command}（来自 {source}；在终端中打开）")
_IN_WINDOW = Bilingual("{command} (from {source}; opens in a window)", "{command}（来自 {source}；在窗口中打开）")
_NONE = Bilingual("none", "无")


@dataclass(frozen=True)
class Check:
    """One thing looked at: `fault` names a thing that must be fixed, else it is empty."""

    name: str
    found: str | Bilingual
    fault: str | Bilingual = ""


def command(json: JsonOption = False, lang: LangOption = None, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills doctor`."""
    here = place(workspace, lang=lang)
    checks = [_safely(look, here) for look in _LOOKS]
    faults = [check for check in checks if check.fault]
    if json:
        rows = [{"name": c.name, "found": _told(c.found, "en"), "fault": _told(c.fault, "en")} for c in checks]
        print_json({"schema": 1, "healthy": not faults, "checks": rows})
    else:
        for check in checks:
            _show(check, here.language)
        count = counted(len(faults), "fault", "处问题")
        tell("\n" + (_FAULTS.format(count=count) if faults else _WELL)[here.language])
    raise typer.Exit(1 if faults else 0)


def _show(check: Check, language: Language) -> None:
    name = _NAMES[check.name][language] if check.name in _NAMES else check.name
    tell(f"{'✗' if check.fault else '✓'} {name}{' ' * (14 - columns(name))} {_told(check.found, language)}")
    if check.fault:
        tell("  " + _FAULT.format(what=_told(check.fault, language))[language])


def _told(words: str | Bilingual, language: Language) -> str:
    return words[language] if isinstance(words, Bilingual) else words


def _safely(look: Callable[[Place], Check], here: Place) -> Check:
    """What a look finds; a folder that cannot be read, or whatever else stops it, is what it found."""
    try:
        return look(here)
    except (OSError, LLMDrillsError, sqlite3.Error) as error:
        what = error.in_both if isinstance(error, LLMDrillsError) else in_both(error)
        return Check(look.__name__.strip("_"), "", _RIGHTS.format(what=what))


def _python(_here: Place) -> Check:
    version = f"{platform.python_implementation()} {platform.python_version()}"
    found = _PYTHON.format(version=version, platform=platform.platform())
    return Check("python", found, "" if sys.version_info >= (3, 11) else _OLD_PYTHON)


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
    fault = _MISSING.format(names=", ".join(missing)) if missing else ""
    return Check("libraries", ", ".join(versions), fault)


def _triton(_here: Place) -> Check:
    """Whether katas of Triton kernels can be graded; nobody needs them for the rest."""
    from llmdrills.grading.engines.triton import OLDEST, available

    if not sys.platform.startswith("linux"):
        return Check("triton", _ONLY_LINUX)
    try:
        version = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return Check("triton", _NO_TRITON)
    fault = "" if available() else _OLD_TRITON.format(least=".".join(map(str, OLDEST)))
    return Check("triton", version, fault)


def _sqlite(_here: Place) -> Check:
    old = sqlite3.sqlite_version_info < _STRICT_TABLES
    return Check("sqlite", sqlite3.sqlite_version, _OLD_SQLITE if old else "")


def _workspace(here: Place) -> Check:
    try:
        loaded = load_workspace(here.workspace)
    except LLMDrillsError as error:
        return Check("workspace", str(here.workspace), _PROBLEMS.format(what=error.what_in_both))
    notes, katas = counted(len(loaded.notes), "note", "条笔记"), counted(len(loaded.katas), "kata", "个练习")
    return Check("workspace", _HOLDS.format(folder=here.workspace, notes=notes, katas=katas))


def _packs(here: Place) -> Check:
    from llmdrills.cli.commands.packs import row
    from llmdrills.cli.packs import look

    rows = [row(one) for one in look(here)]
    found = Bilingual("; ".join(one.en for one in rows), "；".join(one.zh for one in rows)) if rows else _NONE
    return Check("packs", found)


def _history(here: Place) -> Check:
    """Whether the commands work with it: a copy of it is opened, planned from, counted, replayed and exported."""
    path = here.locations.history_file
    if not path.exists():
        return Check("history", _NOT_YET.format(path=path))
    from llmdrills.cli.history_check import try_out

    tried = try_out(here)
    return Check("history", _AT.format(path=path, found=tried.found), tried.fault)


def _backups(here: Place) -> Check:
    found = backups.listed(here.locations.history_file)
    if not found:
        return Check("backups", _NO_BACKUPS)
    words = {"count": len(found), "folder": found[0].file.parent, "name": found[0].name}
    return Check("backups", _BACKUPS.format(events=counted(found[0].events, "event", "条记录"), **words))


def _clock(_here: Place) -> Check:
    try:
        return Check("clock", str(Moment.now()))
    except UsageError as error:
        return Check("clock", "", error.in_both)


def _folders(here: Place) -> Check:
    folders = (here.locations.data, here.locations.cache, here.practice)
    blocked = [str(folder) for folder in folders if not os.access(_nearest(folder), os.W_OK)]
    fault = _BLOCKED.format(folders=", ".join(blocked)) if blocked else ""
    return Check("folders", str(here.locations.data), fault)


def _nearest(folder: Path) -> Path:
    return next(candidate for candidate in (folder, *folder.parents) if candidate.exists())


def _editor(here: Place) -> Check:
    try:
        editor = find_editor(here.settings.text("editor"), here.settings.text("editor_kind"))
    except LLMDrillsError as error:
        return Check("editor", "", error.in_both)
    if editor is None:
        return Check("editor", _NO_EDITOR)
    fault = fault_of(editor)
    if not fault and editor.in_terminal:
        try:
            find_tmux()
        except LLMDrillsError as error:
            fault = error.in_both
    words = _IN_TERMINAL if editor.in_terminal else _IN_WINDOW
    return Check("editor", words.format(command=" ".join(editor.command), source=editor.source), fault)


def _terminal(_here: Place) -> Check:
    names = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "LANG")
    return Check("terminal", ", ".join(f"{name}={os.environ[name]}" for name in names if name in os.environ) or _NONE)


_LOOKS: tuple[Callable[[Place], Check], ...] = (
    _package,
    _python,
    _libraries,
    _triton,
    _sqlite,
    _workspace,
    _packs,
    _history,
    _backups,
    _clock,
    _folders,
    _editor,
    _terminal,
)
