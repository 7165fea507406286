"""Cut one note out of a deck file, so that everything else in the file stays as it is, byte for byte.

The note ends where its last value ends, by the parser's own marks: a line that begins with `#` may be text of a block.
What is left is parsed again, and the cut is refused unless every other note says exactly what it said before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from llmdrills.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cut", "cut", "places"]

# What YAML takes for the end of a line. `str.splitlines` knows more, which stand in the middle of a line here.
_LINE = re.compile("[^\r\n\x85\u2028\u2029]*(?:\r\n|[\r\n\x85\u2028\u2029]|$)")
_BY_HAND = "delete it by hand, then run this again"


@dataclass(frozen=True)
class Cut:
    """A note in a deck file: its text, the line where it starts (from 1), and the file's text without it.

    `rest` is None where it is the only note: a deck without notes is no deck.
    """

    file: Path
    line: int
    text: str
    rest: str | None


def places(root: Path, id: str) -> Iterator[Cut]:  # noqa: A002  # the word of the design
    """Where notes of that id stand in the decks of a workspace. Raises BuildError for files that cannot be read."""
    for file in sorted((root / "decks").glob("*.yaml")):
        try:
            text = file.read_bytes().decode("utf-8")  # line ends as they are
            tree = yaml.compose(text, Loader=yaml.CSafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BuildError(f"cannot read {file}: {error}", "run `llmdrills check` and fix it first") from None
        notes = _value(tree, "notes")
        if tree is None or not isinstance(notes, yaml.SequenceNode):
            continue
        for place, note in enumerate(notes.value):
            if getattr(_value(note, "id"), "value", None) == id:
                yield cut(file, text, tree, place)


def cut(file: Path, text: str, tree: yaml.Node, place: int) -> Cut:
    """The note at `place` among the notes of a parsed file, and the file without it. Raises BuildError."""
    notes = _value(tree, "notes")
    if not isinstance(notes, yaml.SequenceNode):
        raise BuildError(f"{file} has no list of notes", "run `llmdrills check` and fix it first")
    lines = _LINE.findall(text)
    note = notes.value[place]
    start, end = note.start_mark.line, _end(note)
    at = f"{file}:{start + 1}"
    if notes.flow_style or not lines[start].lstrip().startswith("- "):
        raise BuildError(f"{at}: this note is not written as a block", _BY_HAND)
    if len(notes.value) == 1:
        return Cut(file, start + 1, text, None)
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1  # blank lines belong to what follows
    wanted = _meaning(tree, without=place)
    for rest in _ways(lines, start, end, notes.start_mark.column):
        if _same(rest, wanted):
            return Cut(file, start + 1, "".join(lines[start:end]), rest)
    raise BuildError(f"{at}: without this note, the others in {file.name} would say something else", _BY_HAND)


def _ways(lines: list[str], start: int, end: int, margin: int) -> Iterator[str]:
    """The file without the lines from `start` to `end`; then with the comments that follow moved to the margin.

    A comment that stands deep in the file would become text of the block text before it.
    """
    before, after = lines[:start], lines[end:]
    yield "".join([*before, *after])
    comments = 0
    while comments < len(after) and (not after[comments].strip() or after[comments].lstrip(" \t").startswith("#")):
        comments += 1
    # Blank lines first would be part of a text that keeps its line ends (`|+`).
    moved = [" " * margin + line.lstrip(" \t") for line in after[:comments] if line.strip()]
    yield "".join([*before, *moved, *after[comments:]])


def _end(node: yaml.Node) -> int:
    """The line after the last one that holds text of the node."""
    while isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    mark = node.end_mark
    return int(mark.line if mark.column == 0 else mark.line + 1)


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if getattr(name, "value", None) == key), None)


def _same(text: str, wanted: Any) -> bool:
    try:
        return bool(_meaning(yaml.compose(text, Loader=yaml.CSafeLoader)) == wanted)
    except yaml.YAMLError:
        return False


def _meaning(tree: yaml.Node | None, without: int = -1) -> Any:
    """What a file says, as plain values that can be compared; `without` the note at that place."""
    if not isinstance(tree, yaml.MappingNode):
        return None
    return [
        (_plain(key), [_plain(one) for at, one in enumerate(value.value) if at != without])
        if getattr(key, "value", None) == "notes" and isinstance(value, yaml.SequenceNode)
        else (_plain(key), _plain(value))
        for key, value in tree.value
    ]


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.tag, node.value
    if isinstance(node, yaml.SequenceNode):
        return node.tag, [_plain(one) for one in node.value]
    return node.tag, [(_plain(key), _plain(value)) for key, value in node.value]
