"""What stands in a package, read from its bytes: no part of llmdrills looks at it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple


class Schema(NamedTuple):
    """A note type as Anki compares it: the ids of its fields and of its card templates, in order."""

    name: str
    fields: tuple[tuple[int, str], ...]
    templates: tuple[tuple[int, str], ...]

    def fits(self, other: Schema) -> bool:
        """Whether Anki takes them for one."""
        return all(
            [number for number, _ in mine] == [number for number, _ in theirs]
            for mine, theirs in ((self.fields, other.fields), (self.templates, other.templates))
        )


class Packed(NamedTuple):
    """A note of a package."""

    mtime: int
    model: int
    fields: tuple[str, ...]
    tags: tuple[str, ...]
    cards: frozenset[int]
    deck: str


class Package(NamedTuple):
    """Its notes by guid, and its note types by id."""

    notes: dict[str, Packed]
    types: dict[int, Schema]


def schema_of(model: dict) -> Schema:
    """Of a note type in JSON, as packages and the backend's own interface have it."""
    return Schema(
        model["name"],
        tuple((one["id"], one["name"]) for one in model["flds"]),
        tuple((one["id"], one["name"]) for one in model["tmpls"]),
    )


def read_package(path: Path) -> Package:
    """A package as `build` writes it."""
    with zipfile.ZipFile(path) as archive, tempfile.NamedTemporaryFile(suffix=".anki2") as copy:
        Path(copy.name).write_bytes(archive.read("collection.anki2"))
        with contextlib.closing(sqlite3.connect(copy.name)) as database:
            models, decks = (json.loads(text) for text in database.execute("select models, decks from col").fetchone())
            cards: dict[int, set[int]] = {}
            homes: dict[int, str] = {}
            for nid, place, did in database.execute("select nid, ord, did from cards"):
                cards.setdefault(nid, set()).add(place)
                homes[nid] = decks[str(did)]["name"]
            notes = {
                guid: Packed(
                    mtime,
                    mid,
                    tuple(fields.split("\x1f")),
                    tuple(tags.split()),
                    frozenset(cards.get(nid, ())),
                    homes.get(nid, ""),
                )
                for nid, guid, mtime, mid, fields, tags in database.execute(
                    "select id, guid, mod, mid, flds, tags from notes"
                )
            }
        database.close()
    return Package(notes, {int(mid): schema_of(model) for mid, model in models.items()})
