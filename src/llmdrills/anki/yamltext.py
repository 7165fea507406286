"""Replace one text in a deck file, and leave every other byte and every other value as it is."""

from __future__ import annotations

from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]  # the pure one stands in

__all__ = ["CannotWriteError", "find", "put"]

_BLOCK = frozenset({"|", ">"})


class CannotWriteError(Exception):
    """The text cannot be replaced without touching more than it."""


def find(text: str, note: str, path: tuple[str, ...]) -> yaml.ScalarNode | None:
    """The scalar at a path of a note ("items", "0", "en"); a text without languages stands for each of them."""
    at: Any = yaml.compose(text, Loader=_Loader)
    at = _value(at, "notes")
    at = next((one for one in getattr(at, "value", []) if getattr(_value(one, "id"), "value", None) == note), None)
    for key in path:
        if isinstance(at, yaml.SequenceNode):
            at = at.value[int(key)] if int(key) < len(at.value) else None
        elif isinstance(at, yaml.MappingNode):
            at = _value(at, key)
        elif not (isinstance(at, yaml.ScalarNode) and key == path[-1]):
            return None
    return at if isinstance(at, yaml.ScalarNode) else None


def put(text: str, note: str, path: tuple[str, ...], value: str) -> str:
    """The file's text with another value in that place, in the style that it has, or in one that can hold it.

    Raises CannotWriteError.
    """
    node = find(text, note, path)
    if node is None:
        raise CannotWriteError("there is no such text")
    start, end = _offset(text, node.start_mark), _offset(text, node.end_mark)
    wanted = _loaded(text)
    _replace(wanted, note, path, value)
    for written in _forms(text, node, start, value):
        raw = text[start:end]
        tail = raw[len(raw.rstrip()) :] if node.style in _BLOCK else ""
        changed = text[:start] + written + tail + text[end:]
        try:
            if _loaded(changed) == wanted:
                return changed
        except yaml.YAMLError:
            continue  # this style cannot hold it: the next may
    raise CannotWriteError("no style of YAML holds it here")


def _value(node: Any, key: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if getattr(name, "value", None) == key), None)


def _offset(text: str, mark: Any) -> int:
    place = 0
    for _ in range(mark.line):
        place = text.index("\n", place) + 1
    return int(place + mark.column)


def _loaded(text: str) -> Any:
    return yaml.load(text, _Loader)  # a safe loader


def _forms(text: str, node: yaml.ScalarNode, start: int, value: str) -> list[str]:
    """How the value can be written, the author's own style first."""
    newline = "\r\n" if "\r\n" in text else "\n"
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start:start]
    indent = len(line) - len(line.lstrip(" "))
    while line[indent:].startswith("- "):
        indent += 2
    last = value[len(value.rstrip("\n")) :]
    keep = "-" if not last else "" if last == "\n" else "+"
    body = value[: len(value) - len(last)]
    lines = [f"{' ' * (indent + 2)}{one}" if one else "" for one in body.split("\n")]
    block = f"|{keep}{newline}{newline.join(lines)}{newline * max(0, len(last) - 1)}"
    single = "'" + value.replace("'", "''") + "'"
    double = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    plain = [] if "\n" in value else [value]
    quoted = [double] if "\n" in value else [single, double]
    in_flow = "{" in line
    if node.style in _BLOCK:
        return [block, *quoted]
    if node.style == '"':
        return [*([] if "\\" in value else [double]), *quoted, double, *([] if in_flow else [block])]
    if node.style == "'":
        return [*quoted, *([] if in_flow else [block])]
    if "\n" in value and not in_flow:
        return [block, double]
    return [*plain, *quoted]


def _replace(document: Any, note: str, path: tuple[str, ...], value: str) -> None:
    for one in document["notes"]:
        if one.get("id") == note:
            at = one
            for key in path[:-1]:
                inner = at[int(key)] if isinstance(at, list) else at[key]
                if not isinstance(inner, dict | list):  # one text for both languages
                    break
                at = inner
            else:
                key = path[-1]
                at[int(key) if isinstance(at, list) else key] = value
                return
            at[int(key) if isinstance(at, list) else key] = value
            return
