"""One attempt as it happens: questions from the oracle to the learner, answers back, under the clock. No torch.

An attempt may run in parts, each in a process of its own: `begin` gives a process its file and the questions that are
known, `end` takes in its answers. What has begun goes on while another part is taken in.

An attempt run watches both workers, what the learner prints, the time, and a descriptor by which another thread
cancels it. It trusts nothing that the learner's process says: frames must carry the nonce, come in order, be no longer
than what is due, and hold an answer's exact types.
"""

from __future__ import annotations

import os
import secrets
import selectors
import time
from collections.abc import Callable, Sequence
from typing import Any

from llmdrills.errors import ContentError, GraderError
from llmdrills.grading.protocol.answer import Answer, Attempt, Ended, EndedBy, Expected, Question
from llmdrills.grading.protocol.answer_codec import ANSWER_BYTES, ANSWER_VALUES, read_answer
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.protocol.channel import Channel
from llmdrills.grading.protocol.wire import Raised, Value, WireError, pack, unpack
from llmdrills.grading.rules.forbidden import ForbiddenUse
from llmdrills.grading.rules.limits import EXHAUSTED
from llmdrills.grading.workers.clock import AttemptClock, Step
from llmdrills.grading.workers.launcher import Worker, ended_how
from llmdrills.grading.workers.oracle_feed import ORACLE_SECONDS, Cancelled, OracleFeed
from llmdrills.grading.workers.printed import Printed

__all__ = ["AttemptRun"]

MAX_ACTS = 50
FILES_CHANGED = "the attempt changed the files that the case gave it"
NOTICE_BYTES = 1 << 20
"""Bytes that a frame may hold before the file is loaded: a traceback is the longest of what may come then."""


class AttemptRun:
    """Runs one attempt, or a part of it, to its end.

    `drawn` says which questions are put: the named cases (False), the draws (True), or all (None). `reap` ends a worker
    and returns its exit status, None when it was killed. `answered`, where it is set, is given each answer as it
    comes, with what is expected, where that is known by then.
    """

    def __init__(
        self,
        *,
        spec: AttemptSpec,
        feed: OracleFeed,
        oracle: Worker,
        learner: Worker,
        cancel: int,
        reap: Callable[[Worker], int | None],
        drawn: bool | None = None,
    ) -> None:
        self._spec = spec
        self.answered: Callable[[Expected, Answer], object] | None = None
        self._drawn = drawn
        self._feed = feed
        self._oracle = oracle
        self._learner = learner
        self._cancel = cancel
        self._reap = reap
        self._begun = False
        self._ready = False
        self._loaded = False
        self._loading: Raised | None = None
        self._answers: list[Answer] = []
        self._sent = 0
        self._acts: list[ForbiddenUse] = []
        self._ended: Ended | None = None
        self._printed = Printed(spec.limits.output)
        self._clock = AttemptClock(spec.limits)
        self._beside: Sequence[AttemptRun] = ()

    def begin(self) -> None:
        """Give the learner's process the file and the questions, where they are known. Does not wait.

        Else that happens as soon as they are: no code of the attempt runs before the cases' files are sealed.
        """
        if not self._feed.listed:
            return
        if not self._begun:
            self._begun = True
            nonce = secrets.token_bytes(16)
            self._learner.channel.expect(nonce, NOTICE_BYTES)
            self._learner.channel.put(_job(self._spec, nonce, self._printed.mark))
            self._clock.begin()
        self._send_questions()

    def end(self, beside: Sequence[AttemptRun] = ()) -> Attempt:
        """Wait until the learner has answered, or ended, and the oracle has said everything.

        The questions that come meanwhile are sent to the parts beside this one, too.

        Raises Cancelled, ContentError for a fault of the kata's author, GraderError for one of the grader's.
        """
        self._beside = beside
        oracle_deadline = time.monotonic() + ORACLE_SECONDS
        with selectors.DefaultSelector() as selector:
            self._register(selector)
            try:
                while not (self._feed.prepared and self._over):
                    self._wait(selector, oracle_deadline)
                    if not self._over:
                        self._check_clock()
            except (ContentError, GraderError):
                if not self._feed.files_changed():  # or the oracle failed over what the attempt did to them
                    raise
            self._read_output()
        if self._feed.files_changed():
            self._ended = Ended("forbidden", self._case, FILES_CHANGED)
        return self.attempt()

    @property
    def began(self) -> bool:
        """Whether the learner's process has begun to read the file."""
        return self._ready

    def attempt(self) -> Attempt:
        """What is known of the attempt so far."""
        return Attempt(
            loading=self._loading,
            answers=tuple(self._answers),
            ended=self._ended,
            forbidden=tuple(self._acts),
            output=self._printed.text,
            output_cut=self._printed.cut,
            seconds=sum(answer.seconds for answer in self._answers),
            outputs=self._printed.cases(len(self._answers)),
            last_output=self._printed.unfinished,
        )

    @property
    def _over(self) -> bool:
        """Whether nothing more is to come from the learner."""
        if self._ended is not None or (self._loaded and self._loading is not None):
            return True
        return self._feed.listed and self._loaded and len(self._answers) == len(self._questions)

    @property
    def _questions(self) -> Sequence[Question]:
        """The questions of this part, as far as the oracle has told them."""
        asked = self._feed.questions
        return asked[: self._feed.named] if self._drawn is False else asked[self._first :]

    @property
    def _first(self) -> int:
        """The place of this part's first question among all."""
        return self._feed.named if self._drawn else 0

    @property
    def _busy(self) -> bool:
        """Whether the learner's process has something to do, so that the clock runs."""
        return self._begun and (not self._loaded or len(self._answers) < self._sent)

    @property
    def _step(self) -> Step:
        if not self._ready:
            return "start"
        return "call" if self._loaded else "load"

    @property
    def _case(self) -> str:
        """The case that the learner's process is at; empty while it loads."""
        return self._questions[len(self._answers)].name if self._loaded and self._sent > len(self._answers) else ""

    def _register(self, selector: selectors.BaseSelector) -> None:
        selector.register(self._oracle.channel, selectors.EVENT_READ, self._read_oracle)
        selector.register(self._learner.channel, selectors.EVENT_READ, self._read_learner)
        selector.register(self._learner.output, selectors.EVENT_READ, self._read_output)
        selector.register(self._cancel, selectors.EVENT_READ, self._read_cancel)
        if self._learner.pidfd >= 0:
            selector.register(self._learner.pidfd, selectors.EVENT_READ, self._learner_ended)

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
        waits = self._over or not self._busy
        deadline = oracle_deadline if waits else min(self._clock.deadline(self._step), oracle_deadline)
        for key, events in selector.select(max(deadline - now, 0.0)):
            if events & selectors.EVENT_WRITE and isinstance(key.fileobj, Channel):
                key.fileobj.flush()
            if events & selectors.EVENT_READ and not key.data():
                selector.unregister(key.fileobj)

    @staticmethod
    def _watched(selector: selectors.BaseSelector) -> list[Any]:
        return [key.fileobj for key in selector.get_map().values()]

    def _check_clock(self) -> None:
        if self._busy and time.monotonic() >= self._clock.deadline(self._step):
            if not self._ready:
                raise GraderError("the learner's process did not start", "try again; `llmdrills doctor` may tell why")
            self._end("timeout", self._clock.exceeded(self._step))

    def _end(self, by: EndedBy, detail: str) -> None:
        """Record why the learner's process ended. The caller kills it."""
        if not self._over:
            self._ended = Ended("forbidden" if self._acts and by == "crashed" else by, self._case, detail)

    # Each of these handles one descriptor, and returns whether it is to be watched any longer.

    def _read_oracle(self) -> bool:
        for frame in self._oracle.channel.frames():
            self._feed.take(frame)
            for run in (self, *self._beside):
                run.begin()
        if self._oracle.channel.closed and not self._feed.prepared:
            raise GraderError(
                f"the oracle ended ({ended_how(self._reap(self._oracle))})", "run `llmdrills check` on this kata"
            )
        return not self._oracle.channel.closed

    def _send_questions(self) -> None:
        """Send the questions that are known; they wait in the channel until the file is loaded."""
        if self._loading is None:
            if self._loaded and len(self._answers) == self._sent:
                self._clock.begin()
            for _ in self._questions[self._sent :]:
                self._learner.channel.put(self._feed.frame(self._first + self._sent))
                self._sent += 1

    def _read_learner(self) -> bool:
        self._take_frames()
        if self._learner.channel.closed and not self._over:
            # It ended, or closed the channel and went on: a moment tells which.
            self._await_exit(1.0)
            self._record_exit("the private channel was closed")
        # What comes after the end is not read: a flood of it would keep the command busy.
        return not (self._learner.channel.closed or self._over)

    def _learner_ended(self) -> bool:
        self._take_frames()  # what it sent before it ended counts
        if not self._over:
            self._record_exit("it vanished")
        return False

    def _record_exit(self, otherwise: str) -> None:
        status = self._reap(self._learner)
        if status == EXHAUSTED:
            self._end("memory", "no memory was left")
        else:
            self._end("crashed", otherwise if status is None else ended_how(status))

    def _await_exit(self, seconds: float) -> None:
        if self._learner.pidfd < 0:
            time.sleep(0.05)
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._learner.pidfd, selectors.EVENT_READ)
            selector.select(seconds)

    def _take_frames(self) -> None:
        """Read what the learner's process says; anything that it could not have said ends the attempt."""
        try:
            for frame in self._learner.channel.frames():
                if self._over:
                    return
                self._take(unpack(frame, most=ANSWER_VALUES, escape_surrogates=True))
        except WireError as error:
            self._end("crashed", f"the private channel was written to ({error})")

    def _take(self, message: Value) -> None:
        if not (type(message) is tuple and message and type(message[0]) is str):
            raise WireError("no message")
        kind, *rest = message
        if kind == "act" and len(rest) == 2 and type(rest[0]) is str and type(rest[1]) is int:
            if len(self._acts) < MAX_ACTS:
                self._acts.append(ForbiddenUse(rest[0], rest[1], "called"))
        elif kind == "ready" and not rest and not self._ready:
            self._ready = True
            self._clock.begin()
        elif kind == "loaded" and len(rest) == 1 and self._ready and not self._loaded:
            if not (rest[0] is None or isinstance(rest[0], Raised)):
                raise WireError("no exception")
            self._loaded, self._loading = True, rest[0]
            self._learner.channel.expect_at_most(ANSWER_BYTES)
            self._clock.begin()
            self._send_questions()
        elif kind == "answer" and len(rest) == 2 and self._loaded and rest[0] == self._case != "":
            self._answers.append(read_answer(rest[1]))
            self._clock.end_call()
            self._tell_answer()
            self._clock.begin()
        else:
            raise WireError(f"{kind[:40]!r} out of turn")

    def _tell_answer(self) -> None:
        at = self._first + len(self._answers) - 1
        if self.answered is not None and at < len(self._feed.expected):
            self.answered(self._feed.expected[at], self._answers[-1])

    def _read_output(self) -> bool:
        for _ in range(64):  # a flood must not keep the command from looking at the clock
            try:
                part = os.read(self._learner.output, 1 << 16)
            except BlockingIOError:
                return True
            if not part:
                return False
            self._printed.add(part)
        return True

    def _read_cancel(self) -> bool:
        raise Cancelled


def _job(spec: AttemptSpec, nonce: bytes, mark: bytes) -> bytes:
    """What the learner's process is told before it reads the file."""
    kata = spec.kata
    return pack(
        {
            "nonce": nonce,
            "mark": mark,
            "file": spec.file,
            "source": spec.source,
            "entry": kata.entry,
            "device": spec.device,
            "forbidden": tuple(rule.call for rule in kata.forbidden),
            "threads": bool(kata.needs),
            "launching": kata.engine == "triton",
            "guarded": bool(kata.forbidden or kata.budgets or kata.engine == "triton"),
            "memory": spec.limits.memory,
        }
    )
