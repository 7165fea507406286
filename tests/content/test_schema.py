"""The JSON Schemas for editors agree with the loader on the shipped files and on what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from llmdrills.content.load import deck_files, kata_folders
from llmdrills.content.schema import SCHEMAS, deck_schema, kata_schema, write_schemas
from tests.helpers.content_folder import Folder


def errors(schema: dict[str, Any], path: Path) -> list[str]:
    data = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(data)]


@pytest.mark.parametrize("make", SCHEMAS.values(), ids=SCHEMAS)
def test_should_make_a_schema_that_is_one(make: Any) -> None:
    Draft202012Validator.check_schema(make())


def test_should_find_the_shipped_files_true_to_the_schemas(root: Path) -> None:
    for path in deck_files(root):
        assert errors(deck_schema(), path) == [], path.name
    for folder in kata_folders(root):
        assert errors(kata_schema(), folder / "kata.yaml") == [], folder.name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type: question", "typ: question"),
        ("type: question", "type: essay"),
        ("type: question", "type: number"),
        ("type: question", "type: checklist"),
        ("id: scale", "id: Scale Up"),
        ("    kata: twice", "    items: [{en: a, zh: a}, {en: b, zh: b}]"),
        ("    kata: twice", "    retired: gone"),
        ("zh: 使方差保持为 1。}", "Deutsch: x}"),
        ("deck: small", "dek: small"),
        ("[ready-one]", "ready-one"),
    ],
)
def test_should_refuse_by_schema_what_the_loader_refuses(folder: Folder, old: str, new: str) -> None:
    path = folder.root / "decks/small.yaml"
    assert errors(deck_schema(), path) == []
    folder.edit("decks/small.yaml", old, new)
    assert errors(deck_schema(), path) != []
    assert folder.problems()


def test_should_find_the_committed_schemas_true_to_the_code(root: Path) -> None:
    for name, make in SCHEMAS.items():
        assert json.loads((root / "docs/schema" / name).read_text("utf-8")) == make(), (
            f"{name} is stale: write it with llmdrills.content.schema.write_schemas"
        )


def test_should_write_schemas_once(tmp_path: Path) -> None:
    assert len(write_schemas(tmp_path)) == len(SCHEMAS)
    assert write_schemas(tmp_path) == []
