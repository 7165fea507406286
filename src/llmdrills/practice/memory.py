"""FSRS-6's forgetting curve, as published: chance of recall, and the interval after which it has fallen so far.

The plan needs only these two formulas, so that it need not import the `fsrs` package (25 ms); a test compares the two.
https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm
"""

from __future__ import annotations

__all__ = ["DEFAULT_DECAY", "interval", "retrievability"]

DEFAULT_DECAY = 0.1542  # w20 of FSRS-6's default parameters


def retrievability(stability: float, days: float, decay: float = DEFAULT_DECAY) -> float:
    """The chance of recall, in [0, 1], `days` after the last review; `stability` is the days at which it is 0.9."""
    factor = 0.9 ** (-1 / decay) - 1
    return float((1 + factor * max(0.0, days) / stability) ** -decay)


def interval(stability: float, retention: float, longest: int, decay: float = DEFAULT_DECAY) -> int:
    """Whole days, 1 … `longest`, until the chance of recall has fallen to `retention`."""
    factor = 0.9 ** (-1 / decay) - 1
    days = float(stability / factor * (retention ** (-1 / decay) - 1))
    return min(max(round(days), 1), longest)
