"""What else is asked about a failing attempt before a wrong kernel is named: pairs of them, further runs. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.grading.protocol.answer import JOINT, Attempt, Expected
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.workers.oracle_feed import Wanted
from llmdrills.grading.workers.pool import CaseSet

if TYPE_CHECKING:
    from llmdrills.grading.judging.judge import Judge

__all__ = ["CloserLook", "Seen"]


class Seen(NamedTuple):
    """What is known of a failing attempt: what is expected with the answers of wrong kernels and of pairs of them, and
    the further runs."""

    told: list[Expected]
    extra: list[tuple[list[Expected], Attempt]]


class _Run(NamedTuple):
    """One more run of an attempt: its cases, what is expected with the answers of wrong kernels to its draws, or else
    to its named cases, and what came."""

    cases: CaseSet
    told: list[Expected]
    attempt: Attempt
    drawn: bool


@dataclass(frozen=True, kw_only=True)
class CloserLook:
    """One grade, of which more is to be known.

    `run` runs the attempt under another spec, `further` on the draws that this grade leaves out; `ask` gives what is
    expected with the wanted answers of wrong kernels.
    """

    spec: AttemptSpec
    cases: CaseSet
    attempt: Attempt
    run: Callable[[AttemptSpec], tuple[CaseSet, Attempt]]
    further: Callable[[], tuple[CaseSet, Attempt]]
    ask: Callable[[CaseSet, Wanted], list[Expected]]

    def at(self, judge: Judge, told: list[Expected]) -> Seen | None:
        """What else is known where a wrong kernel, or two of them, may explain the failing attempt; else None.

        `told` are the answers that the judge has so far.
        """
        cases = self.cases
        found = judge.explanation(told)
        if found is None or not found.whole:
            # So far no wrong kernel was run where it could not explain the attempt alone.
            told = self.ask(cases, Wanted(beforehand=True))
            if cases.feed.put_off:
                return None
            told = self._with(cases, Wanted(only=judge.to_try(told)), told)
        fitting = judge.to_verify(told)
        if not fitting:
            return None
        runs = self._further(fitting)
        joint = judge.to_join(told, [(run.told, run.attempt) for run in runs])
        told = self._with(cases, Wanted(only=joint), told)
        extra = [(self._with(run.cases, Wanted(run.drawn, joint), run.told), run.attempt) for run in runs]
        return Seen(told, extra)

    def _further(self, fitting: list[str]) -> list[_Run]:
        """What else a diagnosis must hold on: the draws of this grade, as many again, and where two wrong kernels fit,
        the named cases under another seed."""
        found: list[_Run] = []
        names = list(dict.fromkeys(part for name in fitting for part in (name, *name.split(JOINT))))
        if any(due.drawn for due in self.cases.feed.expected):
            wanted = Wanted(drawn=True, only=names)
            found.append(_Run(self.cases, self.ask(self.cases, wanted), self.attempt, drawn=True))
            more, answered = self.further()
            found.append(_Run(more, self.ask(more, wanted), answered, drawn=True))
        if len(names) > 1:
            others, answered = self.run(dataclasses.replace(self.spec, seed=(self.spec.seed + 1) % (1 << 31)))
            found.append(_Run(others, self.ask(others, Wanted(only=names)), answered, drawn=False))
        return found

    def _with(self, cases: CaseSet, wanted: Wanted, told: list[Expected]) -> list[Expected]:
        """What is expected, with the wanted answers beside those that are there."""
        if not wanted.only:
            return told
        more = self.ask(cases, wanted)
        return [
            dataclasses.replace(due, slips={**due.slips, **new.slips}) if due.drawn == wanted.drawn else due
            for due, new in zip(told, more, strict=True)
        ]
