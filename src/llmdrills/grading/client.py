"""Grading, as the commands use it.

    with Grader() as grader:                      # the server starts to import torch; this does not wait
        verdict = grader.grade(kata, "half-split", Path("practice/rope-pairing.py"))

No torch is imported here. One `Grader` grades any number of attempts, of any katas, one at a time; `prepare` between
two attempts makes the next one answer in milliseconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.errors import GraderError, UsageError
from llmdrills.grading.protocol.answer import Attempt, Ended, Expected
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.rules.limits import Limits
from llmdrills.grading.workers.attempt_run import Cancelled, Job, Pump
from llmdrills.grading.workers.launcher import ServerDied, Worker
from llmdrills.grading.workers.pool import ACCELERATORS, Asked, Staff

if TYPE_CHECKING:
    from types import TracebackType

    from llmdrills.content.model import Kata
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.language import Language

__all__ = ["Cancelled", "Grader", "Limits", "grade_once"]


class Grader:
    """Grades attempts. A context manager: leaving it ends every process that it started.

    `device` is "auto", "cpu", "cuda" or "mps"; auto is the CPU, where a warm attempt takes milliseconds. `needs` are
    libraries to load beside torch, where they are known already; a kata's own are loaded when it is graded.
    """

    def __init__(self, *, device: str = "auto", needs: tuple[str, ...] = ()) -> None:
        self._device = "cpu" if device == "auto" else device
        self._staff = Staff(self._device, needs)
        self._lock = threading.Lock()
        self._cancel_read, self._cancel_write = os.pipe()
        os.set_blocking(self._cancel_read, False)
        self._grading = False
        self._closed = False

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
        source: Path | str | bytes,
        *,
        seed: int | None = None,
        language: Language = "en",
        limits: Limits | None = None,
        file: str = "solution.py",
    ) -> Verdict:
        """Grade a file, or a text that messages call `file`, against one variant.

        Without a seed, one is drawn; the verdict tells it. Raises UsageError when the file cannot be read or the
        device is absent, ContentError for faults of the kata, MissingExtraError, GraderError, and Cancelled when
        `cancel` is called meanwhile.
        """
        return self._on(self._device, kata, variant, source, seed, language, limits or Limits(), file)

    def parity(
        self,
        kata: Kata,
        variant: str,
        source: Path | str | bytes,
        *,
        seed: int | None = None,
        language: Language = "en",
        limits: Limits | None = None,
        file: str = "solution.py",
    ) -> Verdict:
        """Grade on the CPU and on the device, under one seed; the device's verdict, whose report compares the two.

        `report["parity"]` holds `cpu` and `device` (outcomes), `agree`, and `differ` (the cases that went differently).
        """
        device = self._device if self._device in ACCELERATORS else self._staff.accelerator()
        chosen = secrets.randbelow(1 << 31) if seed is None else seed
        ours = self._on("cpu", kata, variant, source, chosen, language, limits or Limits(), file)
        theirs = self._on(device, kata, variant, source, chosen, language, limits or Limits(), file)
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

    def prepare(self, kata: Kata, variant: str) -> None:
        """Get the next attempt ready while the learner types: fork its process, and let the oracle work beforehand.

        Returns when the oracle is done, or as soon as `cancel` is called.
        """
        with self._lock:
            self._grading = True
            try:
                # A server that died is started again by the next attempt.
                with contextlib.suppress(ServerDied):
                    self._staff.prepare(kata, variant)
                    self._staff.listen(self._cancel_read)
            finally:
                self._grading = False
                with contextlib.suppress(BlockingIOError):
                    os.read(self._cancel_read, 64)

    def cancel(self) -> None:
        """End what is in progress, from another thread: `grade` raises Cancelled, `prepare` returns.

        Does nothing when there is nothing in progress.
        """
        if self._grading:
            os.write(self._cancel_write, b"x")

    def close(self) -> None:
        """End the server and everything it started."""
        if self._closed:
            return
        self._closed = True
        self._staff.close()
        os.close(self._cancel_read)
        os.close(self._cancel_write)

    def _on(
        self,
        device: str,
        kata: Kata,
        variant: str,
        source: Path | str | bytes,
        seed: int | None,
        language: Language,
        limits: Limits,
        file: str,
    ) -> Verdict:
        text, name = _read(source, file)
        with self._lock:
            self._grading = True
            try:
                return self._grade(device, kata, variant, text, name, seed, language, limits)
            except ServerDied as died:
                raise GraderError(f"the grader's server ended ({died.how})", died.log or "try again") from died
            finally:
                self._grading = False
                with contextlib.suppress(ServerDied, GraderError):  # then they are gone with it
                    self._staff.settle()
                self._staff.tidy()
                with contextlib.suppress(BlockingIOError):
                    os.read(self._cancel_read, 64)

    def _grade(
        self,
        device: str,
        kata: Kata,
        variant: str,
        source: bytes,
        file: str,
        seed: int | None,
        language: Language,
        limits: Limits,
    ) -> Verdict:
        from llmdrills.grading.judging.judge import judge  # here, so that it is read while the server imports torch

        job = Job(
            file,
            source,
            kata.entry,
            device,
            tuple(rule.call for rule in kata.forbidden),
            bool(kata.needs),
            bool(kata.forbidden or kata.budgets),
            limits,
        )
        asked, expected, attempt = self._run(job, kata, variant, seed)
        able = bool(attempt.answers) and self._staff.oracle is not None
        explained = functools.cache(lambda: self._explained(asked, expected)) if able else None
        spec = AttemptSpec(
            kata=kata, variant=variant, source=source, file=file, device=device, seed=asked.seed, language=language
        )
        verdict = judge(spec, expected, attempt, explained=explained)
        if explained is None or not verdict.report.get("undecided"):
            return verdict
        # Two wrong kernels fit: other inputs may tell them apart.
        other, due, answered = self._run(job, kata, variant, (asked.seed + 1) % (1 << 31))
        return judge(spec, explained(), attempt, extra=[(self._explained(other, due), answered)])

    def _explained(self, asked: Asked, expected: list[Expected]) -> list[Expected]:
        """The same, with what every wrong kernel answers."""
        if self._staff.oracle is None:
            return expected
        answers = asked.feed.explain(self._staff.oracle, self._cancel_read)
        return [dataclasses.replace(due, misconceptions=wrong) for due, wrong in zip(expected, answers, strict=True)]

    def _run(self, job: Job, kata: Kata, variant: str, seed: int | None) -> tuple[Asked, list[Expected], Attempt]:
        """Run the file once. A server found dead is started again, once; one that dies under the file is not."""
        for last in (False, True):
            asked: Asked | None = None
            pump: Pump | None = None
            try:
                asked, oracle, learner = self._staff.assign(kata, variant, seed, job.device)
                pump = Pump(oracle, learner, asked.feed, job, self._cancel_read, self._staff.reap)
                return asked, *self._pumped(pump, learner)
            except ServerDied as died:
                self._staff.forget()
                if asked is not None and pump is not None and pump.began:
                    # The attempt killed it, or the system did while the attempt ran: it did not come to its end.
                    ended = Ended("crashed", "", f"the grader's server ended: {died.how}")
                    attempt = dataclasses.replace(pump.attempt(), loading=None, ended=ended)
                    return asked, asked.feed.expected, attempt
                if last:
                    raise GraderError(
                        f"the grader's server ended twice ({died.how})", died.log or "try again"
                    ) from died
        raise AssertionError  # not reached: the second round returns or raises

    def _pumped(self, pump: Pump, learner: Worker) -> tuple[list[Expected], Attempt]:
        try:
            result = pump.run()
            self._staff.dismiss(learner)
        except BaseException:
            with contextlib.suppress(ServerDied, GraderError):
                self._staff.reap(learner)
            self._staff.drop_oracle()  # it may be in the middle of an answer
            raise
        finally:
            self._staff.let_go(learner)
        return result


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
    with Grader(device=device, needs=kata.needs) as grader:
        return grader.grade(kata, variant, source, seed=seed, language=language, limits=limits)


def _read(source: Path | str | bytes, file: str) -> tuple[bytes, str]:
    """The attempt's bytes, and its name as tracebacks show it."""
    if isinstance(source, bytes):
        return source, file
    if isinstance(source, str):
        return source.encode("utf-8", "surrogatepass"), file
    try:
        return source.read_bytes(), str(source)
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror}", "give the path of your file") from error
