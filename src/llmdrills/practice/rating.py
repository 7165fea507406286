"""The rating that the recorded events imply. The learner may lower it, never raise it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from llmdrills.language import Bilingual

__all__ = ["NOT_A_RUN", "Facts", "Rating", "derive", "quick_limit", "reason"]

# Saving a half-written file is no attempt at the kata.
NOT_A_RUN = frozenset({"unimplemented", "error"})

_QUICK_OF_MEDIAN = 0.75  # Easy: in at most three quarters of one's own median time
_QUICK_OF_EXPECTED = 0.5  # … or of half the expected time, where there are too few times for a median


class Rating(IntEnum):
    """FSRS's four ratings."""

    AGAIN = 1
    HARD = 2
    GOOD = 3
    EASY = 4

    @property
    def label(self) -> Bilingual:
        """The word that a learner reads."""
        return _LABELS[self]


_LABELS = {
    Rating.AGAIN: Bilingual("Again", "重来"),
    Rating.HARD: Bilingual("Hard", "困难"),
    Rating.GOOD: Bilingual("Good", "良好"),
    Rating.EASY: Bilingual("Easy", "简单"),
}


@dataclass(frozen=True)
class Facts:
    """What happened in one repetition up to its first pass (or so far): the only input to its rating."""

    runs: int = 0  # attempts that ran, the passing one included; half-written files do not count
    passed: bool = False
    diagnosed: bool = False  # a failure was explained by a slip: `evidence.counts` says which are
    hints: int = 0
    solution: bool = False  # gave up, or looked at the solution
    seconds: float = 0.0  # at work, pauses left out
    quick: float = 0.0  # seconds within which this learner counts as fast; 0: never


def quick_limit(times: tuple[float, ...], expected: float) -> float:
    """The seconds within which a pass is fast for this learner.

    `times`: earlier times of this kata, in seconds; `expected`: what the plan expects of it, in seconds.
    """
    if len(times) >= 3:
        return _QUICK_OF_MEDIAN * sorted(times)[len(times) // 2]
    return _QUICK_OF_EXPECTED * expected


def derive(facts: Facts) -> Rating | None:
    """The rating that the facts imply; None while the kata is neither passed nor given up."""
    if facts.solution:
        return Rating.AGAIN
    if not facts.passed:
        return None
    if facts.hints or facts.diagnosed:
        return Rating.HARD
    if facts.runs == 1 and facts.seconds <= facts.quick:
        return Rating.EASY
    return Rating.GOOD


def reason(facts: Facts) -> Bilingual:
    """Why `derive` says what it says, in a few words."""
    if facts.solution:
        return Bilingual("you looked at the solution", "看过参考答案")
    if facts.hints:
        return Bilingual("passed after a hint", "看提示后通过")
    if facts.diagnosed:
        return Bilingual("passed after a known mistake", "出现过常见错误，之后通过")
    if derive(facts) == Rating.EASY:
        return Bilingual("passed on the first run, fast, without a hint", "一次通过，用时短，没看提示")
    return Bilingual("passed without help", "独立通过")
