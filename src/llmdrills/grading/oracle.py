"""The oracle's process: it runs the kata's reference, wrong kernels and cases, and tells the command what is right.

Requests and replies are pickled: command and oracle trust each other, and no learner's code ever runs in either.
Replies carry their request's number: the questions first, all together, then what is expected of each.
"""

from __future__ import annotations

import os
import pickle
import socket
import traceback
from pathlib import Path
from typing import Any

from llmdrills.content.model import Kata
from llmdrills.errors import ContentError, LLMDrillsError
from llmdrills.grading import book, expected
from llmdrills.grading.answer import Question
from llmdrills.grading.channel import receive, send

__all__ = ["serve"]


def serve(sock: socket.socket) -> None:
    """Answer requests until the command closes the channel; ends the process."""
    try:
        while (frame := receive(sock)) is not None:
            request: dict[str, Any] = pickle.loads(frame)  # noqa: S301  # written by our own command on a private socket
            number, what = request.pop("number"), request.pop("what")
            try:
                (_prepare if what == "prepare" else _explain)(sock, number, **request)
            except ContentError as error:
                problems = [(str(p.file), p.line, p.column, p.what, p.todo, p.rule) for p in error.problems]
                send(sock, pickle.dumps((number, "problems", problems)))
            except LLMDrillsError as error:
                send(sock, pickle.dumps((number, "failed", error.what, error.todo)))
            except Exception:  # a fault of the kata's author: shown whole
                send(sock, pickle.dumps((number, "failed", "the oracle failed", traceback.format_exc())))
    except OSError:
        pass  # the command is gone
    finally:
        os._exit(0)


def _prepare(sock: socket.socket, number: int, *, kata: Kata, variant: str, seed: int, folder: Path) -> None:
    # Always on the CPU: float64 is everywhere there, and a forked process must not touch a GPU.
    questions, answers = expected.prepare(_loaded(kata), variant, seed, folder, misconceptions=False)
    send(sock, pickle.dumps((number, "questions", questions)))
    for answer in answers:
        send(sock, pickle.dumps((number, "expected", answer)))
    send(sock, pickle.dumps((number, "prepared")))
    _LAST[:] = [(number, kata, variant, questions)]


def _explain(sock: socket.socket, number: int) -> None:
    """What every wrong kernel answers to the questions of the request of that number."""
    for last, kata, variant, questions in _LAST:
        if last == number:
            for answers in expected.explain(_loaded(kata), variant, questions):
                send(sock, pickle.dumps((number, "explained", answers)))
    send(sock, pickle.dumps((number, "all explained")))


def _loaded(kata: Kata) -> book.LoadedKata:
    """The kata with its code run; run once, while its files stay as they are."""
    stamp = (
        kata.id,
        *((path.stat().st_mtime_ns, path.stat().st_size) for path in (kata.reference_file, kata.cases_file)),
    )
    if stamp not in _KATAS:
        _KATAS.clear()
        _KATAS[stamp] = book.load(kata)
    return _KATAS[stamp]


_KATAS: dict[tuple[object, ...], book.LoadedKata] = {}
_LAST: list[tuple[int, Kata, str, list[Question]]] = []
