"""The pages that a reader reads, their fenced blocks, and the marks that say what a test does with each.

A mark is a comment of HTML, which no reader sees:

- `<!-- save: NAME -->` below a block: its text becomes that file, as a reader would write it.
- `<!-- given: WORDS -->`: something that a reader has by then, and made by `GIVEN` of the test that runs the page.
- `<!-- not run: WHY -->` above a block of commands: no test can run it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Block", "Step", "blocks", "pages", "prose", "script"]

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(
    r"(?:<!-- not run: (?P<why>.*?) -->\n\n?)?"
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$"
    r"(?:\n\n?<!-- (?P<mark>save|edit): (?P<name>.*?) -->)?",
    re.MULTILINE | re.DOTALL,
)
_GIVEN = re.compile(r"<!-- given: (.*?) -->")


class Block(NamedTuple):
    """A fenced block: where it begins, its language, its text, the file that it becomes, and why it is not run."""

    at: int
    language: str
    text: str
    file: str
    why: str


class Step(NamedTuple):
    """What is done next with a page: "run" a command and compare, "save" a file, or see to what is "given"."""

    kind: str
    what: str
    text: str


def pages() -> list[str]:
    """Every page of the checkout that somebody reads, as a path from its root."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in _FENCE.finditer(text):
        lines = found["text"].splitlines(keepends=True)
        inner = "".join(line.removeprefix(found["indent"]) for line in lines)
        name = found["name"] if found["mark"] == "save" else ""
        yield Block(found.start(), found["language"], inner, name or "", found["why"] or "")


def script(text: str) -> list[Step]:
    """What a reader of the page does, in order."""
    steps: list[tuple[int, Step]] = [(found.start(), Step("given", found[1], "")) for found in _GIVEN.finditer(text)]
    for block in blocks(text):
        if block.file:
            steps.append((block.at, Step("save", block.file, block.text)))
        elif block.language == "console" and not block.why:
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                steps.append((block.at, Step("run", command, output)))
    return [step for _, step in sorted(steps, key=lambda pair: pair[0])]


def prose(text: str) -> str:
    """A page without its fenced blocks and comments."""
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", text), flags=re.DOTALL)
