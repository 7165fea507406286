"""Break text into the lines of a terminal: at words, Chinese by its own rules, and never inside a command or a path.

What is not broken: a word, a command and other short code between two backticks, and what `whole` made one. A line can
therefore be too long only where one of these alone is longer than the terminal is wide. What is not covered: breaking
between two Chinese words rather than inside one, which no terminal program does, and scripts that are written from
right to left.
"""

from __future__ import annotations

import functools
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["aligned", "breaks", "columns", "padded", "plain", "whole", "wrap"]

WIDE_CELL = 30
"""Columns beyond which a cell of a table stands out for itself, instead of pushing every other row to the right."""

_KEPT = "\ue000"  # a space at which no line ends; of the private use area, so that no text holds it
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WIDE = "\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
# A command is not broken, however long it is; other code is, where it would fill the line: a learner's may be anything.
_PIECE = re.compile(rf"\s+|`llmdrills [^`\n]+`|`[^`\n]{{1,60}}`|[{_WIDE}]|[^\s`{_WIDE}]+|`")
_CLOSING = frozenset("，。：；、！？）】》」』〉〕”’…％·,.:;!?)]}%")
_OPENING = frozenset("（【《「『〈〔“‘([{")
_CHINESE_MARK = frozenset("，。：；、！？）】》」』〉〕·")  # it begins no line, not even where a space stands before it
_CHINESE_OPENING = frozenset("（【《「『〈〔")  # it ends no line, not even where a space stands behind it
_LIST = re.compile(r"\s*(?:[-*•→✓✗○~] +|\d+\. +|#\d+ +)?")


def columns(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two, a colour code none."""
    if text.isascii() and "\x1b" not in text:
        return len(text)
    from rich.cells import cell_len  # here, because it takes 10 ms, and plain English needs none of it

    return cell_len(_COLOUR.sub("", text).replace(_KEPT, " "))


def padded(text: str, width: int, *, left: bool = True) -> str:
    """The text with spaces up to that many columns, behind it or before it."""
    space = " " * (width - columns(text))
    return f"{text}{space}" if left else f"{space}{text}"


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """The rows of a table as lines, each cell but the last as wide as its column."""
    rows = list(rows)
    widths = [
        max((wide for wide in map(columns, cells) if wide <= WIDE_CELL), default=0) for cells in zip(*rows, strict=True)
    ]
    return ["  ".join([*map(padded, row[:-1], widths), row[-1]]) for row in rows]


def whole(text: object) -> str:
    """The same, as one that is not broken, spaces or not; `plain` and `wrap` make it what it was."""
    return str(text).replace(" ", _KEPT)


def plain(text: str) -> str:
    """The text as it is printed where nothing is wrapped."""
    return text.replace(_KEPT, " ")


def wrap(text: str, width: int, indent: str | None = None) -> list[str]:
    """Lines of at most `width` columns; each line of the text is broken for itself.

    `indent` begins the lines after the first; unless given, it is as wide as the line's own indent and list mark.
    """
    return [plain(line) for one in text.split("\n") for line in _wrapped(one, width, indent)]


def _wrapped(text: str, width: int, indent: str | None) -> list[str]:
    if columns(text) <= width:
        return [text.rstrip()]
    if indent is None:
        mark = _LIST.match(_COLOUR.sub("", text))
        indent = " " * min(columns(mark.group() if mark else ""), width // 3)
    starts = [0, *breaks(text, width, columns(indent)), len(text)]
    parts = [text[start:end] for start, end in pairwise(starts)]
    return [parts[0].rstrip(), *(f"{indent}{part.strip()}" for part in parts[1:] if part.strip())]


def breaks(text: str, width: int, indent: int = 0) -> list[int]:
    """Where the lines after the first begin, as offsets into one line of text.

    `indent`: columns that stand before each of them.
    """
    found: list[int] = []
    used = 0
    for unit in _units(text):
        word = text[unit.start : unit.end]
        # Spaces that a unit begins with may stand only inside of a line.
        if used and used + unit.columns > width and text[: unit.start].strip():
            found.append(unit.start + len(word) - len(word.lstrip()))
            used = indent + columns(word.strip())
        else:
            used += unit.columns
    return found


class _Unit(NamedTuple):
    """A part of a text that is not broken: spaces before it, and what it says."""

    start: int
    end: int
    columns: int


def _units(text: str) -> list[_Unit]:
    pieces = [match.span() for match in _PIECE.finditer(_without_colour(text))]
    units: list[list[int]] = []
    for start, end in pieces:
        if units and _belongs(text, units[-1][1], start, end):
            units[-1][1] = end
        else:
            units.append([start, end])
    return [_Unit(start, end, columns(text[start:end])) for start, end in units]


def _without_colour(text: str) -> str:
    """The text with every colour code as so many letters, so that offsets stay."""
    return _COLOUR.sub(lambda code: "m" * len(code.group()), text)


def _belongs(text: str, end_before: int, start: int, end: int) -> bool:
    """Whether a piece belongs to the unit that ends where it begins."""
    before, here = text[end_before - 1], text[start:end]
    if here.isspace():
        # Spaces begin the next unit, unless a line would begin or end there with a mark of Chinese that must not.
        return before in _CHINESE_OPENING or (end < len(text) and text[end] in _CHINESE_MARK)
    if before.isspace():
        return True  # the spaces that begin this unit
    if before in _OPENING or here[0] in _CLOSING:
        return True
    return not (_is_wide(before) or _is_wide(here[0]))


@functools.cache
def _is_wide(letter: str) -> bool:
    return re.match(f"[{_WIDE}]", letter) is not None
