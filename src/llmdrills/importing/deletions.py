"""Cloze deletions as Anki reads them in a field, and as an author writes them.

Anki takes `{{c1::`, the first `::` behind it and the next `}}`, wherever they stand. Here marks that survive HTML and
Markdown take their place, those of `decks.cloze`, so that a build and an import mean the same by them.
"""

from __future__ import annotations

import re

from llmdrills.decks.cloze import MARKS
from llmdrills.importing.found import why_not
from llmdrills.language import Bilingual

__all__ = ["MARKED", "holds_deletion", "marked", "unmarked"]

MARKED = MARKS
_TOKEN = re.compile(r"\{\{c(?P<number>\d+(?:,\d+)*)::|(?P<end>\}\})", re.DOTALL)
_START, _END, _HINT, _CLOSE = "⸨", "⸩", "⸢", "⸣"
_RENUMBERED = Bilingual("its deletions are numbered without gaps now: {numbers}", "挖空已改为连续编号：{numbers}")


def holds_deletion(text: str) -> bool:
    """Whether Anki would make a card of it."""
    return bool(re.search(r"\{\{c[1-9]\d*(?:,\d+)*::.*?\}\}", text, re.DOTALL))


def marked(html: str) -> tuple[str, Bilingual | None]:
    """The field with marks for its deletions, numbered from 1 without gaps, and what was renumbered.

    Raises CannotTakeError for what is no deletion of text.
    """
    if "image-occlusion:" in html:
        raise why_not(
            "it is an image occlusion, which hides parts of a picture", "这是图片遮挡笔记，遮挡的是图片的局部"
        )
    if any(sign in html for sign in (_START, _END, _HINT, _CLOSE)):
        raise why_not("it holds one of the signs ⸨ ⸩ ⸢ ⸣ in a cloze", "填空文字中含有符号 ⸨ ⸩ ⸢ ⸣")
    found: list[list[int]] = []  # of each deletion: where it begins, its number, where its text begins, its end
    open_: list[tuple[int, str, int]] = []
    for token in _TOKEN.finditer(html):
        if token["number"]:
            open_.append((token.start(), token["number"], token.end()))
        elif open_:
            start, number, inside = open_.pop()
            if "," in number:
                raise why_not(f"a deletion has several numbers ({number})", f"一处挖空有多个编号（{number}）")
            found.append([start, int(number), inside, token.start()])
    if not found:
        raise why_not("it hides nothing", "没有挖空")
    numbers = sorted({one[1] for one in found})
    new = {number: place for place, number in enumerate(numbers, 1)}
    said = ", ".join(f"c{old} → c{now}" for old, now in new.items() if old != now)
    return _with_marks(html, found, new), _RENUMBERED.format(numbers=said) if said else None


def _with_marks(html: str, found: list[list[int]], new: dict[int, int]) -> str:
    edits: list[tuple[int, int, str]] = []
    for start, number, inside, end in found:
        edits += [(start, inside, f"{_START}{new[number]}{_END}"), (end, end + 2, _CLOSE)]
        hint = _hint(html, inside, end, found)
        if hint >= 0:
            edits.append((hint, hint + 2, _HINT))
    parts, place = [], 0
    for start, end, text in sorted(edits):
        parts += [html[place:start], text]
        place = end
    whole = "".join([*parts, html[place:]])
    if any(MARKS.search(tag) for tag in re.findall(r"<[a-zA-Z/][^>]*>", whole)):
        raise why_not("a deletion begins or ends within a tag", "挖空的起止位置在 HTML 标签之内")
    return whole


def _hint(html: str, start: int, end: int, found: list[list[int]]) -> int:
    """The first `::` of a deletion that is of no deletion within it and of no tag; -1: none."""
    inner = [(one[0], one[3] + 2) for one in found if start <= one[0] and one[3] < end]
    inner += [(tag.start() + start, tag.end() + start) for tag in re.finditer(r"<[^>]*>", html[start:end])]
    return next(
        (at.start() + start for at in re.finditer("::", html[start:end])
         if not any(a <= at.start() + start < b for a, b in inner)),
        -1,
    )  # fmt: skip


def unmarked(text: str) -> str:
    """The marks as an author writes them; a `::` or brace that is none of theirs is escaped."""
    parts: list[str] = []
    place = depth = 0
    for one in MARKS.finditer(text):
        segment = text[place : one.start()]
        parts.append(_escaped(segment) if depth else segment)
        place = one.end()
        if one[0].startswith(_START):
            # A brace that touches the two of a deletion would be taken for one of them.
            parts[-1] = re.sub(r"\\?\{$", "&#123;", parts[-1])
            parts.append("{{c" + one[0][1:-1] + "::")
            depth += 1
        elif one[0] == _HINT:
            parts.append("::")
        else:
            parts.append("}}")
            depth = max(0, depth - 1)
    return "".join([*parts, text[place:]])


_OPAQUE = re.compile(r"(`+[^`]*`+|\$\$?[^$]*\$\$?)", re.DOTALL)


def _escaped(segment: str) -> str:
    """Outside of code and math, where an author has no other way: `::` would begin a hint, a brace count."""
    parts = _OPAQUE.split(segment)
    parts[::2] = [re.sub(r":(?=:)|(?<=:):", r"\\:", part) for part in parts[::2]]
    return "".join(parts)
