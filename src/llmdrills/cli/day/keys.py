"""Single keys from the terminal, without Enter, while other things go on."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ENTER", "Keyboard"]

ENTER = "\r"
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_PASTE_START, _PASTE_END = "\x1b[200~", "\x1b[201~"
_ESCAPE_WAIT = 0.03  # seconds: the rest of an arrow key's sequence is there by then


class Keyboard:
    """The terminal in cbreak mode for the time of a `with` block; it is put back whatever happens.

    Pasted text is swallowed (bracketed paste): code pasted into the wrong window must not press twenty keys. Sequences
    of arrow and function keys are swallowed too. Ctrl-C still raises KeyboardInterrupt.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdin
        self._fd = self._stream.fileno()
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._saved: list[object] | None = None
        self._pasting = False
        self._pending = ""

    def __enter__(self) -> Keyboard:
        self.resume()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.suspend()

    def resume(self) -> None:
        """Take the terminal (again, after a program ran in it)."""
        import termios
        import tty

        if self._saved is None:
            self._saved = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd, termios.TCSANOW)
        self._control(_PASTE_ON)

    def suspend(self) -> None:
        """Give the terminal back as it was."""
        import termios

        if self._saved is not None:
            self._control(_PASTE_OFF)
            with contextlib.suppress(termios.error):  # the terminal is gone: nothing to put back
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]  # what tcgetattr gave

    def fileno(self) -> int:
        """What to select on."""
        return self._fd

    def read(self) -> list[str]:
        """The keys that wait now; none when all of it was paste or arrows. EOFError when the terminal is gone."""
        try:
            data = os.read(self._fd, 4096)
        except OSError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        text = self._pending + self._decoder.decode(data)
        self._pending = ""
        if text.endswith("\x1b") and select.select([self._fd], [], [], _ESCAPE_WAIT)[0]:
            text += self._decoder.decode(os.read(self._fd, 4096))
        return self._keys(text)

    def _keys(self, text: str) -> list[str]:
        keys: list[str] = []
        at = 0
        while at < len(text):
            if self._pasting:
                end = text.find(_PASTE_END, at)
                if end < 0:
                    # The end mark may be cut in two by the read: keep what could be its beginning.
                    self._pending = text[-5:] if "\x1b" in text[-5:] else ""
                    break
                self._pasting, at = False, end + len(_PASTE_END)
            elif text.startswith(_PASTE_START, at):
                self._pasting, at = True, at + len(_PASTE_START)
            elif text[at] == "\x1b":
                at = _after_sequence(text, at)
            else:
                keys.append(ENTER if text[at] == "\n" else text[at])
                at += 1
        return keys

    @staticmethod
    def _control(sequence: str) -> None:
        if os.environ.get("TERM", "") not in {"", "dumb"} and sys.stdout.isatty():
            sys.stdout.write(sequence)
            sys.stdout.flush()


def _after_sequence(text: str, at: int) -> int:
    """The index after the escape sequence at `at`: CSI ends with a byte from @ to ~, others are two long."""
    if at + 1 >= len(text):
        return at + 1
    if text[at + 1] not in "[O":
        return at + 2
    end = at + 2
    while end < len(text) and not "@" <= text[end] <= "~":
        end += 1
    return min(end + 1, len(text))
