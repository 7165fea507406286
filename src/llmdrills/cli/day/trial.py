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
from typing import TYPE_CHECKING

from llmdrills.cli.day.editor import SOON, program

if TYPE_CHECKING:
    from llmdrills.cli.day.editor import Editor

__all__ = ["fault_of"]

_VERSION = 10  # seconds that an editor with a window may take to say its version


def fault_of(editor: Editor) -> str:
    """What is wrong with the editor; empty where it starts.

    One that runs in a terminal is started with a file in a terminal of its own, and ended after a second. One that
    opens a window is only asked for its version, because a window would be in the way.
    """
    name = program(editor.command)
    if shutil.which(editor.command[0]) is None or shutil.which(name) is None:
        return f"{name} is not on PATH"
    return _in_terminal(editor) if editor.in_terminal else _in_window(editor)


def _in_window(editor: Editor) -> str:
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
        return f"it cannot be started: {error.strerror}"
    said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
    return f"`{editor.name} --version` ends with status {ran.returncode} {said[-1:]}" if ran.returncode else ""


def _in_terminal(editor: Editor) -> str:
    import pty

    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory(prefix="llmdrills-editor-") as folder:
        file = Path(folder) / "kata.py"
        file.write_text("# llmdrills tries your editor\n", "utf-8")
        try:
            process = subprocess.Popen(
                [*editor.command, str(file)],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                env={**os.environ, "TERM": os.environ.get("TERM") or "xterm"},
            )
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        finally:
            os.close(theirs)
        try:
            _drain(ours, process)
            status = process.poll()
        finally:
            _end(process)
            os.close(ours)
    return f"it ends at once with status {status}" if status else ""


def _drain(terminal: int, process: subprocess.Popen[bytes]) -> None:
    """Read what it draws, so that it does not wait for a reader, until it ends or was seen to run."""
    end = time.monotonic() + SOON
    while process.poll() is None and (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], min(left, 0.05))[0]:
            with contextlib.suppress(OSError):  # it has closed its end
                os.read(terminal, 65536)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGHUP, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SOON)
            return
