"""What the oracle is asked, and what it has said so far of one set of cases. No torch."""

from __future__ import annotations

import dataclasses
import pickle
import selectors
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmdrills.errors import ContentError, GraderError, Problem
from llmdrills.grading.protocol.answer import JOINT
from llmdrills.grading.protocol.wire import pack
from llmdrills.grading.workers.case_files import Seal, sealed_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llmdrills.content.model import Kata
    from llmdrills.grading.judging.behaviour import Candidate
    from llmdrills.grading.protocol.answer import Answer, Expected, Question
    from llmdrills.grading.workers.launcher import Worker

__all__ = ["ORACLE_SECONDS", "BehaviourRequest", "Cancelled", "OracleFeed", "OracleRequest", "Wanted"]

ORACLE_SECONDS = 300.0
"""For the oracle to prepare one set of cases, or to run the wrong kernels on it."""

MOST_BYTES = 64 << 20
"""Of an attempt's answers, as they are sent to the oracle."""


class Cancelled(Exception):  # noqa: N818  # nothing went wrong: someone asked for it
    """The attempt was ended by `Grader.cancel`."""


@dataclass(frozen=True)
class OracleRequest:
    """A set of cases that the oracle prepares. `folder` is where cases may write files for the learner to read.

    `traced` names a case of which only the calls that are made in it are asked.
    """

    number: int
    kata: Kata
    variant: str
    seed: int
    folder: Path
    further: bool = False
    traced: str = ""

    def send(self, oracle: Worker, keep: Sequence[int] = ()) -> None:
        """Have the oracle prepare every case and draw; the feed of that number reads what it says.

        `keep` are the numbers of earlier requests that will be asked about again: the oracle drops the others.
        """
        request = {
            "kata": self.kata,
            "variant": self.variant,
            "seed": self.seed,
            "folder": self.folder,
            **({"case": self.traced} if self.traced else {"further": self.further}),
        }
        what = "trace" if self.traced else "prepare"
        oracle.channel.put(pickle.dumps({"number": self.number, "what": what, "keep": tuple(keep), "request": request}))


@dataclass(frozen=True)
class Wanted:
    """Which answers of the wrong kernels are asked for: to the named cases, or with `drawn` to the draws.

    Of every wrong kernel, or `only` of those; with `answers`, an attempt's own to the named cases on that device, only
    what can explain them. `beforehand` says that they may end early, as where nobody waits for them.
    """

    drawn: bool = False
    only: Sequence[str] | None = None
    answers: Sequence[Answer] | None = None
    device: str = ""
    beforehand: bool = False


@dataclass(frozen=True)
class BehaviourRequest:
    """What the attempt with these answers behaves like, in CPU seconds; `among` these candidates, or any.

    `answers` stand in the order of the questions, one for each.
    """

    answers: Sequence[Answer]
    seconds: float
    among: Sequence[Candidate] | None = None

    def frame(self, number: int) -> bytes:
        """The request about the questions that were prepared under that number."""
        request = {"answers": self.answers, "seconds": self.seconds, "among": self.among}
        return pickle.dumps({"number": number, "what": "behave", **request})


@dataclass
class OracleFeed:
    """What the oracle has said so far about one set of cases. `folder` holds the files that the cases made.

    One channel serves all sets of cases of an oracle: `others` are the feeds of all, by number, so that whoever reads
    the channel hands each frame to its feed.
    """

    number: int
    folder: Path
    others: dict[int, OracleFeed] = field(default_factory=dict)
    files: Seal = ()
    questions: list[Question] = field(default_factory=list)
    named: int = 0  # so many of them are the named cases', which come first; the rest are draws
    expected: list[Expected] = field(default_factory=list)
    explanations: list[dict[str, Answer]] = field(default_factory=list)
    packed: dict[int, bytes] = field(default_factory=dict, init=False)  # questions as they are sent, by their place
    listed: bool = False
    prepared: bool = False
    turn: int = 0  # how often the wrong kernels were asked for: what belongs to an earlier time is not read
    explained: bool = False
    put_off: bool = False  # the answers that were asked for beforehand took too long: some are missing
    asked: Wanted | None = None  # the latest
    beforehand: dict[bool, list[dict[str, Answer]]] = field(default_factory=dict)
    """Every wrong kernel's answers to the named cases (False) and to the draws (True), where they were worked out."""
    tried: set[bool] = field(default_factory=set)  # what was asked for beforehand and not broken off
    behaviours: list[Candidate] | None = None
    behaved: bool = False
    sought: list[int] | None = None
    seeking: int = 0  # requests to seek that are not answered yet; the last one's answer counts

    def take(self, frame: bytes) -> None:
        """Read one frame. Raises ContentError or GraderError when the oracle says that something is wrong."""
        number, kind, *rest = pickle.loads(frame)  # noqa: S301  # the oracle runs the kata's code, never the learner's
        feed = self if number == self.number else self.others.get(number)
        if feed is not None:  # else nobody asks about these cases any more
            feed.note(kind, rest)

    def note(self, kind: str, rest: Sequence[Any]) -> None:
        """Take in what the oracle said of these cases. Raises what `take` does."""
        if kind == "questions":
            self.questions, self.named, self.files, self.listed = list(rest[0]), rest[1], rest[2], True
        elif kind == "expected":
            self.expected.append(rest[0])
        elif kind == "explained":
            if rest[0] == self.turn:
                self.explanations.append(rest[1])
        elif kind == "prepared":
            self.prepared = True
        elif kind == "all explained":
            if rest[0] == self.turn:
                self.explained, self.put_off = rest[1], not rest[1]
                if self.explained and self.asked is not None and self.asked.beforehand:
                    self.beforehand[self.asked.drawn] = self.explanations
        elif kind == "behaviours":
            self.behaviours, self.behaved = rest[0], True
        elif kind == "sought":
            self.seeking -= 1
            self.sought = rest[0] if self.seeking == 0 else None
        elif kind == "problems":
            raise ContentError([Problem(Path(p[0]), *p[1:]) for p in rest[0]])
        else:
            raise GraderError(str(rest[0]), str(rest[1]))

    def frame(self, at: int) -> bytes:
        """The question as it is sent to a learner's process: a set of cases is put again and again."""
        if at not in self.packed:
            self.packed[at] = pack(self.questions[at])
        return self.packed[at]

    def files_changed(self) -> bool:
        """Whether the cases' files are no longer as the oracle made them."""
        return self.listed and sealed_state(self.folder) != self.files

    def listen(self, oracle: Worker, cancel: int, done: Callable[[], bool]) -> bool:
        """Take in frames until that is done; False where the oracle is gone, or `cancel` is readable."""
        with selectors.DefaultSelector() as selector:
            selector.register(cancel, selectors.EVENT_READ)
            selector.register(oracle.channel, selectors.EVENT_READ)
            while not done():
                if oracle.channel.closed:
                    return False
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if oracle.channel.wants_to_write else 0)
                selector.modify(oracle.channel, wanted)
                ready = {key.fileobj: events for key, events in selector.select(ORACLE_SECONDS)}
                if cancel in ready or not ready:
                    return False
                if ready.get(oracle.channel, 0) & selectors.EVENT_WRITE:
                    oracle.channel.flush()
                for frame in oracle.channel.frames():
                    self.take(frame)
        return True

    def ask(self, oracle: Worker, wanted: Wanted) -> None:
        """Have the oracle run its wrong kernels on the questions that it prepared under this number, its latest."""
        self.turn += 1
        self.asked = wanted
        self.explanations, self.explained, self.put_off = [], False, False
        request = {"number": self.number, "what": "explain", "turn": self.turn}
        frame = pickle.dumps({**request, "wanted": wanted})
        if len(frame) > MOST_BYTES:  # too large to be sent to the oracle: it works without them
            frame = pickle.dumps({**request, "wanted": dataclasses.replace(wanted, answers=None)})
        oracle.channel.put(frame)

    def explain(self, oracle: Worker, cancel: int, wanted: Wanted) -> list[dict[str, Answer]]:
        """Wait for the wrong kernels' answers, one dict a question. Raises what `take` raises, and Cancelled.

        What was worked out beforehand is taken where it holds all that is wanted.
        """
        for frame in oracle.channel.frames():
            self.take(frame)
        known = self.beforehand.get(wanted.drawn)
        if known is not None and (wanted.only is None or all(JOINT not in name for name in wanted.only)):
            self.put_off = False
            if wanted.only is None:
                return known
            return [{name: answers[name] for name in wanted.only if name in answers} for answers in known]
        self.ask(oracle, wanted)
        self._await(oracle, cancel, lambda: self.explained or self.put_off)
        return self.explanations

    def behaving(self, oracle: Worker, cancel: int, request: BehaviourRequest) -> list[Candidate] | None:
        """Wait for what the attempt behaves like, the simplest first; None where the oracle has to be replaced.

        Nothing is looked for in answers that are too large to be sent to the oracle. Raises what `take` raises, and
        Cancelled.
        """
        frame = request.frame(self.number)
        if len(frame) > MOST_BYTES:
            return []
        self.behaviours, self.behaved = None, False
        oracle.channel.put(frame)
        self._await(oracle, cancel, lambda: self.behaved)
        return self.behaviours

    def ask_to_seek(self, oracle: Worker, question: Question) -> None:
        """Have the oracle look for the lines in which the reference does what the question seeks; `found` waits."""
        self.sought, self.seeking = None, self.seeking + 1
        oracle.channel.put(pickle.dumps({"number": self.number, "what": "seek", "question": question}))

    def found(self, oracle: Worker, cancel: int) -> list[int]:
        """Wait for the lines that the oracle was asked to seek. Raises what `take` raises, and Cancelled."""
        self._await(oracle, cancel, lambda: self.sought is not None)
        return self.sought or []

    def _await(self, oracle: Worker, cancel: int, done: Callable[[], bool]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(oracle.channel, selectors.EVENT_READ)
            selector.register(cancel, selectors.EVENT_READ)
            while not done():
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if oracle.channel.wants_to_write else 0)
                selector.modify(oracle.channel, wanted)
                ready = {key.fileobj: events for key, events in selector.select(ORACLE_SECONDS)}
                if cancel in ready:
                    raise Cancelled
                if ready.get(oracle.channel, 0) & selectors.EVENT_WRITE:
                    oracle.channel.flush()
                for frame in oracle.channel.frames():
                    self.take(frame)
                if not done() and (oracle.channel.closed or not ready):
                    raise GraderError("the oracle ended over its wrong kernels", "run `llmdrills check` on this kata")
