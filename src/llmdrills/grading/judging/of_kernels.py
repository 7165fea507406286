"""What the watch on Triton's interpreter saw in an answer, as findings. No torch and no triton."""

from __future__ import annotations

from llmdrills.grading.engines.triton.report import Event, Kind
from llmdrills.grading.judging.findings import DoesNotCompile, Fault, Finding, OfKernel, Race, TooMuchWork
from llmdrills.grading.judging.verdict import Outcome
from llmdrills.grading.protocol.answer import STOPPED, Answer
from llmdrills.grading.protocol.wire import Raised

__all__ = ["is_stopped", "kinds_of_events", "of_kernels", "outcome_of_kernel"]

_KERNEL: dict[Kind, type[OfKernel]] = {
    "out-of-bounds": Fault,
    "none-pointer": Fault,
    "no-grid": Fault,
    "too-large-grid": Fault,
    "race": Race,
    "read-back": Race,
    "does-not-compile": DoesNotCompile,
    "helper-axes": DoesNotCompile,
    "too-much-work": TooMuchWork,
}
"""What each event is. What torch did is among the forbidden calls; what else a kernel raised is an exception."""


def of_kernels(answer: Answer) -> list[Finding]:
    """What the watch on Triton's kernels saw, that which ended the call first."""
    events = () if answer.watched is None else answer.watched.events
    found = [_finding(event) for event in events if event.kind in _KERNEL]
    return sorted(found, key=lambda one: isinstance(one, Race))


def _finding(event: Event) -> Finding:
    kernel = _KERNEL[event.kind]
    return kernel("", event.kind, event.line or 0, event.kernel or "", event.program or (), dict(event.facts))


def is_stopped(answer: Answer) -> bool:
    """Whether the watch ended the call."""
    return isinstance(answer.value, Raised) and STOPPED in answer.value.classes


def kinds_of_events(answer: Answer) -> set[tuple[object, ...]]:
    """What these are, as far as two answers to one case have the same fault: of an access out of bounds, which it is
    and of what shape the tensor is, whatever its parameter is called."""
    return {_apart(finding) for finding in of_kernels(answer) if isinstance(finding, OfKernel)}


def _apart(found: OfKernel) -> tuple[object, ...]:
    facts = [found.facts.get(name) for name in ("access", "shape")] if isinstance(found, Fault) else []
    return (found.event, *(fact for fact in facts if isinstance(fact, (str, tuple))))


def outcome_of_kernel(found: OfKernel) -> Outcome:
    """Which outcome it makes of its case."""
    if isinstance(found, Fault):
        return "fault"
    if isinstance(found, Race):
        return "race"
    return "does-not-compile" if isinstance(found, DoesNotCompile) else "timeout"
