"""The note types of a collection, and whether Anki takes one of them for one of ours.

Anki compares the fields and the card templates of two note types of one id, in order: by the ids of these parts where
they have some, so that a renamed part is the same. In a collection an id stands within the part's settings, which are a
message of Protocol Buffers, or JSON up to schema 11.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3

__all__ = ["FoundType", "Part", "has_tables", "is_part", "read_types", "same_parts"]


class Part(NamedTuple):
    """A field or a card template of a note type. The id is kept when it is renamed; an older collection has none."""

    id: int | None
    name: str


class FoundType(NamedTuple):
    """A note type as the collection has it, its parts in order; no parts where a damaged collection lacks it."""

    id: int
    name: str = ""
    fields: tuple[Part, ...] = ()
    templates: tuple[Part, ...] = ()


def same_parts(found: Iterable[Part], ours: Iterable[tuple[int, str]]) -> bool:
    """Whether Anki takes two lists of fields (or card templates) for one: by their ids, where there are none by name.

    Where it does not, it gives the notes of the next package a note type of their own, and updates none of these.
    """
    pairs = zip_longest(found, ours)
    return all(one is not None and other is not None and is_part(one, other) for one, other in pairs)


def is_part(one: Part, ours: tuple[int, str]) -> bool:
    """Whether it is that field (or card template) of ours: a learner may give one of their own the name of ours."""
    return one.name == ours[1] if one.id is None else one.id == ours[0]


def has_tables(connection: sqlite3.Connection) -> bool:
    """Whether note types and decks stand in tables of their own, as they do since schema 15."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'notetypes'").fetchone())


def read_types(connection: sqlite3.Connection) -> dict[int, FoundType]:
    """Every note type of a collection, by its id.

    Raises sqlite3.Error; KeyError, TypeError or ValueError for damaged JSON.
    """
    if not has_tables(connection):
        models = json.loads(connection.execute("SELECT models FROM col").fetchone()[0])
        return {
            int(key): FoundType(int(key), str(model["name"]), _listed(model["flds"]), _listed(model["tmpls"]))
            for key, model in models.items()
        }
    parts: dict[str, dict[int, list[Part]]] = {}
    for table, number in _ID_IN.items():
        found = parts.setdefault(table, {})
        query = f"SELECT ntid, name, config FROM {table} ORDER BY ntid, ord"  # noqa: S608  # one of our own two words
        for mid, name, config in connection.execute(query):
            found.setdefault(mid, []).append(Part(_number(bytes(config), number), name))
    rows = connection.execute("SELECT id, name FROM notetypes")
    return {
        mid: FoundType(mid, name, tuple(parts["fields"].get(mid, ())), tuple(parts["templates"].get(mid, ())))
        for mid, name in rows
    }


_ID_IN = {"fields": 9, "templates": 8}
"""The number that a part's id has in its settings, which are a message of Protocol Buffers."""


def _listed(parts: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(Part(one["id"] if isinstance(one.get("id"), int) else None, str(one["name"])) for one in parts)


def _number(message: bytes, wanted: int) -> int | None:
    """A whole number of a message of Protocol Buffers, by its number there.

    None where it is not said, and where the bytes are no such message: then a part's name has to do.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        value = 0
        if kind in {_VARINT, _BYTES}:
            value, at = _varint(message, at)
        if kind == _VARINT and key >> 3 == wanted:
            return value - _TOO_LARGE if value >= _TOO_LARGE // 2 else value
        if kind not in _LENGTH:
            return None
        at += value if kind == _BYTES else _LENGTH[kind]
    return None


_VARINT, _BYTES = 0, 2
_LENGTH = {_VARINT: 0, 1: 8, _BYTES: 0, 5: 4}
"""How many bytes follow the key of a value, by its kind; those of `_BYTES` say it themselves."""
_TOO_LARGE = 1 << 64  # a number below zero is written as its sum with this


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number that begins there, seven bits a byte, the lowest first; and where it ends."""
    value = shift = 0
    for byte in message[at:]:
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    return value, at
