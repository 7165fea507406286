"""The prose of a text, without code, math and markup: this is what the rules read."""

from __future__ import annotations

import re
from functools import lru_cache

from llmdrills.content.cloze import opaque_spans

__all__ = ["CJK", "prose", "sentences", "words"]

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Chinese characters, for a character class; full-width punctuation is not among them."""

_CLOZE = re.compile(r"\{\{c\d+::|(?:::[^{}:]*)?\}\}")
_LINK = re.compile(r"\]\([^)\s]*\)|<?https?://[^\s>）]+>?")
_PLACEHOLDER = re.compile(r"\[\[[^\[\]]*\]\]")
_MARKS = re.compile(r"(?<!\\)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}")
_WORD = re.compile(rf"[{CJK}]|[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:[.,]\d+)*")


@lru_cache(maxsize=4096)
def prose(text: str, stand_in: str = "x") -> str:
    """The text without Markdown's marks; code, math and computed values are replaced by `stand_in`.

    A fenced block becomes an empty line, a cloze its hidden text.
    """
    parts: list[str] = []
    end = 0
    for start, stop in opaque_spans(text):
        between = text[start:stop]
        parts += [text[end:start], "\n\n" if between.startswith(("```", "$$")) else _kept(between, stand_in)]
        end = stop
    shown = "".join([*parts, text[end:]])
    shown = _PLACEHOLDER.sub(stand_in, _CLOZE.sub("", shown))
    return _MARKS.sub("", _LINK.sub(" ", shown))


def _kept(span: str, stand_in: str) -> str:
    # Within a formula, the marks of a cloze must not unbalance the text around it.
    return stand_in if "{{c" not in span else f"{stand_in} "


def sentences(text: str) -> list[str]:
    """The sentences of a text, without code and math; items of a list are sentences too."""
    found = re.split(r"(?<=[.!?])\s+(?=[A-Z`$“\"x])|(?<=[。！？])|\n\s*(?:[-*]|\d+\.)\s|\n\n+", prose(text))
    return [one.strip() for one in found if one.strip()]


def words(text: str) -> list[str]:
    """The words of a text without code and math, lower-case; each Chinese character counts as one."""
    return [word.lower() for word in _WORD.findall(prose(text, " "))]
