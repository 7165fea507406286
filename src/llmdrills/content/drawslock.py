"""draws.lock: the seeds of a kata's domain that a grade draws from, chosen and admitted by `llmdrills check --holes`.

    {"schema": 1, "source": "16 hex digits", "meaning": "16 hex digits", "torch": "2.13.0",
     "variants": {"standard": [12, 7, 404, …]}}

The seeds of a variant stand in the order in which they were chosen: the first ones expose most. `source` is the hash of
the files that they were drawn and proven with, and `meaning` that of the kernels and cases in them, whatever is said of
them in comments, in the feedback of slips, and on cards. A lock that fits neither is stale, and nothing is drawn.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmdrills.content.syntax import parsed
from llmdrills.files import write_atomically

__all__ = ["DrawsLock", "lock_file", "meaning_of", "read_lock", "source_of", "write_lock"]

_SOURCES = ("reference.py", "cases.py", "slips.yaml")
_SOLUTION = "solution.py"  # only where another engine than torch runs attempts: elsewhere it changes no hash
_TOLD = frozenset({"en", "zh", "seen", "card", "note", "proof", "why"})
"""Keys of slips.yaml that change no kernel."""


@dataclass(frozen=True)
class DrawsLock:
    """What the file holds: seeds by variant, the hashes of the sources, the torch under which they were admitted (its
    release, without what it was built for)."""

    source: str
    torch: str
    variants: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    meaning: str = ""

    def fits(self, folder: Path) -> bool:
        """Whether the kata's kernels and cases are those that the seeds were chosen for."""
        return self.source == source_of(folder) or self.meaning == meaning_of(folder) != ""

    def seeds(self, variant: str) -> tuple[int, ...]:
        """The variant's seeds; none where it has no domain."""
        return self.variants.get(variant, ())


def lock_file(folder: Path) -> Path:
    """Where a kata's lock is."""
    return folder / "draws.lock"


def _sources(folder: Path) -> tuple[str, ...]:
    return (*_SOURCES, _SOLUTION) if (folder / _SOLUTION).exists() else _SOURCES


def source_of(folder: Path) -> str:
    """The hash of what the draws of a kata depend on."""
    found = hashlib.sha256()
    for name in _sources(folder):
        path = folder / name
        data = path.read_bytes().replace(b"\r\n", b"\n") if path.exists() else b""
        found.update(f"{name} {len(data)}\n".encode() + data)
    return found.hexdigest()[:16]


def meaning_of(folder: Path) -> str:
    """The hash of what the files make, without comments and layout; empty where one cannot be read."""
    found = hashlib.sha256()
    try:
        for name in _sources(folder):
            path = folder / name
            text = path.read_text("utf-8") if path.exists() else ""
            meant = _slips(text) if path.suffix == ".yaml" else ast.unparse(parsed(text))
            found.update(f"{name} {len(meant)}\n{meant}".encode())
    except (OSError, ValueError, SyntaxError, RecursionError):
        return ""  # whoever reads the kata says what is wrong
    return found.hexdigest()[:16]


def _slips(text: str) -> str:
    """The kernels that slips.yaml makes, as text. Raises ValueError for what is no YAML."""
    import yaml

    try:
        data = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe
    except yaml.YAMLError as error:
        raise ValueError("no YAML") from error
    return json.dumps(_meant(data), sort_keys=True)


def _meant(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _meant(value) for key, value in data.items() if key not in _TOLD}
    return [_meant(one) for one in data] if isinstance(data, list) else str(data)


def read_lock(folder: Path) -> DrawsLock | None:
    """The kata's lock; None where there is none, or none that can be read: it is then as good as stale."""
    try:
        data = json.loads(lock_file(folder).read_text("utf-8"))
        variants = {str(name): tuple(map(_seed, seeds)) for name, seeds in data["variants"].items()}
        torch = str(data["torch"]).partition("+")[0]
        return DrawsLock(str(data["source"]), torch, variants, str(data.get("meaning", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_lock(folder: Path, lock: DrawsLock) -> bool:
    """Write the kata's lock; whether it changed."""
    variants = ",\n".join(f"  {json.dumps(name)}: {json.dumps(list(seeds))}" for name, seeds in lock.variants.items())
    hashes = f' "source": {json.dumps(lock.source)},\n "meaning": {json.dumps(lock.meaning)},\n'
    head = f'{{"schema": 1,\n{hashes} "torch": {json.dumps(lock.torch)},\n'
    text = f'{head} "variants": {{\n{variants}\n }}}}\n'
    path = lock_file(folder)
    if path.exists() and path.read_text("utf-8") == text:
        return False
    write_atomically(path, text)
    return True


def _seed(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value
