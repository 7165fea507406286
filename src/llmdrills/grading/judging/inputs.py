"""Inputs in words and as Python that can be pasted. Values only, no torch."""

from __future__ import annotations

from typing import Any

from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.protocol.answer import Question
from llmdrills.grading.protocol.numbers import array, is_floating, load_numpy
from llmdrills.grading.protocol.wire import DtypeValue, TensorValue, Value

__all__ = ["describe", "elements", "has_empty_tensor", "is_empty", "is_float32", "literal", "short_call"]


def describe(name: str, value: Value) -> dict[str, Any]:
    """One argument as data: `{"name", "kind": "tensor", "dtype", "shape", …}`, or its `value` as Python writes it."""
    if isinstance(value, TensorValue):
        return {
            "name": name,
            "kind": "tensor",
            "dtype": value.dtype,
            "shape": list(value.shape),
            "device": value.device,
            "contiguous": _contiguous(value),
            "requires_grad": value.requires_grad,
        }
    shown = _shown(value)
    return {"name": name, "kind": type(value).__name__, "value": shown if len(shown) <= 200 else shown[:199] + "…"}


def elements(value: Value) -> int:
    """How much there is to look at: elements of tensors, items of lists, letters of texts."""
    if isinstance(value, TensorValue):
        return value.numel
    if isinstance(value, (list, tuple)):
        return sum(elements(item) for item in value)
    if isinstance(value, dict):
        return sum(elements(item) for item in value.values())
    return len(value) if isinstance(value, str) else 1


def has_empty_tensor(value: Value) -> bool:
    """Whether the value is a tensor without elements, or holds one."""
    if isinstance(value, TensorValue):
        return value.numel == 0
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, (list, tuple)) and any(has_empty_tensor(item) for item in value)


def is_float32(question: Question) -> bool:
    """Whether every floating number that goes in is float32, and no other floating type is named."""
    names = [
        leaf.dtype if isinstance(leaf, TensorValue) else leaf.name
        for value in _given(question)
        for _, leaf in leaves(value)
        if isinstance(leaf, (TensorValue, DtypeValue))
    ]
    return all(name == "float32" for name in names if is_floating(name))


def is_empty(question: Question) -> bool:
    """Whether a tensor without elements goes in."""
    return any(has_empty_tensor(value) for value in _given(question))


def _given(question: Question) -> list[Value]:
    """Every argument of every call."""
    calls = [(question.args, question.kwargs), *question.then]
    return [value for args, kwargs in calls for value in (*args, *kwargs.values())]


def literal(value: Value) -> str | None:
    """Python that makes the value again; None for what has no literal (a view of other storage, NaN-boxed dtypes)."""
    if isinstance(value, TensorValue):
        return _tensor_literal(value)
    if isinstance(value, DtypeValue):
        return f"torch.{value.name}"
    if isinstance(value, (list, tuple)):
        items = [literal(item) for item in value]
        if any(item is None for item in items):
            return None
        inner = ", ".join(item for item in items if item is not None)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(items) == 1 else ''})"
    if isinstance(value, dict):
        pairs = [(repr(key), literal(item)) for key, item in value.items()]
        return None if any(item is None for _, item in pairs) else "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    return None


def short_call(entry: str, question: Question, longest: int) -> str | None:
    """The whole call as one expression, if it is no longer than `longest` characters."""
    parts = [literal(value) for value in question.args]
    parts += [None if (text := literal(value)) is None else f"{name}={text}" for name, value in question.kwargs.items()]
    if any(part is None for part in parts):
        return None
    text = f"{entry}({', '.join(part for part in parts if part is not None)})"
    return text if len(text) <= longest else None


def _shown(value: Value) -> str:
    if isinstance(value, TensorValue):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(_shown(item) for item in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, DtypeValue):
        return f"torch.{value.name}"
    return repr(value)


def _contiguous(value: TensorValue) -> bool:
    step = 1
    for size, stride in zip(reversed(value.shape), reversed(value.strides), strict=False):
        if size > 1 and stride != step:
            return value.numel == 0
        step *= size
    return True


def _tensor_literal(value: TensorValue) -> str | None:
    if value.missing or value.dtype.startswith(("float8", "complex")) or not _contiguous(value):
        return None
    grad = ".requires_grad_()" if value.requires_grad else ""
    if value.numel == 0:
        return f"torch.empty({list(value.shape)}, dtype=torch.{value.dtype}){grad}"
    nested = _nested(array(value), value.dtype)
    implied = {"float32": "." in nested or "float(" in nested, "int64": True, "bool": True}.get(value.dtype, False)
    dtype = "" if implied else f", dtype=torch.{value.dtype}"
    return f"torch.tensor({nested}{dtype}){grad}"


def _nested(numbers: Any, dtype: str) -> str:
    if numbers.ndim:
        return "[" + ", ".join(_nested(row, dtype) for row in numbers) + "]"
    np = load_numpy()
    item = numbers.item()
    if dtype == "float32" and np.isfinite(item):
        return repr(float(str(np.float32(item))))
    if isinstance(item, float):
        return repr(item) if np.isfinite(item) else f'float("{item}")'
    return repr(item)
