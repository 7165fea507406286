"""Reading `{{c1::hidden::hint}}`. Math (`$…$`) and code are opaque: a `}}` in them does not end a deletion."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Deletion", "Fault", "deletions", "faults", "opaque_spans"]

_OPAQUE = re.compile(r"```.*?```|`[^`\n]+`|\$\$.+?\$\$|(?<![\\$])\$(?=\S)(?:[^$\\]|\\.)+?(?<=\S)\$(?!\d)", re.DOTALL)
_TOKEN = re.compile(r"\{\{c(\d*)::|\}\}|\{\{")


@dataclass(frozen=True)
class Deletion:
    """One hidden part: its number, its text (with the hint, as written), and its offsets in the whole text."""

    number: int
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Fault:
    """What is wrong with the markup, and what to write."""

    what: str
    todo: str


def opaque_spans(text: str) -> list[tuple[int, int]]:
    """Offsets of the math and code in a Markdown text."""
    return [found.span() for found in _OPAQUE.finditer(text)]


def deletions(text: str) -> list[Deletion]:
    """The well-formed deletions, in order of their beginnings."""
    return sorted(_scan(text)[0], key=lambda one: one.start)


def faults(text: str) -> list[Fault]:
    """Everything wrong with the deletions of a cloze note's text."""
    found, wrong = _scan(text)
    if not found and not wrong:
        return [Fault("a cloze without a deletion", "hide a part: `{{c1::…}}`")]
    for one in found:
        if not one.text.split("::", maxsplit=1)[0].strip():
            wrong.append(Fault(f"`{{{{c{one.number}::}}}}` hides nothing", "write the hidden text after `::`"))
    return wrong


def _scan(text: str) -> tuple[list[Deletion], list[Fault]]:
    masked = list(text)
    for start, end in opaque_spans(text):
        # Math that holds a whole deletion is looked into: `$x = {{c1::y}}$` hides a part of a formula.
        if "{{c" not in text[start:end]:
            masked[start:end] = "\0" * (end - start)
    found: list[Deletion] = []
    wrong: list[Fault] = []
    open_: list[tuple[int, int, int]] = []
    for token in _TOKEN.finditer("".join(masked)):
        if token[0] == "}}":
            if open_:
                number, start, inner = open_.pop()
                found.append(Deletion(number, text[inner : token.start()], start, token.end()))
        elif token[0] == "{{":
            if not open_:
                wrong.append(Fault("`{{` that begins no deletion", "write `{{c1::…}}`, or `{ {` for braces"))
        elif not token[1] or int(token[1]) == 0:
            wrong.append(Fault(f"`{token[0]}` has no number", "number the deletions from c1: `{{c1::…}}`"))
        else:
            open_.append((int(token[1]), token.start(), token.end()))
    wrong += [Fault(f"`{{{{c{number}::` is never closed", "end it with `}}`") for number, _, _ in open_]
    return found, wrong
