"""Try the learner's editor, as `llmdrills doctor` does: whether it starts, and goes on running, with a file."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmdrills.cli.day.editor import SOON, program
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from llmdrills.cli.day.editor import Editor

__all__ = ["fault_of"]

_NO_PROGRAM = Bilingual("{name} is not on PATH", "PATH 中没有 {name}")
_NO_START = Bilingual("it cannot be started: {why}", "无法启动：{why}")
_VERSION_FAILS = Bilingual(
    "`{name} --version` ends with status {status} {said}", "`{name} --version` 以状态码 {status} 退出 {said}"
)
_ENDS = Bilingual("it ends at once with status {status}", "启动后立即退出，状态码 {status}")
_VERSION = 10  # seconds that an editor with a window may take to say its version


def fault_of(editor: Editor) -> Bilingual | Literal[""]:
    """What is wrong with the editor; empty where it starts.

    One that runs in a terminal is started with a file in a terminal of its own, and ended after a second. One that
    opens a window is only asked for its version, because a window would be in the way.
    """
    name = program(editor.command)
    if shutil.which(editor.command[0]) is None or shutil.which(name) is None:
        return _NO_PROGRAM.format(name=name)
    return _in_terminal(editor) if editor.in_terminal else _in_window(editor)


def _in_window(editor: Editor) -> Bilingual | Literal[""]:
    try:
        ran = subprocess.run(
            [*editor.command, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            timeout=_VERSION,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""  # it runs, whatever it does
    except OSError as error:
        return _NO_START.format(why=in_both(error.strerror))
    said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
    return _VERSION_FAILS.format(name=editor.name, status=ran.returncode, said=said[-1:]) if ran.returncode else ""


def _in_terminal(editor: Editor) -> Bilingual | Literal[""]:
    import pty

    with tempfile.TemporaryDirectory(prefix="llmdrills-editor-") as folder:
        file = Path(folder) / "kata.py"
        file.write_text("# llmdrills tries your editor\n", "utf-8")
        process, terminal = pty.fork()  # its controlling terminal, too: Emacs opens /dev/tty
        if process == 0:
            os.environ.setdefault("TERM", "xterm")
            with contextlib.suppress(OSError):
                os.execvp(editor.command[0], [*editor.command, str(file)])  # noqa: S606  # what the user set
            os._exit(127)
        try:
            status = _watch(process, terminal)
        finally:
            os.close(terminal)
    return _ENDS.format(status=status) if status else ""


def _watch(process: int, terminal: int) -> int | None:
    """The exit status, if it ends within a second; what it draws is read, so that it does not wait for a reader."""
    end = time.monotonic() + SOON
    while (left := end - time.monotonic()) > 0:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if select.select([terminal], [], [], min(left, 0.05))[0]:
            try:
                os.read(terminal, 65536)
            except OSError:  # it has closed its end: it will have ended in a moment
                time.sleep(0.01)
    _end(process)
    return None


def _end(process: int) -> None:
    for number in (signal.SIGHUP, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, number)
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            if os.waitpid(process, os.WNOHANG)[0]:
                return
            time.sleep(0.01)
