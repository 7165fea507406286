"""The lines of a kernel in which something certain happens: it writes into an argument, drops a gradient, or first
calculates in half precision.

The kernel is called once more, with torch's modes watching, and what it prints is thrown away. Each kind is a fact
about the call that was watched, whatever was meant by it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from llmdrills.grading.protocol.answer import Seek
from llmdrills.grading.rules.operators import operator, tensors

__all__ = ["watching"]

_HALF = (torch.float16, torch.bfloat16)
_QUIET = ("__repr__", "__format__", "size", "dim", "numel", "is_floating_point", "requires_grad_")


def watching(kind: Seek, given: Sequence[Any], line: Callable[[], int]) -> _Watcher:
    """A context that notes the `lines` of the kernel that `kind` is about.

    `given` are the call's arguments; for a lost gradient only the one in question asks for one. `line` tells
    the kernel's line that is being run.
    """
    kinds: dict[Seek, type[_Watcher]] = {"input-changed": _Written, "no-gradient": _Lost, "half-precision": _Half}
    return kinds[kind](given, line)


class _Watcher(ABC):
    """Notes each line once, in the order in which they come."""

    def __init__(self, given: Sequence[Any], line: Callable[[], int]) -> None:
        self.lines: list[int] = []
        self._given = list(tensors(given))
        self._line = line
        self._mode = self._made()

    @abstractmethod
    def _made(self) -> Any:
        """The mode of torch that watches, and calls `note`."""

    def note(self) -> None:
        """What is looked for happens in the line that is being run."""
        line = self._line()
        if line not in self.lines:
            self.lines.append(line)

    def __enter__(self) -> _Watcher:
        self._mode.__enter__()
        return self

    def __exit__(self, *how: Any) -> None:
        self._mode.__exit__(*how)


class _Functions(TorchFunctionMode):  # type: ignore[misc,unused-ignore]  # torch is not followed by mypy
    def __init__(self, after: Callable[[Any, Sequence[Any], Any], None]) -> None:
        super().__init__()
        self._after = after

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self._after(func, (*args, *(kwargs or {}).values()), out)
        return out


class _Written(_Watcher):
    """Tensors count how often they were written to, whoever wrote: also through a view."""

    def _made(self) -> Any:
        self._versions = [tensor._version for tensor in self._given]
        return _Functions(self._after)

    def _after(self, *_: Any) -> None:
        versions = [tensor._version for tensor in self._given]
        if versions != self._versions:
            self._versions = versions
            self.note()


class _Lost(_Watcher):
    """What asks for a gradient goes in, and floating numbers that ask for none come out.

    One argument alone asks for a gradient, so everything that asks for one is made of it.
    """

    def _made(self) -> Any:
        return _Functions(self._after)

    def _after(self, func: Any, args: Sequence[Any], out: Any) -> None:
        if getattr(func, "__name__", "") in _QUIET or not any(tensor.requires_grad for tensor in tensors(args)):
            return
        numbers = [tensor for tensor in tensors((out,)) if tensor.is_floating_point()]
        taken = isinstance(out, float | list) and not numbers
        if taken or any(not tensor.requires_grad for tensor in numbers):
            self.note()


class _Half(_Watcher):
    """Only the first line counts: what follows is calculated from what is rounded already."""

    def _made(self) -> Any:
        return _Operators(self)


class _Operators(TorchDispatchMode):  # type: ignore[misc,unused-ignore]  # torch is not followed by mypy
    def __init__(self, watcher: _Watcher) -> None:
        super().__init__()
        self._watcher = watcher

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True, the default, imports torch._dynamo and sympy at the first operator: over a second, for nothing here.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        one = operator(func)
        if one.kind == "composite":
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        half = any(tensor.dtype in _HALF for tensor in tensors((out,)))
        if half and not self._watcher.lines and one.flops(args, kwargs, out):
            self._watcher.note()
        return out
