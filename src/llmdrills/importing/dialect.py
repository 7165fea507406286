"""Markdown of other programs as ours: wiki links, embedded files and other math signs; HTML is refused.

What our renderer would take for something else is escaped, and the result is believed only if it shows the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from llmdrills.anki.html import seen
from llmdrills.content import cloze
from llmdrills.content.cloze import opaque_spans
from llmdrills.decks.cloze import mark
from llmdrills.importing.elements import LOSSES
from llmdrills.importing.found import CannotTakeError, why_not
from llmdrills.importing.proving import Proved, shown
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.importing.media import MediaBox

__all__ = ["translate"]

_EMBEDDED = re.compile(r"!\[\[([^\[\]|]+)(?:\|([^\[\]]*))?\]\]")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(\s*(?:<([^>]+)>|([^)\s]+))(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
_MATH = re.compile(r"(?<!\\)\\\((.+?)(?<!\\)\\\)|(?<!\\)\\\[(.+?)(?<!\\)\\\]", re.DOTALL)
_NUMBER = re.compile(r"\{\{c(\d+)::")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufddf\ufffe\uffff]")
_ELSEWHERE = Bilingual("a picture from another server is a link now", "来自其他服务器的图片已改为链接")
_RENUMBERED = Bilingual("its deletions are numbered without gaps now", "挖空已改为连续编号")
_DELETIONS = Bilingual("its deletions would not pass `check`: {what}", "挖空无法通过 `check`：{what}")


def translate(text: str, media: MediaBox, *, deletions: bool = False) -> Proved:
    """The same text in our Markdown; `deletions`: of a cloze. Raises CannotTakeError with the reason."""
    lost: dict[str, Bilingual] = {}
    if _CONTROL.search(text):
        lost["control"] = LOSSES["control"]
    text = (
        _CONTROL.sub("", text).replace("\u2028", " ").replace("\u2029", " ").replace("\ufeff", "").strip("\n").rstrip()
    )
    _refuse_html(text)
    text = _outside(text, lambda part: re.sub(r"<br\s*/?>\n?", "\\\\\n", part))
    text = _outside(text, lambda part: _MATH.sub(_dollars, part))
    text = _outside(text, lambda part: _with_media(part, media, lost))
    if deletions:
        text = _without_gaps(text, lost)
    before = text
    text = _outside(text, lambda part: re.sub(r"(?<!\\)\$", r"\\$", part))
    text = _outside(text, _without_wiki)
    if not deletions:
        text = _outside(text, lambda part: re.sub(r"\{\{(?=c\d*::)", r"\\{\\{", part))
    marks: Callable[[str], str] = mark if deletions else str
    if seen(shown(marks(text))) != seen(shown(marks(before))):
        raise why_not("its `$` or `[[` cannot be told from math and values", "其中的 `$` 或 `[[` 会被误认为公式或变量")
    if deletions and (faults := cloze.faults(text)):
        raise CannotTakeError(_DELETIONS.format(what=faults[0].what))
    return Proved(text, tuple(lost.values()))


def _refuse_html(text: str) -> None:
    from markdown_it import MarkdownIt  # here, because it takes a while and only this needs it

    for token in MarkdownIt("commonmark").enable("table").parse(text):
        for one in (token, *(token.children or ())):
            if one.type in {"html_block", "html_inline"} and not re.fullmatch(r"<br\s*/?>\s*", one.content):
                tag = one.content.strip().split("\n")[0][:30]
                raise why_not(
                    f"it holds HTML (`{tag}`), which a card shows as text",
                    f"含有 HTML（`{tag}`），卡片会把它显示为文字",
                )


def _outside(text: str, change: Callable[[str], str]) -> str:
    """The text with what stands outside of code and math changed."""
    parts, place = [], 0
    for start, end in opaque_spans(text):
        parts += [change(text[place:start]), text[start:end]]
        place = end
    return "".join([*parts, change(text[place:])])


def _dollars(one: re.Match[str]) -> str:
    body = " ".join((one[1] or one[2]).split())
    return f"${body}$" if one[1] else f"$${body}$$"


def _without_wiki(part: str) -> str:
    """`[[name]]` would be a value of a proof: the link is shown as it stands."""
    return re.sub(r"(?<!\\)\[\[", r"\\[\\[", part)


def _with_media(part: str, media: MediaBox, lost: dict[str, Bilingual]) -> str:
    part = _EMBEDDED.sub(lambda one: f"![{'' if (one[2] or '').isdigit() else one[2] or ''}](<{one[1]}>)", part)

    def take(one: re.Match[str]) -> str:
        target = one[2] or one[3]
        if re.match(r"(?i)https?://", target):
            lost["elsewhere"] = _ELSEWHERE
            return one[0]
        if media.leave_out:
            lost["media"] = LOSSES["media"]
            return ""
        return f"![{one[1]}]({media.take(unquote(target))})"

    return _PICTURE.sub(take, part)


def _without_gaps(text: str, lost: dict[str, Bilingual]) -> str:
    numbers = sorted({int(number) for number in _NUMBER.findall(text)} - {0})
    new = {number: place for place, number in enumerate(numbers, 1)}
    if any(old != now for old, now in new.items()):
        lost["numbers"] = _RENUMBERED
    return _NUMBER.sub(lambda one: f"{{{{c{new.get(int(one[1]), 0)}::", text)
