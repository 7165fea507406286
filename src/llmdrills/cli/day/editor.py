"""Opening a file in the learner's editor, without ever waiting for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from llmdrills.errors import UsageError

__all__ = ["Editor", "find_editor"]

# These take over the terminal that they are started in, so they cannot share it with the daily loop.
_TERMINAL_EDITORS = frozenset(
    {
        "vi",
        "vim",
        "nvim",
        "nano",
        "pico",
        "emacs",
        "joe",
        "jed",
        "micro",
        "hx",
        "helix",
        "kak",
        "ne",
        "mcedit",
        "ed",
        "ex",
    }
)
_WAIT_FLAGS = frozenset({"--wait", "-w"})  # set for git's sake: the loop grades on every save, it need not wait


@dataclass(frozen=True)
class Editor:
    """A command that opens a file, and whether it needs a terminal of its own."""

    command: tuple[str, ...]
    source: str

    @property
    def name(self) -> str:
        """The program's name."""
        return Path(self.command[0]).name

    @property
    def in_terminal(self) -> bool:
        """Whether it takes over the terminal."""
        return self.name in _TERMINAL_EDITORS and "--gui" not in self.command

    def open(self, path: Path) -> bool:
        """Open the file beside the loop; False when that cannot be done (a terminal editor and no tmux to split)."""
        if self.in_terminal:
            if not os.environ.get("TMUX") or shutil.which("tmux") is None:
                return False
            command = shlex.join([*self.command, str(path)])
            self._start(["tmux", "split-window", "-h", "-c", str(path.parent), command])
            return True
        self._start([*(word for word in self.command if word not in _WAIT_FLAGS), str(path)])
        return True

    def run(self, path: Path) -> None:
        """Open the file in this terminal and wait: for a terminal editor, on request."""
        try:
            subprocess.run([*self.command, str(path)], check=False)
        except OSError as error:
            raise self._cannot(error) from error

    def _start(self, command: list[str]) -> None:
        try:
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C ends the loop, not the editor
            )
        except OSError as error:
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> UsageError:
        return UsageError(
            f"cannot start the editor {self.command[0]!r} (from {self.source}): {error.strerror}",
            "set LLMDRILLS_EDITOR to a command that opens a file",
        )


def find_editor(configured: str = "") -> Editor | None:
    """The editor: the setting (LLMDRILLS_EDITOR sets it too), then VISUAL, then EDITOR; None when there is none."""
    for source, text in (
        ("LLMDRILLS_EDITOR or the setting `editor`", configured),
        ("VISUAL", os.environ.get("VISUAL", "")),
        ("EDITOR", os.environ.get("EDITOR", "")),
    ):
        if not text.strip():
            continue
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise UsageError(
                f"{source} is {text!r}, which is not a command", f"{error}; quote it as in a shell"
            ) from error
        if words:
            return Editor(tuple(words), source)
    return None
