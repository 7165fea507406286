"""Random results against the law of their call: which may come, and how often each does.

A call's results fail where one of them has no place in the law, or where one came so often or so seldom that a right
kernel does that less than once in `1 / RARE` cases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from llmdrills.grading.judging.differences import Rules, differences
from llmdrills.grading.judging.findings import Finding, WrongDraws, WrongStructure
from llmdrills.grading.protocol.answer import Expected, Law
from llmdrills.grading.protocol.numbers import array
from llmdrills.grading.protocol.wire import TensorValue, Value

__all__ = ["RARE", "against_laws", "brief"]

RARE = 1e-9
"""The chance at which a right kernel's counts fail in one call of a case. A grade has about a hundred calls."""
CERTAIN = 0.999
"""What comes at least so often is told as the answer that is due, whatever else may come once in a blue moon."""
MOST_SHOWN = 5


def against_laws(expected: Expected, value: Value) -> list[Finding]:
    """What is wrong with the results of a case that has laws: a path begins with the number of its call."""
    results: Value = value
    if expected.calls == 1:
        results = [value]
    elif type(value) is not list or len(value) != expected.calls:
        # Only a forged answer comes to this.
        return [WrongStructure("", f"{expected.calls} results", "another number")]
    found: list[Finding] = []
    for number, (law, came) in enumerate(zip(expected.laws, results, strict=True), 1):
        path = f"call {number} " if expected.calls > 1 else ""
        found += _against(law, came if expected.draws else [came], path)
    return found


def _against(law: Law, came: Sequence[Value], path: str) -> list[Finding]:
    counts = [0] * len(law)
    unwanted: list[Value] = []
    for result in came:
        at = next((at for at, (due, _) in enumerate(law) if not _differ(due, result)), None)
        if at is not None:
            counts[at] += 1
        elif not any(not _differ(other, result) for other in unwanted):
            unwanted.append(result)
    likeliest, chance = max(law, key=lambda pair: pair[1])
    if unwanted and (chance >= CERTAIN or type(unwanted[0]) is not type(likeliest)):
        return _differ(likeliest, unwanted[0], path)
    uneven = list(_uneven(law, counts, len(came)))
    if not unwanted and not uneven:
        return []
    missing = [brief(law[at][0]) for at in uneven if not counts[at]]
    others = [f"{brief(law[at][0])} ({counts[at]}, not {law[at][1] * len(came):.1f})" for at in uneven if counts[at]]
    shown = [brief(result) for result in unwanted]
    return [WrongDraws(path, len(came), *(tuple(texts[:MOST_SHOWN]) for texts in (missing, shown, others)))]


def _uneven(law: Law, counts: Sequence[int], draws: int) -> Iterator[int]:
    """The results that came too often or too seldom to be chance."""
    for at, ((_, given), count) in enumerate(zip(law, counts, strict=True)):
        chance = min(given, 1.0)  # a sum of floats may exceed it
        terms = [math.comb(draws, k) * chance**k * (1 - chance) ** (draws - k) for k in range(draws + 1)]
        if min(sum(terms[: count + 1]), sum(terms[count:])) < RARE / (2 * len(law)):
            yield at


def _differ(due: Value, result: Value, path: str = "") -> list[Finding]:
    return differences(due, result, Rules(nan_ok=True), path)


def brief(value: Value) -> str:
    """A result in a few characters."""
    if isinstance(value, TensorValue):
        return str(array(value).tolist())[:200]
    return repr(value)[:200]
