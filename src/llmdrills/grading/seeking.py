"""The lines of a failing attempt in which something happens: looked for in a run of their own. No torch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmdrills.grading.early_run import EarlyRun
    from llmdrills.grading.judging.judgement import Sought
    from llmdrills.grading.protocol.answer import Question
    from llmdrills.grading.workers.launcher import Worker
    from llmdrills.grading.workers.pool import CaseSet

__all__ = ["Seeking", "question_of"]

MOST_LINES = 3
"""Where what is looked for happens in more lines than these, none is told."""


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
