"""Which slip explains a failing attempt: all of it, or nothing is diagnosed.

A slip explains an attempt when it gives the attempt's own answer to every case that fails (by the case's tolerance,
NaNs in the same places, the same crash), and is right wherever the attempt is right. Two bugs at once match nothing;
then it may be noted what the answer looks like, as long as no passing case speaks against it: a slip that explains
most of the failing cases, or right numbers in a wrong place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llmdrills.grading.judging.compare import compare, same_answer
from llmdrills.grading.judging.findings import Finding
from llmdrills.grading.judging.recognition import Recognition, recognitions
from llmdrills.grading.protocol.answer import Answer, Expected

__all__ = ["Explanation", "Judged", "answers_that_matter", "diagnose"]


FEWEST_RECOGNISED = 2


@dataclass(frozen=True)
class Judged:
    """One case with the attempt's answer and what is wrong with it."""

    expected: Expected
    answer: Answer
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Explanation:
    """A slip or another variant, by its id, or a recognition, and how many of the failing cases it explains.

    `undecided` are other slips that fit as well: one more input would tell them apart. `further` says that the counts
    take in the further draws on which the explanation failed.
    """

    id: str
    explains: int
    failing: int
    recognition: Recognition | None = None
    undecided: tuple[str, ...] = ()
    further: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is a slip that explains everything."""
        return self.recognition is None and self.explains == self.failing


def diagnose(cases: Sequence[Judged], extra: Iterable[Sequence[Judged]] = ()) -> Explanation | None:
    """A whole explanation; else what the answer looks like; else None, and nothing is said.

    `extra` holds the same attempt on other seeds, to separate what fits.
    """
    failing = [case for case in cases if case.findings]
    if not failing:
        return None
    first = _Agreement(cases)
    fitting = [name for name in first.names if first.fits(name)]
    others = [_Agreement(more) for more in extra]
    whole = [name for name in fitting if all(other.fits(name) for other in others)]
    if whole:
        return Explanation(whole[0], len(failing), len(failing), undecided=tuple(whole[1:]))
    return _partial([first, *others], fitting) or _recognised(failing)


def answers_that_matter(
    cases: Sequence[Judged], names: Sequence[str], ask: Callable[[str, int], Answer]
) -> list[dict[str, Answer]]:
    """What the wrong kernels of these names answer in each case, as far as `diagnose` can need it.

    `ask` gives one kernel's answer in the case at that place. A kernel is asked no more once it contradicts a passing
    case, once it cannot explain most of the failing ones, or, where another explains them all, at its first
    disagreement: `diagnose` says of these answers what it would say of all.
    """
    found: list[dict[str, Answer]] = [{} for _ in cases]
    failing = sum(bool(case.findings) for case in cases)
    cheap_first = sorted(range(len(cases)), key=lambda at: (not cases[at].findings, _calls(cases[at].expected), at))
    missed = dict.fromkeys(names, 0)
    whole = False

    def goes_on(name: str, at: int) -> bool:
        found[at][name] = answer = ask(name, at)
        if _agrees(answer, cases[at]):
            return True
        missed[name] += 1
        return bool(cases[at].findings) and not whole and _is_majority(failing - missed[name], failing)

    def by_promise(name: str) -> int:
        return missed[name]

    left = [name for name in names if goes_on(name, cheap_first[0])] if cases else []
    for name in sorted(left, key=by_promise):
        if whole and missed[name]:
            continue
        if all(goes_on(name, at) for at in cheap_first[1:]) and not missed[name]:
            whole = True
    return [{name: answers[name] for name in names if name in answers} for answers in found]


def _calls(expected: Expected) -> int:
    return expected.calls * max(expected.draws, 1)


class _Agreement:
    """Whether each wrong kernel agrees with the attempt in each case; asked for at most once."""

    def __init__(self, cases: Sequence[Judged]) -> None:
        self.cases = cases
        self.names = list(dict.fromkeys(name for case in cases for name in case.expected.slips))
        self._known: dict[tuple[str, int], bool] = {}

    def fits(self, name: str) -> bool:
        """Whether it agrees in every case."""
        return all(self.agrees(name, at) for at in range(len(self.cases)))

    def agrees(self, name: str, at: int) -> bool:
        """Whether it gives the attempt's answer to a failing case, or is right in one that passes."""
        key = (name, at)
        if key not in self._known:
            self._known[key] = _agrees(self.cases[at].expected.slips.get(name), self.cases[at])
        return self._known[key]

    def explained(self, name: str) -> int:
        """How many of the failing cases it gives the attempt's answer to."""
        return sum(bool(case.findings) and self.agrees(name, at) for at, case in enumerate(self.cases))

    def contradicts(self, name: str) -> bool:
        """Whether it is wrong in a case that passes: the attempt has not made this mistake."""
        return any(not case.findings and not self.agrees(name, at) for at, case in enumerate(self.cases))


def _agrees(wrong: Answer | None, case: Judged) -> bool:
    if wrong is None:
        return False
    if not case.findings:
        return not compare(case.expected, wrong)
    return same_answer(case.expected, wrong, case.answer) and bool(compare(case.expected, wrong))


def _partial(runs: Sequence[_Agreement], refuted: Sequence[str]) -> Explanation | None:
    """The slip that gives the attempt's answer to most of the failing cases, and is right wherever the attempt is.

    `refuted` explained every failing case of the first run, and failed on another: they are counted over all runs.
    """
    counted = runs if refuted else runs[:1]
    failing = sum(bool(case.findings) for run in counted for case in run.cases)
    explained = {
        name: sum(run.explained(name) for run in counted)
        for name in refuted or runs[0].names
        if not any(run.contradicts(name) for run in counted)
    }
    best = max(explained, key=lambda name: explained[name], default=None)
    if best is None or explained[best] == failing or not _is_majority(explained[best], failing):
        return None
    return Explanation(best, explained[best], failing, further=bool(refuted))


def _recognised(failing: Sequence[Judged]) -> Explanation | None:
    """What describes the answers to most of the failing cases, and to two at least, in the same way."""
    seen: dict[tuple[str, tuple[int | str, ...]], list[Recognition]] = {}
    for case in failing:
        found = {(r.id, r.key): r for r in reversed(recognitions(case.expected, case.answer))}
        for key in reversed(found):
            seen.setdefault(key, []).append(found[key])
    most = max(seen.values(), key=len, default=[])
    if len(most) < FEWEST_RECOGNISED or not _is_majority(len(most), len(failing)):
        return None
    return Explanation(f"recognised-{most[0].id}", len(most), len(failing), most[0])


def _is_majority(explains: int, failing: int) -> bool:
    return 2 * explains > failing
