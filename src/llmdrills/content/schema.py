"""Make the JSON Schemas in docs/schema/, which editors use, from the shapes that read the YAML files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmdrills.content.casetexts import case_texts_shape
from llmdrills.content.deckfile import DECK
from llmdrills.content.katafile import KATA
from llmdrills.content.referencetexts import reference_texts_shape
from llmdrills.content.shapes import Record
from llmdrills.content.slips import SLIPS

__all__ = [
    "SCHEMAS",
    "case_texts_schema",
    "deck_schema",
    "kata_schema",
    "reference_texts_schema",
    "slips_schema",
    "write_schemas",
]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def deck_schema() -> dict[str, Any]:
    """What decks/NAME.yaml may hold. References, ids and which languages a text needs are the loader's to check."""
    return _whole(DECK, "llmdrills deck (decks/NAME.yaml)")


def kata_schema() -> dict[str, Any]:
    """What drills/KATA/kata.yaml may hold."""
    return _whole(KATA, "llmdrills kata (drills/KATA/kata.yaml)")


def slips_schema() -> dict[str, Any]:
    """What drills/KATA/slips.yaml may hold. Whether an edit fits its kernel is the loader's to check."""
    return _whole(SLIPS, "llmdrills slips (drills/KATA/slips.yaml)")


def case_texts_schema() -> dict[str, Any]:
    """What drills/KATA/cases.zh.yaml may hold. Whether it says what cases.py says is `llmdrills check`'s to find."""
    return {
        "$schema": _DRAFT,
        "title": "llmdrills case texts (drills/KATA/cases.zh.yaml)",
    } | case_texts_shape().schema()


def reference_texts_schema() -> dict[str, Any]:
    """What drills/KATA/reference.zh.yaml may hold. Whether each `en` stands in reference.py is `llmdrills check`'s."""
    return _whole(reference_texts_shape(), "llmdrills reference texts (drills/KATA/reference.zh.yaml)")


SCHEMAS = {
    "deck.json": deck_schema,
    "kata.json": kata_schema,
    "slips.json": slips_schema,
    "case-texts.json": case_texts_schema,
    "reference-texts.json": reference_texts_schema,
}
"""File name in docs/schema → what it holds."""


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema into `folder`; returns the files that changed."""
    from llmdrills.files import write_atomically

    changed = []
    for name, make in SCHEMAS.items():
        text = json.dumps(make(), indent=2, ensure_ascii=False) + "\n"
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            write_atomically(path, text)
            changed.append(path)
    return changed


def _whole(record: Record, title: str) -> dict[str, Any]:
    return {"$schema": _DRAFT, "title": title} | record.schema()
