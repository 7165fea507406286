"""Notes of a Markdown file: `Q:` and `A:`, headings with the text below them, and texts with deletions.

`{{c1::…}}` is a deletion wherever it stands. `==…==` is one where every block of a section holds one: elsewhere it may
be a highlight, and stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from llmdrills.content.cloze import opaque_spans
from llmdrills.errors import UsageError
from llmdrills.importing.deletions import holds_deletion
from llmdrills.importing.found import File, Found, Remark, short
from llmdrills.importing.media import FolderMedia
from llmdrills.importing.textfile import read_utf8
from llmdrills.language import Bilingual

__all__ = ["documented"]

_QUESTION = re.compile(
    r"(?:\*\*|__)?(?:Q|Question|问|问题)(?:[:：](?:\*\*|__)?|(?:\*\*|__)[:：])\s*(.*)", re.IGNORECASE
)
_ANSWER = re.compile(r"(?:\*\*|__)?(?:A|Answer|答|答案)(?:[:：](?:\*\*|__)?|(?:\*\*|__)[:：])\s*(.*)", re.IGNORECASE)
_LIGHT = re.compile(r"(?<![=\\])==(?![=\s])((?:(?!==)[^\n])+?)(?<![=\s\\])==(?!=)")
_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_NEVER_NOTES = {"hr", "html_block"}

_LINE = Bilingual("line {n}", "第 {n} 行")
_NO_NOTES = Bilingual("{path} holds no notes", "{path} 中没有笔记")
_WRITE = Bilingual(
    "write `Q:` and `A:`, headings with text below them, or `{{{{c1::…}}}}`",
    "请写成 `Q:` 与 `A:`、标题加正文，或 `{{{{c1::…}}}}`",
)
_MATTER_LEFT = Bilingual("what stands above the text between `---` is left out", "未使用正文之前 `---` 之间的内容")
_NO_ANSWER = Bilingual("a question without an answer (`A:`)", "有问题而没有答案（`A:`）")
_NO_QUESTION = Bilingual("an answer without a question (`Q:`)", "有答案而没有问题（`Q:`）")
_LOOSE = Bilingual("it belongs to no heading and no question, and hides nothing", "不属于任何标题或问题，也没有挖空")
_BETWEEN = Bilingual(
    "its section holds questions or deletions, and it is none of them", "所在小节有问答或挖空，而它不属于其中"
)
_BARE = Bilingual("nothing stands under this heading", "该标题下没有正文")
_LIT = Bilingual(
    "`==…==` stays as it is: other blocks of its section have none, so it may be a highlight",
    "`==…==` 保持原样：同一小节的其他段落没有，可能只是高亮",
)


@dataclass(frozen=True)
class _Block:
    kind: str  # as markdown-it calls it
    line: int  # from 1
    text: str
    level: int = 0  # of a heading


@dataclass
class _Section:
    """A heading (or the beginning of the file), and what stands under it."""

    heading: _Block | None = None
    blocks: list[_Block] = field(default_factory=list)


@dataclass
class _Pair:
    line: int
    front: list[str] = field(default_factory=list)
    back: list[str] | None = None

    def add(self, text: str, *, apart: bool) -> None:
        side = self.front if self.back is None else self.back
        side.append(("\n\n" if apart and side else "\n" if side else "") + text)


def documented(path: Path) -> File:
    """What the Markdown file holds. Raises UsageError."""
    text = read_utf8(path)
    found = File(title=path.stem, media=FolderMedia(path.parent))
    if matter := _MATTER.match(text):
        text = "\n" * matter[0].count("\n") + text[matter.end() :]
        found.said.append(_MATTER_LEFT)
    for section in _sections(_without_comments(text)):
        _read(section, found)
    if not found.notes and not found.refused:
        raise UsageError(_NO_NOTES.format(path=path), _WRITE.format())
    return found


def _without_comments(text: str) -> str:
    """Comments are no text; the lines stay where they are."""
    spans = opaque_spans(text)

    def blank(one: re.Match[str]) -> str:
        inside = any(start <= one.start() < end for start, end in spans)
        return one[0] if inside else "\n" * one[0].count("\n")

    return _COMMENT.sub(blank, text)


def _sections(text: str) -> list[_Section]:
    from markdown_it import MarkdownIt  # here, because it takes a while and only this needs it

    lines = text.split("\n")
    found = [_Section()]
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for place, token in enumerate(tokens):
        if token.level or token.map is None or token.nesting < 0:
            continue
        start, end = token.map
        kind = token.type.removesuffix("_open")
        body = "\n".join(lines[start:end]).rstrip()
        if kind == "heading":
            heading = _Block(kind, start + 1, tokens[place + 1].content.strip(), int(token.tag[1]))
            found.append(_Section(heading))
        else:
            found[-1].blocks.append(_Block(kind, start + 1, body))
    return found


def _read(section: _Section, found: File) -> None:
    loose, pairs = _pairs(section.blocks)
    for pair in pairs:
        _take_pair(pair, found)
    loose = [block for block in loose if block.kind != "hr"]
    lit = [bool(_lights(block.text)) for block in loose]
    clozes = [block for block in loose if block.kind != "fence" and holds_deletion(block.text)]
    if not pairs and not clozes and lit and all(lit):
        for block in loose:
            _take_cloze(block, _numbered(block.text), found)
        return
    for block in clozes:
        _take_cloze(block, block.text, found)
    rest = [block for block in loose if block not in clozes]
    heading = section.heading
    if heading is not None and not pairs and not clozes and rest:
        lost = (_LIT,) if any(lit) else ()
        back = "\n\n".join(block.text for block in rest)
        place = _LINE.format(n=heading.line)
        found.notes.append(Found(place, "question", heading.text, back, lost=lost, markdown=True))
    elif rest:
        why = _BETWEEN if pairs or clozes else _LOOSE
        found.refused += [Remark(_LINE.format(n=block.line), short(block.text), why) for block in rest]
    elif heading is not None and not pairs and not clozes:
        found.refused.append(Remark(_LINE.format(n=heading.line), short(heading.text), _BARE))


def _pairs(blocks: list[_Block]) -> tuple[list[_Block], list[_Pair]]:
    """The blocks that belong to no question, and the questions with their answers."""
    loose: list[_Block] = []
    pairs: list[_Pair] = []
    open_: _Pair | None = None
    for block in blocks:
        if block.kind == "hr":
            open_ = None
        elif block.kind != "paragraph":
            if open_ is None:
                loose.append(block)
            else:
                open_.add(block.text, apart=True)
        else:
            before: list[str] = []
            for number, line in enumerate(block.text.split("\n")):
                stripped = line.strip()
                if question := _QUESTION.fullmatch(stripped):
                    open_ = _Pair(block.line + number, [question[1]] if question[1] else [])
                    pairs.append(open_)
                elif (answer := _ANSWER.fullmatch(stripped)) and (open_ is None or open_.back is None):
                    if open_ is None:
                        open_ = _Pair(block.line + number)
                        pairs.append(open_)
                    open_.back = [answer[1]] if answer[1] else []
                elif open_ is not None:
                    open_.add(line, apart=number == 0)
                else:
                    before.append(line)
            if before:
                loose.append(_Block(block.kind, block.line, "\n".join(before)))
    return loose, pairs


def _take_pair(pair: _Pair, found: File) -> None:
    place = _LINE.format(n=pair.line)
    front, back = "".join(pair.front), "".join(pair.back or [])
    if pair.back is None or not front.strip():
        why = _NO_ANSWER if pair.back is None else _NO_QUESTION
        found.refused.append(Remark(place, short(front or back), why))
        return
    found.notes.append(Found(place, "question", front, back, markdown=True))


def _take_cloze(block: _Block, text: str, found: File) -> None:
    found.notes.append(Found(_LINE.format(n=block.line), "cloze", text, markdown=True))


def _lights(text: str) -> list[re.Match[str]]:
    spans = opaque_spans(text)
    return [one for one in _LIGHT.finditer(text) if not any(start <= one.start() < end for start, end in spans)]


def _numbered(text: str) -> str:
    """The text with a deletion for each `==…==`."""
    found = _lights(text)
    for number, one in reversed(list(enumerate(found, 1))):
        text = f"{text[: one.start()]}{{{{c{number}::{one[1]}}}}}{text[one.end() :]}"
    return text
