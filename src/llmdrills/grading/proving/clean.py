"""What was found clean is not looked at again until a file of the workspace, or of this package, changes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from llmdrills.content.workspacefile import FILE_NAME
from llmdrills.errors import Problem
from llmdrills.files import write_atomically

__all__ = ["unless_clean"]

_LEFT_OUT = {"__pycache__", ".ruff_cache", ".mypy_cache"}


def unless_clean(
    root: Path, cache_dir: Path | None, name: str, look: Callable[[], Iterable[Problem]]
) -> tuple[Problem, ...]:
    """The problems that `look` finds in the workspace; none, without looking, where it found none in the same files.

    `name` says what it looks at. What it finds must depend on decks/, drills/ and workspace.toml alone. Only a clean
    result is kept: a problem is found anew each time, so that it is told with the places of today.
    """
    key = _digest(root) if cache_dir is not None else ""
    memo = cache_dir / "check" / f"clean-{name}.json" if cache_dir is not None else None
    if memo is not None and _kept(memo) == key:
        return ()
    found = tuple(look())
    if memo is not None and not found:
        try:
            write_atomically(memo, json.dumps(key), durable=False)
        except OSError:
            return found  # a cache that cannot be written only costs time
    return found


def _kept(memo: Path) -> object:
    try:
        return json.loads(memo.read_text("utf-8"))
    except (OSError, ValueError):
        return None  # never written, or damaged


def _digest(root: Path) -> str:
    """Of every file that is looked at, and of what looks: this package, the libraries it asks for, Python."""
    own = Path(__file__).resolve().parents[2]
    hashed = hashlib.sha256(sys.version.encode())
    for asked in importlib.metadata.requires("llmdrills") or ():
        library = re.split(r"[^\w.-]", asked, maxsplit=1)[0]
        try:
            hashed.update(f"{library} {importlib.metadata.version(library)}\n".encode())
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed
    for folder in (root / "decks", root / "drills", own):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not _LEFT_OUT & set(path.parts):
                hashed.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    about = root / FILE_NAME
    hashed.update(about.read_bytes() if about.is_file() else b"none")
    return hashed.hexdigest()
