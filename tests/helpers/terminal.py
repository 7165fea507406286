"""A pseudo-terminal with a screen: what a learner would see, and the keys they press."""

from __future__ import annotations

import html
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pyte

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]")


class Terminal:
    """`llmdrills …` in a pseudo-terminal of the given size."""

    def __init__(
        self,
        *words: str,
        cwd: Path,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> None:
        settings = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **(env or {})}
        settings = {name: value for name, value in settings.items() if value != "" or name == "NO_COLOR"}
        self.raw = ""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "llmdrills", *words],
            cwd=str(cwd),
            env=settings,
            dimensions=(rows, columns),
            encoding="utf-8",
            timeout=timeout,
        )
        self.child.delaybeforesend = None
        self._seen = 0

    @property
    def text(self) -> str:
        """Everything printed so far, without escape sequences."""
        return _ESCAPES.sub("", self.raw).replace("\r", "\n")

    @property
    def screen(self) -> list[str]:
        """The rows of the screen, as they stand."""
        self._read(0.05)
        return [row.rstrip() for row in self._screen.display]

    def expect(self, pattern: str, timeout: float | None = None) -> str:
        """Wait until the pattern appears after what the last `expect` found; the text that matched.

        A space of the pattern stands for a line's end, too.
        """
        pattern = pattern.replace(" ", r"\s+")
        end = time.monotonic() + (timeout or self.child.timeout)
        while True:
            found = re.compile(pattern).search(self.text, self._seen)
            if found:
                self._seen = found.end()
                return found.group()
            left = end - time.monotonic()
            if left <= 0 or not self._read(min(left, 0.2)):
                raise AssertionError(f"{pattern!r} did not appear; since then:\n{self.text[self._seen :]}")

    def picture(self, colours: Mapping[str, str]) -> str:
        """The screen as HTML: each letter in its colour, bold where it is bold."""
        self._read(0.05)
        lines = []
        for row in range(self._screen.lines):
            cells = [self._screen.buffer[row][column] for column in range(self._screen.columns)]
            line = "".join(
                f'<span style="color:{colours.get(cell.fg, colours["default"])};'
                f'font-weight:{"bold" if cell.bold else "normal"}">{html.escape(cell.data)}</span>'
                for cell in cells
            )
            lines.append(line)
        return "\n".join(lines)

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def resize(self, columns: int, rows: int) -> None:
        self.child.setwinsize(rows, columns)
        self._screen.resize(rows, columns)

    def interrupt(self) -> None:
        self.child.kill(signal.SIGINT)

    def ended(self, timeout: float = 30) -> int:
        """Wait for the end; the exit code (negative: the signal)."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self._read(0.2):
            pass
        self.child.close()
        assert "Traceback" not in self.raw, self.text
        if self.child.signalstatus is not None:
            return -self.child.signalstatus
        assert self.child.exitstatus is not None
        return self.child.exitstatus

    def kill(self) -> None:
        self.child.kill(signal.SIGKILL)
        self.child.close(force=True)

    def _read(self, wait: float) -> bool:
        """Take in what is there; False at the end of the output."""
        try:
            data = self.child.read_nonblocking(65536, timeout=wait)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        return True
