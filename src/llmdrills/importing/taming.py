"""A field's HTML as people's editors leave it, made into the few elements that Markdown has signs for.

What comes out shows the same, colours and sizes apart: blocks are nested as a browser nests them, a <div> begins a
line, an empty line begins a paragraph, and emphasis is closed and opened again where elements overlap. What is left
behind is kept in `Tamed.lost`; what cannot be shown raises CannotTakeError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import quote

from llmdrills.importing.elements import BLOCKS, INLINE, LOSSES, REFUSED, UNWRAPPED, raised, style_of
from llmdrills.importing.found import CannotTakeError, why_not
from llmdrills.importing.marks import OURS, Tamed, picture, with_marks

if TYPE_CHECKING:
    from llmdrills.importing.media import MediaBox

__all__ = ["BLANK", "tame"]

BLANK = "\ufdd0"
"""Stands for a blank that a browser shows although others stand beside it."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SPACES = re.compile("([ \t\r\n\f]+)")
_ORDER = ("a", "del", "em", "strong", "code")  # from the outside: `***` is bold within italics
_SPOKEN = re.compile(r"\[anki:(?:tts|play)", re.IGNORECASE)


def tame(html: str, media: MediaBox) -> Tamed:
    """The same field in few elements. Raises CannotTakeError."""
    found = Tamed()
    html = html.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", " ").replace("\u2028", " ")
    html = html.replace("\u2029", " ").replace("\ufeff", "")
    if _CONTROL.search(html) or OURS.search(html):
        found.lose("control")
        html = OURS.sub("", _CONTROL.sub("", html))
    if _SPOKEN.search(html):
        raise why_not("it is spoken by Anki (`[anki:tts]`)", "包含由 Anki 朗读的内容（`[anki:tts]`）")
    tamer = _Tamer(found, media)
    tamer.feed(with_marks(html, media, found))
    tamer.close()
    found.html = tamer.whole()
    return found


@dataclass
class _Block:
    """An open block. A `flow` holds paragraphs; the others hold lines."""

    name: str
    flow: bool = False
    paragraph: bool = False  # open in this flow
    content: bool = False  # whether the paragraph, or the block, has any yet
    breaks: int = 0  # line ends since then
    outside: int = 0  # how many inline elements were open around it
    rows: int = 0  # of a table


class _Tamer(HTMLParser):
    """Writes the blocks as they nest, and inline elements only around text."""

    def __init__(self, found: Tamed, media: MediaBox) -> None:
        super().__init__(convert_charrefs=True)
        self._found, self._media = found, media
        self._out: list[str] = []
        self._blocks = [_Block("", flow=True)]
        self._wanted: list[tuple[str, tuple[str, ...], str]] = []  # inline elements of the source: name, ours, address
        self._written: list[tuple[str, str]] = []
        self._space = False
        self._code: list[str] | None = None  # the text of a <pre>
        self._raised: tuple[str, list[str]] | None = None  # of a <sub> or <sup>
        self._dropped = 0  # depth within a <style>

    def whole(self) -> str:
        """Everything, closed."""
        if self._code is not None:
            self._end_code()
        if self._raised is not None:
            self._end_raised()
        while len(self._blocks) > 1:
            self._close_block()
        self._end_paragraph()
        return "".join(self._out)

    # ---- what the parser calls ----------------------------------------

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # `<b/>` opens an element in HTML

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if self._code is not None:
            self._in_code(tag, given)
            return
        if tag == "style":
            self._dropped += 1
            self._found.lose("style")
            return
        if tag in REFUSED or (tag not in INLINE and tag not in BLOCKS and tag not in UNWRAPPED):
            raise why_not(f"no Markdown renders to <{tag}>", f"没有能渲染成 <{tag}> 的 Markdown")
        names, lost = style_of(tag, given)
        for what in lost:
            self._found.lose(what)
        if self._raised is not None and tag not in {"span", "font", "wbr"}:
            raise why_not(
                f"no Markdown renders to <{tag}> in <{self._raised[0]}>",
                f"没有能渲染成 <{self._raised[0]}> 中的 <{tag}> 的 Markdown",
            )
        if tag == "img":
            self._picture(given)
        elif tag == "br":
            self._break()
        elif tag in {"sub", "sup"}:
            self._raised = (tag, [])
        elif tag in BLOCKS:
            self._open_block(tag, given)
        elif tag not in {"wbr", "col"}:
            if UNWRAPPED.get(tag):
                self._boundary()
            self._wanted.append((tag, names, self._address(given)))

    def handle_endtag(self, tag: str) -> None:
        if self._code is not None:
            if tag == "pre":
                self._end_code()
            elif tag in {"div", "p"}:
                self._code_line()
        elif tag == "style":
            self._dropped = max(0, self._dropped - 1)
        elif self._raised is not None and tag == self._raised[0]:
            self._end_raised()
        elif tag in {"div", "p"} or UNWRAPPED.get(tag):
            self._boundary(paragraph=tag == "p")
            self._forget(tag)
        elif tag in BLOCKS:
            if any(block.name == tag for block in self._blocks):
                while self._blocks[-1].name != tag:
                    self._close_block()
                self._close_block()
        else:
            self._forget(tag)

    def handle_data(self, data: str) -> None:
        if self._dropped:
            return
        if self._code is not None:
            self._code.append(data.replace("\u00a0", " "))
        elif self._raised is not None:
            self._raised[1].append(data)
        else:
            self._say(re.sub("[ \t\n\u00a0]*\u00a0[ \t\n\u00a0]*", _blanks, data))

    # ---- text ----------------------------------------

    def _say(self, text: str) -> None:
        for place, part in enumerate(_SPACES.split(text)):
            if place % 2:
                self._space = True
            elif part:
                self._begin()
                self._out.append(escape(part, quote=False))

    def _begin(self) -> None:
        """Make the place ready for something that is shown."""
        block = self._blocks[-1]
        if block.name in {"ul", "ol", "table", "tr"}:
            raise why_not("a list or table with text outside of its items", "列表或表格中有不属于任何条目的文字")
        fresh = not block.content or bool(block.breaks)
        if block.flow and (not block.paragraph or block.breaks > 1):
            self._end_paragraph()
            self._out.append("<p>")
            block.paragraph, fresh = True, True
        elif block.content and block.breaks:
            self._close_inline(0)
            self._out.append("<br>" * min(block.breaks, 2))
        block.content, block.breaks = True, 0
        self._sync(space=self._space and not fresh)
        self._space = False

    def _sync(self, *, space: bool) -> None:
        given = ((name, address if name == "a" else "") for _, names, address in self._wanted for name in names)
        wanted = list(dict.fromkeys(given))
        same = next((at for at, one in enumerate(self._written) if one not in wanted), len(self._written))
        if len(wanted) > same and ("code", "") in self._written[:same]:
            same = self._written.index(("code", ""))  # nothing is emphasised within code
        self._close_inline(same)
        if space:
            self._out.append(" ")
        more = [one for one in wanted if one not in self._written]
        more.sort(key=lambda one: _ORDER.index(one[0]))
        for name, address in more:
            self._out.append(f'<{name} href="{escape(address)}">' if name == "a" else f"<{name}>")
            self._written.append((name, address))

    def _close_inline(self, upto: int) -> None:
        while len(self._written) > upto:
            self._out.append(f"</{self._written.pop()[0]}>")

    def _forget(self, tag: str) -> None:
        """Close the last inline element of that name; those that were opened within it stay open, as in a browser."""
        last = next((at for at in range(len(self._wanted) - 1, -1, -1) if self._wanted[at][0] == tag), None)
        if last is not None:
            del self._wanted[last]

    @staticmethod
    def _address(given: dict[str, str]) -> str:
        href = given.get("href", "").strip()
        return quote(href, safe=";/?:@&=+$,#!*'()-_.~%[]") if re.match(r"(?i)https?://|mailto:", href) else ""

    def _picture(self, given: dict[str, str]) -> None:
        source = given.get("src", "").strip()
        if re.match(r"(?i)(?:https?:|data:|file:|//)", source) and not self._media.leave_out:
            raise why_not("its picture is not in the file, but elsewhere", "图片不在文件中，而在别处")
        mark = picture(source, given.get("alt", ""), self._media, self._found)
        if mark:
            self._begin()
            self._out.append(mark)

    def _end_raised(self) -> None:
        tag, parts = self._raised or ("", [])
        self._raised = None
        text = "".join(parts)
        if not text.strip():
            return
        shifted = raised(tag, text)
        if shifted is None:
            raise why_not(
                f"no Markdown renders to <{tag}>{text[:20]}</{tag}>",
                f"没有能渲染成 <{tag}>{text[:20]}</{tag}> 的 Markdown",
            )
        self._found.lose("raised")
        self._say(shifted)

    # ---- lines and blocks ----------------------------------------

    def _break(self) -> None:
        self._space = False
        block = self._blocks[-1]
        if block.content:
            block.breaks += 1

    def _boundary(self, *, paragraph: bool = False) -> None:
        """Where a <div> begins or ends: what follows stands on a line of its own."""
        self._space = False
        block = self._blocks[-1]
        if block.content:
            block.breaks = max(block.breaks, 2 if paragraph and block.flow else 1)

    def _end_paragraph(self) -> None:
        self._close_inline(0)
        block = self._blocks[-1]
        if block.paragraph:
            self._out.append("</p>")
        if block.flow:
            block.paragraph = block.content = False
            block.breaks = 0
        self._space = False

    def _open_block(self, tag: str, given: dict[str, str]) -> None:
        if tag in {"div", "p"}:
            self._boundary(paragraph=tag == "p")
            return
        if tag == "pre":
            self._end_paragraph()
            self._in_cell("pre")
            self._code = []
            return
        if tag in {"thead", "tbody", "tfoot"}:
            return
        self._close_implied(tag)
        self._end_paragraph()
        if tag == "hr":
            self._in_cell(tag)
            self._out.append("<hr>")
            return
        if tag not in {"li", "tr", "td", "th"}:
            self._in_cell(tag)
        self._check_place(tag)
        self._write_start(tag, given)
        self._blocks.append(_Block(tag, flow=tag == "blockquote", outside=len(self._wanted)))

    def _close_implied(self, tag: str) -> None:
        """A new item ends the one before it, a cell the cell, a row the row, as a browser has it."""
        ends = {"li": {"li"}, "td": {"td", "th"}, "th": {"td", "th"}, "tr": {"td", "th", "tr"}}.get(tag, set())
        while self._blocks[-1].name in ends:
            self._close_block()

    def _in_cell(self, tag: str) -> None:
        name = self._blocks[-1].name
        if name in {"td", "th"} or name[:1] == "h":
            raise why_not(
                f"no Markdown renders to <{tag}> in <{name}>", f"没有能渲染成 <{name}> 中的 <{tag}> 的 Markdown"
            )

    def _check_place(self, tag: str) -> None:
        around = self._blocks[-1].name
        needs = {"li": ("ul", "ol"), "tr": ("table",), "td": ("tr",), "th": ("tr",)}.get(tag)
        if needs and around not in needs:
            raise why_not(f"a <{tag}> that is in no <{needs[0]}>", f"<{tag}> 不在 <{needs[0]}> 中")
        if around in {"ul", "ol", "table", "tr"} and not needs:
            raise why_not(
                f"no Markdown renders to <{tag}> in <{around}>", f"没有能渲染成 <{around}> 中的 <{tag}> 的 Markdown"
            )

    def _write_start(self, tag: str, given: dict[str, str]) -> None:
        if tag == "tr":
            table = self._blocks[-1]
            table.rows += 1
            self._out.append({1: "<thead><tr>", 2: "</thead><tbody><tr>"}.get(table.rows, "<tr>"))
        elif tag in {"td", "th"}:
            head = self._blocks[-2].rows == 1
            if head != (tag == "th"):
                self._found.lose("table")
            self._out.append("<th>" if head else "<td>")
        elif tag == "ol" and given.get("start", "1").isdigit() and given.get("start", "1") != "1":
            self._out.append(f'<ol start="{int(given["start"])}">')
        else:
            self._out.append(f"<{tag}>")

    def _close_block(self) -> None:
        self._end_paragraph()
        block = self._blocks.pop()
        del self._wanted[block.outside :]
        if block.name in {"td", "th"}:
            self._out.append("</th>" if self._blocks[-2].rows == 1 else "</td>")
        elif block.name == "table":
            self._out.append("</thead></table>" if block.rows == 1 else "</tbody></table>")
        elif block.name:
            self._out.append(f"</{block.name}>")
        self._blocks[-1].content = self._blocks[-1].content or not self._blocks[-1].flow

    # ---- code ----------------------------------------

    def _in_code(self, tag: str, given: dict[str, str]) -> None:
        if tag == "br" and self._code is not None:
            self._code.append("\n")
        elif tag in {"div", "p"}:
            self._code_line()
        elif tag in {"img", "table", "ul", "ol", *REFUSED}:
            raise why_not(f"no Markdown renders to <{tag}> in <pre>", f"没有能渲染成 <pre> 中的 <{tag}> 的 Markdown")
        elif tag != "code":
            self._found.lose("style")
        if "display:none" in given.get("style", "").replace(" ", ""):
            raise CannotTakeError(LOSSES["hidden"])

    def _code_line(self) -> None:
        if self._code and not self._code[-1].endswith("\n"):
            self._code.append("\n")

    def _end_code(self) -> None:
        text = "".join(self._code or []).removeprefix("\n").rstrip()
        self._code = None
        if text.strip():
            self._out.append(f"<pre><code>{escape(text, quote=False)}</code></pre>")


def _blanks(run: re.Match[str]) -> str:
    """Blanks of which some do not break: one is a blank, several are shown as so many."""
    count = run[0].count("\u00a0")
    return " " if count == 1 and len(run[0]) == 1 else BLANK * len(re.sub("[ \t\n]+", " ", run[0]))
