"""Notes of a collection or package of Anki's: what their cards show, by the templates of their note types."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from llmdrills.anki.copying import opened
from llmdrills.anki.foundtypes import has_tables
from llmdrills.anki.reading import deck_names
from llmdrills.anki.zstd import copy, decompress
from llmdrills.errors import UsageError
from llmdrills.importing.cards import Template, Type, sides
from llmdrills.importing.found import CannotTakeError, File, Found, Remark, short
from llmdrills.importing.media import FolderMedia
from llmdrills.importing.protobuf import fields
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.importing.media import MediaSource

__all__ = ["packaged"]

_MOST_LIST = 64 << 20  # bytes of the list of media
_IMAGE_OCCLUSION = 6  # Anki's own number of that kind
_PLACE = Bilingual("note {n} ({type})", "第 {n} 条笔记（{type}）")
_DAMAGED = Bilingual("the collection in {path} is damaged: {why}", "{path} 中的集合已损坏：{why}")
_EXPORT = Bilingual(
    "run Tools → Check Database in Anki, or export it again", "请在 Anki 中运行“工具 → 检查数据库”，或重新导出"
)
_NO_DECK = Bilingual("there is no deck “{name}” in {path}", "{path} 中没有牌组“{name}”")
_THERE_ARE = Bilingual("there are {names}", "其中有 {names}")
_MANY_DECKS = Bilingual(
    "the decks {names} become one (--from takes one of them)", "牌组 {names} 合并成一个（--from 可只取其中一个）"
)


class _Note(NamedTuple):
    number: int
    type: Type
    fields: dict[str, str]
    tags: tuple[str, ...]
    cards: dict[int, str]  # ordinal → deck


@contextlib.contextmanager
def packaged(path: Path, deck: str | None = None) -> Iterator[File]:
    """What a .colpkg, an .apkg or a collection holds; of one deck and those below it, where `deck` names it.

    Its media can be read until the block ends. Raises UsageError.
    """
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(opened(path))
        try:
            decks = deck_names(connection)
            names = {name for name in decks.values() if deck is None or name == deck or name.startswith(f"{deck}::")}
            if deck is not None and not names:
                shown = "、".join(sorted(decks.values())[:12]), ", ".join(sorted(decks.values())[:12])
                todo = _THERE_ARE.format(names=Bilingual(shown[1], shown[0]))
                raise UsageError(_NO_DECK.format(name=deck, path=path.name), todo)
            notes = [note for note in _notes(connection, decks) if deck is None or names & set(note.cards.values())]
        except (sqlite3.DatabaseError, TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise UsageError(_DAMAGED.format(path=path, why=error), _EXPORT) from error
        found = File(title=_title(path, deck, notes))
        for note in notes:
            _take(note, found)
        used = sorted({name for note in notes for name in note.cards.values()})
        if len(used) > 1:
            found.said.append(_MANY_DECKS.format(names=Bilingual(_some(used, ", "), _some(used, "、"))))
        found.media = stack.enter_context(_media(path))
        yield found


def _some(names: list[str], comma: str) -> str:
    return comma.join(names[:6]) + (f"{comma}…" if len(names) > 6 else "")


def _title(path: Path, deck: str | None, notes: list[_Note]) -> str:
    """The last part of the deck's name, if all notes are of one; else the file's name."""
    used = {name for note in notes for name in note.cards.values()}
    one = deck or (used.pop() if len(used) == 1 else "")
    return one.rpartition("::")[2].strip() or path.stem


def _take(note: _Note, found: File) -> None:
    place = _PLACE.format(n=note.number, type=note.type.name)
    shown = short(next(iter(note.fields.values()), ""))
    try:
        cards = sides(note.type, note.fields, sorted(note.cards) or None)
    except CannotTakeError as error:
        found.refused.append(Remark(place, shown, error.why))
        return
    for ordinal, card in cards:
        if isinstance(card, CannotTakeError):
            found.refused.append(Remark(place, shown, card.why))
            continue
        found.notes.append(
            Found(
                place=place,
                kind="cloze" if note.type.cloze else "question",
                front=card.front,
                back=card.back,
                tags=note.tags,
                deck=note.cards.get(ordinal, next(iter(note.cards.values()), "")),
                lost=card.lost,
            )
        )


def _notes(connection: sqlite3.Connection, decks: dict[int, str]) -> list[_Note]:
    types = _types_in_tables(connection) if has_tables(connection) else _types_in_json(connection)
    cards: dict[int, dict[int, str]] = {}
    for nid, ordinal, did, home in connection.execute("SELECT nid, ord, did, odid FROM cards ORDER BY nid, ord"):
        cards.setdefault(nid, {})[ordinal] = decks.get(home or did, "")
    found = []
    rows = connection.execute("SELECT id, mid, tags, flds FROM notes ORDER BY id")
    for number, (nid, mid, tags, values) in enumerate(rows, 1):
        kind = types[mid]
        given = values.split("\x1f")
        if len(given) != len(kind.fields):
            raise ValueError(f"note {nid} has {len(given)} fields, its type {len(kind.fields)}")
        pairs = dict(zip(kind.fields, given, strict=True))
        found.append(_Note(number, kind, pairs, tuple(tags.split()), cards.get(nid, {})))
    return found


def _types_in_json(connection: sqlite3.Connection) -> dict[int, Type]:
    models = json.loads(connection.execute("SELECT models FROM col").fetchone()[0])
    return {
        int(key): Type(
            name=str(model["name"]),
            cloze=model.get("type") == 1,
            fields=tuple(str(one["name"]) for one in model["flds"]),
            templates=tuple(Template(str(one["qfmt"]), str(one["afmt"])) for one in model["tmpls"]),
            css=str(model.get("css", "")),
            occlusion=model.get("originalStockKind") == _IMAGE_OCCLUSION,
        )
        for key, model in models.items()
    }


def _types_in_tables(connection: sqlite3.Connection) -> dict[int, Type]:
    names: dict[int, list[str]] = {}
    for mid, name in connection.execute("SELECT ntid, name FROM fields ORDER BY ntid, ord"):
        names.setdefault(mid, []).append(name)
    templates: dict[int, list[Template]] = {}
    for mid, config in connection.execute("SELECT ntid, config FROM templates ORDER BY ntid, ord"):
        said = dict(fields(config))
        templates.setdefault(mid, []).append(Template(_text(said.get(1)), _text(said.get(2))))
    found = {}
    for mid, name, config in connection.execute("SELECT id, name, config FROM notetypes"):
        said = dict(fields(config))
        found[mid] = Type(
            name=name,
            cloze=said.get(1) == 1,
            fields=tuple(names.get(mid, ())),
            templates=tuple(templates.get(mid, ())),
            css=_text(said.get(3)),
            occlusion=said.get(9) == _IMAGE_OCCLUSION,
        )
    return found


def _text(value: int | bytes | None) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else ""


@contextlib.contextmanager
def _media(path: Path) -> Iterator[MediaSource]:
    if not zipfile.is_zipfile(path):
        folder = path if path.is_dir() else path.parent
        yield FolderMedia(folder / "collection.media")
        return
    with zipfile.ZipFile(path) as archive:
        yield _PackageMedia(archive, path)


class _PackageMedia:
    """The media of a package: files called 0, 1, …, and a list of their names. No name is ever taken for a path."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive = archive
        self._path = path
        self._compressed = "collection.anki21b" in archive.namelist()
        try:
            self._entries = self._list()
        except (zipfile.BadZipFile, zlib.error, ValueError, TypeError, AttributeError, RuntimeError, EOFError) as error:
            raise UsageError(_DAMAGED.format(path=path, why=error), _EXPORT) from error

    def _list(self) -> dict[str, str]:
        """By the media's names, the names of the files that hold them."""
        listed = self._bytes("media", _MOST_LIST) if "media" in self._archive.namelist() else None
        if not listed:
            return {}
        if not self._compressed:
            return {str(name): str(entry) for entry, name in json.loads(listed).items()}
        found = {}
        messages = (message for number, message in fields(listed) if number == 1 and isinstance(message, bytes))
        for place, message in enumerate(messages):
            said = dict(fields(message))
            found[_text(said.get(1))] = str(said.get(255, place))
        return found

    def read(self, name: str, most: int) -> bytes | None:
        """See MediaSource."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        try:
            return self._bytes(entry, most)
        except KeyError:
            return None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
            raise UsageError(_DAMAGED.format(path=self._path, why=error), _EXPORT) from error

    def _bytes(self, entry: str, most: int) -> bytes:
        """The first bytes of a file of the package, at most so many: what it claims to hold does not matter."""
        target = _First(most)
        with self._archive.open(entry) as source, contextlib.suppress(_EnoughError):
            if self._compressed:
                _through(source, target)
            else:
                copy(source, target)
        return target.getvalue()[:most]


def _through(source: IO[bytes], target: _First) -> None:
    try:
        decompress(source, target, target.most)
    except UsageError:
        if len(target.getvalue()) < target.most - (1 << 20):
            raise  # damaged; a medium that is too large is told by its size


class _EnoughError(Exception):
    """So much was asked for and no more."""


class _First(io.BytesIO):
    """Takes so many bytes and no more."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def write(self, piece: object) -> int:
        """See BytesIO."""
        written = super().write(piece)  # type: ignore[arg-type]  # as BytesIO takes it
        if self.tell() >= self.most:
            raise _EnoughError
        return written
