"""One attempt in the processes that it runs in: the named cases in one, the draws in another, at once. No torch.

The questions of a part wait in its channel, so both work while the command takes in the answers of one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from llmdrills.content.drawslock import lock_file
from llmdrills.grading.protocol.answer import Attempt, Ended
from llmdrills.grading.workers.attempt_run import AttemptRun
from llmdrills.grading.workers.launcher import ServerDied, server_may_be_gone
from llmdrills.grading.workers.pool import ACCELERATORS, CaseSet, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmdrills.grading.protocol.answer import Answer, Expected, Question
    from llmdrills.grading.protocol.attempt_spec import AttemptSpec

__all__ = ["EarlyRun", "RunningAttempt"]


class RunningAttempt:
    """An attempt that has begun. Call `end` once, or `drop` where its answers are not needed.

    With `question` it is asked that only, which must be about one of its cases; `alone` runs it in a single process;
    `answered` is given each answer as it comes, with what is expected, where that is known by then.
    Making it raises what `WorkerPool.assign` raises.
    """

    def __init__(
        self,
        pool: WorkerPool,
        spec: AttemptSpec,
        cancel: int,
        question: Question | None = None,
        *,
        alone: bool = False,
        answered: Callable[[Expected, Answer], object] | None = None,
    ) -> None:
        self._pool, self._spec, self._cancel = pool, spec, cancel
        parts = _parts(spec) if question is None and not alone else [None]
        workers = pool.assign(spec, len(parts))
        self.cases: CaseSet = workers.cases
        feed = self.cases.feed
        if question is not None:
            feed = dataclasses.replace(feed, questions=[question], named=1)
        self._learners = workers.learners
        self._runs = [
            AttemptRun(
                spec=spec,
                feed=feed,
                oracle=workers.oracle,
                learner=learner,
                cancel=cancel,
                reap=pool.reap,
                drawn=drawn,
            )
            for learner, drawn in zip(workers.learners, parts, strict=True)
        ]
        for run in self._runs:
            run.answered = answered
            run.begin()

    def end(self) -> Attempt:
        """Take in the answers. Raises Cancelled, ContentError, GraderError, and ServerDied where the server ended
        before the attempt had begun to run."""
        try:
            attempt = self._end()
        except BaseException as error:
            self._reap()
            self._pool.drop_oracle()  # it may be in the middle of an answer
            if not (isinstance(error, ServerDied) and any(run.began for run in self._runs)):
                raise
            # The attempt killed the server, or the system did while the attempt ran: it did not come to its end.
            self._pool.forget()
            ended = Ended("crashed", "", f"the grader's server ended: {error.how}")
            attempt = dataclasses.replace(joined([run.attempt() for run in self._runs]), loading=None, ended=ended)
        finally:
            self._release()
        return attempt

    def drop(self) -> None:
        """End its processes. Does nothing after `end`."""
        self._reap()
        self._release()

    def _end(self) -> Attempt:
        found: list[Attempt] = []
        for run in self._runs:
            found.append(run.end(beside=self._runs[len(found) + 1 :]))
            ended = found[-1].ended
            if ended is not None and (ended.case or ended.by != "crashed"):
                break
        if len({_is_loading(part) for part in found}) > 1:
            # The file loads in one process and not in the other, as where it takes down what both use: what it does
            # alone is what counts.
            self._reap()
            alone = RunningAttempt(self._pool, self._spec, self._cancel, alone=True)
            self.cases = alone.cases
            return alone.end()
        if found[-1].loading is not None or found[-1].ended is not None:
            self._reap()  # the rest is not asked any more
        else:
            for learner in self._learners:
                self._pool.dismiss(learner)
        return joined(found)

    def _reap(self) -> None:
        with server_may_be_gone():
            for learner in self._learners:
                self._pool.reap(learner)

    def _release(self) -> None:
        while self._learners:
            self._pool.release(self._learners.pop())


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


def _parts(spec: AttemptSpec) -> list[bool | None]:
    """Which questions each part is put: see `AttemptRun`. A GPU is used by one process at a time."""
    whole = spec.further or spec.traced or spec.device in ACCELERATORS or not lock_file(spec.kata.folder).exists()
    return [None] if whole else [False, True]


def _is_loading(attempt: Attempt) -> bool:
    """Whether the file did not load, or the process ended meanwhile."""
    return attempt.loading is not None or (attempt.ended is not None and not attempt.ended.case)


def joined(parts: Sequence[Attempt]) -> Attempt:
    """The parts as one attempt: what stopped an earlier one is what happened, and the later ones then do not count.

    What the file prints while it loads stands there once.
    """
    first = parts[0]
    for other in parts[1:]:
        if first.loading is not None or first.ended is not None:
            return first
        first = Attempt(
            loading=other.loading,
            answers=(*first.answers, *other.answers),
            ended=other.ended,
            forbidden=tuple(dict.fromkeys((*first.forbidden, *other.forbidden))),
            output="".join((first.output, *other.outputs, other.last_output)),
            output_cut=first.output_cut or other.output_cut,
            seconds=first.seconds + other.seconds,
            outputs=(*first.outputs, *other.outputs),
            last_output=other.last_output,
        )
    return first
