"""Live objects to values and back, on the side that has torch.

A `Freezer` reads what an attempt returned. It holds the functions it needs from before the learner's file was
imported, takes exact types only (a tuple's subclass is read as the tuple that it is), reads tensors with torch's
modes switched off, and asks no object for anything that a class could have overridden; so patched torch functions,
subclasses and objects that equal everything do not run in here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import torch

from llmdrills.grading.protocol.wire import ITEM_SIZES, MAX_INT_BITS, DtypeValue, Opaque, Raised, TensorValue, Value

__all__ = ["MAX_BYTES", "Freezer", "thaw", "type_name"]

MAX_BYTES = 64 << 20
"""Bytes of tensor data that one answer may hold: no kata's answer comes near it."""
MAX_ITEMS = 100_000
MAX_TEXT = 1 << 20
DEPTH = 20

_BASE = torch._C.TensorBase if hasattr(torch._C, "TensorBase") else torch._C._TensorBase
# Taken before the learner's file is imported: what it does to torch does not reach the grader's own calls.
_as_strided, _clone, _copy, _move = _BASE.as_strided, _BASE.clone, _BASE.copy_, _BASE.to
_requires_grad, _reshape, _stride = _BASE.requires_grad_, _BASE.reshape, _BASE.stride
_empty, _empty_strided, _frombuffer, _device = torch.empty, torch.empty_strided, torch.frombuffer, torch.device
_storage_bytes = torch._C.StorageBase.nbytes

_DTYPES: dict[str, Any] = {name: getattr(torch, name) for name in ITEM_SIZES if hasattr(torch, name)}


class Freezer:
    """Turns one object into a value. Make it before anything untrusted is imported, and use it once an object."""

    def __init__(self) -> None:
        self._names = {dtype: name for name, dtype in _DTYPES.items()}
        self._storage_bytes = _storage_bytes
        self._string_at = ctypes.string_at
        self._no_function = torch._C.DisableTorchFunction
        self._no_dispatch = torch._C._DisableTorchDispatch
        self._no_grad = torch.no_grad
        self._parameter = torch.nn.Parameter
        self._tensor = torch.Tensor
        self._dtype = torch.dtype
        self._strided = torch.strided
        self._cpu = torch.device("cpu")
        # Slots of the C base class: replacing a method of torch.Tensor does not reach them.
        self._method: dict[str, Callable[..., Any]] = {
            name: getattr(_BASE, name)
            for name in (
                "contiguous", "data_ptr", "detach", "is_conj", "is_neg", "numel", "resolve_conj", "resolve_neg",
                "size", "storage_offset", "stride", "to", "untyped_storage",
            )
        }  # fmt: skip
        self._slot: dict[str, Callable[[Any], Any]] = {
            name: _getter(getattr(_BASE, name)) for name in ("device", "dtype", "layout", "requires_grad")
        }
        self._left = 0
        self._items = 0

    def freeze(self, thing: object) -> Value:
        """The value of `thing`; what is no answer, too deep or too long becomes Opaque."""
        self._left, self._items = MAX_BYTES, MAX_ITEMS
        with self._no_function(), self._no_dispatch():
            return self._freeze(thing, 0)

    def _freeze(self, thing: Any, depth: int) -> Value:
        kind = type(thing)
        self._items -= 1
        if depth > DEPTH or self._items < 0:
            return Opaque("nested too deep" if depth > DEPTH else "too many items")
        if thing is None or kind is bool or kind is float:
            return thing
        if kind is int:
            return thing if thing.bit_length() <= MAX_INT_BITS else Opaque("a whole number too long")
        if kind is str or kind is bytes:
            return thing if len(thing) <= MAX_TEXT else Opaque(f"{kind.__name__} too long")
        if issubclass(kind, self._tensor):
            return self._tensor_value(thing, kind)
        if kind is list:
            return [self._freeze(item, depth + 1) for item in list.__iter__(thing)]
        if issubclass(kind, tuple):
            return tuple(self._freeze(item, depth + 1) for item in tuple.__iter__(thing))
        if kind is dict:
            return self._mapping(thing, depth)
        if kind is self._dtype:
            return DtypeValue(self._names.get(thing, "unknown"))
        return Opaque(type_name(kind))

    def _mapping(self, thing: dict[Any, Any], depth: int) -> Value:
        items = list(dict.items(thing))
        if any(type(key) not in (str, int, bool, float, type(None)) for key, _ in items):
            return Opaque("dict with keys that are neither text nor numbers")
        return {key: self._freeze(item, depth + 1) for key, item in items}

    def _tensor_value(self, tensor: Any, kind: type) -> TensorValue:
        method, slot = self._method, self._slot
        subclass = "" if kind is self._tensor else type_name(kind)
        try:
            shape = tuple(int(size) for size in method["size"](tensor))
            dtype = self._names.get(slot["dtype"](tensor), "")
            device = str(slot["device"](tensor))
            layout = slot["layout"](tensor)
            needs_grad = bool(slot["requires_grad"](tensor))
            missing = self._missing(dtype, shape, device, layout, kind)
            strides = tuple(int(step) for step in method["stride"](tensor)) if layout is self._strided else ()
            data = b"" if missing else self._bytes(tensor, shape, strides, ITEM_SIZES[dtype])
        except (RuntimeError, TypeError, ValueError, AttributeError):
            # A wrapper without storage, a freed storage, a transform's half tensor: its elements cannot be read.
            return TensorValue("unknown", (), b"", subclass=subclass, missing="unreadable")
        self._left -= len(data)
        named = str(layout).removeprefix("torch.")
        return TensorValue(
            dtype=dtype or "unknown",
            shape=shape,
            data=data,
            device=device.partition(":")[0],
            subclass=subclass,
            layout=named,
            missing=missing,
            strides=strides,
            requires_grad=needs_grad,
        )

    def _missing(self, dtype: str, shape: tuple[int, ...], device: str, layout: Any, kind: type) -> str:
        if kind is not self._tensor and kind is not self._parameter:
            return "subclass"
        if device == "meta":
            return "meta"
        if layout is not self._strided:
            return "layout"
        if not dtype:
            return "dtype"
        size = ITEM_SIZES[dtype]
        for length in shape:
            size *= length
        return "too large" if size > self._left else ""

    def _bytes(self, tensor: Any, shape: tuple[int, ...], strides: tuple[int, ...], item_size: int) -> bytes:
        method = self._method
        if 0 not in shape:
            reach = 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
            end = (method["storage_offset"](tensor) + reach) * item_size
            if self._storage_bytes(method["untyped_storage"](tensor)) < end:
                raise ValueError("its storage was given back")  # reading it would end the process
        with self._no_grad():
            plain = method["detach"](tensor)
            if self._slot["device"](plain) != self._cpu:
                plain = method["to"](plain, self._cpu)
            if method["is_conj"](plain):
                plain = method["resolve_conj"](plain)
            if method["is_neg"](plain):
                plain = method["resolve_neg"](plain)
            plain = method["contiguous"](plain)
        count = method["numel"](plain) * item_size
        return self._string_at(method["data_ptr"](plain), count) if count else b""


def _getter(descriptor: Any) -> Callable[[Any], Any]:
    get: Callable[[Any], Any] = descriptor.__get__
    return get


def type_name(kind: type) -> str:
    """A class's full name, read past any metaclass."""
    name = type.__dict__["__qualname__"].__get__(kind)
    try:
        module = type.__getattribute__(kind, "__module__")
    except AttributeError:
        module = ""
    return name if type(module) is not str or module in ("", "builtins") else f"{module}.{name}"


def thaw(value: Value, device: Any = "cpu") -> Any:
    """The live object of a value: tensors on `device`, laid out in memory as they were.

    Raises ValueError for what has no live form (Opaque, Raised, a tensor without data).
    """
    if isinstance(value, TensorValue):
        return _thaw_tensor(value, device)
    if isinstance(value, DtypeValue):
        return _DTYPES[value.name]
    if isinstance(value, (Opaque, Raised)):
        raise ValueError(f"a {value.type} has no live form")
    if isinstance(value, (list, tuple)):
        return type(value)(thaw(item, device) for item in value)
    if isinstance(value, dict):
        return {key: thaw(item, device) for key, item in value.items()}
    return value


def _thaw_tensor(value: TensorValue, device: Any) -> Any:
    if value.missing:
        raise ValueError(f"the tensor's data is missing: {value.missing}")
    dtype = _DTYPES[value.dtype]
    if value.numel:
        flat = _reshape(_frombuffer(bytearray(value.data), dtype=dtype), value.shape)
    else:
        flat = _empty(value.shape, dtype=dtype)
    laid = _lay_out(flat, value, device)
    return _requires_grad(laid, True) if value.requires_grad else laid


def _lay_out(flat: Any, value: TensorValue, device: Any) -> Any:
    """`flat` on `device`, with the strides of `value`: transposed, sliced and expanded inputs stay what they were."""
    if not value.strides or value.strides == tuple(_stride(flat)) or not value.numel:
        return _clone(flat) if _device(device).type == "cpu" else _move(flat, device)
    expanded = [step == 0 and size > 1 for size, step in zip(value.shape, value.strides, strict=True)]
    small = tuple(1 if wide else size for size, wide in zip(value.shape, expanded, strict=True))
    if _overlaps(small, value.strides):
        return _move(flat, device)
    base = _empty_strided(small, value.strides, dtype=flat.dtype, device=device)
    _copy(base, flat[tuple(slice(0, 1) if wide else slice(None) for wide in expanded)])
    return _as_strided(base, value.shape, value.strides)


def _overlaps(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether two indices may share a place in memory, as in an unfolded view: it cannot be written as a whole."""
    reach = 0
    for step, size in sorted(zip(strides, shape, strict=True)):
        if size > 1:
            if step <= reach:
                return True
            reach += step * (size - 1)
    return False
