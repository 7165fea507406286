"""One run of the small model as it happens: the player's process under the clock. No torch.

As an attempt's, that process is not believed: its frames must carry the nonce, come in order and hold the exact types.
"""

from __future__ import annotations

import os
import pickle
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llmdrills.errors import GraderError
from llmdrills.grading.play.parts import PARTS
from llmdrills.grading.play.request import FIRST_BEAT, PlayJob
from llmdrills.grading.protocol.answer import outcome_of
from llmdrills.grading.protocol.wire import Raised, Value, WireError, unpack
from llmdrills.grading.rules.limits import EXHAUSTED, Limits
from llmdrills.grading.workers.clock import START_SECONDS
from llmdrills.grading.workers.launcher import Worker, ended_how
from llmdrills.grading.workers.printed import Printed

__all__ = ["Failed", "Heard", "PlayRun"]

BEAT = "beat"  # as in `llmdrills.grading.workers.player`, which imports torch
FRAME_BYTES = 1 << 20
LOOK_SECONDS = 0.25
MOST_TEXTS = 2
MOST_ACTS = 50


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why there is no text: the kata whose kernel it was ("" where it is not known), and what happened.

    `outcome` is a verdict's: crashed, unimplemented, timeout, memory, forbidden; or unusable, for a result that the
    model cannot go on with. `raised` is set where the kernel raised.
    """

    kata: str
    outcome: str
    what: str = ""
    raised: Raised | None = None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What the process said. `texts`: (text, tokens, why it ended, seconds), with the cache and without."""

    perplexity: float | None
    texts: tuple[tuple[str, int, str, float], ...]
    failed: Failed | None
    printed: str


class PlayRun:
    """Sends a job to a player's process and hears it to its end. `reap` ends the process, and tells its exit status."""

    def __init__(self, worker: Worker, job: PlayJob, limits: Limits, reap: Callable[[Worker], int | None]) -> None:
        self._worker = worker
        self._limits = limits
        self._reap = reap
        self._stage = "start"
        self._perplexity: float | None = None
        self._texts: list[tuple[str, int, str, float]] = []
        self._failed: Failed | None = None
        self._acts: list[str] = []
        self._printed = Printed(limits.output)
        self._begun = self._moved = time.monotonic()
        self._beat = b""
        worker.channel.expect(job.nonce, FRAME_BYTES)
        worker.channel.put(pickle.dumps(job))

    def end(self) -> Heard:
        """Wait until the text is there, or the run is over. Raises GraderError for a fault of ours."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._worker.channel, selectors.EVENT_READ, self._read)
            selector.register(self._worker.output, selectors.EVENT_READ, self._read_output)
            if self._worker.pidfd >= 0:
                selector.register(self._worker.pidfd, selectors.EVENT_READ, self._ended)
            while not self._over:
                self._wait(selector)
        self._read_output()
        return Heard(
            perplexity=self._perplexity,
            texts=tuple(self._texts),
            failed=self._failed,
            printed=self._printed.text,
        )

    @property
    def _over(self) -> bool:
        return self._failed is not None or self._stage == "done"

    def _wait(self, selector: selectors.BaseSelector) -> None:
        channel = self._worker.channel
        key = selector.get_map().get(channel)
        if key is not None:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_to_write else 0)
            selector.modify(channel, wanted, key.data)
        for found, events in selector.select(LOOK_SECONDS):
            if events & selectors.EVENT_WRITE:
                channel.flush()
            if events & selectors.EVENT_READ and not found.data():
                selector.unregister(found.fileobj)
        if not self._over:
            self._check_clock()

    def _check_clock(self) -> None:
        """A kernel that is called for too long, a file that loads for too long, a run that takes too long."""
        now = time.monotonic()
        beat = self._read_beat()
        if beat != self._beat:
            self._beat, self._moved = beat, now
        if self._stage == "start":
            if now - self._begun > START_SECONDS:
                raise GraderError("the player's process did not start", "try again; `llmdrills doctor` may tell why")
            return
        allowed = self._limits.load if self._stage == "load" else self._limits.call
        if now - self._moved > allowed:
            self._fail("timeout", f"{allowed:.0f} s")
        elif now - self._begun > self._limits.total:
            self._fail("timeout", f"{self._limits.total:.0f} s")

    def _read_beat(self) -> bytes:
        try:
            return (self._worker.home / BEAT).read_bytes()[: FIRST_BEAT + 1]
        except OSError:  # the process has not made it yet, or the attempt removed it: then nothing moves
            return b""

    @property
    def _called(self) -> str:
        """The kata whose kernel is being called, or was last."""
        beat = self._read_beat()
        number = beat[FIRST_BEAT] if len(beat) > FIRST_BEAT else 0
        return PARTS[number - 1].kata if 0 < number <= len(PARTS) else ""

    def _fail(self, outcome: str, what: str = "", raised: Raised | None = None, kata: str = "") -> None:
        if not self._over:
            if self._acts and outcome in ("crashed", "forbidden"):
                outcome, what, raised = "forbidden", self._acts[0], None
            self._failed = Failed(kata=kata or self._called, outcome=outcome, what=what, raised=raised)

    # Each of these handles one descriptor, and returns whether it is to be watched any longer.

    def _read(self) -> bool:
        self._take_frames()
        if self._worker.channel.closed and not self._over:
            self._await_exit(1.0)  # it ended, or closed the channel and went on: a moment tells which
            self._record_exit()
        return not (self._worker.channel.closed or self._over)

    def _ended(self) -> bool:
        self._take_frames()
        if not self._over:
            self._record_exit()
        return False

    def _await_exit(self, seconds: float) -> None:
        if self._worker.pidfd < 0:
            time.sleep(0.05)
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._worker.pidfd, selectors.EVENT_READ)
            selector.select(seconds)

    def _record_exit(self) -> None:
        status = self._reap(self._worker)
        if status == EXHAUSTED:
            self._fail("memory", "no memory was left")
        else:
            self._fail("crashed", "its process closed the channel" if status is None else ended_how(status))

    def _read_output(self) -> bool:
        for _ in range(64):  # a flood must not keep the command from looking at the clock
            try:
                part = os.read(self._worker.output, 1 << 16)
            except BlockingIOError:
                return True
            if not part:
                return False
            self._printed.add(part)
        return True

    def _take_frames(self) -> None:
        try:
            for frame in self._worker.channel.frames():
                if self._over:
                    return
                self._take(unpack(frame, escape_surrogates=True))
        except WireError as error:
            self._fail("crashed", f"the private channel was written to ({error})")

    def _take(self, message: Value) -> None:
        self._moved = time.monotonic()
        kinds: dict[tuple[str, str], Callable[..., None]] = {
            ("ready", "start"): self._ready,
            ("loaded", "load"): self._loaded,
            ("perplexity", "call"): self._measured,
            ("written", "call"): self._wrote,
            ("done", "call"): self._done,
        }
        if not (type(message) is tuple and message and type(message[0]) is str):
            raise WireError("no message")
        kind, *rest = message
        types = tuple(type(one) for one in rest)
        if kind == "act" and types == (str, int):
            self._acts += rest[:1] if len(self._acts) < MOST_ACTS else []
        elif kind == "fault" and types == (str, str) and self._stage == "start":
            raise GraderError(rest[0], rest[1])
        elif kind == "failed" and types[:2] == (str, str) and len(rest) == 3:
            self._told_failure(*rest)
        elif (kind, self._stage) in kinds and types == _TYPES.get(kind, ()):
            kinds[kind, self._stage](*rest)
        else:
            raise WireError(f"{kind[:40]!r} out of turn")

    def _told_failure(self, kata: str, what: str, raised: Value) -> None:
        if not any(part.kata == kata for part in PARTS) or not (raised is None or isinstance(raised, Raised)):
            raise WireError("a failure that names no part")
        outcome = "unusable" if raised is None else outcome_of(raised)
        self._fail(outcome, what, raised, kata)

    def _ready(self) -> None:
        self._stage, self._begun = "load", time.monotonic()

    def _loaded(self) -> None:
        self._stage = "call"

    def _measured(self, perplexity: float) -> None:
        self._perplexity = perplexity

    def _wrote(self, text: str, tokens: int, why: str, seconds: float) -> None:
        if self._perplexity is None or len(self._texts) == MOST_TEXTS:
            raise WireError("a text out of turn")
        self._texts.append((text, tokens, why, seconds))

    def _done(self) -> None:
        if not self._texts:
            raise WireError("the end before a text")
        self._stage = "done"


_TYPES: dict[str, tuple[type[Any], ...]] = {"perplexity": (float,), "written": (str, int, str, float)}
"""What stands behind the kind of a message."""
