"""The processes of one grader: servers, the oracle, learners' processes, and what the oracle was asked. No torch.

A `WorkerPool` starts what an attempt needs, keeps what the next one can use, and ends all of it on `close`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.drawslock import lock_file
from llmdrills.errors import ContentError, GraderError, UsageError
from llmdrills.grading.workers.launcher import Server, Worker, server_may_be_gone, take
from llmdrills.grading.workers.oracle_feed import OracleFeed, OracleRequest, Wanted
from llmdrills.grading.workers.removal import remove_tree

if TYPE_CHECKING:
    from llmdrills.content.model import Kata
    from llmdrills.grading.protocol.attempt_spec import AttemptSpec

__all__ = ["ACCELERATORS", "CaseSet", "WorkerPool", "Workers"]

ACCELERATORS = ("cuda", "mps")
"""Devices whose workers are new processes: a forked one cannot use a GPU that its parent has touched."""


@dataclass
class CaseSet:
    """The cases that the oracle was asked to prepare, and what it has said of them so far."""

    kata: Kata
    variant: str
    seed: int
    further: bool
    stamp: tuple[int, ...]
    feed: OracleFeed

    def fits(self, kata: Kata, variant: str, seed: int, *, further: bool) -> bool:
        """Whether these are the cases of that variant under that seed, and the kata's files are unchanged."""
        wanted = (kata, variant, seed, further, _stamp(kata))
        return (self.kata, self.variant, self.seed, self.further, self.stamp) == wanted


class Workers(NamedTuple):
    """What one attempt runs with."""

    cases: CaseSet
    oracle: Worker
    learner: Worker


class WorkerPool:
    """The processes of one grader. `device` is the one that spare learners' processes are kept for."""

    def __init__(self, device: str, needs: Iterable[str]) -> None:
        self._device = device
        self._needs = set(needs)
        self.server = take(sorted(self._needs))
        self.oracle: Worker | None = None
        self._spawner: Server | None = None
        self._spare: Worker | None = None
        self._cases: CaseSet | None = None
        self._learner_of: dict[int, Server] = {}
        self._finished: list[Path] = []  # folders of cases that nobody will ask about again
        self._number = 0

    def prepare(self, kata: Kata, variant: str, seed: int) -> None:
        """Fork the next learner's process, and have the oracle prepare the seed's cases, wrong kernels included."""
        self._start_servers(kata, self._device)
        cases = self._request(kata, variant, seed)
        if self.oracle is not None and not cases.feed.turn:
            cases.feed.ask(self.oracle, Wanted(beforehand=True))
        if self._spare is None:
            self._spare = self.fork_learner(self._device)

    def listen(self, cancel: int) -> None:
        """Take in what the oracle works out beforehand, until it is done or someone writes to `cancel`.

        A fault of the kata is left for the next attempt to report: the oracle is then asked anew.
        """
        cases, oracle = self._cases, self.oracle
        if cases is None or oracle is None:
            return
        try:
            cases.feed.listen(oracle, cancel)
        except (ContentError, GraderError):
            self.drop_oracle()

    def has_prepared(self, kata: Kata, variant: str, seed: int) -> bool:
        """Whether the oracle was asked for these cases beforehand."""
        return self._cases is not None and self._cases.fits(kata, variant, seed, further=False)

    def assign(self, spec: AttemptSpec) -> Workers:
        """The cases, the oracle that prepares them, and a learner's process, for one attempt.

        Raises ServerDied, UsageError when the device is missing, MissingExtraError, GraderError.
        """
        self._start_servers(spec.kata, spec.device)
        cases = self._request(spec.kata, spec.variant, spec.seed, further=spec.further)
        if self._spare is not None and spec.device == self._device:
            learner, self._spare = self._spare, None
        else:
            learner = self.fork_learner(spec.device)
        self._drop_cases()
        assert self.oracle is not None  # noqa: S101  # for the type checker: `_request` has just forked one
        return Workers(cases, self.oracle, learner)

    def fork_learner(self, device: str) -> Worker:
        """A new learner's process."""
        server = self._spawner if device in ACCELERATORS and self._spawner is not None else self.server
        learner = server.fork("learner")
        self._learner_of[learner.pid] = server
        return learner

    def reap(self, worker: Worker) -> int | None:
        """End a worker and what it left behind; its exit status, None when it had to be killed. Raises ServerDied."""
        return self._learner_of.get(worker.pid, self.server).reap(worker)[0]

    def dismiss(self, worker: Worker) -> None:
        """As `reap`, for a worker that has done its work; `settle` waits for it. Raises ServerDied."""
        self._learner_of.get(worker.pid, self.server).dismiss(worker)

    def settle(self) -> None:
        """Wait until every dismissed worker, and what it left behind, is gone. Raises ServerDied."""
        for server in (self.server, self._spawner):
            if server is not None:
                server.settle()

    def _start_servers(self, kata: Kata, device: str) -> None:
        """Start a server with the kata's libraries if none runs; raise UsageError if the device is missing."""
        if not self.server.usable:
            self.forget()
            self.server.close()
            self.server = Server(sorted(self._needs))
        devices = self.server.hello()["devices"]
        if not devices.get(device):
            raise UsageError(f"torch finds no {device} device here", "use --device cpu")
        if self._spawner is not None and not self._spawner.usable:
            self._drop_spare()
            self._spawner.close()
            self._spawner = None
        if device in ACCELERATORS and self._spawner is None:
            self._spawner = Server(sorted(self._needs), spawn=True)
        missing = set(kata.needs) - self._needs
        if missing:
            self._needs |= missing
            for server in (self.server, self._spawner):
                if server is not None:
                    server.load(sorted(missing))
            # Workers that were forked earlier do not have it.
            self.drop_oracle()
            self._drop_spare()

    def _request(self, kata: Kata, variant: str, seed: int, *, further: bool = False) -> CaseSet:
        """Have the oracle prepare the cases, unless it was asked for the same ones beforehand."""
        if self._cases is not None and self._cases.fits(kata, variant, seed, further=further):
            return self._cases
        self._drop_cases()
        if self.oracle is None:
            self.oracle = self.server.fork("oracle")
        self._number += 1
        folder = self.server.make_folder(f"cases-{self._number}")
        OracleRequest(number=self._number, kata=kata, variant=variant, seed=seed, folder=folder, further=further).send(
            self.oracle
        )
        feed = OracleFeed(self._number, folder)
        self._cases = CaseSet(kata=kata, variant=variant, seed=seed, further=further, stamp=_stamp(kata), feed=feed)
        return self._cases

    def _drop_cases(self) -> None:
        """Nobody will ask for these cases again: `tidy` removes their folder."""
        if self._cases is not None:
            self._finished.append(self._cases.feed.folder)
            self._cases = None

    def accelerator(self) -> str:
        """The GPU that is here. Raises UsageError when there is none."""
        devices = self.server.hello()["devices"]
        for device in ACCELERATORS:
            if devices.get(device):
                return device
        raise UsageError("--parity compares the CPU with a GPU, and torch finds none here", "leave --parity out")

    def _drop_spare(self) -> None:
        if self._spare is not None:
            with server_may_be_gone():
                self.reap(self._spare)
            self._spare.close()
            self._spare = None

    def drop_oracle(self) -> None:
        """End the oracle's process."""
        if self.oracle is not None:
            with server_may_be_gone():
                self.server.reap(self.oracle)
            self.oracle.close()
            self.oracle = None
            self._drop_cases()

    def forget(self) -> None:
        """Close the descriptors of a server that has ended, and of its workers."""
        self._learner_of.clear()
        for worker in (self._spare, self.oracle):
            if worker is not None:
                worker.close()
        self._spare = self.oracle = None
        self._drop_cases()

    def release(self, learner: Worker) -> None:
        """Close the descriptors and remove the folder of a learner's process that has ended."""
        self._learner_of.pop(learner.pid, None)
        learner.close()

    def tidy(self) -> None:
        """Remove the folders of cases that are no longer needed."""
        while self._finished:
            remove_tree(self._finished.pop())

    def close(self) -> None:
        """End every server and everything they started."""
        self.forget()
        for server in (self.server, self._spawner):
            if server is not None:
                server.close()


def _stamp(kata: Kata) -> tuple[int, ...]:
    """What changes when the kata's files do."""
    numbers: list[int] = []
    for path in (kata.reference_file, kata.cases_file, kata.slips_file, lock_file(kata.folder)):
        with contextlib.suppress(OSError):  # what must be there, the oracle misses by its name
            status = path.stat()
            numbers += (status.st_mtime_ns, status.st_size)
    return tuple(numbers)
