"""HTML of a field as a list of tags and texts, and what of it a reader sees."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Literal, NamedTuple

__all__ = ["BLOCKS", "Token", "seen", "styles", "tokens"]

BLOCKS = frozenset(
    {"p", "ul", "ol", "li", "pre", "table", "thead", "tbody", "tr", "td", "th", "blockquote", "hr", "div"}
    | {f"h{level}" for level in range(1, 7)}
)
_SAME = {"b": "strong", "i": "em", "strike": "del", "s": "del"}
_NO_END = {"br", "hr", "img"}
_STYLE = {"font", "u", "mark", "sub", "sup"}
_SPACE = re.compile(r"[ \n\t]+")


class Token(NamedTuple):
    """A start or end tag with its name, or a text."""

    kind: Literal["start", "end", "text"]
    text: str  # the tag's name, or the text itself
    attributes: tuple[tuple[str, str], ...] = ()

    def starts(self, *names: str) -> bool:
        """Whether it is the start tag of one of them."""
        return self.kind == "start" and self.text in names

    def ends(self, *names: str) -> bool:
        """Whether it is the end tag of one of them."""
        return self.kind == "end" and self.text in names


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Token] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = sorted((name, value or "") for name, value in attrs if name != "style" and not name.startswith("data-"))
        self.found.append(Token("start", _SAME.get(tag, tag), tuple(kept)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _NO_END:
            self.found.append(Token("end", _SAME.get(tag, tag)))

    def handle_data(self, data: str) -> None:
        self.found.append(Token("text", data))


def tokens(html: str) -> list[Token]:
    """The tags and texts; a non-breaking blank is a blank, and comments are left out."""
    parser = _Parser()
    parser.feed(html.replace("&nbsp;", " ").replace("\u00a0", " "))
    parser.close()
    return _joined(parser.found)


def seen(html: str) -> list[Token]:
    """What a reader sees: two fields with the same list look the same, colours apart.

    A <div> of Anki's editor, and text in no block at all, are paragraphs.
    """
    given = _in_paragraphs(tokens(html))
    found: list[Token] = []
    inside_code = 0
    for place, token in enumerate(given):
        if token.kind != "text":
            inside_code += (token.text == "pre") * (1 if token.kind == "start" else -1)
            if token.text not in {"span", *_STYLE}:
                found.append(token)
            continue
        before = given[place - 1] if place else Token("start", "p")
        after = given[place + 1] if place + 1 < len(given) else Token("end", "p")
        text = _trimmed(token.text, before, after) if inside_code <= 0 else token.text
        if inside_code > 0 and after.ends("code", "pre"):
            text = text.rstrip("\n")
        if text:
            found.append(Token("text", text))
    return _joined(found)


def _in_paragraphs(given: list[Token]) -> list[Token]:
    found: list[Token] = []
    open_blocks: list[str] = []  # "" for a <div> that holds blocks, and is none itself
    loose = False  # text in no block: a paragraph that nobody wrote
    for place, token in enumerate(given):
        block = token.kind != "text" and token.text in BLOCKS
        if loose and block:
            found.append(Token("end", "p"))
            loose = False
        if not block and not any(open_blocks):
            if not loose and token.kind == "text" and not token.text.strip():
                continue
            if not loose and token.kind != "end":
                found.append(Token("start", "p"))
                loose = True
        if token.text == "hr" or not block:
            found.append(token)
        elif token.kind == "start":
            holds = place + 1 < len(given) and given[place + 1].kind == "start" and given[place + 1].text in BLOCKS
            name = ("" if holds else "p") if token.text == "div" else token.text
            open_blocks.append(name)
            if name:
                found.append(Token("start", name, token.attributes if token.text != "div" else ()))
        elif open_blocks:
            name = open_blocks.pop()
            if name:
                found.append(Token("end", name))
    return [*found, Token("end", "p")] if loose else found


def styles(html: str) -> bool:
    """Whether something in it is coloured, or set in a way that Markdown has no sign for."""
    return bool(re.search(rf"\sstyle\s*=|<(?:{'|'.join(sorted(_STYLE))})\b|\scolor\s*=", html, re.IGNORECASE))


def _trimmed(text: str, before: Token, after: Token) -> str:
    text = _SPACE.sub(" ", text)
    if before.text in BLOCKS | {"br"} and before.kind != "text":
        text = text.lstrip()
    if after.text in BLOCKS | {"br"} and after.kind != "text":
        text = text.rstrip()
    return text


def _joined(given: list[Token]) -> list[Token]:
    found: list[Token] = []
    for token in given:
        if token.kind == "text" and found and found[-1].kind == "text":
            found[-1] = Token("text", found[-1].text + token.text)
        else:
            found.append(token)
    return found
