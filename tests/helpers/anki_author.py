"""Somebody's own collection in the real Anki backend: note types, notes and media, exported in each form."""

from __future__ import annotations

from pathlib import Path

from anki.collection import Collection, ExportAnkiPackageOptions

__all__ = ["MP3", "PNG", "AnkiAuthor"]

PNG = b"\x89PNG\r\n\x1a\n a picture"
MP3 = b"ID3 a sound"


class AnkiAuthor:
    """One collection in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.col = Collection(str(folder / "collection.anki2"))
        self._folder = folder

    def close(self) -> None:
        self.col.close()

    def add(self, kind: str, *fields: str, deck: str = "Geography", tags: tuple[str, ...] = ()) -> int:
        note = self.col.new_note(self.col.models.by_name(kind))
        note.fields[: len(fields)] = list(fields)
        note.tags = list(tags)
        self.col.add_note(note, self.col.decks.id(deck))
        return int(note.id)

    def note_type(self, name: str, fields: tuple[str, ...], *templates: tuple[str, str], css: str = "") -> None:
        made = self.col.models.new(name)
        for field in fields:
            self.col.models.add_field(made, self.col.models.new_field(field))
        for number, (front, back) in enumerate(templates):
            one = self.col.models.new_template(f"Card {number}")
            one["qfmt"], one["afmt"] = front, back
            self.col.models.add_template(made, one)
        made["css"] = css
        self.col.models.add(made)

    def medium(self, name: str, data: bytes) -> None:
        self.col.media.write_data(name, data)

    def export(self, name: str, *, legacy: bool = False) -> Path:
        path = self._folder / name
        if path.suffix == ".colpkg":
            self.col.export_collection_package(str(path), include_media=True, legacy=legacy)
            self.col.reopen()
            return path
        options = ExportAnkiPackageOptions(
            with_scheduling=True, with_deck_configs=False, with_media=True, legacy=legacy
        )
        self.col.export_anki_package(out_path=str(path), options=options, limit=None)
        return path
