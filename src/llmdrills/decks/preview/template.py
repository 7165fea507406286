"""Anki's card templates: fields, filters, conditionals, cloze.

The syntax is Anki's (manual, "Card Templates"); the tests hold every shipped card against the renderer of the real
backend. What is not covered: the filters furigana, kana, kanji and tts, and those of add-ons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

__all__ = ["CardTemplate", "cloze_numbers", "render"]

_TAG = re.compile(r"\{\{(?P<kind>[#^/]?)(?P<name>[^{}]+?)\}\}")
_CLOZE_OPEN = re.compile(r"\{\{c(\d+)::")
_EMPTY = re.compile(r"(?:\s|&nbsp;|<br\s*/?>|</?(?:div|p)[^>]*>)*", re.IGNORECASE)


@dataclass(frozen=True)
class CardTemplate:
    """One template of a note type: what the front and the back say."""

    name: str
    front: str
    back: str
    cloze: bool = False


@dataclass(frozen=True)
class _Side:
    fields: Mapping[str, str]
    number: int  # which cloze is asked; 0 for other note types
    answer: bool
    front_side: str


def render(template: CardTemplate, fields: Mapping[str, str], number: int = 0) -> tuple[str, str]:
    """The HTML of the question and of the answer; `number` is the cloze that this card asks, from 1."""
    question = _expand(template.front, _Side(fields, number, False, ""))
    answer = _expand(template.back, _Side(fields, number, True, question))
    return question, answer


def cloze_numbers(text: str) -> tuple[int, ...]:
    """The numbers of the clozes in a field, ascending: one card each."""
    return tuple(sorted({int(number) for number in _CLOZE_OPEN.findall(text)}))


def _filled(fields: Mapping[str, str], name: str, number: int) -> bool:
    if re.fullmatch(r"c\d+", name):
        return number == int(name[1:])
    return _EMPTY.fullmatch(fields.get(name, "")) is None


def _expand(text: str, side: _Side) -> str:
    out: list[str] = []
    shown = [True]  # the open conditionals, innermost last
    at = 0
    for tag in _TAG.finditer(text):
        if shown[-1]:
            out.append(text[at : tag.start()])
        at = tag.end()
        kind, name = tag["kind"], tag["name"].strip()
        if kind == "/":
            shown.pop()
        elif kind:
            shown.append(shown[-1] and _filled(side.fields, name, side.number) == (kind == "#"))
        elif shown[-1]:
            out.append(_field(name, side))
    if shown[-1]:
        out.append(text[at:])
    return "".join(out)


def _field(reference: str, side: _Side) -> str:
    *filters, name = reference.split(":")
    if name == "FrontSide":
        return side.front_side
    value = side.fields.get(name, "")
    for wanted in reversed(filters):
        if wanted == "cloze":
            value = _cloze(value, side)
        elif wanted == "type":
            value = _type_answer(value, side)
        elif wanted == "text":
            value = re.sub(r"<[^>]*>", "", value)
        elif wanted == "hint" and value:
            value = f'<a class="hint" href="#">{escape(name)}</a><div class="hint" style="display: none">{value}</div>'
    return value


def _type_answer(value: str, side: _Side) -> str:
    """The box on the front; on the back the right answer, as Anki shows it when nothing was typed."""
    if not value:
        return ""
    if not side.answer:
        return '<center><input type="text" id="typeans" autocomplete="off"></center>'
    return f'<div><code id="typeans">{value}</code></div>'


def _cloze(text: str, side: _Side) -> str:
    """Hide the cloze asked, show the others; nested clozes are resolved from the inside out."""
    found = _CLOZE_OPEN.search(text)
    if found is None:
        return text
    end = _cloze_end(text, found.end())
    if end is None:
        return text
    inner = text[found.end() : end]
    content, _, hint = inner.partition("::") if "{{c" not in inner else (inner, "", "")
    number = int(found[1])
    if number != side.number:
        shown = f'<span class="cloze-inactive" data-ordinal="{number}">{_cloze(content, side)}</span>'
    elif side.answer:
        shown = f'<span class="cloze" data-ordinal="{number}">{_cloze(content, side)}</span>'
    else:
        hidden = escape(content, quote=True)
        shown = f'<span class="cloze" data-cloze="{hidden}" data-ordinal="{number}">[{hint or "..."}]</span>'
    return text[: found.start()] + shown + _cloze(text[end + 2 :], side)


def _cloze_end(text: str, start: int) -> int | None:
    """Where the `}}` stands that closes a cloze opened before `start`; Anki counts only nested clozes."""
    depth, at = 1, start
    while at < len(text):
        if _CLOZE_OPEN.match(text, at):
            depth += 1
            at += 4
        elif text.startswith("}}", at):
            depth -= 1
            if depth == 0:
                return at
            at += 2
        else:
            at += 1
    return None
