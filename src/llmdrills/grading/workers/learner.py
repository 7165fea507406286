"""The learner's process: one file, one function, and questions. Nothing in here knows an answer.

It tells the command what happened over its channel, in frames that carry the attempt's nonce; exit status and
printed text prove nothing. What no kata needs, and what would outlive or outwit the attempt, is refused
(`llmdrills.grading.workers.refusals`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gc
import io
import linecache
import os
import socket
import sys
import tokenize
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import torch

from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.protocol.answer import Question, no_memory
from llmdrills.grading.protocol.answer_codec import pack_answer
from llmdrills.grading.protocol.channel import receive, send
from llmdrills.grading.protocol.tensors import Freezer
from llmdrills.grading.protocol.wire import Raised, pack, unpack
from llmdrills.grading.rules.limits import EXHAUSTED, MemoryGuard, cap_files
from llmdrills.grading.workers.linux import drop_capabilities
from llmdrills.grading.workers.printed import write_mark
from llmdrills.grading.workers.refusals import refuse_acts, refuse_switches, refuse_threads

__all__ = ["CONFUSED", "Reporter", "exit_status", "hide_grader", "load_file", "serve"]

MOST_DEFINED = 50
CONFUSED = 70
"""The exit status of a worker that could not go on: the attempt had changed what Python or torch is made of."""


class Reporter:
    """Sends messages to the command, each with the nonce."""

    def __init__(self, sock: socket.socket, nonce: bytes) -> None:
        self._sock = sock
        self._nonce = nonce
        self._send = send
        self._pack = pack

    def tell(self, kind: str, *what: Any) -> None:
        """Send one message."""
        self._send(self._sock, self._pack((kind, *what)), self._nonce)

    def answer(self, packed: bytes) -> None:
        """Send what is packed already."""
        self._send(self._sock, packed, self._nonce)


def serve(sock: socket.socket) -> None:
    """Wait for a job, load the file, answer question after question; ends the process."""
    _stretch()
    frame = receive(sock)
    if frame is None:  # a spare that was not needed
        os._exit(0)
    job = unpack(frame)
    reporter = Reporter(sock, job["nonce"])
    try:
        caller = Caller(job["device"], job["file"], job["forbidden"], launching=job["launching"])
        if job["device"] != "cpu":
            caller.wake()
        cap_files()
        printed = os.dup(1)  # the attempt may point its own output elsewhere
        guard = MemoryGuard(job["memory"] if job["device"] == "cpu" else 0)
        caller.guard = guard.hold
        reporter.tell("ready")
        drop_capabilities()
        hide_grader()
        refuse = refuse_acts(reporter.tell, caller.line, sock.fileno())
        if not job["threads"]:
            refuse_threads(refuse)
        if job["guarded"]:
            refuse_switches(refuse)
        kernel, problem = load_file(job["source"], job["file"], job["entry"], caller)
        _flush()
        write_mark(printed, job["mark"], 0)
        reporter.tell("loaded", problem)
        if problem is None:
            _answer(sock, reporter, caller, kernel, lambda number: write_mark(printed, job["mark"], number))
        _flush()
        os._exit(0)  # not sys.exit: nothing that the attempt registered with atexit runs
    except MemoryError:  # nothing is left to say so with
        os._exit(EXHAUSTED)
    except BaseException as error:  # the attempt broke what this process needs, or left it no memory
        os._exit(exit_status(error))


def exit_status(error: BaseException) -> int:
    """How a worker ends whose own code raised, outside of the attempt's.

    An attempt that fills the memory and catches what it gets for it leaves none for the next question: torch says so by
    a RuntimeError, the system by an OSError.
    """
    try:
        names = [cls.__name__ for cls in type.mro(type(error))]
        short = no_memory(names, str(error)) or getattr(error, "errno", None) == errno.ENOMEM
    except MemoryError:
        short = True
    except BaseException:  # the attempt may have replaced anything that is used here
        short = False
    return EXHAUSTED if short else CONFUSED


def _stretch() -> None:
    """Call a small kernel, watched, as an attempt is: the first such call in a fork pays for pages that it shares.

    A spare does it while the learner types; it halves the time to the first answer.
    """

    def kernel(x: Any, mask: Any) -> Any:
        scores = (x @ x.transpose(-2, -1) / 2.0).masked_fill(~mask, float("-inf"))
        return torch.softmax(scores, dim=-1) @ x

    x, mask = torch.ones(1, 2, 3, 4), torch.ones(3, 3, dtype=torch.bool)
    frozen = Freezer()
    question = Question("stretch", (frozen.freeze(x), frozen.freeze(mask)), {}, 0, count=True)
    with_gradient = dataclasses.replace(question, count=False, grads=(0,))
    caller = Caller("cpu", "", ("torch.nn.functional.relu",))
    for one in (question, with_gradient):
        sent = unpack(pack(one), (Question,))
        pack_answer("stretch", caller.ask(kernel, sent))


def _answer(
    sock: socket.socket,
    reporter: Reporter,
    caller: Caller,
    kernel: Callable[..., Any],
    mark: Callable[[int], None],
) -> None:
    packed, number = pack_answer, 0
    while (frame := receive(sock)) is not None:
        question: Question = unpack(frame, (Question,))
        answer = caller.ask(kernel, question)
        _flush()
        number += 1
        mark(number)  # before the answer: what was printed up to here is this case's
        reporter.answer(packed(question.name, answer))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the attempt may have put anything there
            stream.flush()


def load_file(source: bytes, file: str, entry: str, caller: Caller) -> tuple[Callable[..., Any], Raised | None]:
    """Import a file as module `solution`; its entry function, or what went wrong."""
    module = ModuleType("solution")
    module.__file__ = file
    sys.modules["solution"] = module
    sys.argv = [file]

    def missing() -> None: ...

    try:
        text = _decoded(source, file)
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks
        with caller.guard():
            exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # the file is what is graded
    except BaseException as error:  # sys.exit while loading is no pass
        return missing, caller.raised(error)
    kernel = module.__dict__.get(entry)
    if not callable(kernel):
        what = f"the file defines no function {entry}"
        names = ("NameError", "Exception", "BaseException")
        return missing, Raised("NameError", names, what, file, operation="define", operands=_defined(module))
    return kernel, None


def _defined(module: ModuleType) -> tuple[str, ...]:
    """The functions and classes that the file itself defines, so that the nearest name can be told."""
    kinds = (FunctionType, type)
    found = [
        name
        for name, thing in module.__dict__.items()
        if type(name) is str and type(thing) in kinds and thing.__module__ == module.__name__
    ]
    return tuple(found[:MOST_DEFINED])


def _decoded(source: bytes, file: str) -> str:
    """The file's text. Raises SyntaxError, with the line, where `python FILE` would: `compile` ignores comments."""
    encoding, wrong = "utf-8", ""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError as error:
        wrong = error.msg
    try:
        text = source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{source[error.start]:02x} is not {error.encoding}: save the file as UTF-8"
        raise SyntaxError(what, (file, line, 0, "")) from None
    except (LookupError, UnicodeError) as error:
        wrong, text = str(error), ""
    if wrong:
        raise SyntaxError(wrong, (file, 1, 0, ""))
    return text


def hide_grader() -> None:
    """Take the grader's modules out of `sys.modules`, so that the attempt cannot import or patch the grader."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "llmdrills"]:
        del sys.modules[name]
    sys.modules["__main__"] = ModuleType("__main__")
    gc.collect(0)
