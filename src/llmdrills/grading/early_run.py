"""One more run of a failing attempt, which begins before it is asked for, to be done by then. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llmdrills.grading.workers.launcher import ServerDied
from llmdrills.grading.workers.running import RunningAttempt

if TYPE_CHECKING:
    from llmdrills.grading.protocol.answer import Answer, Attempt, Expected, Question
    from llmdrills.grading.protocol.attempt_spec import AttemptSpec
    from llmdrills.grading.workers.pool import CaseSet, WorkerPool

__all__ = ["EarlyRun"]


class EarlyRun:
    """A run under `spec`, or of one `question` of its cases. Call `drop` in the end.

    `run` does the same where it could not begin early: its cases were not prepared, or no process was waiting.
    `answered` is given each answer as it comes, with what is expected.
    """

    def __init__(
        self,
        pool: WorkerPool,
        spec: AttemptSpec,
        cancel: int,
        run: Callable[[], tuple[CaseSet, Attempt]],
        question: Question | None = None,
    ) -> None:
        self._pool, self._spec, self._cancel, self._run = pool, spec, cancel, run
        self._question = question
        self.answered: Callable[[Expected, Answer], object] | None = None
        self._begun: RunningAttempt | None = None
        self._found: tuple[CaseSet, Attempt] | None = None

    def begin(self) -> None:
        """Begin where everything is ready; else do nothing."""
        if self._begun is not None or not self._pool.is_ready(self._spec):
            return
        try:
            self._begun = RunningAttempt(self._pool, self._spec, self._cancel, self._question, answered=self.answered)
        except ServerDied:
            self._begun = None  # whoever asks for the run starts another server

    def end(self) -> tuple[CaseSet, Attempt]:
        """The cases and what came, the same however often it is asked for. Raises what `run` raises."""
        if self._found is None:
            begun = self._begun
            self._found = self._run() if begun is None else (begun.cases, begun.end())
        return self._found

    def drop(self) -> None:
        """End its processes, where nobody asked for it."""
        if self._begun is not None and self._found is None:
            self._begun.drop()
