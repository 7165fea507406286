"""The calls that a kernel makes of the functions beside it, with what goes in and what comes out.

Reference and attempt are traced alike, each in its own process; `llmdrills.grading.judging.stages` compares the two.
A traced kernel returns `[result, calls]`; a call is `[function, arguments by name, result, calls inside of it]`, in the
order of the calls. Values are copied as they are at that moment.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import torch

from llmdrills.grading.protocol.answer import Question

__all__ = ["MOST_CALLS", "MOST_NUMBERS", "question_of_calls", "traced"]

MOST_CALLS = 500
MOST_NUMBERS = 200_000
"""Elements of all tensors in one trace; of what is larger there is none."""
_PLAIN = (bool, int, float, str, type(None))


class _TooLarge(Exception):  # noqa: N818  # ends a trace: the attempt itself is judged by another call
    """The trace would hold more than it may."""


def question_of_calls(question: Question, names: Sequence[str]) -> Question:
    """The same call, asked about the functions of those names that are called in it."""
    return dataclasses.replace(question, trace=tuple(names), then=(), grads=(), draws=0, count=False)


def traced(kernel: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """A kernel that makes the same call and returns what was called in it, and what came out.

    Functions are found by name among the kernel's own globals; one that is not there, or is no plain function, is not
    seen.
    """

    def run(*args: Any, **kwargs: Any) -> list[Any]:
        own = getattr(kernel, "__globals__", {})
        found = {name: own[name] for name in names if type(own.get(name)) is FunctionType}
        trace = _Trace()
        own.update({name: trace.watching(function) for name, function in found.items()})
        try:
            result = kernel(*args, **kwargs)
        finally:
            own.update(found)
        return [trace.copied(result), trace.calls]

    return run


class _Trace:
    def __init__(self) -> None:
        self.calls: list[Any] = []
        self._inner = self.calls  # where the next call is noted
        self._left, self._room = MOST_CALLS, MOST_NUMBERS

    def watching(self, function: FunctionType) -> Callable[..., Any]:
        """The function, noting each call."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise _TooLarge
            node: list[Any] = [function.__name__, self._named(function, args, kwargs), None, []]
            self._inner.append(node)
            outer, self._inner = self._inner, node[3]
            try:
                result = function(*args, **kwargs)
            finally:
                self._inner = outer
            node[2] = self.copied(result)
            return result

        return call

    def _named(self, function: FunctionType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        return {name: self.copied(value) for name, value in bound.arguments.items()}

    def copied(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            self._room -= value.numel()
            if self._room < 0:
                raise _TooLarge
            return value.detach().clone()
        if isinstance(value, dict):
            return {str(name): self.copied(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.copied(inner) for inner in value]
        return value if type(value) in _PLAIN else type(value).__name__
