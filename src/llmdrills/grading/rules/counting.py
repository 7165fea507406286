"""What a call costs, by counting: floating-point operations, the largest tensor that an operator allocates, the
operators called.

The same on every machine, where the clock is not. Runs where torch does: in the learner's process and in the
oracle's. Forbidden calls are seen here as they happen, by torch's function and dispatch modes.

What is not counted: buffers inside a fused operator; arithmetic in plain Python, after `.tolist()` or `.item()`.
Matrix products are counted by the formulas of torch.utils.flop_counter, and so is a broadcast multiplication whose
result is larger than both factors, which is a matrix product in disguise; other elementwise work is not.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from llmdrills.grading.rules.forbidden import ForbiddenUse

__all__ = ["Tally", "Watch", "warm_up"]

aten = torch.ops.aten


@dataclass
class Tally:
    """The cost of the calls watched. `largest` is in elements, `largest_shape` the shape of that tensor."""

    flops: int = 0
    largest: int = 0
    largest_shape: tuple[int, ...] = ()
    largest_operator: str = ""
    largest_line: int = 0
    operators: Counter[str] = field(default_factory=Counter)


class Watch:
    """Counts what happens inside a `with` block, and notes forbidden calls with the attempt's line.

    `file` is the attempt's path: lines are those of the innermost frame of that file. `calls` are the dotted names
    that the kata forbids; without `counted` nothing else is looked at. `switched_off` says after the block that
    someone took the modes away.
    """

    def __init__(self, calls: Sequence[str] = (), file: str = "", *, counted: bool = True) -> None:
        self.counted = counted
        self.tally = Tally()
        self.uses: list[ForbiddenUse] = []
        self.switched_off = False
        self._file = file
        self._functions = _FunctionMode(self, _resolve(calls))
        self._dispatch = _DispatchMode(self, {_bare(call.rpartition(".")[2]): call for call in calls})

    def __enter__(self) -> Watch:
        self._functions.__enter__()
        self._dispatch.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.switched_off = not self._awake()
            self._dispatch.__exit__(kind, error, trace)
            self._functions.__exit__(kind, error, trace)
        except Exception:  # an attempt that unbalanced torch's stack of modes, however it did
            self.switched_off = True

    def line(self) -> int:
        """The line of the attempt that is being run, 0 when it is none of its."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self._file:
                return frame.f_lineno
            frame = frame.f_back
        return 0

    def _awake(self) -> bool:
        """A canary: one operator that the mode must see."""
        before, counted = self._dispatch.seen, self.tally
        self.tally = Tally()
        torch.zeros(1)
        self.tally = counted
        return self._dispatch.seen > before


class _FunctionMode(TorchFunctionMode):  # type: ignore[misc,unused-ignore]  # torch is not followed by mypy
    def __init__(self, watch: Watch, forbidden: dict[Any, str]) -> None:
        super().__init__()
        self._watch = watch
        self._forbidden = forbidden

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            call = self._forbidden.get(func)
        except TypeError:  # an unhashable callable is none of those looked for
            call = None
        if call is not None:
            self._watch.uses.append(ForbiddenUse(call, self._watch.line(), "called"))
        return func(*args, **(kwargs or {}))


class _DispatchMode(TorchDispatchMode):  # type: ignore[misc,unused-ignore]  # torch is not followed by mypy
    def __init__(self, watch: Watch, forbidden: dict[str, str]) -> None:
        super().__init__()
        self._watch = watch
        self._forbidden = forbidden
        self.seen = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True, the default, imports torch._dynamo and sympy at the first operator: over a second, for nothing here.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.seen += 1
        kwargs = kwargs or {}
        operator = _OPERATORS.get(func) or _operator(func)
        call = self._forbidden.get(operator.bare)
        if call is not None:
            self._watch.uses.append(ForbiddenUse(call, self._watch.line(), "dispatched"))
        if operator.composite:
            # Under inference mode a composite operator arrives whole: count its parts.
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        if self._watch.counted:
            self._count(operator, out, args, kwargs)
        return out

    def _count(self, operator: _Operator, out: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        tally, packet, name, formula = self._watch.tally, operator.packet, operator.name, operator.formula
        tally.operators[name] += 1
        if formula is not None:
            tally.flops += formula(*args, **kwargs, out_val=out)
        elif packet is aten.mul and isinstance(out, torch.Tensor):
            widest = max((a.numel() for a in args if isinstance(a, torch.Tensor)), default=0)
            tally.flops += 2 * out.numel() if out.numel() > widest else 0
        given = {_storage(tensor) for tensor in _tensors((*args, *kwargs.values()))}
        for tensor in _tensors((out,)):
            if _storage(tensor) in given:
                continue  # a view, or the result of an operator in place
            elements = tensor.untyped_storage().nbytes() // max(tensor.element_size(), 1)
            if elements > tally.largest:
                tally.largest, tally.largest_shape = elements, tuple(tensor.shape)
                tally.largest_operator, tally.largest_line = name, self._watch.line()


def warm_up() -> None:
    """Pay for the first use of a dispatch mode (it imports sympy, over a second) on a one-element tensor."""
    with Watch():
        torch.ones(1) * 1


def _storage(tensor: Any) -> int:
    return int(tensor.untyped_storage()._cdata)


def _tensors(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _bare(name: str) -> str:
    """One spelling for the operators behind a public name: `_safe_softmax` and `_softmax` are softmax."""
    name = name.lstrip("_")
    if name.startswith("scaled_dot_product"):
        return "scaled_dot_product_attention"
    for prefix in ("fused_", "safe_", "native_", "unsafe_"):
        name = name.removeprefix(prefix)
    return name.removesuffix("_")


def _resolve(calls: Sequence[str]) -> dict[Any, str]:
    """The objects that the dotted names stand for; a name this torch does not have stands for none."""
    found: dict[Any, str] = {}
    for call in calls:
        target: Any = torch
        for part in call.split(".")[1:]:
            target = getattr(target, part, None)
        if target is not None and target is not torch:
            found[target] = call
    return found


@dataclass(frozen=True)
class _Operator:
    """What is asked about an overload at each of its calls; worked out at the first."""

    packet: Any
    name: str
    bare: str
    formula: Callable[..., int] | None
    composite: bool  # made of other operators, and no cost of its own is known


_OPERATORS: dict[Any, _Operator] = {}
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


def _operator(func: Any) -> _Operator:
    packet = getattr(func, "_overloadpacket", func)
    name = str(packet).rpartition(".")[2]
    formula = _formula(packet)
    composite = formula is None and hasattr(func, "decompose") and func.has_kernel_for_dispatch_key(_COMPOSITE)
    found = _Operator(packet, name, _bare(name), formula, composite)
    _OPERATORS[func] = found
    return found


def _formula(packet: Any) -> Callable[..., int] | None:
    formula: Callable[..., int] | None = flop_registry.get(packet) or _FORMULAS.get(packet)
    return formula


def _fused_cpu(*args: Any, **_: Any) -> int:
    query, key, value = args[:3]
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))


def _fused_cpu_backward(*args: Any, **_: Any) -> int:
    # As for the other fused backward passes: two gradients for each of the two products, and a recomputation.
    return _fused_cpu(*args[1:4]) * 5 // 2


def _vector(*args: Any, **_: Any) -> int:
    return 2 * int(args[0].numel())


def _added_vector(*args: Any, **_: Any) -> int:
    return 2 * int(args[1].numel())


# torch.utils.flop_counter counts nothing for these.
_FORMULAS: dict[Any, Callable[..., int]] = {
    aten._scaled_dot_product_flash_attention_for_cpu: _fused_cpu,
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _fused_cpu_backward,
    aten.mv: _vector,
    aten.dot: _vector,
    aten.vdot: _vector,
    aten.addmv: _added_vector,
}
