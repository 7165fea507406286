"""The oracle's process: it runs the kata's reference, wrong kernels and cases, and tells the command what is right.

Requests and replies are pickled: command and oracle trust each other, and no learner's code ever runs in either. Of an
attempt the oracle sees its answers alone, as the plain values that the command has read.
Replies carry their request's number: the questions first, all together, then what is expected of each.
"""

from __future__ import annotations

import itertools
import os
import pickle
import select
import socket
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmdrills.content.model import Kata
from llmdrills.errors import ContentError, LLMDrillsError
from llmdrills.grading.judging.behaviour import Candidate
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.diagnosis import Judged, answers_that_matter
from llmdrills.grading.kernels import behaviours, draws, expectations, registry
from llmdrills.grading.kernels.asking import WrongAnswers, ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.tracing import question_of_calls
from llmdrills.grading.protocol.answer import Answer, Expected, Question
from llmdrills.grading.protocol.channel import Channel, receive
from llmdrills.grading.workers.case_files import seal
from llmdrills.grading.workers.oracle_feed import Wanted

__all__ = ["serve"]

BEFOREHAND = 2.0
"""CPU seconds for the wrong kernels' answers that nobody has asked for yet."""


def serve(sock: socket.socket) -> None:
    """Answer requests until the command closes the channel; ends the process."""
    out = _Outbox(sock)
    try:
        while (frame := out.next_request()) is not None:
            request: dict[str, Any] = pickle.loads(frame)  # noqa: S301  # written by our own command on a private socket
            number, what = request.pop("number"), request.pop("what")
            try:
                _ANSWERS[what](out, number, **request)
            except ContentError as error:
                problems = [(str(p.file), p.line, p.column, p.what, p.todo, p.rule) for p in error.problems]
                out.put(pickle.dumps((number, "problems", problems)))
            except LLMDrillsError as error:
                out.put(pickle.dumps((number, "failed", error.what, error.todo)))
            except Exception:  # a fault of the kata's author: shown whole
                out.put(pickle.dumps((number, "failed", "the oracle failed", traceback.format_exc())))
    except OSError:
        pass  # the command is gone
    finally:
        os._exit(0)


class _Outbox:
    """Replies that leave as fast as the command reads: the oracle works on while it does not.

    While a learner types, nobody reads; a socket holds only some of the replies to one set of cases.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._channel = Channel(sock)

    def put(self, frame: bytes) -> None:
        self._channel.put(frame)

    def has_request(self) -> bool:
        """Whether the next request is waiting."""
        return bool(select.select([self._sock], [], [], 0)[0])

    def next_request(self) -> bytes | None:
        """Send what is left, then wait for a request; None at the end."""
        while self._channel.wants_to_write:
            select.select([], [self._sock], [])
            self._channel.flush()
        self._sock.setblocking(True)
        try:
            return receive(self._sock)
        finally:
            self._sock.setblocking(False)


def _keep(numbers: Collection[int]) -> None:
    for earlier in _PREPARED.keys() - set(numbers):
        del _PREPARED[earlier]


def _prepare(out: _Outbox, number: int, *, keep: Collection[int], request: dict[str, Any]) -> None:
    _keep(keep)
    _PREPARED[number] = _prepared(out, number, **request)


def _prepared(
    out: _Outbox, number: int, *, kata: Kata, variant: str, seed: int, folder: Path, further: bool
) -> _Prepared:
    # Always on the CPU: float64 is everywhere there, and a forked process must not touch a GPU.
    loaded = _loaded(kata)
    named: list[Question] = []
    answers: Iterator[Expected] = iter(())
    if not further:
        named, answers = expectations.prepare(loaded, variant, seed, folder, slips=False)
    drawn, dues = draws.prepare_draws(loaded, variant, seed, folder, further=further)
    # Sealed before the learner's process can know of them: it gets the questions when the command has them.
    out.put(pickle.dumps((number, "questions", [*named, *drawn], len(named), seal(folder))))
    expected: list[Expected] = []
    for answer in itertools.chain(answers, dues):
        expected.append(answer)
        out.put(pickle.dumps((number, "expected", answer)))
    out.put(pickle.dumps((number, "prepared")))
    wrong = WrongAnswers(loaded, variant)
    return _Prepared(
        number=number, kata=kata, variant=variant, named=named, drawn=drawn, expected=tuple(expected), wrong=wrong
    )


def _trace(out: _Outbox, number: int, *, keep: Collection[int], request: dict[str, Any]) -> None:
    _keep(keep)
    _traced(out, number, **request)


def _traced(out: _Outbox, number: int, *, kata: Kata, variant: str, seed: int, folder: Path, case: str) -> None:
    """One case as a question about the calls made in it, and the reference's; no question where there is no such case.

    Nothing else is ever asked about it.
    """
    loaded = _loaded(kata)
    made, _ = expectations.prepare(loaded, variant, seed, folder, slips=False)
    questions = [question for question in made if question.name == case]
    if not questions:
        drawn, _ = draws.prepare_draws(loaded, variant, seed, folder, further=False)
        questions = [question for question in drawn if question.name == case]
    names = kata.stages.calls if kata.stages is not None else ()
    traced = [question_of_calls(question, names) for question in questions[:1] if names]
    out.put(pickle.dumps((number, "questions", traced, len(traced), seal(folder))))
    reference = loaded.variant(variant).reference
    for question in traced:
        with loaded.importable():
            answer = Caller("cpu", str(kata.reference_file)).ask(reference, question)
        out.put(pickle.dumps((number, "expected", Expected(case, "", answer))))
    out.put(pickle.dumps((number, "prepared")))


def _explain(out: _Outbox, number: int, *, turn: int, wanted: Wanted) -> None:
    """What the wrong kernels answer to the questions of the request of that number."""
    last = _PREPARED.get(number)
    whole = last is None or _answer(out, last, turn, wanted)
    out.put(pickle.dumps((number, "all explained", turn, whole)))


def _answer(out: _Outbox, last: _Prepared, turn: int, wanted: Wanted) -> bool:
    """Send the answers; whether that is all of them. What nobody waits for ends when somebody asks for something."""
    questions, wrong = last.drawn if wanted.drawn else last.named, last.wrong
    if wanted.answers is not None:
        for answers in _that_matter(last, wanted.answers, wanted.device):
            out.put(pickle.dumps((last.number, "explained", turn, answers)))
        return True
    names = wrong.names if wanted.only is None else [name for name in wanted.only if wrong.has(name)]
    until = time.process_time() + BEFOREHAND
    for question in questions:
        answered: dict[str, Answer] = {}
        for name in names:
            if wanted.beforehand and (time.process_time() > until or out.has_request()):
                return False  # what was worked out so far is kept
            answered[name] = wrong.ask(name, question)
        out.put(pickle.dumps((last.number, "explained", turn, answered)))
    return True


def _that_matter(last: _Prepared, answers: Sequence[Answer], device: str) -> list[dict[str, Answer]]:
    """What can explain an attempt that gave these answers to the named cases, the first of all questions."""
    cases = [
        Judged(due, answer, tuple(compare(due, answer, device)))
        for due, answer in zip(last.expected[: len(last.named)], answers, strict=False)
    ]
    found = answers_that_matter(cases, last.wrong.names, lambda name, at: last.wrong.ask(name, last.named[at]))
    return [*found, *({} for _ in last.named[len(cases) :])]


def _behave(
    out: _Outbox, number: int, *, answers: Sequence[Answer], seconds: float, among: Sequence[Candidate] | None
) -> None:
    """What the attempt that gave these answers behaves like, in the request of that number."""
    found: list[Candidate] | None = []
    if (last := _PREPARED.get(number)) is not None:
        rows = zip((*last.named, *last.drawn), last.expected, answers, strict=True)
        asked = [behaviours.Asked(*row) for row in rows]
        found = behaviours.agreeing(_loaded(last.kata), last.variant, asked, seconds, among)
    out.put(pickle.dumps((number, "behaviours", found)))


def _seek(out: _Outbox, number: int, *, question: Question) -> None:
    """The lines in which the reference does what that question of the request of that number seeks."""
    lines: list[Any] = []
    if (last := _PREPARED.get(number)) is not None:
        loaded = _loaded(last.kata)
        kernels = loaded.variant(last.variant)
        found = ask(loaded, Caller("cpu", str(last.kata.reference_file)), kernels.reference, question).value
        lines = list(found) if isinstance(found, list) else []
    out.put(pickle.dumps((number, "sought", lines)))


def _loaded(kata: Kata) -> registry.LoadedKata:
    """The kata with its code run; run once, while its files stay as they are."""
    files = dict.fromkeys((kata.reference_file, kata.solution_file, kata.cases_file, kata.slips_file))
    states = [path.stat() for path in files if path.exists()]
    stamp = (kata.id, *((state.st_mtime_ns, state.st_size) for state in states))
    if stamp not in _KATAS:
        _KATAS.clear()
        _KATAS[stamp] = registry.load(kata)
    return _KATAS[stamp]


_KATAS: dict[tuple[object, ...], registry.LoadedKata] = {}


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A set of cases, for whoever asks what the wrong kernels answer to it."""

    number: int
    kata: Kata
    variant: str
    named: list[Question]
    drawn: list[Question]
    expected: tuple[Expected, ...]
    wrong: WrongAnswers


_PREPARED: dict[int, _Prepared] = {}
"""By the numbers of the requests that the command keeps."""
_ANSWERS: dict[str, Callable[..., None]] = {
    "prepare": _prepare,
    "trace": _trace,
    "explain": _explain,
    "behave": _behave,
    "seek": _seek,
}
