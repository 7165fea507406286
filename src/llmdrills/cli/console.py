"""What the terminal gets: data on stdout, messages on stderr, colour only where it is wanted."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["coloured", "note", "print_json", "rich_console"]


def coloured(stream: TextIO) -> bool:
    """Whether `stream` takes colour codes: by NO_COLOR, FORCE_COLOR, TERM, then whether a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def note(text: str) -> None:
    """A message: to stderr, so that stdout stays data."""
    print(text, file=sys.stderr)


def print_json(data: Any) -> None:
    """One JSON document on stdout, characters as they are."""
    print(json.dumps(data, ensure_ascii=False, indent=2))


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
