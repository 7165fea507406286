"""Math, pictures and sounds of a field as marks in its text: nothing that escapes Markdown touches them.

The marks are characters that Unicode gives to nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape, unescape
from typing import TYPE_CHECKING

from llmdrills.importing.elements import LOSSES
from llmdrills.importing.found import why_not

if TYPE_CHECKING:
    from llmdrills.importing.media import MediaBox
    from llmdrills.language import Bilingual

__all__ = ["MARK", "OURS", "Mark", "Tamed", "picture", "with_marks"]

MARK = re.compile("\ufdd1(\\d+)\ufdd2")
_NO_MATH = re.compile(r"(<pre\b.*?(?:</pre\s*>|\Z)|<code\b.*?(?:</code\s*>|\Z))", re.DOTALL | re.IGNORECASE)
_MATH = re.compile(
    r"<anki-mathjax(?P<block>[^>]*)>(?P<element>.*?)</anki-mathjax>"
    r"|\[latex\](?P<latex>.+?)\[/latex\]|\[\$\](?P<one>.+?)\[/\$\]|\[\$\$\](?P<two>.+?)\[/\$\$\]"
    r"|\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]",
    re.DOTALL,
)
_BREAK = re.compile(r"<(?:br|wbr)\s*/?>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_LINES = re.compile(r"</?(?:div|p|br)\b[^>]*>", re.IGNORECASE)
_DISPLAY = re.compile(
    r"\$\$(.*)\$\$|\\\[(.*)\\\]|\\begin\{(?:displaymath|equation\*?|math)\}(.*)\\end\{\w+\*?\}", re.DOTALL
)
_SOUND = re.compile(r"\[sound:(.*?)\]")
OURS = re.compile("[\ufdd0-\ufddf]")
"""All characters that stand for something here."""


@dataclass(frozen=True)
class Mark:
    """What stands in the place of a mark: its Markdown, and what Anki's field holds."""

    markdown: str
    html: str


@dataclass
class Tamed:
    """HTML of p, br, lists, pre, blockquote, hr, tables, headings, strong, em, del, code and a; with its marks."""

    html: str = ""
    marks: list[Mark] = field(default_factory=list)
    lost: dict[str, Bilingual] = field(default_factory=dict)

    def put(self, mark: Mark) -> str:
        """The text of a new mark."""
        self.marks.append(mark)
        return f"\ufdd1{len(self.marks) - 1}\ufdd2"

    def lose(self, what: str) -> None:
        """Keep in mind what is left behind."""
        self.lost.setdefault(what, LOSSES[what])


def with_marks(html: str, media: MediaBox, found: Tamed) -> str:
    """The field with marks for its math and sounds. Raises CannotTakeError."""
    parts = _NO_MATH.split(html)
    parts[::2] = [_MATH.sub(lambda one: _math(one, found), part) for part in parts[::2]]
    return _SOUND.sub(lambda one: _medium(unescape(one[1]), None, media, found), "".join(parts))


def picture(name: str, alt: str, media: MediaBox, found: Tamed) -> str:
    """The mark of a picture, "" where media are left out. Raises CannotTakeError."""
    return _medium(name, alt, media, found)


def _math(one: re.Match[str], found: Tamed) -> str:
    """A formula as a mark. MathJax looks across line breaks, and across no other element."""
    if one["element"] is not None:
        return _formula(unescape(one["element"]), found, display="true" in one["block"])
    if one["round"] is not None or one["square"] is not None:
        body = _BREAK.sub("\n", one["round"] or one["square"])
        if re.search(r"</?[a-zA-Z]", body):
            return one[0]
        return _formula(unescape(body), found, display=one["square"] is not None) or one[0]
    body = unescape(re.sub(r"<[^>]*>", "", _LINES.sub("\n", one["latex"] or one["one"] or one["two"]))).strip()
    display = one["two"] is not None
    if one["latex"] is not None:
        whole = _DISPLAY.fullmatch(body)
        if whole:
            display, body = not body.startswith(r"\begin{math}"), next(part for part in whole.groups() if part)
        elif body.startswith("$") and body.endswith("$") and body.count("$") == 2:
            body = body[1:-1]
        elif match := re.fullmatch(r"\\\((.*)\\\)", body, re.DOTALL):
            body = match[1]
        elif re.match(r"\\begin\{(?:align|gather|multline)", body):
            display = True
        else:
            raise why_not("its LaTeX is no single formula", "其中的 LaTeX 不是单个公式")
    return _formula(body, found, display=display)


def _formula(body: str, found: Tamed, *, display: bool) -> str:
    lines = [" ".join(line.split()) for line in body.replace("\u00a0", " ").split("\n")]
    body = ("\n" if "%" in body else " ").join(line for line in lines if line).strip()
    if not body:
        return ""
    sign, ends = ("$$", ("\\[", "\\]")) if display else ("$", ("\\(", "\\)"))
    return found.put(Mark(f"{sign}{body}{sign}", escape(f"{ends[0]}{body}{ends[1]}", quote=False)))


def _medium(name: str, alt: str | None, media: MediaBox, found: Tamed) -> str:
    """A picture with its text, or a sound (`alt` is None), as a mark."""
    if media.leave_out:
        found.lose("media")
        return ""
    new = media.take(name)
    if alt is None:
        return found.put(Mark(f"![]({new})", f"[sound:{new}]"))
    alt = " ".join(OURS.sub("", alt).replace("[", "(").replace("]", ")").split())
    signs = re.sub(r"([!-/:-@\\^-`{-~])", r"\\\1", alt)
    return found.put(Mark(f"![{signs}]({new})", f'<img alt="{escape(alt)}" src="{new}">'))
