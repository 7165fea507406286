"""The .apkg file: written through genanki, byte for byte the same from the same content.

genanki stamps every note alike, leaves its database in the temp folder and dates the zip; so its Note and Model are
subclassed, the database is made in memory, and the zip is written here. The bytes depend on the versions of SQLite and
zlib: they are promised for the pinned interpreter and libraries, the logical digest for all.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import sqlite3
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import genanki

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from llmdrills.decks.notetypes import NoteTypeSpec

__all__ = ["PackageDeck", "PackageNote", "logical_digest", "package_bytes"]

_LEVEL = 5  # level 6 takes half as long again and saves 1 %
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackageDeck:
    """A deck of a package: Anki matches it by name."""

    id: int
    name: str
    description: str  # HTML


class PackageNote(NamedTuple):
    """A note of a package with everything that Anki stores. No cards: the note only updates one that is there."""

    guid: str
    nid: int
    mtime: int
    type: NoteTypeSpec
    deck: PackageDeck
    fields: tuple[str, ...]
    tags: tuple[str, ...]
    cards: tuple[int, ...]
    due: int  # place among the new cards


class _Model(genanki.Model):  # type: ignore[misc]  # genanki has no types
    """A note type with its own time, its own ids, and no guess at which fields a card needs."""

    def __init__(self, spec: NoteTypeSpec, mtime: int) -> None:
        super().__init__(
            spec.id,
            spec.name,
            fields=[{"name": known.name, "id": known.id} for known in spec.fields],
            templates=[{"name": t.name, "qfmt": t.front, "afmt": t.back, "id": t.id} for t in spec.templates],
            css=spec.css,
            model_type=genanki.Model.CLOZE if spec.cloze else genanki.Model.FRONT_BACK,
            sort_field_index=spec.sort_field,
        )
        self._mtime = mtime

    @property
    def _req(self) -> list[list[Any]]:
        # genanki would require every field of a template gated by {{^Retired}} and make no card. Anki computes the
        # requirement itself, and PackageNote names the cards.
        return [[place, "any", [0]] for place in range(len(self.templates))]

    def to_json(self, timestamp: float, deck_id: int) -> dict[str, Any]:  # noqa: ARG002  # genanki's signature
        """As genanki writes it, but with the note type's own time, and the same whichever deck asks."""
        written: dict[str, Any] = super().to_json(self._mtime, None)
        return written


class _Note(genanki.Note):  # type: ignore[misc]  # genanki has no types
    """A note with its own ids and time."""

    def __init__(self, note: PackageNote, model: _Model) -> None:
        # Not genanki's own: of its values a deck asks for the model only, and the rest is `write_to_db`'s.
        self.model = model
        self._note = note

    def write_to_db(self, cursor: sqlite3.Cursor, timestamp: float, deck_id: int, id_gen: Iterator[int]) -> None:
        """Write the note and its cards, with the note's own time instead of `timestamp`."""
        del timestamp
        note = self._note
        tags = f" {' '.join(note.tags)} " if note.tags else ""
        row = (
            note.nid,
            note.guid,
            note.type.id,
            note.mtime,
            -1,
            tags,
            "\x1f".join(note.fields),
            note.fields[note.type.sort_field],
            0,
            0,
            "",
        )
        cursor.execute("INSERT INTO notes VALUES(?,?,?,?,?,?,?,?,?,?,?)", row)
        for card in note.cards:
            values = (next(id_gen), note.nid, deck_id, card, note.mtime, -1, 0, 0, note.due, 0, 0, 0, 0, 0, 0, 0, 0, "")
            cursor.execute("INSERT INTO cards VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", values)


def _database(notes: Sequence[PackageNote], mtimes: Mapping[int, int]) -> bytes:
    """The SQLite file of a package; `mtimes` maps the id of a note type to its time in seconds."""
    models = {spec.id: _Model(spec, mtimes[spec.id]) for spec in {note.type.id: note.type for note in notes}.values()}
    decks = {note.deck.id: genanki.Deck(note.deck.id, note.deck.name, note.deck.description) for note in notes}
    for note in notes:
        decks[note.deck.id].add_note(_Note(note, models[note.type.id]))
    connection = sqlite3.connect(":memory:")
    try:
        # Card ids count up from the oldest note's: in the past. Anki knows a card by its note, so they need not last.
        first = min((note.nid for note in notes), default=0)
        genanki.Package(list(decks.values())).write_to_db(connection.cursor(), 0, itertools.count(first))
        connection.commit()
        connection.execute("VACUUM")
        image = bytearray(connection.serialize())
    finally:
        connection.close()
    # The version number of SQLite, and counters of how often the file was written.
    for start, end in ((24, 28), (92, 96), (96, 100)):
        image[start:end] = bytes(end - start)
    return bytes(image)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_DATE)
    entry.create_system = 3
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def package_bytes(notes: Sequence[PackageNote], mtimes: Mapping[int, int], media: Mapping[str, bytes]) -> bytes:
    """The whole .apkg. The order of `notes` is the order within the file; media are sorted by name."""
    names = sorted(media)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        archive.writestr(_entry("collection.anki2"), _database(notes, mtimes), compresslevel=_LEVEL)
        archive.writestr(
            _entry("media"), json.dumps({str(place): name for place, name in enumerate(names)}), compresslevel=_LEVEL
        )
        for place, name in enumerate(names):
            archive.writestr(_entry(str(place)), media[name], compresslevel=_LEVEL)
    return out.getvalue()


def logical_digest(notes: Sequence[PackageNote], mtimes: Mapping[int, int], media: Mapping[str, bytes]) -> str:
    """SHA-256 over what Anki reads of a package, whatever the versions of SQLite and zlib: 64 hex digits."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        digest.update(json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass") + b"\n")

    for spec in sorted({note.type.id: note.type for note in notes}.values(), key=lambda spec: spec.id):
        add([spec.id, spec.name, spec.cloze, spec.css, spec.sort_field, mtimes[spec.id]])
        add(
            [[known.id, known.name] for known in spec.fields]
            + [[t.id, t.name, t.front, t.back] for t in spec.templates]
        )
    for deck in sorted({note.deck for note in notes}, key=lambda deck: deck.id):
        add([deck.id, deck.name, deck.description])
    for note in notes:
        numbers = f"{note.nid} {note.mtime} {note.type.id} {note.deck.id} {note.due} {note.cards}"
        text = "\x1f".join((note.guid, numbers, *note.tags, "", *note.fields))
        digest.update(text.encode("utf-8", "surrogatepass") + b"\x1e")
    for name in sorted(media):
        add([name, hashlib.sha256(media[name]).hexdigest()])
    return digest.hexdigest()
