"""The conditions that a call meets: "`query_length` = 1", "`x` is float16 or bfloat16", "`top_k` > vocabulary".

Made of the features of the call, the author's marks left out: those are words for authors. Of a feature with more than
two values, a condition may take two that have a name together (at least 1, at most as large, half precision).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from llmdrills.grading.judging.behaviour import ALWAYS, GIVEN, HALF, Condition
from llmdrills.grading.kernels.features import ABSENT, Seen, order

__all__ = ["conditions", "rank"]

_COUNTS = (("0", "1"), ("1", "2 or more"))
_LENGTHS = (("0", "1"), ("1", "2", "3 or more"))
_ORDERS = (("equal to", "less than"), ("equal to", "greater than"), ("greater than", "less than"))
_LEFT_OUT = (" at its default",)


def conditions(seen: Seen, optional: frozenset[str]) -> frozenset[Condition]:
    """Every condition that the call meets, `ALWAYS` with them; `optional` are the arguments that may be left out."""
    return frozenset((ALWAYS, *_conditions(seen, optional)))


def rank(condition: Condition) -> tuple[Any, ...]:
    """How simple a condition is to read and to check, the simplest first: an argument's own value, a dtype, a size,
    two sizes against each other, then what a tensor holds."""
    name = condition.name
    kind = 0
    if condition == ALWAYS:
        kind = -1
    elif name.endswith(".dtype"):
        kind = 1
    elif ".size(" in name or name.endswith(".dim()"):
        kind = 2
    elif " against " in name:
        kind = 3
    elif name.endswith(" contiguous"):
        kind = 5
    elif " " in name and not name.endswith(GIVEN):
        kind = 4
    return kind, len(condition.values), len(name), name, condition.values


def _conditions(seen: Seen, optional: frozenset[str]) -> Iterator[Condition]:
    found = {name: str(value) for name, value in seen.found.items() if not name.endswith(_LEFT_OUT)}
    for name in optional:
        found[f"{name} {GIVEN}"] = str(found.get(name, "") not in (ABSENT, "None"))
    for one, other in combinations(sorted(seen.sizes), 2):
        found[f"{one} against {other}"] = order(seen.sizes[one], seen.sizes[other])
    for name, value in found.items():
        yield Condition(name, (value,))
        yield from (Condition(name, group) for group in _groups(name, seen) if value in group)


def _groups(name: str, seen: Seen) -> tuple[tuple[str, ...], ...]:
    """The values of a feature that have a name together."""
    if name in seen.sizes:
        return _LENGTHS if name.startswith("len(") else _COUNTS
    if name.endswith(".dtype"):
        return (HALF,)
    return _ORDERS if " against " in name else ()
