"""Bring an edit of a field back into the author's Markdown, and believe only what renders to the edited field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import NamedTuple

from llmdrills.anki.html import seen, styles
from llmdrills.anki.inversion import NoMarkdownError, invert
from llmdrills.content.computed import placeholders

__all__ = ["Merged", "merge", "merge_words"]

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_FENCES = re.compile(r"^ {0,3}`{3,}([^`\n]*)$", re.MULTILINE)


class Merged(NamedTuple):
    """The author's text with the edit in it; None where that cannot be told. `why`: what stands in the way.

    `plainer`: colours, or other things that Markdown has no sign for, are left behind.
    """

    text: str | None
    plainer: bool = False
    why: str = ""


def merge(source: str, old: str, new: str, render: Callable[[str], str]) -> Merged:
    """The Markdown `source`, which renders to the HTML `old`, with what makes it `new`.

    The edit is merged word by word into what the author wrote; where that fails, the text is written anew. Either is
    taken only if `render` makes of it what a reader sees in `new`.
    """
    wanted = seen(new)
    plainer = styles(new) and not styles(old)
    if seen(old) == wanted:
        return Merged(source, plainer)
    languages = [fence.strip() for fence in _FENCES.findall(source)[::2]]
    try:
        before, after = invert(old, languages), invert(new, languages)
    except NoMarkdownError as error:
        return Merged(None, plainer, str(error))
    for text in (merge_words(source, before, after), _ending(after, source)):
        if text is not None and placeholders(text) == placeholders(source) and seen(render(text)) == wanted:
            return Merged(text, plainer)
    return Merged(None, plainer)


def _ending(text: str, source: str) -> str:
    """The text, ending in line breaks as the author's does."""
    return text.rstrip("\n") + source[len(source.rstrip("\n")) :]


def merge_words(source: str, before: str, after: str) -> str | None:
    """Apply to `source` what leads from `before` to `after`; None where a place cannot be found in `source`."""
    wrote, old, new = (_WORDS.findall(text) for text in (source, before, after))
    place: dict[int, int] = {len(old): len(wrote)}
    for here, there, length in difflib.SequenceMatcher(None, old, wrote, autojunk=False).get_matching_blocks():
        place |= {here + step: there + step for step in range(length)}
    edits = []
    for kind, start, end, new_start, new_end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if kind == "insert":
            at = place.get(start, place[start - 1] + 1 if start - 1 in place else None)
            if at is None:
                return None
            edits.append((at, at, new[new_start:new_end]))
        else:
            if any(word not in place for word in range(start, end)):
                return None
            first, last = place[start], place[end - 1] + 1
            if last - first != end - start:
                return None
            edits.append((first, last, new[new_start:new_end]))
    for first, last, words in sorted(edits, reverse=True):
        wrote[first:last] = words
    return "".join(wrote)
