"""What a call costs, by counting: floating-point operations, the largest tensor that an operator allocates, all that is
alive at once, the operators called.

The same on every machine, where the clock is not. Runs where torch does: in the learner's process and in the
oracle's. Forbidden calls are seen here as they happen, by torch's function and dispatch modes.

`llmdrills.grading.rules.operators` prices an operator. Memory is counted by storage: one that the watch has not seen
in this call (made while the file was imported, kept from an earlier call, or behind torch's back) counts as if the
operator that uses it had allocated it, and so does one that grew. A list of blocks has no large tensor and is a large
matrix all the same: so what is allocated and not freed yet is counted too. What cannot be counted is noted and refused:
operators without a price, sparse tensors, arrays of numpy, many numbers taken out of tensors one by one.

What is not counted: buffers inside a fused operator; arithmetic in plain Python on the few numbers that a call may
take out of tensors.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from llmdrills.grading.rules.forbidden import ForbiddenUse, How
from llmdrills.grading.rules.operators import Operator, bare, operator, tensors

__all__ = ["Tally", "Watch", "print_under_modes", "warm_up"]

MOST_TAKEN = 128
"""Floating-point numbers that one call may take out of tensors, since Python's own arithmetic is not counted; whole
numbers, which loops and indices need, are an eighth each."""


@dataclass
class Tally:
    """The cost of the calls watched. `largest` is in elements, `largest_shape` the shape of that tensor.

    `alive` is how many elements were allocated and not freed, when they were most; `alive_line` is where that was.
    `costliest` holds the floating-point operations by the attempt's line and the operator.
    """

    flops: int = 0
    largest: int = 0
    largest_shape: tuple[int, ...] = ()
    largest_operator: str = ""
    largest_line: int = 0
    alive: int = 0
    alive_line: int = 0
    operators: Counter[str] = field(default_factory=Counter)
    costliest: Counter[tuple[int, str]] = field(default_factory=Counter)


class Watch:
    """Counts what happens inside a `with` block, and notes forbidden calls with the attempt's line.

    `file` is the attempt's path: lines are those of the innermost frame of that file. `calls` are the dotted names
    that the kata forbids; without `counted` nothing else is looked at. `given` holds the arguments of the call, whose
    memory is not the call's own; without it whatever an operator is handed counts as given. `switched_off` says after
    the block that someone took the modes away.
    """

    def __init__(
        self, calls: Sequence[str] = (), file: str = "", *, counted: bool = True, given: Iterable[Any] | None = None
    ) -> None:
        self.counted = counted
        self.tally = Tally()
        self.uses: list[ForbiddenUse] = []
        self.switched_off = False
        self.showing = False  # a tensor is being printed, which takes its numbers out one by one
        self._file = file
        self._taken = 0
        self._strict = given is not None
        self._known = dict(_storage(tensor) for tensor in tensors(given or ()) if _has_memory(tensor))
        self._held: dict[int, tuple[StorageWeakRef, int]] = {}  # by storage: whether it is freed, and its elements
        self._functions = _FunctionMode(self, _resolve(calls))
        self._dispatch = _DispatchMode(self, {_bare_call(call): call for call in calls})

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

    def note(self, call: str, how: How) -> None:
        """A use of `call` in the line that is being run, noted once a line."""
        use = ForbiddenUse(call, self.line(), how)
        if use not in self.uses:
            self.uses.append(use)

    def take(self, how: str, tensor: Any, numbers: int) -> None:
        """Record that numbers left torch, because what is computed with them is not counted."""
        if tensor.dtype != torch.bool and not self.showing:
            self._taken += numbers * (8 if tensor.is_floating_point() or tensor.is_complex() else 1)
            if self._taken > 8 * MOST_TAKEN:
                self.note(f"torch.Tensor.{how}", "taken")

    def count(self, one: Operator, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> None:
        """Price one call of an operator that has run."""
        self.tally.operators[one.name] += 1
        if one.kind == "unknown":
            self.note(one.name if "." in one.name else f"aten.{one.name}", "unknown")
            return
        flops = one.flops(args, kwargs, out)
        if flops:
            self.tally.flops += flops
            self.tally.costliest[self.line(), one.name] += flops

    def charge(self, name: str, values: Iterable[Any], *, made: bool = False) -> None:
        """Count the storages that are new, or larger than when they were seen last, as allocated by operator `name`."""
        for tensor in tensors(values):
            if not _has_memory(tensor):
                self.note(str(tensor.layout), "unknown")
                continue
            key, size = _storage(tensor)
            seen = self._known.get(key, -1 if self._strict or made else size)
            self._known[key] = max(size, seen)
            if size <= seen:
                continue
            elements = size // max(tensor.element_size(), 1)
            self._hold(key, tensor, elements)
            if elements > self.tally.largest:
                self.tally.largest, self.tally.largest_shape = elements, tuple(tensor.shape)
                self.tally.largest_operator, self.tally.largest_line = name, self.line()

    def _hold(self, key: int, tensor: Any, elements: int) -> None:
        """Add a storage to those that are alive, without those that were freed since the last one was added."""
        self._held = {known: held for known, held in self._held.items() if not held[0].expired()}
        self._held[key] = StorageWeakRef(tensor.untyped_storage()), elements
        alive = sum(held[1] for held in self._held.values())
        if alive > self.tally.alive:
            self.tally.alive, self.tally.alive_line = alive, self.line()

    def forget(self, out: Any, given: Iterable[Any]) -> None:
        """Forget the storages of what an operator made: a freed storage may have had the same address."""
        operands = {_storage(tensor)[0] for tensor in tensors(given) if _has_memory(tensor)}
        for tensor in tensors((out,)):
            if _has_memory(tensor) and (key := _storage(tensor)[0]) not in operands:
                self._known.pop(key, None)


class _FunctionMode(TorchFunctionMode):  # type: ignore[misc,unused-ignore]  # torch is not followed by mypy
    def __init__(self, watch: Watch, forbidden: dict[Any, str]) -> None:
        super().__init__()
        self._watch = watch
        self._forbidden = forbidden

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = _attribute(func)
        try:
            call = self._forbidden.get(func)
        except TypeError:  # an unhashable callable is none of those looked for
            call = None
        if call is not None:
            self._watch.note(call, "called")
        if self._watch.counted and args and isinstance(args[0], torch.Tensor):
            if name in _OUTSIDE and args[0].numel() > 1:
                self._watch.note(f"torch.Tensor.{name}", "outside")
            elif name == "tolist":
                self._watch.take(name, args[0], args[0].numel())
        self._watch.showing = name in _SHOWN
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self._watch.showing = False


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
        one = operator(func)
        call = self._forbidden.get(one.bare)
        if call is not None:
            self._watch.note(call, "dispatched")
        if one.kind == "composite":
            # Under inference mode a composite operator arrives whole: count its parts.
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        if not self._watch.counted:
            return func(*args, **kwargs)
        given = (*args, *kwargs.values())
        self._watch.charge(one.name, given)
        out = func(*args, **kwargs)
        self._watch.count(one, args, kwargs, out)
        self._watch.forget(out, given)
        self._watch.charge(one.name, (*given, out), made=True)
        if one.name == "_local_scalar_dense":
            self._watch.take("item", args[0], 1)
        return out


def print_under_modes() -> None:
    """Let tensors be printed where switching torch's modes off is refused: torch's own way begins with that."""

    def shown(tensor: Any, *, tensor_contents: str | None = None) -> Any:
        with no_grad():
            return written_out(tensor, tensor_contents=tensor_contents)

    no_grad, written_out = torch.no_grad, torch._tensor_str._str_intern
    torch._tensor_str._str = shown


def warm_up() -> None:
    """Pay for the first use of a dispatch mode (it imports sympy, over a second) on a one-element tensor."""
    with Watch():
        torch.ones(1) * 1


_OUTSIDE = frozenset(
    ("numpy", "__array__", "__dlpack__", "untyped_storage", "storage", "_typed_storage", "apply_", "map_", "map2_")
)
"""Methods of a tensor that hand its memory or its numbers to something which no mode sees."""
_SHOWN = ("__repr__", "__format__")


def _attribute(func: Any) -> str:
    name = getattr(func, "__name__", "")
    return name if isinstance(name, str) else ""


def _has_memory(tensor: Any) -> bool:
    return tensor.layout is torch.strided


def _storage(tensor: Any) -> tuple[int, int]:
    """Which storage it is, and how many bytes it has."""
    storage = tensor.untyped_storage()
    return int(storage._cdata), int(storage.nbytes())


def _bare_call(call: str) -> str:
    return bare(call.rpartition(".")[2])


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
