"""What else is asked about a failing attempt before a wrong kernel is named: pairs of them, further runs, the lines
in which something happens. No torch."""

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
    from llmdrills.grading.judging.judgement import Sought
    from llmdrills.grading.protocol.answer import Question
    from llmdrills.grading.workers.launcher import Worker
    from llmdrills.grading.workers.running import EarlyRun

__all__ = ["CloserLook", "Seeking", "Seen", "question_of"]

MOST_LINES = 3
"""Where what is looked for happens in more lines than these, none is told."""


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


def question_of(cases: CaseSet, sought: Sought | None) -> Question | None:
    """The question by which it is looked for; None where nothing is."""
    asked = None if sought is None else next((one for one in cases.feed.questions if one.name == sought.case), None)
    if sought is None or asked is None:
        return None
    grads = asked.grads[sought.argument :][:1] if sought.kind == "no-gradient" else asked.grads
    return dataclasses.replace(asked, seek=sought.kind, grads=grads, then=(), count=False)


class Seeking:
    """A question by which something is looked for, put to the attempt and the reference from the moment that this is
    made. Call `drop` in the end."""

    def __init__(
        self, cases: CaseSet, question: Question | None, run: EarlyRun | None, oracle: Worker, cancel: int
    ) -> None:
        self._cases, self._run, self._oracle, self._cancel = cases, run, oracle, cancel
        self._half = question is not None and question.seek == "half-precision"
        if run is not None:
            run.begin()
        if self._half and question is not None:
            cases.feed.ask_to_seek(oracle, question)

    def end(self, sought: Sought | None, oracle: Worker | None) -> Sought | None:
        """What is sought, with its lines; None where it does not happen, or where the reference does it too."""
        run = self._run
        if sought is None or run is None or oracle is not self._oracle:
            return None
        if self._half and self._cases.feed.found(oracle, self._cancel):
            return None
        answers = run.end()[1].answers
        lines = answers[0].value if answers else ()
        if type(lines) is not list or not all(type(line) is int and line > 0 for line in lines[:MOST_LINES]):
            return None
        return sought._replace(lines=tuple(lines)) if 0 < len(lines) <= MOST_LINES else None

    def drop(self) -> None:
        """End its process, where nobody asked for it."""
        if self._run is not None:
            self._run.drop()
