"""Which slip explains a failing attempt: all of it, or nothing is diagnosed.

A slip explains an attempt when it gives the attempt's own answer to every case that fails (by the case's tolerance,
NaNs in the same places, the same crash), and is right wherever the attempt is right. Two slips at once explain it when
the kernel with both edits does. Where a slip explains all but cases in other types than float32, or with empty tensors,
it is the diagnosis too, and it is said that these are not all explained.

Where none does, it may be noted what the answer looks like, as long as no passing case speaks against it: a slip that
explains most of the failing cases, or right numbers in a wrong place.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from llmdrills.grading.judging.compare import compare, same_answer
from llmdrills.grading.judging.findings import Finding
from llmdrills.grading.judging.recognition import Recognition, recognitions
from llmdrills.grading.protocol.answer import JOINT, Answer, Expected
from llmdrills.grading.protocol.wire import Raised

__all__ = ["Explanation", "Judged", "answers_that_matter", "diagnose", "pairs", "suspects"]


FEWEST_RECOGNISED = 2
FEWEST_ORDINARY = 2
"""A slip that does not explain other types and empty tensors must explain so many ordinary failing cases."""
MOST_PAIRS = 6
"""So many pairs of slips are tried, the likeliest first."""
MOST_CONTRADICTED = 2
"""In so many passing cases one of two slips may be wrong alone: the other can hide it there."""


@dataclass(frozen=True)
class Judged:
    """One case with the attempt's answer and what is wrong with it.

    `known` keeps which wrong kernels' answers agree with the attempt's: who asks again with the same one is not kept
    waiting.
    """

    expected: Expected
    answer: Answer
    findings: tuple[Finding, ...]
    known: dict[int, tuple[Answer, bool]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A slip or another variant, by its id, or a recognition, and how many of the failing cases it explains.

    `second` is another slip that is there as well. `undecided` are other slips that fit as well: one more input would
    tell them apart. `further` says that the counts take in the further draws on which the explanation failed. `besides`
    says where it does not explain everything: in other "types" than float32, or with "empty" tensors.
    """

    id: str
    explains: int
    failing: int
    recognition: Recognition | None = None
    second: str = ""
    undecided: tuple[str, ...] = ()
    further: bool = False
    besides: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is a slip that explains everything, but for what is wrong besides it in extraordinary cases."""
        return self.recognition is None and (self.explains == self.failing or bool(self.besides))


def diagnose(cases: Sequence[Judged], extra: Iterable[Sequence[Judged]] = ()) -> Explanation | None:
    """A whole explanation; else what the answer looks like; else None, and nothing is said.

    `extra` holds the same attempt on other seeds, to separate what fits. Where the answers of pairs of slips are known
    (see `pairs`), they are considered too.
    """
    failing = [case for case in cases if case.findings]
    if not failing:
        return None
    first = _Agreement(cases)
    runs = [first, *(_Agreement(more) for more in extra)]
    fitting = [name for name in first.names if first.fits(name)]
    whole = [name for name in fitting if all(run.fits(name) for run in runs[1:])]
    single = [name for name in whole if JOINT not in name]
    if single or len(whole) == 1:  # of several pairs, none is certain
        return _whole(single or whole, len(failing))
    return _ordinary(runs, len(failing)) or _partial(runs, fitting) or _recognised(failing)


def suspects(cases: Sequence[Judged]) -> list[str]:
    """Every slip and pair that a diagnosis may name, as far as these cases tell: what further inputs must decide. Where
    there is none, the slip that a note may name: further inputs may refute that one as well."""
    if not any(case.findings for case in cases):
        return []
    run = _Agreement(cases)
    whole = [name for name in run.names if run.fits(name)]
    found = whole or [name for name in run.names if _besides([run], name, fewest=1) is not None]
    part = None if found else _partial([run], [])
    return found if part is None else [part.id]


def pairs(cases: Sequence[Judged]) -> list[str]:
    """Pairs of slips that together may explain what none does alone, the likeliest first, as `a+b`.

    The first explains failing cases; where it does not, one of the two must be wrong. A passing case may speak against
    one of them now and then. Of two that both explain some, the one that goes wrong in float32, and in more cases,
    comes first.
    """
    run = _Agreement(cases)
    failing = {at for at, case in enumerate(cases) if case.findings}
    explained = {name: {at for at in failing if run.agrees(name, at)} for name in run.names}
    if not any(explained.values()) or any(run.fits(name) for name in run.names):
        return []
    against = {name: those for name in run.names if (those := run.against(name, MOST_CONTRADICTED)) is not None}
    possible = sorted(
        against,
        key=lambda name: (not any(cases[at].expected.float32 for at in explained[name]), -len(explained[name])),
    )
    found: list[tuple[int, str]] = []
    for one, other in itertools.combinations(possible, 2):
        rest = failing - explained[one]
        if not explained[one] - explained[other] or not any(run.wrong(other, at) for at in rest):
            continue
        rest -= explained[other]
        if all(run.wrong(one, at) or run.wrong(other, at) for at in rest):
            found.append((len(rest) + len(against[one] | against[other]), f"{one}{JOINT}{other}"))
    return [name for _, name in sorted(found, key=lambda pair: pair[0])[:MOST_PAIRS]]


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

    def against(self, name: str, most: int) -> set[int] | None:
        """The passing cases in which it is wrong; None where they are more than that."""
        found: set[int] = set()
        for at, case in enumerate(self.cases):
            if not case.findings and not self.agrees(name, at):
                found.add(at)
                if len(found) > most:
                    return None
        return found

    def wrong(self, name: str, at: int) -> bool:
        """Whether it gives a wrong answer there."""
        expected = self.cases[at].expected
        answer = expected.slips.get(name)
        return answer is not None and bool(compare(expected, answer))

    def crashes(self, name: str) -> bool:
        """Whether it explains a failing case by its crash."""
        return any(
            case.findings and isinstance(case.answer.value, Raised) and self.agrees(name, at)
            for at, case in enumerate(self.cases)
        )


def _agrees(wrong: Answer | None, case: Judged) -> bool:
    if wrong is None:
        return False
    if id(wrong) not in case.known:  # the answer is kept beside, so that no other one gets its id
        case.known[id(wrong)] = wrong, _compared(wrong, case)
    return case.known[id(wrong)][1]


def _compared(wrong: Answer, case: Judged) -> bool:
    if not case.findings:
        return not compare(case.expected, wrong)
    # Each of the two may be off by what the case allows from what the mistake gives without rounding.
    return same_answer(case.expected, wrong, case.answer, times=2.0) and bool(compare(case.expected, wrong))


def _whole(names: Sequence[str], failing: int) -> Explanation:
    first, _, second = names[0].partition(JOINT)
    return Explanation(id=first, explains=failing, failing=failing, second=second, undecided=tuple(names[1:]))


def _ordinary(runs: Sequence[_Agreement], failing: int) -> Explanation | None:
    """The slip that explains everything but what is wrong besides it in extraordinary cases."""
    found = {name: where for name in runs[0].names if (where := _besides(runs, name)) is not None}
    if not found:
        return None
    first, *others = found
    return Explanation(
        id=first,
        explains=runs[0].explained(first),
        failing=failing,
        undecided=tuple(others),
        besides=found[first],
    )


def _besides(runs: Sequence[_Agreement], name: str, fewest: int = FEWEST_ORDINARY) -> tuple[str, ...] | None:
    """Where something else is wrong beside the slip: in other types, with empty tensors. None where that is not all.

    In every other case the slip must agree. Where types clash, a crash is taken for a fault of precision; any other
    crash speaks against the slip. Unless crashes are what the slip is about, how it is written decides how it crashes:
    where both crash, in whatever way, nothing is against it, nor where it alone does on an empty tensor.
    """
    if JOINT in name:
        return None
    crashes = runs[0].crashes(name)
    ordinary = 0
    found: dict[str, None] = {}
    for run in runs:
        for at, case in enumerate(run.cases):
            if run.agrees(name, at):
                ordinary += bool(case.findings) and case.expected.float32 and not case.expected.empty
                continue
            slip = case.expected.slips.get(name)
            if slip is None or case.expected.raises:
                return None
            if not case.findings:
                if not case.expected.empty or crashes or not isinstance(slip.value, Raised):
                    return None
            elif isinstance(slip.value, Raised) and isinstance(case.answer.value, Raised) and not crashes:
                continue
            elif case.expected.empty:
                found["empty"] = None
            elif not case.expected.float32 and _is_about_types(case.answer):
                found["types"] = None
            else:
                return None
    return tuple(sorted(found)) if ordinary >= fewest else None


def _is_about_types(answer: Answer) -> bool:
    """Whether the answer is a value, or a crash that says itself that it is about types."""
    return not isinstance(answer.value, Raised) or bool(_ABOUT_TYPES.search(answer.value.message))


_ABOUT_TYPES = re.compile(r"same dtype|scalar type|not implemented for '|data type")
"""What torch says where tensors of two types meet, or where it has no operator for one."""


def _partial(runs: Sequence[_Agreement], refuted: Sequence[str]) -> Explanation | None:
    """The slip that gives the attempt's answer to most of the failing cases, and is right wherever the attempt is.

    `refuted` explained every failing case of the first run, and failed on another: they come first. Where there are
    further runs, only what was asked about them may be named, and is counted over all.
    """
    alone = [name for name in refuted if JOINT not in name]
    asked = {name for run in runs[1:] for name in run.names} if len(runs) > 1 else set(runs[0].names)
    failing = sum(bool(case.findings) for run in runs for case in run.cases)
    explained = {
        name: sum(run.explained(name) for run in runs)
        for name in alone or runs[0].names
        if JOINT not in name and name in asked and not any(run.contradicts(name) for run in runs)
    }
    best = max(explained, key=lambda name: explained[name], default=None)
    if best is None or explained[best] == failing or not _is_majority(explained[best], failing):
        return None
    return Explanation(id=best, explains=explained[best], failing=failing, further=len(runs) > 1)


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
    return Explanation(id=f"recognised-{most[0].id}", explains=len(most), failing=len(failing), recognition=most[0])


def _is_majority(explains: int, failing: int) -> bool:
    return 2 * explains > failing
