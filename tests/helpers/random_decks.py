"""Deck files as people write them: block texts, comments, both quotes, CRLF; and what each of their texts says."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field

import yaml

_WORDS = [
    "one",
    "two",
    "the",
    "keys",
    "a: b",
    "PR",
    "query",
    "it's",
    'say "so"',
    "100%",
    "a/b",
    "x - y",
    "注意力",
    "é",
    "a & b",
]
_MATH = [r"$\frac{a}{b}$", r"$\beta$", r"$\theta_1$", r"$n^2 d$", r"$\nabla f$", r"$\rho$", r"$x < y$"]
_CODE = ["`x[1]`", "`# no`", "`a\\b`", "`{k: v}`"]
_LINES = [
    "# Heading",
    "- an item",
    "1. first",
    "> said",
    "```python\nx = {1: 2}  # two\nif x:\n\n    y = '#'\n```",
    "- - -",
]


@dataclass
class Written:
    """One note: its id, and its texts by key path without the language."""

    id: str
    texts: dict[str, str] = field(default_factory=dict)


def text(rng: random.Random) -> str:
    """A Markdown text of one or several paragraphs."""
    parts = [_line(rng)]
    for _ in range(rng.choice([0, 0, 0, 1, 2, 3])):
        parts.append(rng.choice(["\n", "\n\n"]))
        parts.append(rng.choice(_LINES) if rng.random() < 0.5 else _line(rng))
    return "".join(parts)


def _line(rng: random.Random) -> str:
    pieces = [rng.choice(rng.choice([_WORDS, _WORDS, _MATH, _CODE])) for _ in range(rng.randint(1, 6))]
    return " ".join([rng.choice("ABCDW"), *pieces, str(rng.randint(0, 10**9))])


def deck(rng: random.Random, name: str, notes: int, languages: tuple[str, ...] = ("en",)) -> tuple[str, list[Written]]:
    """The text of a deck file, and what it says."""
    step = rng.choice([0, 2, 4])
    lines = [f"deck: {name}", "title: Words" if len(languages) == 1 else "title: {en: Words, zh: 词}"]
    if rng.random() < 0.3:
        lines.insert(0, "# The first line.")
    if len(languages) == 1:
        lines.append(f"languages: [{languages[0]}]")
    lines.append("notes:")
    written = []
    for number in range(notes):
        one, body = _note(rng, f"{name}-{number}", step + 2)
        for _ in range(rng.choice([0, 0, 1])):
            lines.append("")
        if rng.random() < 0.3:
            lines.append(" " * (step if rng.random() < 0.7 else 0) + "# about the next: note")
        lines += [" " * step + "- " + body[0].lstrip(), *body[1:]]
        written.append(one)
    end = rng.choice(["\n", "\n", "", "\n\n", "\n# the end\n"])
    joined = "\n".join(lines) + end
    return (joined.replace("\n", "\r\n") if rng.random() < 0.4 else joined), written


def _note(rng: random.Random, slug: str, margin: int) -> tuple[Written, list[str]]:
    kind = rng.choice(["question", "question", "checklist"])
    note = Written(slug)
    pad = " " * margin
    lines = [f"{pad}id: {slug}{rng.choice(['', '  # its id'])}"]
    keys = [f"{pad}type: {kind}", f"{pad}topic: transformer", f"{pad}sources: [A paper]"]
    blocks = [_key(rng, note, "front", margin)]
    blocks.append(_items(rng, note, margin) if kind == "checklist" else _key(rng, note, "back", margin))
    if rng.random() < 0.3:
        blocks.append(_key(rng, note, "extra", margin))
    blocks += [[key] for key in keys]
    rng.shuffle(blocks)
    return note, [*lines, *[line for block in blocks for line in block]]


def _items(rng: random.Random, note: Written, margin: int) -> list[str]:
    pad = " " * margin
    lines = [f"{pad}items:"]
    for number in range(2):
        found = _key(rng, note, f"items.{number}", margin + 2)
        lines += [f"{pad}  - " + found[0].lstrip().partition(": ")[2], *found[1:]]
    return lines


def _key(rng: random.Random, note: Written, key: str, margin: int) -> list[str]:
    """`key: value` with the value in one of YAML's ways."""
    said = text(rng)
    note.texts[key] = said
    return [
        " " * margin + f"{key}: {first}" if at == 0 else first for at, first in enumerate(_value(rng, said, margin))
    ]


def _value(rng: random.Random, said: str, margin: int) -> list[str]:
    ways = ["|", "|", "|-", "|+", '"']
    if "\n" not in said:
        ways += ["'", "'"]
        if _is_plain(said):
            ways += ["plain", ">"]
    way = rng.choice(ways)
    if way == "plain":
        return [said]
    if way == "'":
        return ["'" + said.replace("'", "''") + "'" + rng.choice(["", "   # a remark"])]
    if way == '"':
        return [json.dumps(said, ensure_ascii=rng.random() < 0.2)]
    deep = " " * (margin + rng.choice([2, 3]))
    lines = [way, *(deep + line if line else "" for line in said.split("\n"))]
    return [*lines, *[""] * rng.choice([0, 0, 1, 2])]


def _is_plain(said: str) -> bool:
    """Whether YAML reads it as it stands: no quote, no `: `, no ` #`."""
    if re.search(r"[:#'\"{}\[\]&*!|>%@`,-]", said):
        return False
    return yaml.safe_load(f"a: {said}") == {"a": said}
