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
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.errors import GraderError, UsageError
from llmdrills.grading.answer import Attempt, Ended, Expected
from llmdrills.grading.limits import Limits
from llmdrills.grading.process import Server, ServerDied, Worker, take
from llmdrills.grading.pump import Cancelled, Job, OracleFeed, Pump, ask_explain, ask_prepare

if TYPE_CHECKING:
    from types import TracebackType

    from llmdrills.content.model import Kata
    from llmdrills.grading.verdict import Verdict
    from llmdrills.language import Language

__all__ = ["Cancelled", "Grader", "Limits", "grade_once"]

ACCELERATORS = ("cuda", "mps")
EXPLAINED = ("wrong", "crashed", "over-budget")
"""The outcomes for which a wrong kernel may be the explanation."""


@dataclass
class _Asked:
    """What the oracle was asked to prepare, and what it has said of it."""

    kata: Kata
    variant: str
    seed: int
    device: str
    stamp: tuple[int, ...]
    folder: Path
    feed: OracleFeed


class Grader:
    """Grades attempts. A context manager: leaving it ends every process that it started.

    `device` is "auto", "cpu", "cuda" or "mps"; auto is the CPU, where a warm attempt takes milliseconds. `needs` are
    libraries to load beside torch, where they are known already; a kata's own are loaded when it is graded.
    """

    def __init__(self, *, device: str = "auto", needs: tuple[str, ...] = ()) -> None:
        self._device = "cpu" if device == "auto" else device
        self._needs = set(needs)
        self._server = take(sorted(needs))
        self._spawner: Server | None = None
        self._oracle: Worker | None = None
        self._asked: _Asked | None = None
        self._spare: Worker | None = None
        self._learner_of: dict[int, Server] = {}
        self._finished: list[Path] = []  # folders of cases that nobody will ask about again
        self._number = 0
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
        device = self._device if self._device in ACCELERATORS else self._accelerator()
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
        """Get the next attempt ready while the learner types: fork its process, and let the oracle work beforehand."""
        with self._lock, contextlib.suppress(ServerDied):  # a server that died is started again by the next attempt
            self._ready(kata, self._device)
            asked = self._ask(kata, variant, None, self._device)
            if self._oracle is not None and not asked.feed.asked_to_explain:
                ask_explain(self._oracle, asked.feed.number)
                asked.feed.asked_to_explain = True
            if self._spare is None:
                self._spare = self._hire(self._device)

    def cancel(self) -> None:
        """End the attempt in progress, from another thread:

        its `grade` raises Cancelled. Does nothing when there is none.
        """
        if self._grading:
            os.write(self._cancel_write, b"x")

    def close(self) -> None:
        """End the server and everything it started."""
        if self._closed:
            return
        self._closed = True
        for worker in (self._spare, self._oracle):
            if worker is not None:
                worker.close()
        for server in (self._server, self._spawner):
            if server is not None:
                server.close()
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
                while self._finished:
                    shutil.rmtree(self._finished.pop(), ignore_errors=True)
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
        from llmdrills.grading.judge import judge  # here, so that it is read while the server imports torch

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
        said = functools.partial(
            judge, kata, variant, source=source.decode("utf-8", "replace"), file=file, device=device, language=language
        )
        asked, expected, attempt = self._run(job, kata, variant, seed)
        verdict = said(expected=expected, attempt=attempt, seed=asked.seed)
        if verdict.outcome not in EXPLAINED or not attempt.answers or self._oracle is None:
            return verdict
        expected = self._explained(asked, expected)
        verdict = said(expected=expected, attempt=attempt, seed=asked.seed)
        if not verdict.report.get("undecided"):
            return verdict
        # Two wrong kernels fit: other inputs may tell them apart.
        other, due, answered = self._run(job, kata, variant, (asked.seed + 1) % (1 << 31))
        return said(
            expected=expected, attempt=attempt, seed=asked.seed, extra=[(self._explained(other, due), answered)]
        )

    def _explained(self, asked: _Asked, expected: list[Expected]) -> list[Expected]:
        """The same, with what every wrong kernel answers."""
        if self._oracle is None:
            return expected
        answers = asked.feed.explain(self._oracle, self._cancel_read)
        return [dataclasses.replace(due, misconceptions=wrong) for due, wrong in zip(expected, answers, strict=True)]

    def _run(self, job: Job, kata: Kata, variant: str, seed: int | None) -> tuple[_Asked, list[Expected], Attempt]:
        """Run the file once. A server found dead is started again, once; one that dies under the file is not."""
        for last in (False, True):
            asked: _Asked | None = None
            pump: Pump | None = None
            try:
                asked, oracle, learner = self._staff(kata, variant, seed, job.device)
                pump = Pump(oracle, learner, asked.feed, job, self._cancel_read, self._reap)
                return asked, *self._pumped(pump, learner)
            except ServerDied as died:
                self._forget()
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
            self._reap(learner)
        except BaseException:
            with contextlib.suppress(ServerDied, GraderError):
                self._reap(learner)
            self._drop_oracle()  # it may be in the middle of an answer
            raise
        finally:
            self._learner_of.pop(learner.pid, None)
            learner.close()
        return result

    def _staff(self, kata: Kata, variant: str, seed: int | None, device: str) -> tuple[_Asked, Worker, Worker]:
        """What the oracle was asked, the oracle, and a learner's process for one attempt."""
        self._ready(kata, device)
        asked = self._ask(kata, variant, seed, device)
        self._finished.append(asked.folder)
        learner = self._spare if self._spare is not None and device == self._device else self._hire(device)
        if learner is self._spare:
            self._spare = None
        self._asked = None
        assert self._oracle is not None  # noqa: S101  # for the type checker: `_ask` has just seen to it
        return asked, self._oracle, learner

    def _hire(self, device: str) -> Worker:
        """A new learner's process."""
        server = self._spawner if device in ACCELERATORS and self._spawner is not None else self._server
        learner = server.fork("learner")
        self._learner_of[learner.pid] = server
        return learner

    def _reap(self, worker: Worker) -> int | None:
        return self._learner_of.get(worker.pid, self._server).reap(worker)[0]

    def _ready(self, kata: Kata, device: str) -> None:
        """See to it that a server is there that has what the kata needs, and that the device is."""
        if not self._server.alive:
            self._forget()
            self._server.close()
            self._server = Server(sorted(self._needs))
        devices = self._server.hello()["devices"]
        if not devices.get(device):
            raise UsageError(f"torch finds no {device} device here", "use --device cpu")
        if self._spawner is not None and not self._spawner.alive:
            self._drop_spare()
            self._spawner.close()
            self._spawner = None
        if device in ACCELERATORS and self._spawner is None:
            self._spawner = Server(sorted(self._needs), spawn=True)
        missing = set(kata.needs) - self._needs
        if missing:
            self._needs |= missing
            for server in (self._server, self._spawner):
                if server is not None:
                    server.load(sorted(missing))
            # Workers that were forked earlier do not have it.
            self._drop_oracle()
            self._drop_spare()

    def _ask(self, kata: Kata, variant: str, seed: int | None, device: str) -> _Asked:
        """What the oracle prepares for this attempt: what it was asked for beforehand, where that still fits."""
        stamp = _stamp(kata)
        asked = self._asked
        if asked is not None:
            same = (asked.kata == kata, asked.variant == variant, asked.device == device, asked.stamp == stamp)
            if all(same) and seed in (None, asked.seed):
                return asked
        if self._oracle is None:
            self._oracle = self._server.fork("oracle")
        self._number += 1
        folder = self._server.root / f"cases-{self._number}"
        folder.mkdir(mode=0o700)
        chosen = secrets.randbelow(1 << 31) if seed is None else seed
        ask_prepare(self._oracle, self._number, kata, variant, chosen, folder)
        self._asked = _Asked(kata, variant, chosen, device, stamp, folder, OracleFeed(self._number))
        return self._asked

    def _accelerator(self) -> str:
        devices = self._server.hello()["devices"]
        for device in ACCELERATORS:
            if devices.get(device):
                return device
        raise UsageError("--parity compares the CPU with a GPU, and torch finds none here", "leave --parity out")

    def _drop_spare(self) -> None:
        if self._spare is not None:
            with contextlib.suppress(ServerDied, GraderError):
                self._reap(self._spare)
            self._spare.close()
            self._spare = None

    def _drop_oracle(self) -> None:
        if self._oracle is not None:
            with contextlib.suppress(ServerDied, GraderError):
                self._server.reap(self._oracle)
            self._oracle.close()
            self._oracle = self._asked = None

    def _forget(self) -> None:
        """The server is gone, and its workers with it."""
        self._learner_of.clear()
        for worker in (self._spare, self._oracle):
            if worker is not None:
                worker.close()
        self._spare = self._oracle = self._asked = None


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


def _stamp(kata: Kata) -> tuple[int, ...]:
    """What changes when the kata's code does."""
    numbers: list[int] = []
    for path in (kata.reference_file, kata.cases_file):
        with contextlib.suppress(OSError):  # the oracle says so, with the file's name
            status = path.stat()
            numbers += (status.st_mtime_ns, status.st_size)
    return tuple(numbers)
