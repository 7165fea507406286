"""Terminal output: data goes to stdout and messages to stderr; colour is used only where it is wanted."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from llmdrills.content.model import Kata
    from llmdrills.language import Language

__all__ = ["coloured", "note", "print_json", "rich_console", "speak", "spoken", "tell_notices"]

_SPOKEN: list[Language] = ["en"]


def speak(language: Language) -> None:
    """From now on errors are told in this language: `place` has settled it."""
    _SPOKEN[:] = [language]


def spoken() -> Language:
    """The language in which `main` tells an error."""
    return _SPOKEN[0]


def coloured(stream: TextIO) -> bool:
    """Whether to write colour codes: NO_COLOR, FORCE_COLOR and TERM decide, then whether `stream` is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def note(text: str) -> None:
    """A message: to stderr, so that stdout stays data."""
    print(text, file=sys.stderr)


def tell_notices(katas: Iterable[Kata]) -> None:
    """Say which old forms a workspace still holds: they load, and a new release need not be read for them at once."""
    for kata in katas:
        for notice in kata.notices:
            note(f"notice: {notice}")


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
    return Console(
        file=stream,
        force_terminal=True if colour else None,
        no_color=not colour,
        color_system="auto" if colour else None,
        highlight=False,
        soft_wrap=not stream.isatty(),
    )
