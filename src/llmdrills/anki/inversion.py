"""From a field's HTML to the Markdown that would render to it, as far as there is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from llmdrills.anki.html import BLOCKS, Token, tokens

__all__ = ["NoMarkdownError", "escaped", "invert"]

_MARKS = {"strong": "**", "em": "*", "del": "~~"}
_SPECIAL = re.compile(r"([\\`*_\[\]<>~])")
_MATH = re.compile(r"\\\((.*?)\\\)|\\\[(.*?)\\\]", re.DOTALL)
_SPACE = re.compile(r"[ \n\t]+")
_AT_LINE_START = re.compile(r"^(\d*)(?=(?:(?<!\d)[#+-]|(?<=\d)[.)])(?:\s|$)|(?<!\d)(?:={3,}|-{3,}))", re.MULTILINE)


class NoMarkdownError(Exception):
    """There is no Markdown for this element."""


def escaped(text: str) -> str:
    """Text with the signs escaped that Markdown would take for its own, as an author does it."""
    found = _SPECIAL.sub(r"\\\1", text).replace("$", "\\$")
    return re.sub(r"(?<=\w)\\_(?=\w)", "_", found)  # within a word it is no sign


def invert(html: str, fences: Sequence[str] = (), plain: Callable[[str], str] = escaped) -> str:
    """Markdown of a field. `fences`: the languages of the code blocks that the author wrote, in order.

    `plain`: escapes a text. Raises NoMarkdownError.
    """
    inverter = _Inverter(tokens(html), iter(fences), plain)
    blocks = inverter.blocks("")
    return "\n\n".join(block for block in blocks if block.strip()).strip("\n")


class _Inverter:
    def __init__(self, given: list[Token], fences: Iterator[str], plain: Callable[[str], str]) -> None:
        self._given = given
        self._fences = fences
        self._plain = plain
        self._at = 0

    @property
    def _next(self) -> Token | None:
        return self._given[self._at] if self._at < len(self._given) else None

    def _take(self) -> Token:
        token = self._next
        if token is None:
            raise NoMarkdownError("an element without an end")
        self._at += 1
        return token

    def _end(self, name: str) -> None:
        if not self._take().ends(name):
            raise NoMarkdownError(f"<{name}>")

    # ---- blocks ----------------------------------------

    def blocks(self, until: str) -> list[str]:
        """The blocks up to an end tag, which is left; to the end where `until` is empty."""
        found: list[str] = []
        while (token := self._next) is not None and not (until and token.ends(until)):
            if token.kind == "text" and not token.text.strip():
                self._at += 1
            elif token.kind == "end":
                raise NoMarkdownError(f"</{token.text}>")
            elif token.kind == "start" and token.text in BLOCKS:
                self._at += 1
                found.append(self._block(token))
            else:
                found.append(self._inline("").strip(" "))
        return found

    def _block(self, token: Token) -> str:
        name = token.text
        if name in {"p", "div"}:
            return self._paragraph(name)
        if name in {"ul", "ol"}:
            return self._list(token)
        if name == "pre":
            return self._code()
        if name == "blockquote":
            inside = "\n\n".join(self.blocks(name))
            self._end(name)
            return "\n".join(f"> {line}".rstrip() for line in inside.split("\n"))
        if name == "hr":
            return "---"
        if name == "table":
            return self._table()
        if name.startswith("h"):
            inside = self._inline(name).strip()
            self._end(name)
            return f"{'#' * int(name[1])} {inside}"
        raise NoMarkdownError(f"<{name}>")

    def _paragraph(self, name: str) -> str:
        """A paragraph; a <div> of Anki's editor may hold blocks itself."""
        if name == "div" and (token := self._next) is not None and token.kind == "start" and token.text in BLOCKS:
            inside = "\n\n".join(self.blocks(name))
        else:
            inside = self._inline(name).strip(" ")
            inside = inside.removesuffix("\\\n") if inside != "\\\n" else ""
        self._end(name)
        return inside

    def _list(self, token: Token) -> str:
        number = int(dict(token.attributes).get("start") or 1)
        items = []
        while not (following := self._take()).ends(token.text):
            if following.kind == "text" and not following.text.strip():
                continue
            if not following.starts("li"):
                raise NoMarkdownError(f"<{following.text}> in a list")
            mark = "- " if token.text == "ul" else f"{number}. "
            number += 1
            blocks = self.blocks("li")
            self._end("li")
            # A list below a line stands close to it: with an empty line between, every item would be a paragraph.
            tight = len(blocks) == 2 and re.match(r"(?:- |\d+\. )", blocks[1]) and "\n\n" not in blocks[1]
            items.append(mark + ("\n" if tight else "\n\n").join(blocks).replace("\n", "\n" + " " * len(mark)))
        return "\n".join(items)

    def _code(self) -> str:
        body = ""
        while not (token := self._take()).ends("pre"):
            if token.kind == "text":
                body += token.text
            elif token.starts("br"):
                body += "\n"
            elif token.text not in {"code", "span"}:
                raise NoMarkdownError(f"<{token.text}> in code")
        body = body.rstrip("\n")
        fence = "`" * max(3, _longest_run(body) + 1)
        return f"{fence}{next(self._fences, 'python')}\n{body}\n{fence}"

    def _table(self) -> str:
        rows: list[list[str]] = []
        while not (token := self._take()).ends("table"):
            if token.starts("tr"):
                rows.append([])
            elif token.starts("td", "th"):
                cell = self._inline(token.text).strip().replace("|", "\\|")
                self._end(token.text)
                rows[-1].append(cell)
            elif token.text.strip() and token.text not in {"thead", "tbody", "tr"}:
                raise NoMarkdownError(f"<{token.text}> in a table")
        if not rows:
            raise NoMarkdownError("<table>")
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])

    # ---- within a line ----------------------------------------

    def _inline(self, until: str) -> str:
        """Text up to an end tag, or to the next block."""
        found = ""
        while (token := self._next) is not None:
            if token.kind == "end" and token.text == until:
                break
            if token.kind == "start" and token.text in BLOCKS:
                if until in {"", "li"}:
                    break
                raise NoMarkdownError(f"<{token.text}> in <{until}>")
            if token.kind == "end":
                if not until:
                    break
                raise NoMarkdownError(f"</{token.text}>")
            self._at += 1
            found += self._text(token.text) if token.kind == "text" else self._element(token)
        return _AT_LINE_START.sub(r"\1\\", found) if until in {"", "p", "div", "li"} else found

    def _element(self, token: Token) -> str:
        name = token.text
        if name == "br":
            return "\\\n"
        if name == "code":
            return self._code_span()
        if name not in {*_MARKS, "a", "span"}:
            raise NoMarkdownError(f"<{name}>")
        inside = self._inline(name)
        self._end(name)
        if name == "a":
            return f"[{inside}]({dict(token.attributes).get('href', '')})"
        mark = _MARKS.get(name, "")
        if not mark or not inside.strip():
            return inside
        lead, tail = inside[: len(inside) - len(inside.lstrip())], inside[len(inside.rstrip()) :]
        return f"{lead}{mark}{inside.strip()}{mark}{tail}"

    def _code_span(self) -> str:
        body = ""
        while not (token := self._take()).ends("code"):
            if token.kind != "text":
                raise NoMarkdownError(f"<{token.text}> in code")
            body += token.text
        mark = "`" * (_longest_run(body) + 1)
        space = " " if body.startswith("`") or body.endswith("`") else ""
        return f"{mark}{space}{body}{space}{mark}"

    def _text(self, text: str) -> str:
        """Text with its signs escaped, and math as an author writes it."""
        text = _SPACE.sub(" ", text)
        found, at = "", 0
        for math in _MATH.finditer(text):
            found += self._plain(text[at : math.start()])
            found += f"${math[1].strip()}$" if math[1] is not None else f"$${math[2].strip()}$$"
            at = math.end()
        return found + self._plain(text[at:])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
