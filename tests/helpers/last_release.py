"""What the first release (commit 7dc3306) left with its users: tests/fixtures/release-7dc3306."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmdrills.content.load import load_katas
from llmdrills.content.model import Kata
from llmdrills.decks.lock import Lock, parse_lock

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "release-7dc3306"


@lru_cache
def expected() -> dict[str, Any]:
    """What the release said of the history that it left."""
    return json.loads((FOLDER / "expected.json").read_text("utf-8"))


def history_copy(folder: Path) -> Path:
    """A copy of its history, to be opened and changed."""
    return Path(shutil.copy(FOLDER / "history.sqlite", folder / "history.sqlite3"))


def katas_of_the_release(root: Path) -> tuple[Kata, ...]:
    """Its katas as they are today, planned by the minutes, topics and requirements that they had."""
    known = expected()["katas"]
    return tuple(
        replace(
            kata,
            topic=known[kata.id]["topic"],
            minutes=known[kata.id]["minutes"],
            requires=tuple(known[kata.id]["requires"]),
            proves=tuple(known[kata.id]["proves"]),
        )
        for kata in load_katas(root)
        if kata.id in known
    )


def package(language: str) -> Path:
    """The package that the release published."""
    return FOLDER / f"llmdrills-{language}.apkg"


@lru_cache
def released_lock() -> Lock:
    """Its decks/deck.lock."""
    text = gzip.decompress((FOLDER / "deck.lock.gz").read_bytes()).decode("utf-8")
    return parse_lock(text, Path("deck.lock"))
