"""Writes docs/reference/messages.md and docs/reference/schema.md: `python docs/make_reference.py`; a test holds them.

The first is made from the source, where each error and problem says what is wrong and what to do; the second from the
shapes that read the YAML files.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the tests' way to read messages out of the source

from llmdrills.content.schema import SCHEMAS  # noqa: E402  # the path comes first
from llmdrills.messages import in_chinese  # noqa: E402
from tests.helpers.messages import Told, pairs  # noqa: E402

SOURCE = HERE.parent / "src" / "llmdrills"
AREAS = {
    "cli": "The command line",
    "settings": "Settings",
    "content": "Decks, katas and the workspace",
    "decks": "Packages and the lock",
    "grading": "Grading, and the proof of graders",
    "practice": "The history and the schedule",
    "readiness": "Readiness",
    "classroom": "A class",
    "web": "The page in the browser",
    "notebook": "The notebook",
    "anki": "Anki",
    "importing": "Imports",
    "": "Files and folders",
}
"""Part of the program → the heading under which its messages stand; what has no heading of its own comes last."""

MESSAGES_HEAD = """# Every message

What an error says, and what to do.
Written by `python docs/make_reference.py` from the source; `…` stands for a name, a place or a number.

An error of a command is one line, `llmdrills: WHAT: WHAT TO DO`, and ends it with 2.
A problem of a workspace begins with its place, `FILE:LINE:COLUMN:`, and all of them are told in one run.
With `--lang zh` the same is said in Chinese, as below.
Where the second column holds `…` alone, the message itself names what is near or what there is.
Verdicts on an attempt are [outcomes](outcomes.md), not errors.
"""
SCHEMA_HEAD = """# Keys of the YAML files

Every key that a file may hold, from the shapes that read it.
Written by `python docs/make_reference.py`; the JSON Schemas for editors lie beside this page in `schema/`.
[Formats](../formats.md) explains them with examples.
"""


class Entry(NamedTuple):
    """One message: what is wrong, and what to do."""

    what: Told
    todo: Told


def messages_page() -> str:
    """The whole page of messages."""
    parts: dict[str, list[Entry]] = {heading: [] for heading in AREAS.values()}
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE).parts[0]
        if place not in {"_vendor", "_workspace"}:
            heading = AREAS.get(place.removesuffix(".py"), AREAS[""])
            parts[heading] += [Entry(*one) for one in pairs(path)]
    text = MESSAGES_HEAD
    for heading, found in parts.items():
        if found:
            rows = sorted(set(found), key=lambda one: (one.what.en.lower(), one.todo.en, one.what.zh))
            text += f"\n## {heading}\n\n| it says | do | 中文 |\n|---|---|---|\n"
            text += "".join(f"{_row(one)}\n" for one in rows)
    return text


def _row(one: Entry) -> str:
    chinese = "：".join(part.zh or in_chinese(part.en) for part in one if part.en)
    return f"| {_cell(one.what.en)} | {_cell(one.todo.en) or '—'} | {_cell(chinese)} |"


def _cell(text: str) -> str:
    """A text that a table shows as it stands: fields as …, no markup but code."""
    shown = re.sub(r"\{[a-z_]+(?:[!:][^{}]*)?\}", "…", " ".join(text.split()))
    parts = re.split(r"(`[^`]*`)", shown)
    plain = [part if part.startswith("`") else re.sub(r"([*_<>$\[\]\\])", r"\\\1", part) for part in parts]
    return "".join(plain).replace("|", "\\|")


def schema_page() -> str:
    """The whole page of keys."""
    text = SCHEMA_HEAD
    for name, make in SCHEMAS.items():
        schema = make()
        title = schema["title"].partition("(")[2].removesuffix(")") or name
        text += f"\n## {title}\n\n`docs/schema/{name}`\n\n| key | must be there | what | takes |\n|---|---|---|---|\n"
        text += "".join(f"| `{path}` | {must} | {what} | {takes} |\n" for path, must, what, takes in _keys(schema, ""))
    return text


def _keys(schema: dict[str, Any], place: str) -> Iterator[tuple[str, str, str, str]]:
    needed = set(schema.get("required", ()))
    for name, inner in schema.get("properties", {}).items():
        path = f"{place}{name}"
        yield path, "yes" if name in needed else "", _cell(inner.get("description", "")), _takes(inner)
        yield from _below(inner, path)
    for inner in schema.get("patternProperties", {}).values():
        if inner.get("properties"):
            yield from _below(inner, f"{place}NAME")


def _below(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    """The keys within one, but those of a text in two languages, which are the same everywhere."""
    if "en" in schema.get("properties", {}) and not schema.get("required"):
        return
    yield from _keys(schema, f"{path}.")
    if isinstance(schema.get("items"), dict):
        yield from _below(schema["items"], f"{path}[]")
    for one in schema.get("anyOf", ()):
        yield from _below(one, path)


def _takes(schema: dict[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        kinds = [_takes(one) for one in schema["anyOf"]]
        return " or ".join(dict.fromkeys(kinds))
    if schema.get("type") == "object":
        return "a text in each language" if "en" in schema.get("properties", {}) else "a mapping"
    if schema.get("type") == "array":
        return f"a list of {_takes(schema['items'])}" if schema.get("items") else "a list"
    names = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}
    return names.get(str(schema.get("type")), "")


PAGES = {"messages.md": messages_page, "schema.md": schema_page}
"""File of docs/reference → what makes it."""

if __name__ == "__main__":
    for page, make_page in PAGES.items():
        (HERE / "reference" / page).write_text(make_page(), "utf-8")
