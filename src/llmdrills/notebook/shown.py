"""What a magic displays: as plain text, as HTML in which everything is escaped, and as JSON for programs."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmdrills.mathtext import unicode_math

if TYPE_CHECKING:
    from llmdrills.language import Language

__all__ = ["JSON_TYPE", "Part", "Prose", "Shown"]

JSON_TYPE = "application/vnd.llmdrills+json"
"""The media type of the JSON: front ends that do not know it show the HTML."""
_COLOURS = {"good": "#2da44e", "bad": "#d1242f", "open": "#bf8700", "told": "#8c959f"}
"""The colour of the line at the left, which says nothing that the words do not say; legible on light and on dark."""


@dataclass(frozen=True)
class Part:
    """A piece of what is shown: a text with its lines as they are, or below a summary that opens it."""

    text: str
    summary: str = ""  # in HTML the text stands folded below it; plain text leaves the part out
    only_plain: bool = False  # it says what HTML shows by itself


@dataclass(frozen=True)
class Shown:
    """A headline and what follows it. `kind`: good, bad, open or told; `data` is the JSON, empty: there is none."""

    head: str
    parts: Sequence[Part]
    language: Language
    kind: str = "told"
    data: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        shown = [self.head] if self.head else []
        return "\n".join([*shown, *(part.text for part in self.parts if not part.summary)]).rstrip()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude  # IPython takes out itself what is not wanted
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._html()}
        if self.data:
            bundle[JSON_TYPE] = dict(self.data)
        return bundle

    def _html(self) -> str:
        # An attempt's prints and messages are in here: nothing of it may become markup of the notebook.
        style = "white-space:pre-wrap;margin:0.3em 0 0;padding:0;border:0;background:none;color:inherit"
        pieces = [f'<div style="font-weight:600">{html.escape(self.head)}</div>'] if self.head else []
        for part in (one for one in self.parts if not one.only_plain):
            block = f'<pre style="{style}">{html.escape(part.text)}</pre>'
            if part.summary:
                block = f"<details><summary>{html.escape(part.summary)}</summary>{block}</details>"
            pieces.append(block)
        line = f"border-left:3px solid {_COLOURS[self.kind]};padding:0.1em 0 0.1em 0.8em"
        return f'<div class="llmdrills" lang="{self.language}" style="{line}">{"".join(pieces)}</div>'


@dataclass(frozen=True)
class Prose:
    """Markdown of a kata's author, such as its prompt or a hint."""

    text: str

    def __repr__(self) -> str:
        return unicode_math(self.text).rstrip()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        del include, exclude
        return {"text/plain": repr(self), "text/markdown": self.text}
