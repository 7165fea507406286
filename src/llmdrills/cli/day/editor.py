"""The learner's editor: which program it is, and starting it without ever waiting for it.

What takes over the terminal that it is started in cannot share it with the daily loop. Which programs do so cannot be
known: every one counts as a terminal editor, unless its name, or the name of the file that it is a link to, is one of
those that open a window, or the setting `editor_kind` says otherwise.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["SOON", "Editor", "Failure", "find_editor", "program"]

SOON = 1.0
"""Seconds within which an editor that ends with an error counts as not started."""
_WINDOWS = frozenset(
    """atom bbedit charm code code-insiders code-oss codium cursor emacsclient featherpad fleet geany gedit
    gnome-text-editor gvim idea kate kwrite lapce leafpad mate mousepad mvim neovide nova nvim-qt open pluma positron
    pulsar pycharm subl sublime_text sublime-text textadept vscodium webstorm windsurf wslview xdg-open xed zed
    zeditor""".split()  # noqa: SIM905  # a word list reads better so
)
_IN_TERMINAL = frozenset({"-nw", "--no-window-system", "-t", "-tty", "--tty"})  # of Emacs
_WAIT_FLAGS = frozenset({"--wait", "-w"})  # set for git's sake: the loop grades on every save, it need not wait
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_WITH_VALUE = frozenset({"-u", "--unset", "-C", "--chdir"})  # options of env

_SETTING = Bilingual("LLMDRILLS_EDITOR or the setting `editor`", "LLMDRILLS_EDITOR 或设置 `editor`")
_ENDED = Bilingual("{editor} ended at once with status {status}", "{editor} 立即退出，状态码 {status}")
_ENDED_SAYING = Bilingual("{words}: {said}", "{words}：{said}")
_CANNOT = Bilingual(
    "cannot start the editor {program!r} (from {source}): {why}", "无法启动编辑器 {program!r}（来自 {source}）：{why}"
)
_SET_IT = Bilingual(
    "set LLMDRILLS_EDITOR to a command that opens a file", "请把 LLMDRILLS_EDITOR 设为可以打开文件的命令"
)
_NO_COMMAND = Bilingual("{source} is {text!r}, which is not a command", "{source} 的值 {text!r} 不是可执行的命令")
_QUOTE = Bilingual("{why}; quote it as in a shell", "{why}；请按 shell 的规则加引号")


@dataclass(frozen=True)
class Failure:
    """An editor that ended with an error at once: its exit status (negative: a signal), and what it said last."""

    editor: str
    status: int
    said: str = ""

    @property
    def text(self) -> Bilingual:
        """The same in a sentence."""
        words = _ENDED.format(editor=self.editor, status=self.status)
        return _ENDED_SAYING.format(words=words, said=self.said) if self.said else words


@dataclass(frozen=True)
class Editor:
    """A command that opens a file, where it comes from, and whether it takes over the terminal."""

    command: tuple[str, ...]
    source: str | Bilingual
    in_terminal: bool = True

    @property
    def name(self) -> str:
        """The program's name; behind `env`, that of the program that it starts."""
        return Path(program(self.command)).name

    def open(self, path: Path, failed: Callable[[Failure], None] | None = None) -> None:
        """Start it with the file and come back at once; raises UsageError when there is no such program.

        `failed` is called from another thread if it ends with an error within `SOON`.
        """
        words = [word for word in self.command if word not in _WAIT_FLAGS] if not self.in_terminal else self.command
        log = tempfile.TemporaryFile()  # noqa: SIM115  # it is closed by the thread that reads it
        try:
            process = subprocess.Popen(
                [*words, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the loop, not the editor
            )
        except OSError as error:
            log.close()
            raise self.cannot(in_both(error.strerror or error)) from error
        threading.Thread(target=self._attend, args=(process, log, failed), daemon=True).start()

    def run(self, path: Path) -> Failure | None:
        """Start it with the file in this terminal and wait; the failure if it ended with an error at once.

        Raises UsageError when there is no such program.
        """
        import time

        began = time.monotonic()
        try:
            status = subprocess.run([*self.command, str(path)], check=False).returncode
        except OSError as error:
            raise self.cannot(in_both(error.strerror or error)) from error
        return Failure(self.name, status) if status and time.monotonic() - began < SOON else None

    def cannot(self, why: Bilingual) -> UsageError:
        """That it cannot be started, and what to do."""
        return UsageError(_CANNOT.format(program=self.name, source=self.source, why=why), _SET_IT)

    def _attend(
        self, process: subprocess.Popen[bytes], log: IO[bytes], failed: Callable[[Failure], None] | None
    ) -> None:
        with log:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(SOON)
                if status and failed is not None:
                    failed(Failure(self.name, status, _last_line(log)))
            process.wait()  # so that it leaves no zombie


def find_editor(configured: str = "", kind: str = "auto") -> Editor | None:
    """The editor: the setting (LLMDRILLS_EDITOR sets it too), then VISUAL, then EDITOR; None when there is none.

    `kind`: the setting `editor_kind`. Raises UsageError for a text that is no command.
    """
    places: tuple[tuple[str | Bilingual, str], ...] = (
        (_SETTING, configured),
        ("VISUAL", os.environ.get("VISUAL", "")),
        ("EDITOR", os.environ.get("EDITOR", "")),
    )
    for source, text in places:
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(_NO_COMMAND.format(source=source, text=text), _QUOTE.format(why=in_both(error))) from error
        if not words:
            continue
        if _ASSIGNMENT.match(words[0]):  # as a shell takes it
            words = ["env", *words]
        command = tuple(words)
        return Editor(command, source, _in_terminal(command) if kind == "auto" else kind == "terminal")
    return None


def program(command: Sequence[str]) -> str:
    """The program that a command runs: behind `env`, its options and its assignments."""
    words = list(command)
    if Path(words[0]).name != "env":
        return words[0]
    at = 1
    while at < len(words):
        if words[at] in {"-S", "--split-string"} and at + 1 < len(words):
            return program(["env", *shlex.split(words[at + 1]), *words[at + 2 :]])
        if words[at] in _WITH_VALUE:
            at += 2
        elif words[at].startswith("-") or _ASSIGNMENT.match(words[at]):
            at += 1
        else:
            return words[at]
    return words[0]


def _in_terminal(command: tuple[str, ...]) -> bool:
    """Whether it takes over the terminal, as far as its name and its arguments tell."""
    flags = set(command)
    if flags & {"--gui", "--wait"}:  # what runs in a terminal is waited for anyway
        return False
    names = [_plain(name) for name in _names(program(command))]
    if "-g" in flags and names[0] in {"vim", "vi"}:
        return False
    return not any(name in _WINDOWS for name in names) or bool(flags & _IN_TERMINAL and "emacsclient" in names)


def _names(name: str) -> Iterator[str]:
    """The name of a program, and of every file that a link of that name leads to."""
    yield Path(name).name
    found = shutil.which(name)
    for _ in range(20):  # a ring of links ends somewhere
        if found is None or not os.path.islink(found):  # noqa: PTH114  # a name, not a Path, is at hand
            return
        found = os.path.join(os.path.dirname(found), os.readlink(found))  # noqa: PTH115, PTH118, PTH120  # the same
        yield Path(found).name


def _plain(name: str) -> str:
    """The name without the version or build behind it: vim.basic, emacsclient-29.1, code.exe."""
    return re.sub(r"(\.(basic|tiny|nox|gtk3?|exe|cmd|sh)|-?\d[\d.]*)+$", "", name.lower())


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read(4096).decode("utf-8", "replace").strip().splitlines()
    return "".join(letter for letter in lines[-1] if letter.isprintable()) if lines else ""
