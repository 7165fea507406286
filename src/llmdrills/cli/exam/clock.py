"""The clock of an exam: it runs while somebody sits it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from llmdrills.cli.exam.words import WORDS

if TYPE_CHECKING:
    from llmdrills.language import Language
    from llmdrills.practice.exam import Exam

__all__ = ["Clock"]


class Clock:
    """Measures from when it is made."""

    def __init__(self, exam: Exam) -> None:
        self._exam = exam
        self._last = time.monotonic()

    def tick(self) -> None:
        """Take the time since the last tick off the exam's."""
        now = time.monotonic()
        self._exam.spend(now - self._last)
        self._last = now

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return not self._exam.left

    def shown(self, language: Language) -> str:
        """What is left, in minutes begun: seconds would draw the line anew all the time."""
        return WORDS["minutes_left"].format(minutes=math.ceil(self._exam.left / 60))[language]
