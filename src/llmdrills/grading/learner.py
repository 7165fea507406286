"""The learner's process: one file, one function, and questions. Nothing in here knows an answer.

It tells the command what happened over its channel, in frames that carry the attempt's nonce; exit status and
printed text prove nothing. An audit hook reports and refuses what no kata needs and what would outlive or outwit the
attempt: other processes, threads, signals to others.
"""

from __future__ import annotations

import contextlib
import gc
import linecache
import os
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from llmdrills.grading.answer import Question
from llmdrills.grading.calling import Caller
from llmdrills.grading.channel import receive, send
from llmdrills.grading.limits import MemoryGuard, cap_files
from llmdrills.grading.testimony import write_answer
from llmdrills.grading.wire import Raised, pack, unpack

__all__ = ["ForbiddenError", "serve"]

_PROCESSES = {
    "os.exec": "os.exec",
    "os.fork": "os.fork",
    "os.forkpty": "os.forkpty",
    "os.kill": "os.kill",
    "os.killpg": "os.killpg",
    "os.posix_spawn": "os.posix_spawn",
    "os.spawn": "os.spawn",
    "os.system": "os.system",
    "pty.spawn": "pty.spawn",
    "subprocess.Popen": "subprocess",
}
_THREADS = {"_thread.start_new_thread": "threading", "_thread.start_joinable_thread": "threading"}


class ForbiddenError(RuntimeError):
    """Raised inside an attempt that does what no kata needs."""


class _Reporter:
    """Says things to the command, each with the nonce."""

    def __init__(self, sock: socket.socket, nonce: bytes) -> None:
        self._sock = sock
        self._nonce = nonce
        self._send = send
        self._pack = pack

    def say(self, kind: str, *what: Any) -> None:
        self._send(self._sock, self._pack((self._nonce, kind, *what)))


def serve(sock: socket.socket) -> None:
    """Wait for a job, load the file, answer question after question; ends the process."""
    frame = receive(sock)
    if frame is None:  # a spare that was not needed
        os._exit(0)
    job = unpack(frame)
    reporter = _Reporter(sock, job["nonce"])
    try:
        caller = Caller(job["device"], job["file"], job["forbidden"])
        if job["device"] != "cpu":
            caller.wake()
        cap_files()
        guard = MemoryGuard(job["memory"] if job["device"] == "cpu" else 0)
        caller.guard = guard.hold
        acts = _PROCESSES if job["threads"] else {**_PROCESSES, **_THREADS}
        reporter.say("ready")
        _hide_grader()
        sys.addaudithook(_hook(acts, reporter, caller.line))
        kernel, problem = _load(job, caller)
        reporter.say("loaded", problem)
        if problem is None:
            _answer(sock, reporter, caller, kernel)
        _flush()
    finally:
        os._exit(0)  # not sys.exit: nothing that the attempt registered with atexit runs


def _answer(sock: socket.socket, reporter: _Reporter, caller: Caller, kernel: Callable[..., Any]) -> None:
    write = write_answer
    while (frame := receive(sock)) is not None:
        question: Question = unpack(frame, (Question,))
        answer = caller.ask(kernel, question)
        _flush()
        reporter.say("answer", question.name, write(answer))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the attempt may have put anything there
            stream.flush()


def _load(job: dict[str, Any], caller: Caller) -> tuple[Callable[..., Any], Raised | None]:
    """Import the file as module `solution`; its entry function, or what went wrong."""
    module = ModuleType("solution")
    module.__file__ = job["file"]
    sys.modules["solution"] = module
    sys.argv = [job["file"]]
    text = job["source"].decode("utf-8", "replace")
    linecache.cache[job["file"]] = (len(text), None, text.splitlines(keepends=True), job["file"])  # for tracebacks

    def missing() -> None: ...

    try:
        with caller.guard():
            exec(compile(job["source"], job["file"], "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # the file is what is graded
    except BaseException as error:  # sys.exit while loading is no pass
        return missing, caller.raised(error)
    kernel = module.__dict__.get(job["entry"])
    if not callable(kernel):
        said = f"the file defines no function {job['entry']}"
        return missing, Raised("NameError", ("NameError", "Exception", "BaseException"), said, job["file"])
    return kernel, None


def _hide_grader() -> None:
    """Take the grader's modules out of `sys.modules`: what is in memory here holds no answer, and is no toy either."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "llmdrills"]:
        del sys.modules[name]
    sys.modules["__main__"] = ModuleType("__main__")
    gc.collect(0)


def _hook(acts: dict[str, str], reporter: _Reporter, line: Callable[[], int]) -> Callable[[str, tuple[Any, ...]], None]:
    own, lookup, say, error = os.getpid(), acts.get, reporter.say, ForbiddenError

    def hook(event: str, args: tuple[Any, ...]) -> None:
        act = lookup(event)
        if act is None or (act == "os.kill" and args[0] == own):
            return
        say("act", act, line())
        raise error(f"{act} is not allowed in a kata")

    return hook
