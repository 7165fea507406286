"""Render Markdown to the HTML of a field: math for Anki's MathJax, highlighted code, raw HTML shown as text."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from typing import Any

from llmdrills.decks.cloze import mark, unmark
from llmdrills.decks.code import highlight
from llmdrills.decks.media import LOCAL, SOUNDS

__all__ = [
    "RENDERER",
    "clean",
    "formulas",
    "guard",
    "render",
    "render_cloze",
    "render_inline",
    "renderer",
    "shown_text",
]

_MATH = re.compile(r'<span data-math-style="(inline|display)">(.*?)</span>', re.DOTALL)
_CODE = re.compile(r'<pre><code(?: class="language-([^"]*)")?>(.*?)</code></pre>', re.DOTALL)
_IMAGE = re.compile(r'<img src="([^"]*)" alt="([^"]*)"[^>]*/?>')
_PLACE = re.compile(r"\x02(\d+)\x03")
_ANKI = re.compile(r"\[(?=(?:sound:|/?anki:|/?latex\]|/?\$\$?\]))", re.IGNORECASE)
# Anki separates fields by \x1f, and no text needs the other control characters.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@cache
def _comrak() -> tuple[Any, Any, Any]:
    """comrak's render function with our options. It is imported here because only a build needs it."""
    import comrak

    extensions = comrak.ExtensionOptions()
    extensions.math_dollars = True
    extensions.table = True
    extensions.strikethrough = True
    extensions.cjk_friendly_emphasis = True
    options = comrak.RenderOptions()
    options.escape = True
    return comrak.render_markdown, extensions, options


@cache
def renderer() -> str:
    """The versions that decide the HTML besides the text; every cache key contains them."""
    from importlib.metadata import version

    return f"{RENDERER} comrak {version('comrak')} pygments {version('pygments')}"


RENDERER = 2  # increase it when the output of this module, of cloze or of code changes


def clean(text: str) -> str:
    """A text that is no Markdown (a title, a source) without the characters that Anki cannot keep in a field."""
    return _CONTROL.sub("", text)


def _math(match: re.Match[str]) -> str:
    body = match[2].strip()
    return f"\\({body}\\)" if match[1] == "inline" else f"\\[{body}\\]"


def _image(match: re.Match[str], blocks: list[str]) -> str:
    """A picture or sound of the package; a link instead of one from another server, as a card makes no request."""
    target, shown = match[1], match[2] or match[1]
    if target.startswith(LOCAL):
        name = target.removeprefix(LOCAL)
        if name.rpartition(".")[2] not in SOUNDS:
            return f'<img alt="{match[2]}" src="{name}">'
        blocks.append(f"[sound:{name}]")
        return f"\x02{len(blocks) - 1}\x03"
    return f'<a href="{target}">{shown}</a>' if target.startswith(("http://", "https://")) else shown


def _html(text: str) -> str:
    """What comrak makes of a text, math still as it marks it."""
    call, extensions, options = _comrak()
    html: str = call(_CONTROL.sub("", text), extension_options=extensions, render_options=options)
    return html.rstrip("\n")


def render(text: str) -> str:
    """The HTML of a Markdown text, without a newline at its end.

    `$…$` and `$$…$$` become `\\(…\\)` and `\\[…\\]`, escaped inside; fenced code gets classes; raw HTML is escaped.
    """
    html = _html(text)
    blocks: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        # Code is replaced by placeholders while math and images are looked for.
        code = highlight(unescape(match[2]), unescape(match[1] or "").split(" ")[0])
        blocks.append(guard(f"<pre><code>{code.rstrip()}</code></pre>"))
        return f"\x02{len(blocks) - 1}\x03"

    if "<pre>" in html:
        html = _CODE.sub(set_aside, html)
    if "data-math-style" in html:
        html = _MATH.sub(_math, html)
    if "<img" in html:
        html = _IMAGE.sub(lambda match: _image(match, blocks), html)
    html = guard(html)
    return _PLACE.sub(lambda match: blocks[int(match[1])], html) if blocks else html


def formulas(text: str) -> list[str]:
    """The formulas of a Markdown text, as MathJax gets them."""
    return [unescape(found[2]).strip() for found in _MATH.finditer(_html(text))]


def shown_text(text: str) -> str:
    """The text that a Markdown text shows outside of code and math."""
    html = re.sub(r"(?s)<pre>.*?</pre>|<code>.*?</code>", "", _html(text))
    return unescape(re.sub(r"<[^>]*>", "", _MATH.sub("", html)))


def guard(html: str) -> str:
    """Break what Anki would take for a sound, speech or LaTeX of its own: an author wrote it to be read."""
    return _ANKI.sub("[<!-- -->", html) if "[" in html else html


def render_inline(text: str) -> str:
    """The same without the paragraph around a text that is one paragraph: for list items, units, names."""
    html = render(text)
    if html.startswith("<p>") and html.endswith("</p>") and html.count("<p>") == 1:
        return html[3:-4]
    return html


def render_cloze(text: str) -> str:
    """The same for a cloze text: its deletions come out as Anki reads them."""
    return unmark(render(mark(text)))
