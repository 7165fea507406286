"""From a YAML file to nodes that know where they stand. Problems are reported, never raised.

YAML's anchors and aliases are composed as shared nodes, which the reader refuses (`shapes.Reader.again`): nothing is
ever expanded, so a "billion laughs" file costs no more than its own length.
"""

from __future__ import annotations

import contextlib
import gc
import operator
import re
from typing import TYPE_CHECKING

import yaml

from llmdrills.content.yamlfault import syntax_fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmdrills.content.report import Report

__all__ = ["CONTROL", "MAX_DEPTH", "compose", "compose_text", "paused_gc", "read_text"]

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # PyYAML was built without libyaml: same result, but about fifteen times slower
    from yaml import SafeLoader as _Base  # type: ignore[assignment]  # the pure one stands in


class _Loader(_Base):
    """Resolves a plain word once: a deck of ten thousand notes has ten keys, each ten thousand times.

    Nothing here depends on the path to a value: the safe loader has no path resolvers.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._tags: dict[str | None, str] = {}

    # Called before and after every node, to do nothing: built-in functions do it in a third of the time.
    descend_resolver = operator.is_  # type: ignore[assignment]  # its answer is not looked at
    ascend_resolver = bool  # type: ignore[assignment]  # nor is its

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool]) -> str:
        """The tag of a node without one, as PyYAML gives it."""
        if kind is not yaml.ScalarNode:
            return "tag:yaml.org,2002:map" if kind is yaml.MappingNode else "tag:yaml.org,2002:seq"
        if not implicit[0]:  # quoted
            return "tag:yaml.org,2002:str"
        tag = self._tags.get(value)
        if tag is None:
            found = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]  # PyYAML leaves it untyped
            tag = self._tags[value] = str(found)
        return tag


MAX_DEPTH = 100
"""Levels of nesting beyond which a file is refused: composing recurses in C, and a stack overflow kills the process."""

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_DEEP_INDENT = re.compile(rb"\n[ \-?:\t]{%d}" % MAX_DEPTH)  # it begins with a plain byte, which is found fast


@contextlib.contextmanager
def paused_gc() -> Iterator[None]:
    """Pause the garbage collector: parsing makes a million small objects, and collecting takes most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # What was made meanwhile counts as old at once: the next collection would look at a million young objects.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def read_text(path: Path, report: Report) -> str | None:
    """The text of a UTF-8 file, or None after reporting why there is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        report.add(
            path, 1, 1, f"cannot be read ({error.strerror or error})", "check that it is a file and its permissions"
        )
        return None
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        report.add(path, 1, 1, "the file begins with a byte-order mark", "save it as UTF-8 without BOM")
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode("utf-8"), error.start)
        report.add(path, line, column, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        return None
    if found := CONTROL.search(text):
        line, column = _place(text, found.start())
        report.add(path, line, column, f"holds the control character U+{ord(found[0]):04X}", "delete that character")
        return None
    return text


def compose(path: Path, report: Report) -> yaml.Node | None:
    """The root node of a YAML file, or None after reporting why there is none."""
    text = read_text(path, report)
    return None if text is None else compose_text(text, path, report)


def compose_text(text: str, path: Path, report: Report) -> yaml.Node | None:
    """The same of a text that `read_text` gave."""
    try:
        if _may_be_deep(text) and _is_deep(text, path, report):
            return None
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        fault = syntax_fault(text, error)
        report.add(path, fault.line, fault.column, fault.what, fault.todo)
        return None
    if node is None:
        report.add(path, 1, 1, "the file is empty", "write its keys, or delete it")
    return node


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _may_be_deep(text: str) -> bool:
    """A cheap upper bound: brackets that do not pair off within a few rounds, or a very deep indent."""
    data = text.encode("utf-8")
    if _DEEP_INDENT.search(b"\n" + data):
        return True
    brackets = data.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH // 2):
        shorter = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    return len(brackets) >= MAX_DEPTH // 2


def _is_deep(text: str, path: Path, report: Report) -> bool:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            mark = event.start_mark
            if depth > MAX_DEPTH and mark is not None:
                report.add(
                    path,
                    mark.line + 1,
                    mark.column + 1,
                    f"nested more than {MAX_DEPTH} levels deep",
                    "write it flatter",
                )
                return True
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return False
