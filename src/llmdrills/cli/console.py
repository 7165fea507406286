"""Terminal output: data goes to stdout and messages to stderr; colour is used only where it is wanted.

What a person reads is printed by `tell` and `note`: on a terminal they break lines where they may be broken
(`llmdrills.lines`), on a pipe they leave them alone. Data for programs, code, and a path that stands alone are printed.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from llmdrills.language import Bilingual
from llmdrills.lines import plain, wrap
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from llmdrills.content.model import Kata
    from llmdrills.language import Language

__all__ = [
    "MEASURE",
    "coloured",
    "laid_out",
    "note",
    "print_json",
    "program",
    "rich_console",
    "speak",
    "spoken",
    "tell",
    "tell_notices",
    "terminal_size",
    "terminal_width",
    "told",
]

MEASURE = 100
"""Columns of the longest line of prose: on a wider terminal, a longer one is hard to read."""
_SPOKEN: list[Language] = ["en"]
_NOTICE = Bilingual("notice: {what}", "提示：{what}")


def speak(language: Language) -> None:
    """From now on errors are told in this language: `place` has settled it."""
    _SPOKEN[:] = [language]


def spoken() -> Language:
    """The language in which `main` tells an error."""
    return _SPOKEN[0]


def told(words: Bilingual) -> str:
    """The words in the language that is spoken: for help, which is settled while a command's module is imported."""
    return words[spoken()]


@functools.cache
def program() -> str:
    """What to type for `llmdrills` in this folder: the path of the program where a shell would not find this one."""
    ran = Path(sys.argv[0])
    if ran.name != "llmdrills" or not ran.exists():
        return "llmdrills"
    found = shutil.which("llmdrills")
    if found is not None and Path(found).samefile(ran):
        return "llmdrills"
    import shlex

    try:
        here = Path.cwd()
    except OSError:  # the folder is gone, and a relative path with it
        return "llmdrills"
    ran = ran.absolute()
    return shlex.quote(str(ran.relative_to(here) if ran.is_relative_to(here) else ran))


def terminal_size(stream: TextIO) -> os.terminal_size:
    """The size of the terminal that the stream is, now; elsewhere what the environment says, or 80 columns."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # no terminal, or no descriptor at all
        return shutil.get_terminal_size()
    return size if size.columns else shutil.get_terminal_size()


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal that the stream is; None where it is none."""
    return terminal_size(stream).columns if stream.isatty() else None


def laid_out(text: str, width: int | None) -> str:
    """The text as it is printed: commands such that they work here, and lines of at most so many columns.

    None: lines as they are.
    """
    if program() != "llmdrills":
        text = text.replace("`llmdrills ", f"`{program()} ")
    return plain(text) if width is None else "\n".join(wrap(text, width))


def tell(text: str = "", *, table: bool = False) -> None:
    """Print what a person reads on stdout; a table may be as wide as the terminal."""
    _print(text, sys.stdout, table=table)


def coloured(stream: TextIO) -> bool:
    """Whether to write colour codes: NO_COLOR, FORCE_COLOR and TERM decide, then whether `stream` is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def note(text: str) -> None:
    """A message: to stderr, so that stdout stays data."""
    _print(text, sys.stderr)


def _print(text: str, stream: TextIO, *, table: bool = False) -> None:
    width = terminal_width(stream)
    if width is not None and not table:
        width = min(width, MEASURE)
    print(laid_out(text, width), file=stream)


def tell_notices(katas: Iterable[Kata]) -> None:
    """Say which old forms a workspace still holds: they load, and a new release need not be read for them at once."""
    for kata in katas:
        for notice in kata.notices:
            note(told(_NOTICE.format(what=in_both(notice))))


def print_json(data: Any) -> None:
    """One JSON document on stdout, characters as they are, unless one of them is half a character: then escapes."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a path with bytes that are no UTF-8
        text = json.dumps(data, indent=2)
    print(text)


def rich_console(*, stderr: bool = False) -> Console:
    """A rich console that follows `coloured`; rich is imported here because `today --json` does without it."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    colour = coloured(stream)
    width = terminal_width(stream)
    return Console(
        file=stream,
        width=None if width is None else min(width, MEASURE),
        force_terminal=True if colour else None,
        no_color=not colour,
        color_system="auto" if colour else None,
        highlight=False,
        soft_wrap=not stream.isatty(),
    )
