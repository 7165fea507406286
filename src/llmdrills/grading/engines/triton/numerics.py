"""Numbers as a GPU computes them, where Triton's interpreter does not.

The interpreter keeps bfloat16 as raw bits and calculates with the bits; here it is widened to float32 and rounded to
the nearest even after each operation, which is what a GPU does. Operands of `tl.dot` in float32 are rounded to tf32
unless the kernel says otherwise. What a masked load leaves undefined is a NaN with a payload of our own, so that
reductions which pass over NaN do not pass over it.

What is not covered: fast approximations of division and exp, denormal numbers that a GPU flushes to zero, the order of
sums in 32 bits and more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["halved_sum", "narrow", "poison", "poisoned", "reduced", "reduced_index", "to_tf32", "undefined", "widen"]

Array = Any

_NAN: dict[int, Any] = {2: np.uint16(0x7ED0), 4: np.uint32(0x7FDA0000), 8: np.uint64(0x7FFB400000000000)}
"""One NaN in float16, float32 and float64: each converts into the others."""
_PAYLOAD: dict[int, Any] = {2: np.uint16(0x03FF), 4: np.uint32(0x007FFFFF), 8: np.uint64(0x000FFFFFFFFFFFFF)}
BF16_NAN = 0x7FDA
"""The same in bfloat16, as bits."""


def widen(bits: Array) -> Array:
    """bfloat16, as uint16, in float32: exact."""
    return (np.asarray(bits, np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow(values: Array, *, toward_zero: bool = False) -> Array:
    """float32 as bfloat16's bits, rounded to the nearest even."""
    values = np.ascontiguousarray(values, np.float32)
    bits = values.view(np.uint32)
    upper = bits >> np.uint32(16)
    if not toward_zero:
        upper = (bits + np.uint32(0x7FFF) + (upper & np.uint32(1))) >> np.uint32(16)
    nan = np.isnan(values)
    if nan.any():
        upper = np.where(nan, (bits >> np.uint32(16)) | np.uint32(0x40), upper)
    return upper.astype(np.uint16)


def to_tf32(values: Array) -> Array:
    """float32 rounded to the ten bits of mantissa that a tensor core reads; infinities and NaN stay."""
    values = np.ascontiguousarray(values, np.float32)
    bits = values.view(np.uint32)
    rounded = (bits + np.uint32(0xFFF) + ((bits >> np.uint32(13)) & np.uint32(1))) & np.uint32(0xFFFFE000)
    return np.where(np.isfinite(values), rounded, bits).view(np.float32)


def undefined(dtype: Any, *, bfloat: bool = False) -> Any:
    """What stands for a value that nobody wrote: a NaN of ours, or a third of the largest int (of 32 bits at most)."""
    if bfloat:
        return np.uint16(BF16_NAN)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return np.array(_NAN[kind.itemsize]).view(kind)[()]
    if kind.kind == "b":
        return np.bool_(True)
    return kind.type(min(np.iinfo(kind).max, np.iinfo(np.int32).max) // 3)


def poison(values: Array, mask: Array, *, bfloat: bool = False) -> Array:
    """The values with what the mask leaves out undefined."""
    return np.where(np.broadcast_to(mask, values.shape), values, undefined(values.dtype, bfloat=bfloat))


def poisoned(values: Array) -> Array:
    """Which floating-point values are undefined ones, or come from one."""
    if values.dtype.kind != "f" or values.dtype.itemsize not in _NAN:
        return np.zeros(values.shape, bool)
    size = values.dtype.itemsize
    bits = np.ascontiguousarray(values).view(_NAN[size].dtype).reshape(values.shape)
    return np.isnan(values) & ((bits & _PAYLOAD[size]) == (_NAN[size] & _PAYLOAD[size]))


def reduced(values: Array, axis: Any, keep: bool, *, largest: bool) -> Array:
    """The largest or smallest along an axis: NaN is passed over as a GPU does, an undefined value is not."""
    ufunc: Any = (
        (np.fmax if largest else np.fmin) if values.dtype.kind == "f" else (np.maximum if largest else np.minimum)
    )
    found = ufunc.reduce(values, axis=axis, keepdims=keep)
    if values.dtype.kind == "f":
        bad = poisoned(values)
        if bad.any():
            found = np.where(bad.any(axis=axis, keepdims=keep), undefined(values.dtype), found)
    return np.asarray(found, values.dtype)


def halved_sum(values: Array, axis: Any, keep: bool, *, bfloat: bool) -> Array:
    """The sum along an axis in 16 bits, one half added to the other until one is left, each sum rounded."""
    rank = values.ndim
    left = values.reshape(-1) if axis is None else np.moveaxis(values, axis, 0)
    while len(left) > 1:
        middle = (len(left) + 1) // 2
        first, second = left[: len(left) - middle], left[middle:]
        total = narrow(widen(first) + widen(second)) if bfloat else first + second
        left = np.concatenate([total, left[len(left) - middle : middle]])
    if not keep:
        return np.asarray(left[0])
    return left.reshape((1,) * rank) if axis is None else np.moveaxis(left, 0, axis)


def reduced_index(values: Array, axis: Any, keep: bool, *, largest: bool) -> Array:
    """The leftmost index of the largest or smallest along an axis, NaN passed over; 0 where all are NaN."""
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), values.dtype.type(-np.inf if largest else np.inf), values)
    found = (np.argmax if largest else np.argmin)(values, axis=axis, keepdims=keep)
    return np.asarray(found)
