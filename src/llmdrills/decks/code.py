"""Highlight code with those class names of Pygments that the style knows; cloze marks stay in place."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from llmdrills.decks.cloze import MARKS
from llmdrills.decks.pycode import python_pieces
from llmdrills.decks.style import CODE_COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pygments.lexer import Lexer

__all__ = ["highlight"]

_KNOWN = frozenset(name.removeprefix(".") for names in CODE_COLOURS.values() for name in names.split(","))


@cache
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@cache
def _class(kind: Any) -> str:
    """The style's class for a token type, its own or the nearest ancestor's; empty: no colour."""
    while kind is not None:
        name = STANDARD_TYPES.get(kind, "")
        if name in _KNOWN:
            return name
        kind = kind.parent
    return ""


def _cut(text: str) -> tuple[str, list[tuple[int, str]]]:
    """The code without its cloze marks, and the marks with their offsets in it."""
    clean, marks, place, length = [], [], 0, 0
    for match in MARKS.finditer(text):
        piece = text[place : match.start()]
        clean.append(piece)
        length += len(piece)
        marks.append((length, match[0]))
        place = match.end()
    clean.append(text[place:])
    return "".join(clean), marks


def _pieces(code: str, language: str) -> Iterable[tuple[str, str]] | None:
    """(class, text) of a code's pieces; None for a language that nobody knows."""
    if language in ("python", "py"):
        return python_pieces(code)
    lexer = _lexer(language) if language else None
    return None if lexer is None else ((_class(kind), value) for kind, value in lexer.get_tokens(code))


def highlight(text: str, language: str) -> str:
    """HTML of `text`: escaped, with `<span class=…>` around what has a colour. An unknown language is only escaped."""
    clean, marks = _cut(text)
    pieces = _pieces(clean, language)
    if pieces is None:
        return escape(text, quote=False)
    if not marks:
        return "".join([_span(value, name) for name, value in pieces])
    parts: list[str] = []
    offset, waiting = 0, list(reversed(marks))
    for name, value in pieces:
        end = offset + len(value)
        while waiting and waiting[-1][0] < end:  # a mark inside a token splits it
            at, found = waiting.pop()
            parts += [_span(value[: at - offset], name), found]
            value, offset = value[at - offset :], at
        parts.append(_span(value, name))
        offset = end
    parts += [found for _, found in reversed(waiting)]
    return "".join(parts)


def _span(text: str, name: str) -> str:
    if not text:
        return ""
    shown = text if text.isalnum() else escape(text, quote=False)
    return f'<span class="{name}">{shown}</span>' if name else shown
