"""Grading, as the commands use it.

    with Grader() as grader:                      # the server starts to import torch; this does not wait
        verdict = grader.grade(kata, "half-split", Path("practice/rope-pairing.py"))

No torch is imported here. One `Grader` grades any number of attempts, of any katas, one at a time; `prepare` between
two attempts makes the next one answer in milliseconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.content.attempt_source import read_attempt
from llmdrills.errors import GraderError
from llmdrills.grading.closer_look import CloserLook, Seeking, Seen, question_of
from llmdrills.grading.protocol.answer import Answer, Attempt, Expected, Question
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.rules.limits import Limits
from llmdrills.grading.workers.launcher import ServerDied, server_may_be_gone
from llmdrills.grading.workers.linux import hide_memory, show_memory
from llmdrills.grading.workers.oracle_feed import BehaviourRequest, Cancelled, Wanted
from llmdrills.grading.workers.pool import ACCELERATORS, CaseSet, WorkerPool
from llmdrills.grading.workers.running import EarlyRun, RunningAttempt

if TYPE_CHECKING:
    from types import TracebackType

    from llmdrills.content.model import Kata
    from llmdrills.content.notebookfile import Cell
    from llmdrills.grading.judging.behaviour import BehavesLike, Candidate
    from llmdrills.grading.judging.judge import Judge
    from llmdrills.grading.judging.verdict import StageFound, Verdict
    from llmdrills.language import Language

__all__ = ["Cancelled", "Grader", "Limits", "grade_once", "seed_of"]

BEHAVIOUR_SECONDS = 0.75
"""CPU seconds to look for what an attempt behaves like: once in the cases of a grade, once in the further draws."""


class Grader:
    """Grades attempts. A context manager: leaving it ends every process that it started.

    `device` is "auto", "cpu", "cuda" or "mps"; auto is the CPU, where a warm attempt takes milliseconds. `needs` are
    libraries to load beside torch, where they are known already; a kata's own are loaded when it is graded.
    `tidy_late`: a verdict does not wait until the processes of its attempt are gone, which takes as long as a third of
    it; whatever is asked for next waits instead.

    While a Grader is open, this process's memory is hidden from other processes of the same user (Linux): it holds the
    expected answers. No debugger or profiler can attach then, except as root, and no core dump is left.
    """

    def __init__(self, *, device: str = "auto", needs: tuple[str, ...] = (), tidy_late: bool = False) -> None:
        self._device = "cpu" if device == "auto" else device
        self._tidy_late = tidy_late
        self._untidy = False
        self._pool = WorkerPool(self._device, needs)
        self._lock = threading.Lock()
        self._cancel_read, self._cancel_write = os.pipe()
        os.set_blocking(self._cancel_read, False)
        self._working = False
        self._closed = False
        self._drawn: int | None = None  # the seed of a preparation that named none
        hide_memory()

    def __enter__(self) -> Grader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def grade(
        self,
        kata: Kata,
        variant: str,
        source: Path | str | bytes | Cell,
        *,
        seed: int | None = None,
        language: Language = "en",
        limits: Limits | None = None,
        file: str = "solution.py",
    ) -> Verdict:
        """Grade a file, a cell, or a text that messages call `file`, against one variant. Of a notebook (`.ipynb`), the
        last cell that defines the entry is graded.

        Without a seed, the file's own is taken, or the prepared one; the verdict tells it. Raises UsageError when the
        file cannot be read or the device is absent, ContentError for faults of the kata, MissingExtraError,
        GraderError, and Cancelled when `cancel` is called meanwhile.
        """
        code, name, cell = read_attempt(source, file, kata)
        with self._work():
            spec = AttemptSpec(
                kata=kata,
                variant=variant,
                source=code,
                file=name,
                cell=cell,
                device=self._device,
                seed=self._seed(kata, variant, code) if seed is None else seed,
                language=language,
                limits=limits or Limits(),
            )
            return self._verdict(spec)

    def _seed(self, kata: Kata, variant: str, code: bytes) -> int:
        """The seed that was drawn for the next attempt, where it was prepared, else the file's own."""
        drawn = self._drawn
        prepared = drawn is not None and self._pool.has_prepared(kata, variant, drawn)
        return drawn if drawn is not None and prepared else seed_of(code)

    def parity(
        self,
        kata: Kata,
        variant: str,
        source: Path | str | bytes | Cell,
        *,
        seed: int | None = None,
        language: Language = "en",
        limits: Limits | None = None,
        file: str = "solution.py",
    ) -> Verdict:
        """Grade on the CPU and on the device, under one seed; the device's verdict, whose report compares the two.

        `report["parity"]` holds `cpu` and `device` (outcomes), `agree`, and `differ` (the cases that went differently).
        """
        code, name, cell = read_attempt(source, file, kata)
        with self._work():
            here_spec = AttemptSpec(
                kata=kata,
                variant=variant,
                source=code,
                file=name,
                cell=cell,
                device="cpu",
                seed=seed_of(code) if seed is None else seed,
                language=language,
                limits=limits or Limits(),
            )
            device = self._device if self._device in ACCELERATORS else self._pool.accelerator()
            ours = self._verdict(here_spec)
            theirs = self._verdict(dataclasses.replace(here_spec, device=device))
        here = {case.name: case.outcome for case in ours.cases}
        there = {case.name: case.outcome for case in theirs.cases}
        differ = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        theirs.report["parity"] = {
            "cpu": ours.outcome,
            "device": theirs.outcome,
            "agree": ours.outcome == theirs.outcome and not differ,
            "differ": differ,
        }
        return theirs

    def prepare(self, kata: Kata, variant: str, seed: int | None = None) -> None:
        """Get the next attempt ready while the learner types: fork its process, and let the oracle work beforehand.

        `seed` is the one that the attempt will be graded under; without one, it is drawn, and the next attempt of that
        variant that names no seed takes it. Returns when the oracle is done, or as soon as `cancel` is called.
        """
        with self._work(), contextlib.suppress(ServerDied):  # the next attempt starts another one
            chosen = secrets.randbelow(1 << 31) if seed is None else seed
            self._drawn = chosen if seed is None else None
            self._pool.prepare(kata, variant, chosen)
            self._pool.work_ahead(kata, variant, chosen, self._cancel_read)

    def cancel(self) -> None:
        """End what is in progress, from another thread: `grade` raises Cancelled, `prepare` returns.

        Does nothing when there is nothing in progress.
        """
        if self._working:
            os.write(self._cancel_write, b"x")

    def close(self) -> None:
        """End the server and everything it started."""
        if self._closed:
            return
        self._closed = True
        self._pool.close()
        os.close(self._cancel_read)
        os.close(self._cancel_write)
        show_memory()

    @contextlib.contextmanager
    def _work(self) -> Iterator[None]:
        """Make one piece of work cancellable; no process or folder of it is left afterwards, or before the next one."""
        with self._lock:
            self._working = True  # first, so that `cancel` counts while this tidies
            try:
                if self._untidy:
                    self._tidy()
                yield
            finally:
                self._working = False
                self._untidy = True
                if not self._tidy_late:
                    self._tidy()
                with contextlib.suppress(BlockingIOError):  # a `cancel` that came too late is dropped
                    os.read(self._cancel_read, 64)

    def _tidy(self) -> None:
        with server_may_be_gone():
            self._pool.settle()
        self._pool.tidy()
        self._untidy = False

    def _verdict(self, spec: AttemptSpec) -> Verdict:
        # Here, so that they are read while the server imports torch.
        from llmdrills.grading.judging.compared import Compared
        from llmdrills.grading.judging.judge import Judge

        further = self._early(dataclasses.replace(spec, further=True))
        try:
            compared = Compared(spec.device, on_failure=further.begin)
            further.answered = beyond = Compared(spec.device, only_whether=True)
            cases, attempt = self._run(spec, compared)
            judge = Judge(spec, cases.feed.expected, attempt, compared, beyond)
            if not judge.failed or not attempt.answers or self._pool.oracle is None:
                return judge.verdict()
            question = question_of(cases, judge.to_seek())
            looked_for = None if question is None else self._early(spec, question)
            seeking = Seeking(cases, question, looked_for, self._pool.oracle, self._cancel_read)
            try:
                return self._explained_verdict(cases, judge, further, seeking)
            finally:
                seeking.drop()
        finally:
            further.drop()

    def _early(self, spec: AttemptSpec, question: Question | None = None) -> EarlyRun:
        return EarlyRun(self._pool, spec, self._cancel_read, lambda: self._run(spec, question=question), question)

    def _explained_verdict(
        self,
        cases: CaseSet,
        judge: Judge,
        further: EarlyRun,
        seeking: Seeking,
    ) -> Verdict:
        """The verdict on a failing attempt, with all that can be said of why it fails."""
        spec, attempt = judge.spec, judge.attempt
        told = self._explained(cases, Wanted(answers=_of_named(cases, attempt), device=spec.device))
        look = CloserLook(
            spec=spec, cases=cases, attempt=attempt, run=self._run, further=further.end, ask=self._explained
        )
        more = look.at(judge, told) or Seen(told, [])
        passes = self._easier_form(spec, judge, attempt)
        sought = seeking.end(judge.to_seek(), self._pool.oracle)
        verdict = judge.verdict(more.told, extra=more.extra, passes=passes, sought=sought)
        behaves = self._behaviour(cases, attempt, verdict, further.end)
        stage = self._stage(spec, verdict)
        if behaves is None and stage is None:
            return verdict
        return judge.verdict(more.told, extra=more.extra, passes=passes, behaves=behaves, stage=stage, sought=sought)

    def _behaviour(
        self, cases: CaseSet, attempt: Attempt, verdict: Verdict, further: Callable[[], tuple[CaseSet, Attempt]]
    ) -> BehavesLike | None:
        """What an attempt that nothing explains behaves like, in every call of this grade and in as many draws more."""
        from llmdrills.grading.judging.behaviour import BehavesLike

        if verdict.outcome not in {"wrong", "crashed"} or verdict.diagnosis is not None or not verdict.report["draws"]:
            return None
        candidates = self._agreeing(cases, attempt)
        if candidates:
            more, answered = further()
            candidates = self._agreeing(more, answered, candidates)
            calls = sum(due.calls for due in (*cases.feed.expected, *more.feed.expected) if not due.left_out)
        return BehavesLike(candidates[0], calls) if candidates else None

    def _agreeing(
        self, cases: CaseSet, attempt: Attempt, among: Sequence[Candidate] | None = None
    ) -> Sequence[Candidate]:
        """What agrees with the attempt in these cases; nothing where it did not answer all of them."""
        feed, oracle = cases.feed, self._pool.oracle
        if oracle is None or attempt.ended is not None or len(attempt.answers) != len(feed.questions):
            return ()
        if feed.files:
            with server_may_be_gone():
                self._pool.settle()
            if feed.files_changed():
                return ()
        request = BehaviourRequest(attempt.answers, BEHAVIOUR_SECONDS, among)
        found = feed.behaving(oracle, self._cancel_read, request)
        if found is None:
            self._pool.drop_oracle()  # it was broken off in the middle of a call
        return found or ()

    def _easier_form(self, spec: AttemptSpec, judge: Judge, attempt: Attempt) -> str:
        """The variant that asks for less of the same and that the failing attempt passes; empty where there is none."""
        from llmdrills.grading.judging.judge import Judge

        easier = [one.id for one in spec.kata.variants if one.weaker_than == spec.variant]
        for variant in easier if judge.outcome in {"wrong", "crashed"} and attempt.loading is None else ():
            own = dataclasses.replace(spec, variant=variant)
            cases, answered = self._run(own)
            if Judge(own, cases.feed.expected, answered).outcome == "passed":
                return variant
        return ""

    def _stage(self, spec: AttemptSpec, verdict: Verdict) -> StageFound | None:
        """The first part that differs in the case that is shown; None where the kata names none, or none was seen."""
        from llmdrills.grading.judging.stages import first_difference

        shown = verdict.report["smallest"] if verdict.outcome == "wrong" else None
        if spec.kata.stages is None or shown is None:
            return None
        cases, attempt = self._run(dataclasses.replace(spec, traced=shown["case"]))
        if not attempt.answers or not cases.feed.expected:
            return None
        due, answer = cases.feed.expected[0], attempt.answers[0]
        return first_difference(spec.kata.stages, due, answer, spec.language)

    def _explained(self, cases: CaseSet, wanted: Wanted) -> list[Expected]:
        """Return what is expected, with the wrong kernels' answers filled in where they are wanted."""
        expected = cases.feed.expected
        if self._pool.oracle is None:
            return expected
        if cases.feed.files:
            with server_may_be_gone():
                self._pool.settle()  # the attempt can no longer change what the wrong kernels read
            if cases.feed.files_changed():
                return expected
        answers = iter(cases.feed.explain(self._pool.oracle, self._cancel_read, wanted))
        return [
            dataclasses.replace(due, slips=next(answers, {})) if due.drawn == wanted.drawn else due for due in expected
        ]

    def _run(
        self,
        spec: AttemptSpec,
        answered: Callable[[Expected, Answer], object] | None = None,
        question: Question | None = None,
    ) -> tuple[CaseSet, Attempt]:
        """Run the file once. A server found dead is started again, once; one that dies under the file is not."""
        for last in (False, True):
            try:
                running = RunningAttempt(self._pool, spec, self._cancel_read, question, answered=answered)
                attempt = running.end()
                return running.cases, attempt
            except ServerDied as died:
                self._pool.forget()
                if last:
                    raise _server_ended(died) from died
        raise AssertionError  # not reached: the second round returns or raises


def _of_named(cases: CaseSet, attempt: Attempt) -> tuple[Answer, ...]:
    """The attempt's answers to the named cases, which come before the draws."""
    pairs = zip(cases.feed.expected, attempt.answers, strict=False)
    return tuple(answer for due, answer in pairs if not due.drawn)


def seed_of(code: bytes) -> int:
    """The seed of a file that is graded by itself: the same file gets the same inputs, and so the same verdict."""
    return zlib.crc32(code) & 0x7FFFFFFF


def grade_once(
    kata: Kata,
    variant: str,
    source: Path | str,
    *,
    device: str = "auto",
    seed: int | None = None,
    language: Language = "en",
    limits: Limits | None = None,
) -> Verdict:
    """Grade one attempt with a grader of its own. Raises what `Grader.grade` raises."""
    with Grader(device=device, needs=kata.libraries) as grader:
        return grader.grade(kata, variant, source, seed=seed, language=language, limits=limits)


def _server_ended(died: ServerDied) -> GraderError:
    return GraderError(f"the grader's server ended ({died.how})", died.log or "try again")
