"""Collect problems: a reader continues after the first one, so that one run shows all of them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.errors import ContentError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Report", "did_you_mean"]


class Report:
    """The problems found so far in the workspace at `root`; files are shown relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []

    def add(self, file: Path, line: int, column: int, what: str, todo: str, *, rule: str = "") -> None:
        """Add one problem; line and column count from 1. Line breaks in quoted text become spaces."""
        self.problems.append(Problem(self.shown(file), line, column, _one_line(what), _one_line(todo), rule=rule))

    def shown(self, file: Path) -> Path:
        """`file` relative to the root where it lies below it."""
        try:
            return file.relative_to(self.root)
        except ValueError:
            return file

    def raise_if_any(self) -> None:
        """Raise one ContentError that holds every problem, each place and text once."""
        if self.problems:
            raise ContentError(dict.fromkeys(self.problems))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown word: the most similar known one, or else the list of all."""
    names = list(known)
    if not names:
        return "leave it out"
    near = difflib.get_close_matches(word[:80], names, 1, 0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    shown = ", ".join(f"`{name}`" for name in names[:20])
    return f"write one of {shown}" + (" …" if len(names) > 20 else "")
