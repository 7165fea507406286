"""The clock of one attempt: how long its present step may still take. No torch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from llmdrills.grading.protocol.answer import TOGETHER

if TYPE_CHECKING:
    from llmdrills.grading.rules.limits import Limits

__all__ = ["AttemptClock", "Step"]

START_SECONDS = 120.0
"""For the learner's process to say that it is ready: no fault of the attempt's, so no limit of the attempt's."""

Step = Literal["start", "load", "call"]


class AttemptClock:
    """Measures the steps of one attempt against its limits.

    Time between two steps, while the attempt waits for the oracle, is charged to nobody.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._began = time.monotonic()
        self._called = 0.0

    def begin(self) -> None:
        """A step begins now."""
        self._began = time.monotonic()

    def end_call(self) -> None:
        """The call that began last is over: its seconds count towards the total."""
        self._called += time.monotonic() - self._began

    def allowed(self, step: Step) -> float:
        """The seconds that a step of this kind may take."""
        if step == "start":
            return START_SECONDS
        if step == "load":
            return self._limits.load
        return min(self._limits.call, max(self._limits.total - self._called, 0.0))

    def exceeded(self, step: Step) -> str:
        """The limit that a step of this kind ran into, in words; see `Ended.detail`."""
        if step == "call" and self.allowed(step) < self._limits.call:
            return f"{TOGETHER}{self._limits.total:.1f} s"
        return f"{self.allowed(step):.1f} s"

    def deadline(self, step: Step) -> float:
        """When the step that began last must be over, on the monotonic clock."""
        return self._began + self.allowed(step)
