"""The learner's code against the reference: as a diff, and side by side."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from llmdrills.cli.day.words import WORDS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from llmdrills.language import Language

__all__ = ["difference", "side_by_side"]

_NARROW = 100  # columns: below that, two listings stand under each other


def difference(mine: str, reference: str, language: Language) -> str:
    """A unified diff from the learner's file to the reference; empty when they say the same."""
    lines = difflib.unified_diff(
        mine.splitlines(),
        reference.splitlines(),
        WORDS["yours"][language],
        WORDS["reference"][language],
        lineterm="",
        n=2,
    )
    return "".join(f"{line}\n" for line in lines)


def side_by_side(mine: str, reference: str, width: int, language: Language) -> RenderableType:
    """Both listings, beside each other where the terminal is wide enough."""
    from rich.console import Group
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text

    def listing(code: str) -> Syntax:
        return Syntax(code.strip("\n"), "python", theme="ansi_dark", word_wrap=True)

    heads = (WORDS["yours"][language], WORDS["reference"][language])
    if width < _NARROW:
        return Group(Text(heads[0], "bold"), listing(mine), Text(heads[1], "bold"), listing(reference))
    table = Table(expand=True, box=None, padding=(0, 1))
    for head in heads:
        table.add_column(head, ratio=1)
    table.add_row(listing(mine), listing(reference))
    return table
