"""Calls of Triton kernels under the watch, as whoever asks kernels puts them.

A kernel that launches is marked: the kata's solution, its equivalents, its slips and their mutants. The learner's file
is always watched, whatever it says of itself.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from llmdrills.grading.engines import triton as engine
from llmdrills.grading.engines.triton import Cost, Event, KernelStoppedError, Limits, Report
from llmdrills.grading.protocol.answer import STOPPED
from llmdrills.grading.protocol.wire import Raised
from llmdrills.grading.rules.forbidden import ForbiddenUse

__all__ = [
    "LIMITS",
    "OURS",
    "SHORT",
    "Launches",
    "StoppedCallError",
    "launches",
    "marked",
    "stopped_call",
    "together",
    "torch_uses",
    "watched",
]

LIMITS = Limits(seconds=4.0)
"""What one call may take: less than the clock of a case allows, so that the line of an endless loop is told."""
OURS = Limits(seconds=30.0)
"""What one of our own wrong kernels may take: it ends by itself, and a proof must not fail on a slow machine."""
SHORT = Limits(seconds=0.25)
"""What a call may take once an earlier one took too long: an attempt has many calls."""

_MARK = "__llmdrills_engine__"


def marked(kernel: Any, name: str) -> Any:
    """The kernel, marked with the engine that runs it."""
    setattr(kernel, _MARK, name)
    return kernel


def launches(kernel: Any) -> bool:
    """Whether the kernel is marked as one that launches Triton kernels."""
    return getattr(kernel, _MARK, "") == "triton"


class Launches:
    """Watches the Triton kernels that are launched inside its block; `report` says after it what was seen.

    Without `on` nothing is watched, and there is no report. `file` is the attempt's path, None where the kernels stand
    in other files; `given` are the arguments of the call, `limits` what it may take.
    """

    def __init__(self, *, on: bool, file: str | None, given: Iterable[Any], limits: Limits = LIMITS) -> None:
        self.report: Report | None = None
        self._watching: AbstractContextManager[Any] = (
            engine.watching(limits, file=file, given=tuple(given)) if on else nullcontext()
        )
        self._watch: Any = None

    def __enter__(self) -> Launches:
        self._watch = self._watching.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watching.__exit__(kind, error, trace)
        if self._watch is not None:
            self.report = self._watch.report()


class StoppedCallError(RuntimeError):
    """A call of a watched kernel that no GPU would make as it is: `kind` is that of what was seen."""

    def __init__(self, event: Event) -> None:
        self.kind = event.kind
        place = f" at line {event.line}" if event.line else ""
        super().__init__(f"{event.kind}{place}: {dict(event.facts)}")


def watched(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel as a plain function that runs under the watch, for proofs and cards.

    It raises StoppedCallError where the watch saw anything. A kernel that launches nothing is returned as it is.
    """
    if not launches(kernel):
        return kernel

    @functools.wraps(kernel)
    def run(*args: Any, **kwargs: Any) -> Any:
        seen = Launches(on=True, file=None, given=(*args, *kwargs.values()))
        try:
            with seen:
                result = kernel(*args, **kwargs)
        except KernelStoppedError as stopped:
            raise StoppedCallError(stopped.event) from None
        for event in seen.report.events if seen.report is not None else ():
            raise StoppedCallError(event)
        return result

    return run


def stopped_call(error: KernelStoppedError, file: str) -> Raised:
    """A call that the watch ended, as an exception: of two such calls it is seen whether they are the same fault."""
    event = error.event
    line, of = event.line or 0, file if event.line else ""
    if event.kind == "interpreter":
        name = str(event.facts.get("type", "RuntimeError"))
        message = str(event.facts.get("message", ""))
        return Raised(name, (name, "Exception", "BaseException"), message, of, line, operation="kernel")
    what = str(event.facts.get("access", event.facts.get("how", "")))
    return Raised(event.kind, (STOPPED, "BaseException"), what, of, line, operation="kernel")


def torch_uses(report: Report | None) -> tuple[ForbiddenUse, ...]:
    """What torch did that a kernel is to do."""
    found: tuple[Event, ...] = () if report is None else report.events
    return tuple(
        ForbiddenUse(f"torch.{str(event.facts['operator']).lstrip('_')}", event.line or 0, "torch")
        for event in found
        if event.kind == "torch-used"
    )


def together(reports: Sequence[Report | None]) -> Report | None:
    """What was seen in several calls: all events, the costs added up, and the largest tile of all."""
    seen = [report for report in reports if report is not None]
    if not seen:
        return None
    costs = [report.cost for report in seen]
    added = {field.name: sum(getattr(cost, field.name) for cost in costs) for field in dataclasses.fields(Cost)}
    added["largest_tile"] = max(cost.largest_tile for cost in costs)
    return Report(tuple(event for report in seen for event in report.events), Cost(**added))
