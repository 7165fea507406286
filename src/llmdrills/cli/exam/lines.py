"""Text in the columns of a terminal: at words, and Chinese where no closing mark begins a line."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["columns", "fitting", "wrapped"]

_WIDE = r"\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
_PIECE = re.compile(rf"`[^`\n]+`|\$[^$\n]+\$|[{_WIDE}]|[^\s`${_WIDE}]+|\s+|[`$]")
_CLOSING = frozenset("，。：；、！？）】》」』”’…,.:;!?)]}%")


def columns(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def fitting(width: int, *choices: str) -> str:
    """The first of the texts that fits, else the last."""
    return next((text for text in choices if columns(text) < width), choices[-1])


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most `width` columns; code and math between marks stay whole. A code block stays."""
    lines: list[str] = []
    block = False
    for line in text.split("\n"):
        fence = line.lstrip().startswith("```")
        lines += [line] if block or fence else _lines(line, width)
        block ^= fence
    return "\n".join(lines)


def _lines(text: str, width: int) -> list[str]:
    indent = text[: len(text) - len(text.lstrip())]
    lines, line = [], indent
    for unit in _units(text.strip()):
        if line.strip() and columns(line + unit.rstrip()) > width:
            lines.append(line.rstrip())
            line, unit = indent, unit.lstrip()
        line += unit
    return [*lines, line.rstrip()]


def _units(text: str) -> list[str]:
    """What is not broken: a word or a Chinese character with the spaces before and the closing marks after it."""
    units: list[str] = []
    for piece in _PIECE.findall(text):
        joins = units and not units[-1].isspace() and (piece[0] in _CLOSING or not _breaks(units[-1][-1], piece[0]))
        if units and (units[-1].isspace() or joins) and not (piece.isspace() and not units[-1].isspace()):
            units[-1] += piece
        else:
            units.append(piece)
    return units


def _breaks(before: str, after: str) -> bool:
    """Whether a line may end between the two letters."""
    wide = re.compile(f"[{_WIDE}]")
    return bool(wide.match(before) or wide.match(after)) and before not in "（【《「『“‘(["
