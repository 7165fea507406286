"""A pane of tmux beside the daily loop, in which the learner's editor runs: one for the whole day.

What is not covered: tmux before 2.6, and a client of tmux in another terminal than the one that the loop runs in.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.cli.console import terminal_size
from llmdrills.cli.day.editor import SOON, Failure
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmdrills.cli.day.editor import Editor

__all__ = ["Pane", "find_tmux"]

_PATIENCE = 5  # seconds for an answer of tmux
_RESIZED = 0.6  # seconds in which tmux tells this terminal its new size
_SIDE_BY_SIDE = 144  # columns: two panes of 72, which a kata's lines fit in
_RUN = '"$@"; code=$?; [ "$code" -eq 0 ] || echo "$code" 2>/dev/null > "$0"'  # $0: the file for the exit status

_STALE = Bilingual(
    "TMUX is set, but tmux does not know this terminal ({why})", "设置了 TMUX，但 tmux 不认识这个终端（{why}）"
)
_NO_TMUX = Bilingual("TMUX is set, but there is no program tmux on PATH", "设置了 TMUX，但 PATH 中没有 tmux 程序")
_OTHER = Bilingual(
    "TMUX is set, but its pane is another terminal ({pane}; this is {here})",
    "设置了 TMUX，但它的窗格是另一个终端（{pane}，而这里是 {here}）",
)
_UNSET = Bilingual(
    "run `unset TMUX TMUX_PANE`, or open the file yourself", "请运行 `unset TMUX TMUX_PANE`，或自行打开文件"
)
_NO_PANE = Bilingual("tmux gives no pane for the editor ({why})", "tmux 没有为编辑器分出窗格（{why}）")
_OPEN_IT = Bilingual("make the window larger, or open the file yourself", "请放大窗口，或自行打开文件")


def find_tmux() -> bool:
    """Whether this terminal is a pane of tmux. Raises UsageError where the variable TMUX says so, and it is none."""
    if not os.environ.get("TMUX"):
        return False
    if shutil.which("tmux") is None:
        raise UsageError(_NO_TMUX, _UNSET)
    answer = _tmux("display-message", "-p", *_here(), "#{pane_tty}")
    if answer.returncode != 0:
        raise UsageError(_STALE.format(why=in_both(_why(answer))), _UNSET)
    ours = next((os.ttyname(stream.fileno()) for stream in (sys.stdout, sys.stdin) if stream.isatty()), "")
    if ours and answer.stdout.strip() not in {"", ours}:
        raise UsageError(_OTHER.format(pane=answer.stdout.strip(), here=ours), _UNSET)
    return True


class Pane:
    """The pane: split off when the first file is shown, reused for the next, closed at the end."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._id: str | None = None
        self._shown: Path | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="llmdrills-pane-"))
        self._count = 0

    def show(self, path: Path, failed: Callable[[Failure], None]) -> None:
        """Open the file in the pane, and put the cursor there. Raises UsageError when tmux gives none.

        A file that it shows already is left alone. `failed` is called from another thread if the editor ends with an
        error within `SOON`.
        """
        if self._id is not None and self._shown == path and self._alive():
            _tmux("select-pane", "-t", self._id)
            return
        self._count += 1
        status = self._folder / str(self._count)
        # The server of tmux has an environment of its own: the editor is looked for where this process finds it.
        there = ["env", f"PATH={os.environ.get('PATH', os.defpath)}"]
        command = [*there, "sh", "-c", _RUN, str(status), *self._editor.command, str(path)]
        if self._id is not None and self._alive():
            # The editor of the file before gets a SIGHUP, on which editors save what was not saved beside the file.
            answer = _tmux("respawn-pane", "-k", "-t", self._id, "-c", str(path.parent), shlex.join(command))
            _tmux("select-pane", "-t", self._id)
        else:
            answer = self._split(path, command)
        if answer.returncode != 0:
            raise UsageError(_NO_PANE.format(why=in_both(_why(answer))), _OPEN_IT)
        self._shown = path
        threading.Thread(target=self._attend, args=(status, failed), daemon=True).start()

    def close(self) -> None:
        """Close the pane, if it is still there."""
        if self._id is not None and self._alive():
            _tmux("kill-pane", "-t", self._id)
        self.leave()

    def leave(self) -> None:
        """Let the pane stay for as long as the editor runs, and forget it."""
        self._id = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _split(self, path: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
        before = terminal_size(sys.stdout)
        # The way that leaves both panes wide enough; a letter is about twice as high as it is wide.
        beside = before.columns >= max(_SIDE_BY_SIDE, 2 * before.lines)
        answer = _tmux(
            *("split-window", "-h" if beside else "-v", *_here(), "-P", "-F", "#{pane_id}"),
            *("-c", str(path.parent), shlex.join(command)),
        )
        if answer.returncode == 0:
            self._id = answer.stdout.strip()
            end = time.monotonic() + _RESIZED
            while terminal_size(sys.stdout) == before and time.monotonic() < end:
                time.sleep(0.01)
        return answer

    def _alive(self) -> bool:
        answer = _tmux("list-panes", "-a", "-F", "#{pane_id}")
        return self._id in answer.stdout.split()

    def _attend(self, status: Path, failed: Callable[[Failure], None]) -> None:
        end = time.monotonic() + SOON
        while time.monotonic() < end:
            time.sleep(0.05)
            if status.exists() and (text := status.read_text("utf-8").strip()):
                failed(Failure(self._editor.name, int(text)))
                return


def _here() -> list[str]:
    pane = os.environ.get("TMUX_PANE")
    return ["-t", pane] if pane else []


def _tmux(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["tmux", *words], capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 1, "", str(error))


def _why(answer: subprocess.CompletedProcess[str]) -> str:
    return answer.stderr.strip() or f"status {answer.returncode}"
