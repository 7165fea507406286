"""One attempt as it happens: questions from the oracle to the learner, answers back, under the clock. No torch.

The pump watches both workers, what the learner prints, the time, and a descriptor by which another thread calls it
off. It trusts nothing that the learner's process says: frames must carry the nonce, come in order, and hold an
answer's exact types.
"""

from __future__ import annotations

import os
import pickle
import secrets
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmdrills.content.model import Kata
from llmdrills.errors import ContentError, GraderError, Problem
from llmdrills.grading.protocol.answer import Answer, Attempt, Ended, EndedBy, Expected, Question
from llmdrills.grading.protocol.answer_codec import read_answer
from llmdrills.grading.protocol.channel import Channel
from llmdrills.grading.protocol.wire import Raised, Value, WireError, pack, unpack
from llmdrills.grading.rules.forbidden import ForbiddenUse
from llmdrills.grading.rules.limits import Limits
from llmdrills.grading.workers.launcher import Worker, ended_how

__all__ = ["Cancelled", "Job", "OracleFeed", "Pump", "ask_explain", "ask_prepare"]

READY_SECONDS = 120.0
ORACLE_SECONDS = 300.0
MAX_ACTS = 50


class Cancelled(Exception):  # noqa: N818  # nothing went wrong: someone asked for it
    """The attempt was called off by `Grader.cancel`."""


@dataclass(frozen=True)
class Job:
    """What the learner's process is told before it reads the file."""

    file: str
    source: bytes
    entry: str
    device: str
    forbidden: tuple[str, ...]
    threads: bool
    guarded: bool
    limits: Limits

    def frame(self, nonce: bytes) -> bytes:
        """The job as it is sent."""
        return pack(
            {
                "nonce": nonce,
                "file": self.file,
                "source": self.source,
                "entry": self.entry,
                "device": self.device,
                "forbidden": self.forbidden,
                "threads": self.threads,
                "guarded": self.guarded,
                "memory": self.limits.memory,
            }
        )


def ask_prepare(oracle: Worker, number: int, kata: Kata, variant: str, seed: int, folder: Path) -> None:
    """Have the oracle prepare every case; the feed of that number reads what it says."""
    request = {"kata": kata, "variant": variant, "seed": seed, "folder": folder}
    oracle.channel.put(pickle.dumps({"number": number, "what": "prepare", **request}))


def ask_explain(oracle: Worker, number: int) -> None:
    """Have the oracle run every wrong kernel on the questions that it prepared under that number, its latest."""
    oracle.channel.put(pickle.dumps({"number": number, "what": "explain"}))


@dataclass
class OracleFeed:
    """What the oracle has said so far about one set of cases."""

    number: int
    questions: list[Question] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    explanations: list[dict[str, Answer]] = field(default_factory=list)
    listed: bool = False
    prepared: bool = False
    asked_to_explain: bool = False
    explained: bool = False

    def take(self, frame: bytes) -> None:
        """Read one frame. Raises ContentError or GraderError when the oracle says that something is wrong."""
        number, kind, *rest = pickle.loads(frame)  # noqa: S301  # the oracle runs the kata's code, never the learner's
        if number != self.number:
            return
        if kind == "questions":
            self.questions, self.listed = list(rest[0]), True
        elif kind == "expected":
            self.expected.append(rest[0])
        elif kind == "explained":
            self.explanations.append(rest[0])
        elif kind == "prepared":
            self.prepared = True
        elif kind == "all explained":
            self.explained = True
        elif kind == "problems":
            raise ContentError([Problem(Path(p[0]), *p[1:]) for p in rest[0]])
        else:
            raise GraderError(str(rest[0]), str(rest[1]))

    def listen(self, oracle: Worker, cancel: int) -> None:
        """Take in frames until all is prepared and explained, the oracle is gone, or `cancel` is readable."""
        with selectors.DefaultSelector() as selector:
            selector.register(cancel, selectors.EVENT_READ)
            selector.register(oracle.channel, selectors.EVENT_READ)
            while not (self.prepared and self.explained) and not oracle.channel.closed:
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if oracle.channel.wants_to_write else 0)
                selector.modify(oracle.channel, wanted)
                ready = {key.fileobj: events for key, events in selector.select(ORACLE_SECONDS)}
                if cancel in ready or not ready:
                    return
                if ready.get(oracle.channel, 0) & selectors.EVENT_WRITE:
                    oracle.channel.flush()
                for frame in oracle.channel.frames():
                    self.take(frame)

    def explain(self, oracle: Worker, cancel: int) -> list[dict[str, Answer]]:
        """Wait for what every wrong kernel answers, case by case. Raises what `take` raises, and Cancelled."""
        if not self.asked_to_explain:
            ask_explain(oracle, self.number)
            self.asked_to_explain = True
        with selectors.DefaultSelector() as selector:
            selector.register(oracle.channel, selectors.EVENT_READ)
            selector.register(cancel, selectors.EVENT_READ)
            while not self.explained:
                ready = [key.fileobj for key, _ in selector.select(ORACLE_SECONDS)]
                if cancel in ready:
                    raise Cancelled
                for frame in oracle.channel.frames():
                    self.take(frame)
                if not self.explained and (oracle.channel.closed or not ready):
                    raise GraderError("the oracle ended over its wrong kernels", "run `llmdrills check` on this kata")
        return self.explanations


class Pump:
    """Runs one attempt to its end."""

    def __init__(
        self,
        oracle: Worker,
        learner: Worker,
        feed: OracleFeed,
        job: Job,
        cancel: int,
        reap: Callable[[Worker], int | None],
    ) -> None:
        self._oracle = oracle
        self._learner = learner
        self._feed = feed
        self._job = job
        self._cancel = cancel
        self._reap = reap
        self._nonce = secrets.token_bytes(16)
        self._ready = False
        self._loaded = False
        self._loading: Raised | None = None
        self._answers: list[Answer] = []
        self._sent = 0
        self._acts: list[ForbiddenUse] = []
        self._ended: Ended | None = None
        self._output = bytearray()
        self._cut = False
        self._gone = False
        self._busy_since = time.monotonic()
        self._used = 0.0

    def run(self) -> tuple[list[Expected], Attempt]:
        """Pump until the oracle has said everything and the learner has answered, or ended.

        Raises Cancelled, ContentError for a fault of the kata's author, GraderError for one of the grader's.
        """
        self._learner.channel.put(self._job.frame(self._nonce))
        oracle_deadline = time.monotonic() + ORACLE_SECONDS
        with selectors.DefaultSelector() as selector:
            self._register(selector)
            while not (self._feed.prepared and self._over):
                self._wait(selector, oracle_deadline)
                if not self._over:
                    self._check_clock()
            self._read_output()
        return self._feed.expected, self.attempt()

    @property
    def began(self) -> bool:
        """Whether the learner's process has begun to read the file."""
        return self._ready

    def attempt(self) -> Attempt:
        """What is known of the attempt so far."""
        return Attempt(
            self._loading,
            tuple(self._answers),
            self._ended,
            tuple(self._acts),
            self._output.decode("utf-8", "replace"),
            self._cut,
            sum(answer.seconds for answer in self._answers),
        )

    @property
    def _over(self) -> bool:
        """Whether nothing more is to come from the learner."""
        if self._ended is not None or (self._loaded and self._loading is not None):
            return True
        return self._feed.listed and self._loaded and len(self._answers) == len(self._feed.questions)

    @property
    def _busy(self) -> bool:
        """Whether the learner's process has something to do, so that the clock runs."""
        return not self._loaded or len(self._answers) < self._sent

    @property
    def _at(self) -> str:
        """The case that the learner's process is at; empty while it loads."""
        return self._feed.questions[len(self._answers)].name if self._loaded and self._sent > len(self._answers) else ""

    def _register(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._oracle.channel, selectors.EVENT_READ, self._read_oracle)
        selector.register(self._learner.channel, selectors.EVENT_READ, self._read_learner)
        selector.register(self._learner.output, selectors.EVENT_READ, self._read_output)
        selector.register(self._cancel, selectors.EVENT_READ, self._call_off)
        if self._learner.pidfd >= 0:
            selector.register(self._learner.pidfd, selectors.EVENT_READ, self._learner_gone)

    def _wait(self, selector: selectors.BaseSelector, oracle_deadline: float) -> None:
        for channel in (self._oracle.channel, self._learner.channel):
            if channel in self._watched(selector):
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_to_write else 0)
                key = selector.get_key(channel)
                if key.events != wanted:
                    selector.modify(channel, wanted, key.data)
        now = time.monotonic()
        if now > oracle_deadline:
            raise GraderError(
                f"the oracle took more than {ORACLE_SECONDS:.0f} s", "look for an endless loop in the kata's cases.py"
            )
        deadline = oracle_deadline if self._over or not self._busy else min(self._deadline()[0], oracle_deadline)
        for key, events in selector.select(max(deadline - now, 0.0)):
            if events & selectors.EVENT_WRITE and isinstance(key.fileobj, Channel):
                key.fileobj.flush()
            if events & selectors.EVENT_READ and not key.data():
                selector.unregister(key.fileobj)

    @staticmethod
    def _watched(selector: selectors.BaseSelector) -> list[Any]:
        return [key.fileobj for key in selector.get_map().values()]

    def _deadline(self) -> tuple[float, float]:
        """When the present step must be over, and how long it may take."""
        limits = self._job.limits
        if not self._ready:
            allowed = READY_SECONDS
        elif not self._loaded:
            allowed = limits.load
        else:
            allowed = min(limits.call, max(limits.total - self._used, 0.0))
        return self._busy_since + allowed, allowed

    def _check_clock(self) -> None:
        deadline, allowed = self._deadline()
        if self._busy and time.monotonic() >= deadline:
            if not self._ready:
                raise GraderError("the learner's process did not start", "try again; `llmdrills doctor` may tell why")
            self._end("timeout", f"{allowed:.1f} s")

    def _end(self, by: EndedBy, detail: str) -> None:
        """Note why the learner's process is at its end; whoever made the pump kills it."""
        if not self._over:
            self._ended = Ended("forbidden" if self._acts and by == "crashed" else by, self._at, detail)

    # Each of these handles one descriptor, and answers whether it is to be watched any longer.

    def _read_oracle(self) -> bool:
        for frame in self._oracle.channel.frames():
            self._feed.take(frame)
            self._forward()
        if self._oracle.channel.closed and not self._feed.prepared:
            raise GraderError(
                f"the oracle ended ({ended_how(self._reap(self._oracle))})", "run `llmdrills check` on this kata"
            )
        return not self._oracle.channel.closed

    def _forward(self) -> None:
        if self._loaded and self._loading is None:
            if len(self._answers) == self._sent:
                self._busy_since = time.monotonic()
            for question in self._feed.questions[self._sent :]:
                self._learner.channel.put(pack(question))
                self._sent += 1

    def _read_learner(self) -> bool:
        self._hear()
        if self._learner.channel.closed and not self._over:
            # It ended, or closed the channel and went on: a moment tells which.
            self._await_exit(1.0)
            self._mourn("the private channel was closed")
        return not self._learner.channel.closed

    def _learner_gone(self) -> bool:
        self._hear()  # what it said before it ended counts
        if not self._over:
            self._mourn("it vanished")
        return False

    def _mourn(self, otherwise: str) -> None:
        status = self._reap(self._learner)
        self._end("crashed", otherwise if status is None else ended_how(status))

    def _await_exit(self, seconds: float) -> None:
        if self._learner.pidfd < 0:
            time.sleep(0.05)
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._learner.pidfd, selectors.EVENT_READ)
            selector.select(seconds)

    def _hear(self) -> None:
        """Read what the learner's process says; anything that it could not have said ends the attempt."""
        try:
            for frame in self._learner.channel.frames():
                if not self._over:
                    self._take(unpack(frame))
        except WireError as error:
            self._end("crashed", f"the private channel was written to ({error})")

    def _take(self, said: Value) -> None:
        if not (type(said) is tuple and len(said) >= 2 and said[0] == self._nonce):
            raise WireError("no nonce")
        _, kind, *rest = said
        now = time.monotonic()
        if kind == "act" and len(rest) == 2 and type(rest[0]) is str and type(rest[1]) is int:
            if len(self._acts) < MAX_ACTS:
                self._acts.append(ForbiddenUse(rest[0], rest[1], "called"))
        elif kind == "ready" and not rest and not self._ready:
            self._ready, self._busy_since = True, now
        elif kind == "loaded" and len(rest) == 1 and self._ready and not self._loaded:
            if not (rest[0] is None or isinstance(rest[0], Raised)):
                raise WireError("no exception")
            self._loaded, self._loading = True, rest[0]
            self._forward()
        elif kind == "answer" and len(rest) == 2 and self._loaded and rest[0] == self._at != "":
            self._answers.append(read_answer(rest[1]))
            self._used += now - self._busy_since
            self._busy_since = now
        else:
            raise WireError(f"{kind!r} out of turn")

    def _read_output(self) -> bool:
        for _ in range(64):  # a flood must not keep the pump from looking at the clock
            try:
                part = os.read(self._learner.output, 1 << 16)
            except BlockingIOError:
                return True
            if not part:
                return False
            room = self._job.limits.output - len(self._output)
            self._output += part[: max(room, 0)]
            self._cut = self._cut or len(part) > room
        return True

    def _call_off(self) -> bool:
        raise Cancelled
