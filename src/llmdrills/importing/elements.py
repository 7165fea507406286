"""Which elements of HTML Markdown has a sign for, which only style a text, and which cannot be shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llmdrills.importing.found import CannotTakeError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BLOCKS", "INLINE", "LOSSES", "REFUSED", "UNWRAPPED", "raised", "style_of"]

INLINE: dict[str, str] = {
    **dict.fromkeys(("b", "strong"), "strong"),
    **dict.fromkeys(("i", "em", "cite", "dfn", "var"), "em"),
    **dict.fromkeys(("s", "del", "strike"), "del"),
    **dict.fromkeys(("code", "kbd", "samp", "tt"), "code"),
    "a": "a",
    **dict.fromkeys(("br", "img", "wbr", "sub", "sup", "style"), ""),
}
"""Elements within a line, by the one that Markdown has a sign for."""

BLOCKS = frozenset(
    {"p", "div", "ul", "ol", "li", "pre", "blockquote", "hr", "table", "thead", "tbody", "tfoot", "tr", "td", "th"}
    | {f"h{level}" for level in range(1, 7)}
)

UNWRAPPED: dict[str, bool] = {
    **dict.fromkeys(
        ("span", "font", "u", "ins", "mark", "small", "big", "abbr", "acronym", "bdi", "time", "label"), False
    ),
    **dict.fromkeys(("nobr", "colgroup", "col", "data", "html", "body"), False),
    **dict.fromkeys(
        ("center", "section", "article", "header", "footer", "main", "aside", "figure", "figcaption"), True
    ),
    **dict.fromkeys(("nav", "address"), True),
}
"""Elements that only style what they hold, and whether it stands on lines of its own."""

REFUSED = frozenset(
    {"script", "iframe", "object", "embed", "video", "audio", "canvas", "svg", "math", "form", "input", "button"}
    | {"select", "textarea", "template", "details", "summary", "ruby", "rt", "rp", "caption", "dl", "dt", "dd", "q"}
    | {"bdo", "noscript", "link", "meta", "base", "map", "area", "picture", "source", "marquee", "frame", "frameset"}
)

LOSSES: dict[str, Bilingual] = {
    "style": Bilingual("colours, sizes or underlines stay behind", "颜色、字号或下划线未保留"),
    "raised": Bilingual("raised and lowered signs are characters of Unicode now", "上标和下标已改为 Unicode 字符"),
    "table": Bilingual("the first row of its table is the head now", "表格的第一行已作为表头"),
    "link": Bilingual("a link that leads to no web page stays behind", "不指向网页的链接未保留"),
    "emphasis": Bilingual("bold or italics stay behind where no Markdown sets them", "部分粗斜体未保留"),
    "control": Bilingual("control characters stay behind", "控制字符未保留"),
    "media": Bilingual("pictures or sounds stay behind, as --no-media asks for", "按 --no-media，未保留图片或音频"),
    "title": Bilingual("a text that is shown under the pointer stays behind", "鼠标悬停时显示的文字未保留"),
    "hidden": Bilingual("a part of it is hidden", "有一部分是隐藏的"),
}  # fmt: skip
"""What may be left behind, by what a note is asked for."""

_PLAIN = {
    "href",
    "src",
    "alt",
    "start",
    "title",
    "id",
    "dir",
    "lang",
    "target",
    "rel",
    "style",
    "name",
    "contenteditable",
}
_BOLD = re.compile(r"font-weight\s*:\s*(?:bold|[6-9]00)", re.IGNORECASE)
_ITALIC = re.compile(r"font-style\s*:\s*(?:italic|oblique)", re.IGNORECASE)
_STRUCK = re.compile(r"text-decoration[\w-]*\s*:[^;]*line-through", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_RAISED = str.maketrans("0123456789+-−=()abcdefghijklmnoprstuvwxyz", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")
_LOWERED = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")


def style_of(tag: str, given: Mapping[str, str]) -> tuple[tuple[str, ...], list[str]]:
    """The inline elements that a tag stands for, and what of its attributes is left behind, by the keys of LOSSES.

    Raises CannotTakeError for what is hidden.
    """
    style = given.get("style", "")
    if _HIDDEN.search(style) or "hidden" in given:
        raise CannotTakeError(LOSSES["hidden"])
    lost: list[str] = []
    names = [INLINE[tag]] if INLINE.get(tag) else []
    if tag == "a" and not re.match(r"(?i)\s*(?:https?://|mailto:)", given.get("href", "")):
        names = []
        lost += ["link"] if given.get("href") else []
    rest = style
    for pattern, name in ((_BOLD, "strong"), (_ITALIC, "em"), (_STRUCK, "del")):
        if pattern.search(rest) and tag not in BLOCKS and tag not in {"br", "img"}:
            names.append(name)
            rest = pattern.sub("", rest)
    styled = tag in {"u", "ins", "mark", "small", "big", "font", "center", "figure", "kbd", "samp"}
    if re.search(r"[\w-]+\s*:", rest) or styled or any(name not in _PLAIN and name[:5] != "data-" for name in given):
        lost.append("style")
    if given.get("title"):
        lost.append("title")
    return tuple(dict.fromkeys(names)), lost


def raised(tag: str, text: str) -> str | None:
    """The text above (<sup>) or below (<sub>) the line in characters of Unicode; None where it has no such."""
    table = _RAISED if tag == "sup" else _LOWERED
    text = "".join(text.split())
    return text.translate(table) if all(ord(letter) in table for letter in text) else None
