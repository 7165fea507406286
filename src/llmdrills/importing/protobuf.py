"""The few fields of Anki's protobuf messages that an import reads: what they are called is in Anki's `proto` folder."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["fields"]


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and value: an integer, or bytes. Raises ValueError for what is no message."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == 0:
            number, place = _varint(message, place)
            yield key >> 3, number
            continue
        if kind == 2:
            size, place = _varint(message, place)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or place + size > len(message):
            raise ValueError("no message of protobuf")
        yield key >> 3, message[place : place + size]
        place += size


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("no message of protobuf")
