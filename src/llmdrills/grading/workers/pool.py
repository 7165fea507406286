"""Who does the work: servers, the oracle, learners' processes, and what the oracle was asked. No torch.

A `Staff` starts what an attempt needs, keeps what the next one can use, and sees everything off at the end.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.errors import ContentError, GraderError, UsageError
from llmdrills.grading.workers.attempt_run import OracleFeed, ask_explain, ask_prepare
from llmdrills.grading.workers.launcher import Server, ServerDied, Worker, take

if TYPE_CHECKING:
    from llmdrills.content.model import Kata

__all__ = ["ACCELERATORS", "Asked", "Staff"]

ACCELERATORS = ("cuda", "mps")
"""Devices whose workers are new processes: a forked one cannot use a GPU that its parent has touched."""


@dataclass
class Asked:
    """What the oracle was asked to prepare, and what it has said of it."""

    kata: Kata
    variant: str
    seed: int
    device: str
    stamp: tuple[int, ...]
    folder: Path
    feed: OracleFeed


class Staff:
    """The processes of one grader. `device` is the one that spare learners' processes are kept for."""

    def __init__(self, device: str, needs: Iterable[str]) -> None:
        self._device = device
        self._needs = set(needs)
        self.server = take(sorted(self._needs))
        self.oracle: Worker | None = None
        self._spawner: Server | None = None
        self._spare: Worker | None = None
        self._asked: Asked | None = None
        self._learner_of: dict[int, Server] = {}
        self._finished: list[Path] = []  # folders of cases that nobody will ask about again
        self._number = 0

    def prepare(self, kata: Kata, variant: str) -> None:
        """A spare learner's process, and an oracle that works out the next seed's answers, wrong kernels' included."""
        self.ready(kata, self._device)
        asked = self.ask(kata, variant, None, self._device)
        if self.oracle is not None and not asked.feed.asked_to_explain:
            ask_explain(self.oracle, asked.feed.number)
            asked.feed.asked_to_explain = True
        if self._spare is None:
            self._spare = self.hire(self._device)

    def listen(self, cancel: int) -> None:
        """Take in what the oracle works out beforehand, until it is done or someone writes to `cancel`.

        A fault of the kata is left for the attempt to tell: the oracle is then asked anew.
        """
        asked, oracle = self._asked, self.oracle
        if asked is None or oracle is None:
            return
        try:
            asked.feed.listen(oracle, cancel)
        except (ContentError, GraderError):
            self.drop_oracle()

    def assign(self, kata: Kata, variant: str, seed: int | None, device: str) -> tuple[Asked, Worker, Worker]:
        """What the oracle was asked, the oracle, and a learner's process for one attempt."""
        self.ready(kata, device)
        asked = self.ask(kata, variant, seed, device)
        self._finished.append(asked.folder)
        learner = self._spare if self._spare is not None and device == self._device else self.hire(device)
        if learner is self._spare:
            self._spare = None
        self._asked = None
        assert self.oracle is not None  # noqa: S101  # for the type checker: `ask` has just seen to it
        return asked, self.oracle, learner

    def hire(self, device: str) -> Worker:
        """A new learner's process."""
        server = self._spawner if device in ACCELERATORS and self._spawner is not None else self.server
        learner = server.fork("learner")
        self._learner_of[learner.pid] = server
        return learner

    def reap(self, worker: Worker) -> int | None:
        """End a worker and what it left behind; its exit status, None when it had to be killed. Raises ServerDied."""
        return self._learner_of.get(worker.pid, self.server).reap(worker)[0]

    def dismiss(self, worker: Worker) -> None:
        """As `reap`, for a worker that has done its work; `settle` sees it gone. Raises ServerDied."""
        self._learner_of.get(worker.pid, self.server).dismiss(worker)

    def settle(self) -> None:
        """Wait until every dismissed worker, and what it left behind, is gone. Raises ServerDied."""
        for server in (self.server, self._spawner):
            if server is not None:
                server.settle()

    def ready(self, kata: Kata, device: str) -> None:
        """See to it that a server is there that has what the kata needs, and that the device is."""
        if not self.server.alive:
            self.forget()
            self.server.close()
            self.server = Server(sorted(self._needs))
        devices = self.server.hello()["devices"]
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
            for server in (self.server, self._spawner):
                if server is not None:
                    server.load(sorted(missing))
            # Workers that were forked earlier do not have it.
            self.drop_oracle()
            self._drop_spare()

    def ask(self, kata: Kata, variant: str, seed: int | None, device: str) -> Asked:
        """What the oracle prepares for this attempt: what it was asked for beforehand, where that still fits."""
        stamp = _stamp(kata)
        asked = self._asked
        if asked is not None:
            same = (asked.kata == kata, asked.variant == variant, asked.device == device, asked.stamp == stamp)
            if all(same) and seed in (None, asked.seed):
                return asked
        if self.oracle is None:
            self.oracle = self.server.fork("oracle")
        self._number += 1
        folder = self.server.root / f"cases-{self._number}"
        folder.mkdir(mode=0o700)
        chosen = secrets.randbelow(1 << 31) if seed is None else seed
        ask_prepare(self.oracle, self._number, kata, variant, chosen, folder)
        self._asked = Asked(kata, variant, chosen, device, stamp, folder, OracleFeed(self._number))
        return self._asked

    def accelerator(self) -> str:
        """The GPU that is here. Raises UsageError when there is none."""
        devices = self.server.hello()["devices"]
        for device in ACCELERATORS:
            if devices.get(device):
                return device
        raise UsageError("--parity compares the CPU with a GPU, and torch finds none here", "leave --parity out")

    def _drop_spare(self) -> None:
        if self._spare is not None:
            with contextlib.suppress(ServerDied, GraderError):
                self.reap(self._spare)
            self._spare.close()
            self._spare = None

    def drop_oracle(self) -> None:
        """End the oracle's process."""
        if self.oracle is not None:
            with contextlib.suppress(ServerDied, GraderError):
                self.server.reap(self.oracle)
            self.oracle.close()
            self.oracle = self._asked = None

    def forget(self) -> None:
        """The server is gone, and its workers with it."""
        self._learner_of.clear()
        for worker in (self._spare, self.oracle):
            if worker is not None:
                worker.close()
        self._spare = self.oracle = self._asked = None

    def let_go(self, learner: Worker) -> None:
        """Close what belongs to a learner's process that is no more."""
        self._learner_of.pop(learner.pid, None)
        learner.close()

    def tidy(self) -> None:
        """Remove the folders of cases that are done with."""
        while self._finished:
            shutil.rmtree(self._finished.pop(), ignore_errors=True)

    def close(self) -> None:
        """End every server and everything they started."""
        self.forget()
        for server in (self.server, self._spawner):
            if server is not None:
                server.close()


def _stamp(kata: Kata) -> tuple[int, ...]:
    """What changes when the kata's code does."""
    numbers: list[int] = []
    for path in (kata.reference_file, kata.cases_file):
        with contextlib.suppress(OSError):  # the oracle says so, with the file's name
            status = path.stat()
            numbers += (status.st_mtime_ns, status.st_size)
    return tuple(numbers)
