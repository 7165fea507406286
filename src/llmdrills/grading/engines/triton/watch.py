"""The watch around one call of an attempt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llmdrills.grading.engines.triton.report import Cost, Event, Limits, Report

__all__ = ["Watch", "watching"]


class Watch:
    """What one watched call did."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.events: list[Event] = []

    def report(self) -> Report:
        """What was found so far; may be asked at any time, also after `KernelStoppedError`."""
        return Report(tuple(self.events), Cost())


@contextmanager
def watching(limits: Limits, *, file: str | None = None, given: Any = ()) -> Iterator[Watch]:
    """Watch every kernel that is launched inside the block, and torch's operators. One at a time: it is not re-entrant.

    `file` is the attempt's path, for lines; without it they are those of the kernels' own files. `given` holds the
    arguments of the call (tensors, in any nesting of lists, tuples and dicts): their memory outside the views that were
    given is out of bounds, while memory that the attempt allocated is its own throughout; without `given`, each
    tensor that a kernel gets is taken to be a whole view.
    Raises `KernelStoppedError` inside the block where a call must not go on.
    """
    yield Watch(limits)
