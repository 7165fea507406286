"""Documents that are executed: their commands run, what they print is compared, their tables are done in a terminal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Row", "cells", "checkout", "edits_and_commands", "files_and_commands", "matches", "rows", "run", "steps"]

_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EDIT = re.compile(r"^```python\n((?:(?!^```).)*)^```\n\n<!-- edit:", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```\w*\n((?:(?!^```).)*)^```\n\n<!-- (write|add to): (\S+) -->", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^```python\n((?:(?!^```).)*)^```\n\n<!-- cell:(.*?) ?-->", re.MULTILINE | re.DOTALL)
_ACTS = {"save": ("save", "保存"), "write": ("write", "写入"), "change": ("change", "把"), "press": ("press", "按")}
_TABLE = r"<!-- {place}:.*?-->\n(.*?)<!-- end of {place} -->"


class Row(NamedTuple):
    """One row of a table: what is seen, and what is done: "save" or "write" a file, "change" a text, "press" a key or a
    button, or nothing.

    `becomes` is what the text is changed to, or what the button stands beside.
    """

    seen: str
    act: str
    what: str
    becomes: str = ""


def steps(text: str) -> list[tuple[str, str]]:
    """(command, expected output), in order."""
    return [(one, output) for kind, one, output in edits_and_commands(text) if kind == "run"]


def edits_and_commands(text: str) -> list[tuple[str, str, str]]:
    """("run", command, expected output) and ("edit", Python, ""), in the order of the document."""
    found: list[tuple[int, tuple[str, str, str]]] = []
    for block in _BLOCK.finditer(text):
        for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((block.start(), ("run", command, output)))
    found += [(edit.start(), ("edit", edit[1], "")) for edit in _EDIT.finditer(text)]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def files_and_commands(text: str) -> list[tuple[str, str, str]]:
    """("run", command, expected output), ("write", path, content) and ("add to", path, content), in order.

    A block of code is a file's where `<!-- write: PATH -->` or `<!-- add to: PATH -->` follows it.
    """
    found: list[tuple[int, tuple[str, str, str]]] = []
    for block in _BLOCK.finditer(text):
        for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((block.start(), ("run", command, output)))
    found += [(file.start(), (file[2], file[3], file[1])) for file in _FILE.finditer(text)]
    return [one for _, one in sorted(found, key=lambda pair: pair[0])]


def cells(text: str) -> list[tuple[str, str]]:
    """The cells of a notebook that a page shows, in order: what is typed, and a part of what then stands below it."""
    return [(source.rstrip("\n"), shown.strip()) for source, shown in _CELL.findall(text)]


def rows(text: str, place: str = "terminal") -> Iterator[Row]:
    """The rows of the tables that are done in a place: in a `terminal` or in a `browser`."""
    for table in re.findall(_TABLE.format(place=place), text, re.DOTALL):
        for line in table.strip().splitlines()[2:]:
            seen, done = (cell.strip() for cell in line.strip("|").split("|"))
            named = [*re.findall(r"`([^`]+)`", done), "", ""]
            act = next((act for act, words in _ACTS.items() if done.startswith(words)), "")
            yield Row(seen.strip("`"), act, named[0] if act else "", named[1] if act in {"change", "press"} else "")


def matches(expected: str, got: str) -> bool:
    """Line by line; a line that is only … stands for any lines, within a line it is any characters."""
    pattern = ""
    for line in expected.rstrip("\n").split("\n"):
        part = r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        pattern += part
    return re.fullmatch(pattern, got.rstrip("\n") + "\n") is not None


def checkout(root: Path, target: Path, *files: str) -> Path:
    """What a reader has in front of them, without the tests."""
    for part in ("decks", "drills", "docs"):
        shutil.copytree(root / part, target / part)
    for file in files:
        shutil.copy(root / file, target)
    return target


def run(command: str, expected: str, folder: Path) -> str:
    """Run a command of a document there, and compare; what it printed."""
    script = Path(sys.executable).parent
    ran = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": f"{script}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode in {0, 1}, (command, ran.stderr)
    assert matches(expected or "…", ran.stdout), f"$ {command}\n{ran.stdout}\n--- is not\n{expected}"
    return ran.stdout
