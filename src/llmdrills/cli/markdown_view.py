"""Markdown on a terminal: rich renders it, and lines break where `llmdrills.lines` says; math is Unicode.

rich alone breaks a Chinese line anywhere, also before a full stop. Imported only where something is rendered.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from rich.containers import Lines
from rich.markdown import Heading, Markdown, MarkdownElement, Paragraph, TableDataElement
from rich.text import Text

from llmdrills.lines import breaks, columns, plain, whole
from llmdrills.mathtext import unicode_math

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, JustifyMethod, OverflowMethod, RenderResult
    from rich.markdown import MarkdownContext
    from rich.text import TextType

__all__ = ["rendered"]

_CODE = re.compile(r"(?P<fence>```.*?```)|`[^`\n]+`", re.DOTALL)
_KEPT_WORDS = re.compile(rf"[^ \n]*{whole(' ')}[^ \n]*")
_SOFT_BREAK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n(?=[\u3000-\u9fff\uff00-\uffef])")
"""A line's end inside of a Chinese sentence, which Markdown would make a space."""


class _Words(Text):
    """Text that is broken by our rules; code inside of a sentence stays in one piece, if it fits on a line."""

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        if no_wrap or overflow == "ignore":
            return super().wrap(console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap)
        lines = Lines()
        for one in self.split(allow_blank=True):
            lines.extend(one.divide(_offsets(one.plain, width)))
        for line in lines:
            line.plain = plain(line.plain)
            line.rstrip_end(width)
        lines.justify(console, width, justify=justify or self.justify or "left", overflow="fold")
        return lines


def _offsets(text: str, width: int) -> list[int]:
    """Where the lines after the first begin; what is longer than a line is cut, because rich would drop the rest."""
    for code in _KEPT_WORDS.findall(text):
        if columns(code) > width:
            text = text.replace(code, plain(code))
    found = breaks(text, width)
    edges = [0, *found, len(text)]
    for start, end in pairwise(edges):
        used = 0
        for at in range(start, start + len(text[start:end].rstrip())):
            wide = columns(text[at])
            if used + wide > width:
                found.append(at)
                used = 0
            used += wide
    return sorted(found)


class _Paragraph(Paragraph):
    def on_enter(self, context: MarkdownContext) -> None:
        self.style = context.enter_style(self.style_name)
        self.text = _Words(justify="left")


class _Cell(TableDataElement):
    def on_text(self, context: MarkdownContext, text: TextType) -> None:
        super().on_text(context, plain(text) if isinstance(text, str) else text)


class _Heading(Heading):
    def on_enter(self, context: MarkdownContext) -> None:
        self.text = _Words()
        context.enter_style(self.style_name)

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        self.text.justify = self.LEVEL_ALIGN.get(self.tag, "left")
        yield self.text


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "paragraph_open": _Paragraph,
        "heading_open": _Heading,
        "td_open": _Cell,
        "th_open": _Cell,
    }


def rendered(text: str) -> Markdown:
    """The Markdown for `Console.print`."""
    text = _CODE.sub(lambda found: found.group() if found["fence"] else whole(found.group()), unicode_math(text))
    return _Markdown(_SOFT_BREAK.sub("", text), code_theme="ansi_dark")
