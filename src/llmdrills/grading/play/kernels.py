"""Calls of kernels by the small model: who wrote each, whether what it returned can be used, and what went wrong.

The model runs on with whatever values a kernel gives. What it cannot run on with, another type, shape or dtype, ends
the run with the kata's name: torch would complain later, in a line that no learner wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

__all__ = ["KernelFailed", "Kernels"]

Kernel = Callable[..., Any]


class KernelFailed(Exception):  # noqa: N818  # it is what happened to a kernel, not an error of ours
    """A kernel raised (`error` holds what), or returned what the model cannot go on with (`what` says it)."""

    def __init__(self, kata: str, what: str = "", error: BaseException | None = None) -> None:
        super().__init__(kata, what)
        self.kata = kata
        self.what = what
        self.error = error


class Kernels:
    """The kernel of every part of the model. `before` is told the kata's name before each call."""

    def __init__(self, kernels: Mapping[str, Kernel], before: Callable[[str], object] = str) -> None:
        self._kernels = dict(kernels)
        self._before = before

    def call(self, kata: str, *args: Any, **options: Any) -> Any:
        """Whatever the kernel returns. Raises KernelFailed."""
        self._before(kata)
        try:
            return self._kernels[kata](*args, **options)
        except BaseException as error:  # sys.exit inside a kernel is its failure too
            raise KernelFailed(kata, error=error) from error

    def tensor(self, kata: str, shape: Sequence[int], dtype: torch.dtype, *args: Any, **options: Any) -> torch.Tensor:
        """A result that must be one tensor of that shape and dtype. Raises KernelFailed."""
        return self.usable(kata, self.call(kata, *args, **options), shape, dtype)

    def usable(self, kata: str, result: Any, shape: Sequence[int], dtype: torch.dtype, part: str = "") -> torch.Tensor:
        """The result, where it is a tensor of that shape and dtype. `part` names it among several."""
        wanted = f"{_name(dtype)} {_shape(shape)}"
        where = f" as its {part}" if part else ""
        if type(result) is not torch.Tensor:
            raise KernelFailed(kata, f"it returned {type(result).__name__}{where}, and the model needs {wanted}")
        if tuple(result.shape) != tuple(shape) or result.dtype != dtype:
            got = f"{_name(result.dtype)} {_shape(result.shape)}"
            raise KernelFailed(kata, f"it returned {got}{where}, and the model needs {wanted}")
        return result

    def parts(self, kata: str, count: int, *args: Any, **options: Any) -> tuple[Any, ...]:
        """A result that must be a tuple of `count`. Raises KernelFailed."""
        result = self.call(kata, *args, **options)
        if type(result) is not tuple or len(result) != count:
            got = f"a tuple of {len(result)}" if type(result) is tuple else type(result).__name__
            raise KernelFailed(kata, f"it returned {got}, and the model needs a tuple of {count}")
        return result


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
