"""From a field's HTML to Markdown that is proved: what it renders to shows the same as the field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from llmdrills.anki.html import seen
from llmdrills.anki.inversion import NoMarkdownError, escaped, invert
from llmdrills.content import cloze
from llmdrills.decks.cloze import mark
from llmdrills.decks.markdown import render
from llmdrills.decks.media import LOCAL, references
from llmdrills.importing.deletions import MARKED, marked, unmarked
from llmdrills.importing.elements import LOSSES
from llmdrills.importing.found import CannotTakeError
from llmdrills.importing.marks import MARK
from llmdrills.importing.taming import BLANK, tame
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmdrills.importing.marks import Tamed
    from llmdrills.importing.media import MediaBox

__all__ = ["Proved", "prove", "shown"]

_EMPHASIS = re.compile("</?(?:strong|em)>")
_SIGNS = re.compile(r"([!-/:-@\[-`{}~])")  # all that can be escaped, but | : no row of a table is left with the others
_NO_MARKDOWN = Bilingual("no Markdown renders to it", "没有能渲染成这样的 Markdown")
_BECAUSE = Bilingual("no Markdown renders to it: {what}", "没有能渲染成这样的 Markdown：{what}")
_DELETIONS = Bilingual("its deletions would not pass `check`: {what}", "挖空无法通过 `check`：{what}")


@dataclass(frozen=True)
class Proved:
    """Markdown that shows what the field shows, and what of the field is left behind."""

    text: str
    lost: tuple[Bilingual, ...] = ()


def prove(html: str, media: MediaBox, *, deletions: bool = False) -> Proved:
    """Markdown of a field, "" where it shows nothing. `deletions`: of a cloze.

    Raises CannotTakeError with the reason.
    """
    lost: dict[str, Bilingual] = {}
    if deletions:
        html, renumbered = marked(html)
        if renumbered:
            lost["numbers"] = renumbered
    tamed = tame(html, media)
    lost |= tamed.lost
    if not tamed.html:
        return Proved("", tuple(lost.values()))
    why = ""
    for plain, clean in _ways(tamed.html):
        try:
            text = _written(tamed, clean, plain)
        except NoMarkdownError as error:
            why = why or str(error)
            continue
        if clean != tamed.html:
            lost["emphasis"] = LOSSES["emphasis"]
        source = unmarked(text) if deletions else text
        if _same(source, tamed, clean, deletions=deletions):
            if deletions and (faults := cloze.faults(source)):
                raise CannotTakeError(_DELETIONS.format(what=faults[0].what))
            return Proved(source, tuple(lost.values()))
    raise CannotTakeError(_BECAUSE.format(what=why) if why else _NO_MARKDOWN)


def _ways(html: str) -> list[tuple[Callable[[str], str], str]]:
    """How it may be written, best first: as an author would, with every sign escaped, and without emphasis."""
    ways: list[tuple[Callable[[str], str], str]] = [(_as_authors_do, html), (partial(_SIGNS.sub, r"\\\1"), html)]
    without = _EMPHASIS.sub("", html)
    return ways if without == html else [*ways, (ways[1][0], without)]


def _as_authors_do(text: str) -> str:
    """Escapes little more than what would be taken for a sign: entities, braces that would be a deletion."""
    found = re.sub(r"&(?=#?\w+;)", r"\\&", escaped(text))
    return re.sub(r"[{}](?=[{}])|(?<=[{}])[{}]|[{}]$|^[{}]", lambda brace: f"\\{brace[0]}", found)


def _written(tamed: Tamed, clean: str, plain: Callable[[str], str]) -> str:
    text = invert(clean, [""] * clean.count("<pre>"), plain)
    text = re.sub(f"({MARK.pattern})(\\d?)", lambda one: _markdown(one, tamed), text)
    return text.replace(BLANK, "\u00a0")


def _markdown(one: re.Match[str], tamed: Tamed) -> str:
    """What a mark stands for; a digit behind it is written so that it does not keep math from ending."""
    written = tamed.marks[int(one[2])].markdown
    return written + (f"&#{ord(one[3])};" if one[3] and written.endswith("$") else one[3])


def _same(text: str, tamed: Tamed, clean: str, *, deletions: bool) -> bool:
    """Whether the Markdown, read by what builds the packages, shows what the field shows."""
    html = MARK.sub(lambda one: tamed.marks[int(one[1])].html, clean).replace(BLANK, "\u00a0")
    if deletions and MARKED.sub("", html) and sorted(MARKED.findall(mark(text))) != sorted(MARKED.findall(html)):
        return False
    return seen(shown(mark(text) if deletions else text)) == seen(html)


def shown(text: str) -> str:
    """What Markdown renders to in a package; pictures and sounds by the names that they have in decks/media."""
    for one in reversed(references(text) if "![" in text else []):
        text = f"{text[: one.start(2)]}{LOCAL}{text[one.start(2) :]}"
    return render(text)
