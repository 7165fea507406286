"""How near is right: the tolerance of a number note ("1%", "0.5", "exact"), held against an answer."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Bounds", "bounds", "is_right", "plain"]

_NOISE = 1e-9
"""The share by which two floats may differ that are the same number, computed in another order."""


class Bounds(NamedTuple):
    """The least and the greatest number that are right."""

    low: float
    high: float


def bounds(answer: float, tolerance: str) -> Bounds:
    """What is right for an answer: a share of it ("1%"), so much more or less ("0.5"), or itself ("exact")."""
    if tolerance.endswith("%"):
        off = abs(answer) * float(tolerance[:-1]) / 100
    else:
        off = 0.0 if tolerance == "exact" else float(tolerance)
    return Bounds(answer - off, answer + off)


def is_right(given: float, answer: float, tolerance: str) -> bool:
    """Whether a number counts as the answer; the bounds themselves count, whatever the last bits of a float say."""
    low, high = bounds(answer, tolerance)
    noise = _NOISE * max(abs(low), abs(high))
    return low - noise <= given <= high + noise


def plain(value: float, digits: int = 5) -> str:
    """A number for people: no exponent from 0.0001 up to 1e15, no digits that say nothing, `digits` of the others."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    text = f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
