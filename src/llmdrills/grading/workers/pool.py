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
from llmdrills.content.engines import is_installed
from llmdrills.errors import ContentError, GraderError, MissingExtraError, UsageError
from llmdrills.grading.workers.launcher import Server, Worker, server_may_be_gone, take
from llmdrills.grading.workers.oracle_feed import OracleFeed, OracleRequest, Wanted
from llmdrills.grading.workers.removal import remove_tree

if TYPE_CHECKING:
    from llmdrills.content.model import Kata
    from llmdrills.grading.protocol.attempt_spec import AttemptSpec

__all__ = ["ACCELERATORS", "CaseSet", "WorkerPool", "Workers"]

ACCELERATORS = ("cuda", "mps")
"""Devices whose workers are new processes: a forked one cannot use a GPU that its parent has touched."""

SPARES = 4
"""Learners' processes that are ready beforehand: for the named cases, the draws, the further draws, and the line in
which something happens."""
MOST_CASES = 6
"""Sets of cases that are kept: a grade's own, the further draws, another seed, two easier variants, and the calls that
are made in one case."""


@dataclass
class CaseSet:
    """The cases that the oracle was asked to prepare, and what it has said of them so far."""

    kata: Kata
    variant: str
    seed: int
    further: bool
    stamp: tuple[int, ...]
    feed: OracleFeed
    traced: str = ""

    def fits(self, kata: Kata, variant: str, seed: int, *, further: bool, traced: str = "") -> bool:
        """Whether these are the cases of that variant under that seed, and the kata's files are unchanged."""
        wanted = (kata, variant, seed, further, traced, _stamp(kata))
        return (self.kata, self.variant, self.seed, self.further, self.traced, self.stamp) == wanted


class Workers(NamedTuple):
    """What one attempt runs with: a learner's process for each of its parts."""

    cases: CaseSet
    oracle: Worker
    learners: list[Worker]


class WorkerPool:
    """The processes of one grader. `device` is the one that spare learners' processes are kept for."""

    def __init__(self, device: str, needs: Iterable[str]) -> None:
        self._device = device
        self._needs = set(needs)
        self.server = take(sorted(self._needs))
        self.oracle: Worker | None = None
        self._spawner: Server | None = None
        self._spares: list[Worker] = []
        self._cases: dict[int, CaseSet] = {}  # by number, the latest used last
        self._feeds: dict[int, OracleFeed] = {}
        self._learner_of: dict[int, Server] = {}
        self._finished: list[Path] = []  # folders of cases that nobody will ask about again
        self._number = 0

    def prepare(self, kata: Kata, variant: str, seed: int) -> None:
        """Fork the next learners' processes, and have the oracle prepare the seed's cases."""
        self._start_servers(kata, self._device)
        self._request(kata, variant, seed)
        while len(self._spares) < (SPARES if self._device not in ACCELERATORS else 1):
            self._spares.append(self.fork_learner(self._device))

    def work_ahead(self, kata: Kata, variant: str, seed: int, cancel: int) -> None:
        """Have the oracle work out what a failing attempt will be asked about, until someone writes to `cancel`: the
        wrong kernels' answers, the further draws, and the cases of the variants that ask for less.

        A fault of the kata is left for the next attempt to report: the oracle is then asked anew.
        """
        try:
            cases = self._request(kata, variant, seed)
            if not self._has_worked(cases, cancel, drawn=False):
                return
            further = self._request(kata, variant, seed, further=True)
            if any(due.drawn for due in cases.feed.expected) and not (
                self._is_prepared(further, cancel)
                and self._has_worked(cases, cancel, drawn=True)
                and self._has_worked(further, cancel, drawn=True)
            ):
                return
            for easier in kata.variants:
                if easier.weaker_than == variant:
                    self._is_prepared(self._request(kata, easier.id, seed), cancel)
        except (ContentError, GraderError):
            self.drop_oracle()

    def _is_prepared(self, cases: CaseSet, cancel: int) -> bool:
        feed, oracle = cases.feed, self.oracle
        return oracle is not None and feed.listen(oracle, cancel, lambda: feed.prepared)

    def _has_worked(self, cases: CaseSet, cancel: int, *, drawn: bool) -> bool:
        """Have the wrong kernels answer beforehand; False where that was broken off."""
        feed, oracle = cases.feed, self.oracle
        if oracle is None or not self._is_prepared(cases, cancel):
            return False
        if drawn in feed.tried:
            return True
        feed.ask(oracle, Wanted(drawn=drawn, beforehand=True))
        if not feed.listen(oracle, cancel, lambda: feed.explained or feed.put_off):
            return False
        feed.tried.add(drawn)
        return True

    def has_prepared(self, kata: Kata, variant: str, seed: int) -> bool:
        """Whether the oracle was asked for these cases beforehand."""
        return any(cases.fits(kata, variant, seed, further=False) for cases in self._cases.values())

    def is_ready(self, spec: AttemptSpec) -> bool:
        """Whether these cases are prepared, and a process waits for them."""
        wanted = (spec.kata, spec.variant, spec.seed)
        known = any(cases.feed.prepared and cases.fits(*wanted, further=spec.further) for cases in self._cases.values())
        return known and bool(self._spares)

    def assign(self, spec: AttemptSpec, parts: int) -> Workers:
        """The cases, the oracle that prepares them, and learners' processes, for one attempt.

        Raises ServerDied, UsageError when the device is missing, MissingExtraError, GraderError.
        """
        self._start_servers(spec.kata, spec.device)
        cases = self._request(spec.kata, spec.variant, spec.seed, further=spec.further, traced=spec.traced)
        learners: list[Worker] = []
        while len(learners) < parts:
            spare = self._spares.pop() if self._spares and spec.device == self._device else None
            learners.append(spare or self.fork_learner(spec.device))
        assert self.oracle is not None  # noqa: S101  # for the type checker: `_request` has just forked one
        return Workers(cases, self.oracle, learners)

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
        """Start a server with the kata's libraries if none runs.

        Raises UsageError if the device is missing, MissingExtraError if the kata's engine is.
        """
        if not is_installed(kata):
            raise MissingExtraError(kata.engine)
        if not self.server.usable:
            self.forget()
            self.server.close()
            self.server = Server(sorted(self._needs))
        devices = self.server.hello()["devices"]
        if not devices.get(device):
            raise UsageError(f"torch finds no {device} device here", "use --device cpu")
        if self._spawner is not None and not self._spawner.usable:
            self._drop_spares()
            self._spawner.close()
            self._spawner = None
        if device in ACCELERATORS and self._spawner is None:
            self._spawner = Server(sorted(self._needs), spawn=True)
        missing = set(kata.libraries) - self._needs
        if missing:
            self._needs |= missing
            for server in (self.server, self._spawner):
                if server is not None:
                    server.load(sorted(missing))
            # Workers that were forked earlier do not have it.
            self.drop_oracle()
            self._drop_spares()

    def _request(self, kata: Kata, variant: str, seed: int, *, further: bool = False, traced: str = "") -> CaseSet:
        """Have the oracle prepare the cases, unless it was asked for the same ones earlier."""
        for number, cases in list(self._cases.items()):
            if cases.fits(kata, variant, seed, further=further, traced=traced) and not cases.feed.files_changed():
                self._cases[number] = self._cases.pop(number)
                return cases
            if cases.kata != kata or cases.feed.files_changed():
                self._drop_cases(number)
        while len(self._cases) >= MOST_CASES:
            self._drop_cases(next(iter(self._cases)))
        if self.oracle is None:
            self.oracle = self.server.fork("oracle")
        self._number += 1
        folder = self.server.make_folder(f"cases-{self._number}")
        request = OracleRequest(
            number=self._number,
            kata=kata,
            variant=variant,
            seed=seed,
            folder=folder,
            further=further,
            traced=traced,
        )
        request.send(self.oracle, tuple(self._cases))
        feed = self._feeds[self._number] = OracleFeed(self._number, folder, self._feeds)
        cases = CaseSet(
            kata=kata, variant=variant, seed=seed, further=further, stamp=_stamp(kata), feed=feed, traced=traced
        )
        self._cases[self._number] = cases
        return cases

    def _drop_cases(self, number: int) -> None:
        """Nobody will ask for these cases again: `tidy` removes their folder."""
        del self._feeds[number]
        self._finished.append(self._cases.pop(number).feed.folder)

    def _drop_all_cases(self) -> None:
        for number in list(self._cases):
            self._drop_cases(number)

    def accelerator(self) -> str:
        """The GPU that is here. Raises UsageError when there is none."""
        devices = self.server.hello()["devices"]
        for device in ACCELERATORS:
            if devices.get(device):
                return device
        raise UsageError("--parity compares the CPU with a GPU, and torch finds none here", "leave --parity out")

    def _drop_spares(self) -> None:
        while self._spares:
            spare = self._spares.pop()
            with server_may_be_gone():
                self.reap(spare)
            spare.close()

    def drop_oracle(self) -> None:
        """End the oracle's process."""
        if self.oracle is not None:
            with server_may_be_gone():
                self.server.reap(self.oracle)
            self.oracle.close()
            self.oracle = None
            self._drop_all_cases()

    def forget(self) -> None:
        """Close the descriptors of a server that has ended, and of its workers."""
        self._learner_of.clear()
        for worker in (*self._spares, self.oracle):
            if worker is not None:
                worker.close()
        self._spares.clear()
        self.oracle = None
        self._drop_all_cases()

    def release(self, learner: Worker) -> None:
        """Close the descriptors and remove the folder of a learner's process that has ended."""
        self._learner_of.pop(learner.pid, None)
        learner.close()

    def tidy(self) -> None:
        """Remove the folders of cases that are no longer needed."""
        for number, cases in list(self._cases.items()):
            if cases.feed.files_changed():
                self._drop_cases(number)
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
    files = (kata.reference_file, kata.solution_file, kata.cases_file, kata.slips_file, lock_file(kata.folder))
    for path in dict.fromkeys(files):
        with contextlib.suppress(OSError):  # what must be there, the oracle misses by its name
            status = path.stat()
            numbers += (status.st_mtime_ns, status.st_size)
    return tuple(numbers)
