"""Which misconception explains a failing attempt.

A wrong kernel explains an attempt when it gives the attempt's own answer to every case that fails (by the case's
tolerance, NaNs in the same places, the same exception type), and is right wherever the attempt is right. Two bugs at
once match nothing: then the best partial explanation is named as one, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmdrills.grading.judging.compare import compare, same_answer
from llmdrills.grading.judging.findings import Finding
from llmdrills.grading.judging.recognition import Recognition, recognitions
from llmdrills.grading.protocol.answer import Answer, Expected

__all__ = ["Explanation", "Judged", "diagnose"]


@dataclass(frozen=True)
class Judged:
    """One case with the attempt's answer and what is wrong with it."""

    expected: Expected
    answer: Answer
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Explanation:
    """A misconception's id, or `recognised-…`. It is whole when it explains all of the failing cases and no right
    answer speaks against it; `contradicts` counts the cases that do.

    `undecided` are other misconceptions that fit as well: one more input would tell them apart.
    """

    id: str
    explains: int
    failing: int
    recognition: Recognition | None = None
    undecided: tuple[str, ...] = ()
    contradicts: int = 0

    @property
    def whole(self) -> bool:
        """Whether it explains everything."""
        return self.explains == self.failing and not self.contradicts


def diagnose(cases: Sequence[Judged], extra: Iterable[Sequence[Judged]] = ()) -> Explanation | None:
    """The best explanation, None when there is none. `extra` holds the same attempt on other seeds, to separate what
    fits."""
    failing = [case for case in cases if case.findings]
    if not failing:
        return None
    first = _Agreement(cases)
    fitting = [name for name in first.names if first.fits(name)]
    for more in extra:
        other = _Agreement(more)
        fitting = [name for name in fitting if other.fits(name)] or fitting
    if fitting:
        return Explanation(fitting[0], len(failing), len(failing), undecided=tuple(fitting[1:]))
    recognised = _recognised(failing)
    if recognised is not None and recognised.whole:
        return recognised
    candidates = [found for found in (_partial(first, len(failing)), recognised) if found is not None]
    return max(candidates, key=lambda found: found.explains, default=None)


class _Agreement:
    """Whether each wrong kernel agrees with the attempt in each case; asked for at most once."""

    def __init__(self, cases: Sequence[Judged]) -> None:
        self.cases = cases
        self.names = list(dict.fromkeys(name for case in cases for name in case.expected.misconceptions))
        self._known: dict[tuple[str, int], bool] = {}

    def fits(self, name: str) -> bool:
        """Whether it agrees in every case."""
        return all(self.agrees(name, at) for at in range(len(self.cases)))

    def agrees(self, name: str, at: int) -> bool:
        """Whether it gives the attempt's answer to a failing case, or is right in one that passes."""
        key = (name, at)
        if key not in self._known:
            self._known[key] = _agrees(name, self.cases[at])
        return self._known[key]


def _agrees(name: str, case: Judged) -> bool:
    wrong = case.expected.misconceptions.get(name)
    if wrong is None:
        return False
    if not case.findings:
        return not compare(case.expected, wrong)
    return same_answer(case.expected, wrong, case.answer) and bool(compare(case.expected, wrong))


def _partial(agreement: _Agreement, failing: int) -> Explanation | None:
    """The misconception that gives the attempt's answer to most failing cases, and is least wrong where it is right."""
    best: tuple[int, int, str] | None = None
    for name in agreement.names:
        explains = contradicts = 0
        for at, case in enumerate(agreement.cases):
            agrees = agreement.agrees(name, at)
            explains += bool(case.findings) and agrees
            contradicts += not case.findings and not agrees
        if best is None or (explains, -contradicts) > best[:2]:
            best = (explains, -contradicts, name)
    if best is None or not _worth_saying(best[0], failing):
        return None
    return Explanation(best[2], best[0], failing, contradicts=-best[1])


def _recognised(failing: Sequence[Judged]) -> Explanation | None:
    """What describes the answers to the most failing cases in the same way."""
    seen: dict[tuple[str, tuple[int, ...]], list[Recognition]] = {}
    for case in failing:
        found = {(r.id, r.key): r for r in reversed(recognitions(case.expected, case.answer))}
        for key in reversed(found):
            seen.setdefault(key, []).append(found[key])
    if not seen:
        return None
    most = max(seen.values(), key=len)
    if not _worth_saying(len(most), len(failing)):
        return None
    return Explanation(f"recognised-{most[0].id}", len(most), len(failing), most[0])


def _worth_saying(explains: int, failing: int) -> bool:
    return explains > 0 and (explains >= 3 or 2 * explains >= failing)
