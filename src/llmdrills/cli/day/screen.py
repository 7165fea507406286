"""What the daily loop prints: blocks that stay in the scrollback, and one line of keys beneath them.

Nothing is drawn over except that last line, so a resize can spoil nothing, and what was said can be scrolled back to.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from llmdrills.cli.console import MEASURE, coloured, laid_out, terminal_size
from llmdrills.lines import columns
from llmdrills.mathtext import unicode_math

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Screen", "cut"]

_CLEAR_LINE = "\r\x1b[2K"


class Screen:
    """A terminal to which blocks are printed above a status line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.colour = coloured(self._stream)
        # Moving the cursor is no colour: NO_COLOR still gets a status line that is redrawn, a dumb terminal does not.
        self._moves = self._stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}
        self._status = ""
        self._shown = False

    @property
    def width(self) -> int:
        """Columns, now: those of the terminal, not a COLUMNS from before it was resized."""
        return terminal_size(self._stream).columns

    def console(self, most: int | None = None) -> Console:
        """A rich console as wide as the terminal is now."""
        from rich.console import Console

        return Console(
            file=self._stream,
            width=min(self.width, most) if most else self.width,
            force_terminal=self._moves,
            no_color=not self.colour,
            color_system="auto" if self.colour else None,
            highlight=False,
        )

    def text(self, words: str = "", *, laid: bool = False) -> None:
        """Print plain text above the status line; `laid`: its lines are as long as they should be."""
        self._lift()
        self._stream.write(laid_out(words, None if laid else min(self.width, MEASURE)) + "\n")
        self._lower()

    def markdown(self, words: str) -> None:
        """Print Markdown, rendered where the terminal can."""
        if not self._moves:
            self.text(unicode_math(words.rstrip()))
            return
        from llmdrills.cli.markdown_view import rendered

        self._lift()
        self.console(MEASURE).print(rendered(words))
        self._lower()

    def table(self, table: object) -> None:
        """Print something that rich can render."""
        self._lift()
        self.console().print(table)
        self._lower()

    def status(self, words: str) -> None:
        """Replace the line of keys."""
        if words == self._status and self._shown:
            return
        self._lift()
        self._status = words
        self._lower()

    def redraw(self) -> None:
        """Draw the status line anew, after a resize or when another program had the terminal."""
        self._lift()
        self._lower()

    def leave(self) -> None:
        """Take the status line away: the shell's prompt comes next."""
        self._lift()
        self._status = ""
        self._stream.flush()

    def strong(self, words: str) -> str:
        """The words in bold, where there is colour."""
        return f"\x1b[1m{words}\x1b[0m" if self.colour else words

    def _lift(self) -> None:
        if self._shown and self._moves:
            self._stream.write(_CLEAR_LINE)
        self._shown = False

    def _lower(self) -> None:
        if self._status and not self._shown:
            if self._moves:
                self._stream.write(cut(self._status, self.width - 1))
            else:
                self._stream.write(self._status + "\n")
            self._shown = True
        self._stream.flush()


def cut(words: str, width: int) -> str:
    """As much of the words as fits in so many columns.

    Of keys between dots, whole ones are left out before the last, which says how to see all of them.
    """
    parts = words.split(" · ")
    while len(parts) > 2 and columns(" · ".join(parts)) > width:
        del parts[-2]
    words = " · ".join(parts)
    if columns(words) <= width:
        return words
    while words and columns(words) >= width:
        words = words[:-1]
    return words + "…"
