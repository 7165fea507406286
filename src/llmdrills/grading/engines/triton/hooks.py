"""What Triton's interpreter calls instead of its own functions: memory that is checked, numbers as on a GPU, costs.

Installed once, by instance attributes of the interpreter's builder and by a few attributes of its classes; each asks
for the watch that is on. `llmdrills.grading.engines.triton.launching` runs the kernels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import triton.language as tl
import triton.runtime.interpreter as interpreter

from llmdrills.grading.engines.triton import numerics
from llmdrills.grading.engines.triton.memory import far_enough
from llmdrills.grading.engines.triton.watch import current

__all__ = ["install_hooks"]

Handle = Any
_handle = interpreter.TensorHandle
_memory = interpreter._interpreter
_COMPARISONS = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)


def install_hooks() -> None:
    """Put the hooks in their places; to be called once in a process."""
    builder = interpreter.interpreter_builder
    # On a GPU whole numbers wrap around silently; the checks cost as much as the arithmetic.
    builder.options = dataclasses.replace(builder.options, sanitize_overflow=False)
    for name, hook in _HOOKS.items():
        if hasattr(builder, name):  # atomic loads and stores came with triton 3.9
            setattr(builder, name, partial(hook, getattr(builder, name)))
    builder.get_bf16 = lambda value: _narrowed(builder.get_fp32(value))  # triton 3.6 has none
    builder.create_maxnumf = lambda left, right: builder.binary_op(left, right, np.fmax)  # 3.6 lets NaN win
    builder.create_minnumf = lambda left, right: builder.binary_op(left, right, np.fmin)
    _handle.__init__ = _counting(_handle.__init__)
    interpreter.ReduceOps.sum = _sum(interpreter.ReduceOps.sum)
    interpreter.ReduceOps.min_max = _min_max
    for name in ("cumsum", "cumprod"):
        setattr(interpreter.ScanOps, name, _scan_in_float32(getattr(interpreter.ScanOps, name)))


def _counting(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Handle, data: Any, dtype: Any, *rest: Any, **named: Any) -> None:  # noqa: N807  # it is one
        original(self, data, dtype, *rest, **named)
        watch = current()
        if watch is not None:
            watch.made(data.size, value=data.dtype != np.bool_ and not isinstance(dtype, tl.pointer_type))

    return __init__


# ---- memory ---------------------------------------------------------------------------------------


def _masked_load(
    original: Callable[..., Handle], pointers: Handle, mask: Handle, other: Handle | None, *rest: Any, **named: Any
) -> Handle:
    watch = current()
    if watch is None or watch.memory is None:
        return original(pointers, mask, other, *rest, **named)
    let = np.asarray(mask.data)  # triton 3.6 hands over a bare array for a block pointer
    volatile = bool(named.get("is_volatile", rest[-1] if rest else False))
    plain = _handle(watch.memory.load(pointers.data, let, volatile=volatile), pointers.dtype)
    loaded = original(plain, mask, other, *rest, **named)
    if other is None and not let.all():
        loaded.data = numerics.poison(loaded.data, let, bfloat=_is_bfloat(loaded))
    return loaded


def _masked_store(original: Callable[..., Any], pointers: Handle, value: Handle, mask: Handle, *rest: Any) -> Any:
    watch = current()
    if watch is not None and watch.memory is not None:
        pointers = _handle(watch.memory.store(pointers.data, value.data, np.asarray(mask.data)), pointers.dtype)
    return original(pointers, value, mask, *rest)


def _atomic_rmw(
    original: Callable[..., Handle], operation: Any, pointers: Handle, value: Handle, mask: Handle, *rest: Any
) -> Handle:
    watch = current()
    if watch is not None and watch.memory is not None:
        plain = watch.memory.atomic(pointers.data, mask.data, str(rest[0]) if rest else "")
        pointers = _handle(plain, pointers.dtype)
    if _is_bfloat(value):
        return _atomic_in_float32(operation, pointers, value, mask)
    return original(operation, pointers, value, mask, *rest)


def _atomic_in_float32(operation: Any, pointers: Handle, value: Handle, mask: Handle) -> Handle:
    """An atomic addition of bfloat16, one lane after another: the interpreter would add the bits."""
    if "FADD" not in str(operation):
        raise NotImplementedError(f"{operation} of bfloat16")
    old = np.zeros(pointers.data.shape, np.uint16)
    values, let = (np.broadcast_to(one.data, old.shape) for one in (value, mask))
    yes = np.ones(1, bool)
    for index in zip(*np.nonzero(let), strict=True):
        place = np.array([pointers.data[index]])
        before = _memory.load(place, yes, np.zeros(1, np.uint16), np.dtype(np.uint16))
        _memory.store(place, numerics.narrow(numerics.widen(before) + numerics.widen(values[index])), yes)
        old[index] = before[0]
    return _handle(old, tl.bfloat16)


def _atomic_cas(
    original: Callable[..., Handle], pointers: Handle, expected: Handle, value: Handle, *rest: Any
) -> Handle:
    watch = current()
    if watch is not None and watch.memory is not None:
        every = np.ones(pointers.data.shape, bool)
        plain = watch.memory.atomic(pointers.data, every, str(rest[0]) if rest else "")
        pointers = _handle(plain, pointers.dtype)
    return original(pointers, expected, value, *rest)


def _atomic_load(original: Callable[..., Handle], pointers: Handle, mask: Handle, *rest: Any) -> Handle:
    watch = current()
    if watch is None or watch.memory is None:
        return original(pointers, mask, *rest)
    plain = watch.memory.atomic(pointers.data, mask.data, str(rest[0]) if rest else "")
    kind = interpreter._get_np_dtype(pointers.get_element_ty())
    return _handle(_memory.load(plain, mask.data, np.zeros(plain.shape, kind), kind), pointers.get_element_ty())


def _atomic_store(original: Callable[..., Any], pointers: Handle, value: Handle, mask: Handle, *rest: Any) -> Any:
    watch = current()
    if watch is None or watch.memory is None:
        return original(pointers, value, mask, *rest)
    plain = watch.memory.atomic(pointers.data, mask.data, str(rest[0]) if rest else "")
    return _memory.store(plain, value.data, mask.data)


def _barrier(original: Callable[..., Any], *rest: Any) -> Any:
    watch = current()
    if watch is not None and watch.memory is not None:
        watch.memory.order.barrier()
    return original(*rest)


def _addptr(original: Callable[..., Handle], pointer: Handle, offset: Handle) -> Handle:  # noqa: ARG001  # as the rest
    width = max(1, pointer.get_element_ty().primitive_bitwidth // 8)
    moved = far_enough(far_enough(offset.data.astype(np.int64)) * width)
    return _handle(pointer.data + moved.astype(np.uint64), pointer.dtype)


# ---- numbers --------------------------------------------------------------------------------------


def _is_bfloat(handle: Any) -> bool:
    return isinstance(handle, _handle) and handle.dtype.scalar == tl.bfloat16 and handle.data.dtype == np.uint16


def _widened(handle: Any) -> Any:
    return _handle(numerics.widen(handle.data), tl.float32) if _is_bfloat(handle) else handle


def _narrowed(handle: Handle) -> Handle:
    return _handle(numerics.narrow(handle.data), tl.bfloat16)


def _binary(original: Callable[..., Handle], left: Handle, right: Handle, operation: Any) -> Handle:
    bfloat = _is_bfloat(left)
    found = original(_widened(left), _widened(right), operation) if bfloat else original(left, right, operation)
    if operation in _COMPARISONS:
        # The interpreter keeps the type of what was compared, and makes 64-bit numbers of a truth that it broadcasts.
        return _handle(found.data, tl.int1)
    return _narrowed(found) if bfloat else found


def _unary(original: Callable[..., Handle], value: Handle, operation: Any) -> Handle:
    return _narrowed(original(_widened(value), operation)) if _is_bfloat(value) else original(value, operation)


def _ternary(original: Callable[..., Handle], first: Handle, second: Handle, third: Handle, operation: Any) -> Handle:
    if operation is np.where or not _is_bfloat(third):
        return original(first, second, third, operation)
    return _narrowed(original(_widened(first), _widened(second), _widened(third), operation))


def _fma(original: Callable[..., Handle], x: Handle, y: Handle, z: Handle) -> Handle:
    if not _is_bfloat(z):
        return original(x, y, z)
    return _narrowed(original(_widened(x), _widened(y), _widened(z)))


def _cast(original: Callable[..., Handle], source: Handle, kind: Any) -> Handle:
    to = kind.scalar
    if _is_bfloat(source) and to != tl.bfloat16:
        wide = _widened(source)
        return wide if to == tl.float32 else original(wide, kind)
    if to == tl.bfloat16 and source.dtype.scalar != tl.bfloat16:
        wide = source if source.dtype.scalar == tl.float32 else original(source, tl.float32)
        return _handle(numerics.narrow(wide.data), tl.bfloat16)
    return original(source, kind)


def _float_to_float(original: Callable[..., Handle], source: Handle, kind: Any, rounding: Any) -> Handle:
    kinds = (source.dtype.scalar, kind.scalar)
    if tl.bfloat16 not in kinds or any(one.primitive_bitwidth < 16 for one in kinds):
        return original(source, kind, rounding)
    if kind.scalar == tl.bfloat16 and source.dtype.scalar == tl.float32:
        return _handle(numerics.narrow(source.data, toward_zero=str(rounding).endswith("RTZ")), tl.bfloat16)
    return interpreter.interpreter_builder.cast_impl(source, kind)


def _dot(original: Callable[..., Handle], a: Handle, b: Handle, c: Handle, precision: Any = None, *rest: Any) -> Handle:
    watch = current()
    if watch is not None:
        *batch, rows, inner = a.data.shape
        watch.dot_flops += 2 * rows * inner * b.data.shape[-1] * int(np.prod(batch, dtype=np.int64))
    if str(precision).endswith("TF32") and a.data.dtype == np.float32:
        a, b = (_handle(numerics.to_tf32(one.data), tl.float32) for one in (a, b))
    return original(_widened(a), _widened(b), c, precision, *rest)


def _sum(original: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(self: Any, value: Any) -> Any:
        data = value.handle.data
        if value.dtype.primitive_bitwidth != 16 or not value.dtype.is_floating():
            return original(self, value)
        found = numerics.halved_sum(data, self.axis, self.keep_dims, bfloat=_is_bfloat(value.handle))
        return self.to_tensor(_plain(found), value.dtype)

    return reduce


def _scan_in_float32(original: Callable[..., Any]) -> Callable[..., Any]:
    def scan(self: Any, value: Any) -> Any:
        if not _is_bfloat(value.handle):
            return original(self, value)
        return [_rewrapped(one) for one in original(self, _as_float32(value))]

    return scan


def _as_float32(value: Any) -> Any:
    wide = _widened(value.handle)
    return tl.core.tensor(wide, _type(tl.float32, wide.data.shape, block=value.type.is_block()))


def _rewrapped(value: Any) -> Any:
    narrow = _narrowed(value.handle)
    return tl.core.tensor(narrow, _type(tl.bfloat16, narrow.data.shape, block=value.type.is_block()))


def _type(scalar: Any, shape: tuple[int, ...], *, block: bool) -> Any:
    return tl.block_type(scalar, list(shape)) if block else scalar


def _min_max(self: Any, value: Any, val_reduce_op: Any = None, idx_reduce_op: Any = None) -> Any:
    """`ReduceOps.min_max`: numpy's own functions warn, raise or hide what is undefined where NaN is about."""
    value = value[0] if isinstance(value, tuple) else value
    largest = "max" in (val_reduce_op or idx_reduce_op).__name__
    bfloat = _is_bfloat(value.handle)
    data = numerics.widen(value.handle.data) if bfloat else value.handle.data
    found = []
    if val_reduce_op:
        most = numerics.reduced(data, self.axis, self.keep_dims, largest=largest)
        found.append(self.to_tensor(_plain(numerics.narrow(most) if bfloat else most), value.dtype))
    if idx_reduce_op:
        index = numerics.reduced_index(data, self.axis, self.keep_dims, largest=largest)
        found.append(self.to_tensor(_plain(index), tl.int32))
    return found[0] if len(found) == 1 else tuple(found)


def _plain(values: Any) -> Any:
    """As numpy gives a reduction: a number where no axis is left."""
    return values if values.shape else values[()]


_HOOKS: dict[str, Callable[..., Any]] = {
    "create_masked_load": _masked_load,
    "create_masked_store": _masked_store,
    "create_atomic_rmw": _atomic_rmw,
    "create_atomic_cas": _atomic_cas,
    "create_atomic_load": _atomic_load,
    "create_atomic_store": _atomic_store,
    "create_barrier": _barrier,
    "create_addptr": _addptr,
    "binary_op": _binary,
    "unary_op": _unary,
    "ternary_op": _ternary,
    "create_fma": _fma,
    "cast_impl": _cast,
    "create_fp_to_fp": _float_to_float,
    "create_dot": _dot,
}
