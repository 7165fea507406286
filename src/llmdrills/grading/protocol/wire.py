"""Answers as they travel between processes: plain values, packed without pickle. No torch here.

A `Value` is a `TensorValue`, an `Opaque` (anything that is no answer), a `DtypeValue`, or None, bool, int,
float, str, bytes, or a list, tuple or dict of values. `pack` writes one, `unpack` reads one and trusts
nothing: bytes that were not written by `pack` raise `WireError`, and never cost more than a few times
their own length. `llmdrills.grading.protocol.tensors` turns live objects into values and back, on the side that has
torch.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ITEM_SIZES",
    "DtypeValue",
    "Opaque",
    "Raised",
    "TensorValue",
    "Value",
    "WireError",
    "pack",
    "printable",
    "unpack",
]

MAX_DEPTH = 60
MAX_RANK = 64
MAX_INT_BITS = 8192

ITEM_SIZES: dict[str, int] = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
}
"""Bytes of one element, by the dtype's name without `torch.`."""


class WireError(ValueError):
    """Bytes that no `pack` wrote, or a value that cannot travel."""


@dataclass(frozen=True)
class TensorValue:
    """A tensor as raw bytes.

    `data` holds the elements row by row (contiguous, little-endian); it is empty, and `missing` says why,
    where there is nothing to read: "meta", "layout", "dtype", "subclass", "too large", "unreadable".
    `subclass` is empty when the type is exactly torch.Tensor. `strides` and `requires_grad` describe how
    it lay in memory, so that an input can be rebuilt alike.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes
    device: str = "cpu"
    subclass: str = ""
    layout: str = "strided"
    missing: str = ""
    strides: tuple[int, ...] = ()
    requires_grad: bool = False

    @property
    def numel(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class DtypeValue:
    """A torch.dtype, by its name without `torch.`."""

    name: str


@dataclass(frozen=True)
class Opaque:
    """An object that is no answer: only the full name of its type travels."""

    type: str


@dataclass(frozen=True)
class Raised:
    """An exception. `file` and `line` are the deepest place in the learner's file (0: none); `traceback`
    is capped text.

    `classes` holds the names of the exception's classes, itself first, object left out. `operation` names the torch
    function that raised ("matmul"), or for plain Python the kind of the expression ("getitem", "call", "raise");
    `operands` are what it was given, each as "float32 (2, 3, 4, 8)" or as Python writes it; `expression` is its source
    text on one line. All three are empty where they are not known.
    """

    type: str
    classes: tuple[str, ...]
    message: str
    file: str = ""
    line: int = 0
    traceback: str = ""
    operation: str = ""
    operands: tuple[str, ...] = ()
    expression: str = ""


Value: TypeAlias = Any
"""TensorValue, DtypeValue, Opaque, Raised, None, bool, int, float, str, bytes, or a list, tuple or dict of such."""

_BASIC: tuple[type, ...] = (TensorValue, DtypeValue, Opaque, Raised)
_SINGLE: dict[bytes, bool | None] = {b"N": None, b"T": True, b"F": False}
_COUNT = struct.Struct("<I")
_FLOAT = struct.Struct("<d")


def pack(value: Value, *, most_bytes: int = 1 << 32, most_values: int = 1 << 32) -> bytes:
    """Write a value, or a frozen dataclass of values.

    Raises WireError for anything else, for a tree too deep, and for more bytes or values than are allowed.
    """
    parts = _Parts(most_bytes, most_values)
    _pack(value, parts, 0)
    return b"".join(parts.parts)


def unpack(data: bytes, classes: Iterable[type] = (), *, most: int = 1 << 32, escape_surrogates: bool = False) -> Value:
    """Read what `pack` wrote; `classes` are the dataclasses that may occur beside the four of this module.

    Raises WireError for anything else, and for more than `most` values. `classes` must only be given for bytes from a
    process that is trusted: their fields are not checked one by one. With `escape_surrogates`, every text is one that
    can be printed and stored: a lone surrogate comes as its escape.
    """
    reader = _Reader(data, {cls.__name__: cls for cls in (*_BASIC, *classes)}, most, escape_surrogates)
    value = reader.value(0)
    if reader.at != len(data):
        raise WireError("bytes are left over")
    return value


def _fields(cls: Any) -> tuple[tuple[str, str], ...]:
    """The names and types of a dataclass's fields."""
    if cls not in _FIELDS:
        _FIELDS[cls] = tuple((field.name, str(field.type)) for field in dataclasses.fields(cls))
    return _FIELDS[cls]


_FIELDS: dict[type, tuple[tuple[str, str], ...]] = {}


class _Parts:
    """Packed pieces, and what is left of the budget for them: each value of a tree adds one piece or more."""

    def __init__(self, most_bytes: int, most_values: int) -> None:
        self.parts: list[bytes] = []
        self._bytes = most_bytes
        self._values = most_values

    def append(self, part: bytes) -> None:
        self._bytes -= len(part)
        self._values -= 1
        if self._bytes < 0 or self._values < 0:
            raise WireError("the value is too large")
        self.parts.append(part)


def _block(tag: bytes, body: bytes) -> bytes:
    if len(body) >= 1 << 32:
        raise WireError("a value is longer than 4 GiB")
    return tag + _COUNT.pack(len(body)) + body


def _pack(value: Value, parts: _Parts, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WireError(f"nested more than {MAX_DEPTH} deep")
    kind = type(value)
    if value is None:
        parts.append(b"N")
    elif kind is bool:
        parts.append(b"T" if value else b"F")
    elif kind is int:
        if value.bit_length() > MAX_INT_BITS:
            raise WireError(f"a whole number of more than {MAX_INT_BITS} bits cannot travel")
        parts.append(_block(b"I", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)))
    elif kind is float:
        parts.append(b"D" + _FLOAT.pack(value))
    elif kind is str:
        parts.append(_block(b"S", value.encode("utf-8", "surrogatepass")))
    elif kind is bytes:
        parts.append(_block(b"B", value))
    elif kind is list or kind is tuple:
        parts.append((b"L" if kind is list else b"U") + _COUNT.pack(len(value)))
        for item in value:
            _pack(item, parts, depth + 1)
    elif kind is dict:
        parts.append(b"M" + _COUNT.pack(len(value)))
        for key, item in value.items():
            _pack(key, parts, depth + 1)
            _pack(item, parts, depth + 1)
    elif dataclasses.is_dataclass(kind):
        fields = _fields(kind)
        parts.append(_block(b"C", kind.__name__.encode()))
        parts.append(_COUNT.pack(len(fields)))
        for name, _ in fields:
            _pack(getattr(value, name), parts, depth + 1)
    else:
        raise WireError(f"a {kind.__qualname__} cannot travel")


class _Reader:
    """A cursor over packed bytes."""

    def __init__(self, data: bytes, classes: dict[str, type], most: int, escape_surrogates: bool) -> None:
        self.data = data
        self.length = len(data)
        self.classes = classes
        self.left = most
        self.escape_surrogates = escape_surrogates
        self.at = 0

    def take(self, count: int) -> bytes:
        at = self.at
        self.at = end = at + count
        if end > self.length:
            raise WireError("the bytes end early")
        return self.data[at:end]

    def count(self) -> int:
        at = self.at
        self.at = end = at + 4
        if end > self.length:
            raise WireError("the bytes end early")
        number: int = _COUNT.unpack_from(self.data, at)[0]
        return number

    def items(self) -> int:
        # An item is at least one byte: a count beyond what is left is a lie, found before anything is
        # allocated for it.
        number = self.count()
        if number > self.length - self.at:
            raise WireError("the bytes end early")
        return number

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise WireError(f"nested more than {MAX_DEPTH} deep")
        self.left -= 1
        if self.left < 0:
            raise WireError("it holds too many values")
        tag = self.take(1)
        if tag in _SINGLE:
            return _SINGLE[tag]
        if tag == b"I":
            return self.whole()
        if tag == b"S":
            return self.text()
        if tag == b"B":
            return self.take(self.count())
        if tag == b"U" or tag == b"L":
            deeper = depth + 1
            items = [self.value(deeper) for _ in range(self.items())]
            return tuple(items) if tag == b"U" else items
        if tag == b"C":
            return self.record(depth)
        if tag == b"D":
            return _FLOAT.unpack(self.take(8))[0]
        if tag == b"M":
            return self.mapping(depth)
        raise WireError(f"unknown tag {tag!r}")

    def whole(self) -> int:
        size = self.count()
        if size > MAX_INT_BITS // 8 + 1:
            raise WireError("a whole number is too long")
        return int.from_bytes(self.take(size), "little", signed=True)

    def text(self) -> str:
        try:
            text = self.take(self.count()).decode("utf-8", "surrogatepass")
            return printable(text) if self.escape_surrogates else text
        except UnicodeDecodeError as error:
            raise WireError("text is not UTF-8") from error

    def mapping(self, depth: int) -> dict[Any, Value]:
        found: dict[Any, Value] = {}
        for _ in range(self.items()):
            key = self.value(depth + 1)
            try:
                found[key] = self.value(depth + 1)
            except TypeError as error:
                raise WireError("a key cannot be hashed") from error
        return found

    def record(self, depth: int) -> Any:
        name = self.text()
        cls = self.classes.get(name)
        if cls is None:
            raise WireError(f"a {name!r} has no place here")
        fields = _fields(cls)
        if self.items() != len(fields):
            raise WireError(f"a {name} has {len(fields)} fields")
        record = cls(*[self.value(depth + 1) for _ in fields])
        if cls in _BASIC:
            _check(record)
        return record


def printable(text: str) -> str:
    """`text` as UTF-8 can write it: a lone surrogate becomes its escape, such as `\\ud800`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _check(record: Any) -> None:
    """Every field of a basic record has its type: whoever reads it later need not ask."""
    for name, kind, item in _due(type(record)):
        value = getattr(record, name)
        if item is not None:
            right = type(value) is tuple and all(type(element) is item for element in value)
        else:
            right = type(value).__name__ == kind
        if not right:
            raise WireError(f"{type(record).__name__}.{name} is no {kind}")
    if isinstance(record, TensorValue):
        _check_tensor(record)


def _due(cls: Any) -> tuple[tuple[str, str, type | None], ...]:
    """The names and types of a basic record's fields; where one is a tuple, the type of its items."""
    if cls not in _DUE:
        _DUE[cls] = tuple(
            (name, kind, (str if "str" in kind else int) if kind.startswith("tuple") else None)
            for name, kind in _fields(cls)
        )
    return _DUE[cls]


_DUE: dict[type, tuple[tuple[str, str, type | None], ...]] = {}


def _check_tensor(tensor: TensorValue) -> None:
    if len(tensor.shape) > MAX_RANK or any(not 0 <= size < 1 << 63 for size in tensor.shape):
        raise WireError("a tensor's shape is impossible")
    if tensor.strides and len(tensor.strides) != len(tensor.shape):
        raise WireError("a tensor's strides do not fit its shape")
    if tensor.missing:
        fits = not tensor.data
    else:
        fits = tensor.dtype in ITEM_SIZES and len(tensor.data) == tensor.numel * ITEM_SIZES[tensor.dtype]
    if not fits:
        raise WireError("a tensor's bytes do not fit its shape and dtype")
