"""What an attempt does with torch: allocations and views are fine, computing is not.

A kernel's wrapper may allocate (`empty`, `zeros`, `ones`, `full` and their kin), make views, and ask for shapes.
Everything else that reaches torch's dispatcher is noted. Memory from `empty` is filled with values that stand for
undefined ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from llmdrills.grading.engines.triton.numerics import BF16_NAN, undefined
from llmdrills.grading.engines.triton.watch import Watch

__all__ = ["Operators", "tensors"]

_EMPTY = frozenset(("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"))
_FILLED = frozenset(
    ("zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full", "full_like", "new_full", "zero_")
) | {"fill_", "scalar_tensor", "lift_fresh", "_efficientzerotensor"}
_VIEWS = frozenset(("_unsafe_view", "_reshape_alias", "set_", "requires_grad_"))
"""Operators that make views, or change what a tensor looks at, and do not say so in their schemas."""


def tensors(values: Any) -> Iterator[Any]:
    """The tensors in lists, tuples and dicts, however nested; sparse ones have no memory that a kernel could reach."""
    if isinstance(values, torch.Tensor):
        if values.layout is torch.strided:
            yield values
    elif isinstance(values, dict):
        yield from tensors(tuple(values.values()))
    elif isinstance(values, Iterable) and not isinstance(values, (str, bytes)):
        for value in values:
            yield from tensors(value)


class Operators(TorchDispatchMode):  # type: ignore[misc,unused-ignore]  # torch is not followed by mypy
    """Notes what computes, and makes undefined memory show."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True, the default, imports torch._dynamo and sympy at the first operator: over a second, for nothing here.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        schema = getattr(func, "_schema", None)
        name = str(func) if schema is None else schema.name.partition("::")[2]
        inside = self._watch.program is not None
        if not inside and name in _EMPTY:
            made = func(*args, **kwargs)
            _poison(made)
            return made
        if not inside and name in _FILLED:
            return func(*args, **kwargs)
        parts = self._parts(func, args, kwargs)
        if parts is not NotImplemented:
            return parts
        if inside or not _is_view(schema, name):
            facts = {"operator": name, "where": "inside" if inside else "outside"}
            self._watch.note(self._watch.event("torch-used", facts), name)
        return func(*args, **kwargs)

    def _parts(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """The result by way of the operators that it is made of, NotImplemented where it is made of none.

        Under inference mode a composite operator arrives whole, and what matters is what it does.
        """
        if not isinstance(func, torch._ops.OpOverload):
            return NotImplemented
        with self:
            return func.decompose(*args, **kwargs)


def _is_view(schema: Any, name: str) -> bool:
    """Whether an operator gives out memory that it got, and writes none."""
    if schema is None:
        return False
    aliases = [one.alias_info for one in schema.arguments if one.alias_info is not None]
    returned = any(one.alias_info is not None for one in schema.returns)
    return name in _VIEWS or (returned and bool(aliases) and not any(alias.is_write for alias in aliases))


def _poison(made: Any) -> None:
    if not isinstance(made, torch.Tensor) or not made.numel() or made.layout is not torch.strided:
        return
    if made.dtype is torch.bfloat16:
        made.view(torch.int16).fill_(BF16_NAN)
    elif made.is_floating_point() and made.element_size() in (2, 4, 8):
        kind = {2: "float16", 4: "float32", 8: "float64"}[made.element_size()]
        bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[made.element_size()]
        pattern = undefined(kind).view(f"int{8 * made.element_size()}")
        made.view(bits).fill_(int(pattern))
    elif made.dtype is torch.bool:
        made.fill_(True)
    elif not made.is_floating_point() and not made.is_complex():
        made.fill_(min(torch.iinfo(made.dtype).max, torch.iinfo(torch.int32).max) // 3)
