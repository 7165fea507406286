"""Cloze deletions: from what an author writes to what Anki can read.

Anki knows only `{{c1::`, `::` and the next `}}`, wherever they stand: `{{c1::$\\frac{a}{{b}}$}}` would end too early
and `{{c1::x[::2]}}` get a hint. Here braces are counted: a deletion ends at the `}}` that balances it, and a hint is
what follows the last `::` that stands in no brackets. `mark` puts characters that survive Markdown and the highlighter
in the place of the syntax; `unmark` writes Anki's, with an empty comment inside every `}}` or `::` that is not syntax
(Anki's manual advises the same).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

__all__ = ["MARKS", "Deletion", "deletions", "hidden_hashes", "mark", "ordinals", "unmark"]

_OPEN = re.compile(r"\{\{c(\d{1,3})::")
# Brackets that no text of ours uses. Punctuation, so that emphasis beside them is still emphasis in Markdown.
_START, _END, _HINT, _CLOSE = "⸨", "⸩", "⸢", "⸣"
MARKS = re.compile(f"{_START}\\d+{_END}|{_HINT}|{_CLOSE}")
_TAG = re.compile(r"(<[^>]*>)")


@dataclass(frozen=True)
class Deletion:
    """One deletion in a source text: its number, and where its parts stand (offsets)."""

    number: int
    start: int  # of {{cN::
    content: int
    hint: int  # of the :: before the hint; -1: none
    end: int  # of the closing }}


def _closing(text: str, start: int) -> int:
    """The offset of the `}}` that closes a deletion whose content begins at `start`; -1 when nothing closes it."""
    depth, place = 0, start
    while place < len(text):
        if text[place] == "\\":
            place += 2
            continue
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            if depth == 0 and text.startswith("}}", place):
                return place
            depth = max(0, depth - 1)
        place += 1
    return text.find("}}", start)


def _hint(text: str, start: int, end: int) -> int:
    """The offset of the last `::` that stands in no brackets, quotes of code or math; -1: none."""
    depth, found, quoted, place = 0, -1, "", start
    while place < end:
        character = text[place]
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "`$":
            quoted = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
        elif depth == 0 and text.startswith("::", place):
            found = place
            place += 1
        place += 1
    return found


def deletions(text: str) -> list[Deletion]:
    """The deletions of a source text, in the order in which they open; one that nothing closes is left out."""
    found = []
    for match in _OPEN.finditer(text):
        end = _closing(text, match.end())
        if end >= 0:
            found.append(Deletion(int(match[1]), match.start(), match.end(), _hint(text, match.end(), end), end))
    return found


def ordinals(text: str) -> tuple[int, ...]:
    """The cards that Anki makes of a source text: 0 for c1, and so on, sorted; c0 makes none."""
    return tuple(sorted({found.number - 1 for found in deletions(text) if found.number > 0}))


def hidden_hashes(text: str) -> tuple[str, ...]:
    """For each of `ordinals`, a hash of what it hides: by it the lock knows a card whose question moved."""
    found = sorted(deletions(text), key=lambda one: one.start)
    said: dict[int, str] = {}
    for one in found:
        part = text[one.content : one.hint if one.hint >= 0 else one.end]
        said[one.number - 1] = said.get(one.number - 1, "") + "\x1f" + " ".join(part.split())
    return tuple(hashlib.sha256(said[at].encode("utf-8", "surrogatepass")).hexdigest()[:8] for at in ordinals(text))


def mark(text: str) -> str:
    """Replace the syntax of deletions by marks."""
    edits: list[tuple[int, int, str]] = []
    for found in deletions(text):
        edits.append((found.start, found.content, f"{_START}{found.number}{_END}"))
        if found.hint >= 0:
            edits.append((found.hint, found.hint + 2, _HINT))
        edits.append((found.end, found.end + 2, _CLOSE))
    parts, place = [], 0
    for start, end, new in sorted(edits):
        if start < place:  # two deletions that overlap without nesting: keep the outer one's marks
            continue
        parts += [text[place:start], new]
        place = end
    return "".join([*parts, text[place:]])


def _guard(segment: str) -> str:
    """Break every `}}` and `::` of a hidden text, outside of tags, and a `}` that would touch the closing `}}`."""
    pieces = _TAG.split(segment)
    for place in range(0, len(pieces), 2):
        pieces[place] = re.sub(r"\}(?=\})", "}<!-- -->", pieces[place]).replace("::", ":<!-- -->:")
    joined = "".join(pieces)
    return joined + "<!-- -->" if joined.endswith(("}", ":")) else joined


def unmark(html: str) -> str:
    """Write Anki's syntax in the place of the marks."""
    parts, place, depth = [], 0, 0
    for match in MARKS.finditer(html):
        segment = html[place : match.start()]
        parts.append(_guard(segment) if depth else segment)
        place = match.end()
        if match[0].startswith(_START):
            parts.append("{{c" + match[0][1:-1] + "::")
            depth += 1
        elif match[0] == _HINT:
            parts.append("::")
        else:
            parts.append("}}")
            depth = max(0, depth - 1)
    return "".join([*parts, html[place:]])
