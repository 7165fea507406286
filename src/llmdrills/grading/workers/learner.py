"""The learner's process: one file, one function, and questions. Nothing in here knows an answer.

It tells the command what happened over its channel, in frames that carry the attempt's nonce; exit status and
printed text prove nothing. An audit hook reports and refuses what no kata needs and what would outlive or outwit the
attempt: other processes, threads, signals to others.
"""

from __future__ import annotations

import _thread
import contextlib
import gc
import linecache
import os
import socket
import sys
import threading
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import torch
import torch.utils._mode_utils
import torch.utils._python_dispatch

from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.protocol.answer import Question
from llmdrills.grading.protocol.answer_codec import write_answer
from llmdrills.grading.protocol.channel import receive, send
from llmdrills.grading.protocol.tensors import Freezer
from llmdrills.grading.protocol.wire import Raised, pack, unpack
from llmdrills.grading.rules.counting import print_under_modes
from llmdrills.grading.rules.forbidden import ForbiddenError
from llmdrills.grading.rules.limits import MemoryGuard, cap_files

__all__ = ["serve"]

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
_THREADS = ("start_new_thread", "start_new", "start_joinable_thread")


_SWITCHES = (
    (torch._C, ("DisableTorchFunction", "_DisableTorchDispatch", "_ExcludeDispatchKeyGuard", "_ForceDispatchKeyGuard")),
    (torch._C, ("_pop_torch_dispatch_stack", "_pop_torch_function_stack")),
    (torch.utils._python_dispatch, ("_disable_current_modes", "_pop_mode_temporarily")),
    (torch.utils._mode_utils, ("no_dispatch",)),
)
"""What switches torch's modes off, and on again before anyone looks."""
MOST_DEFINED = 50
CONFUSED = 70
"""The exit status of a worker that could not go on: the attempt had changed what Python or torch is made of."""


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
    _stretch()
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
        reporter.say("ready")
        _hide_grader()
        refuse = _refusal(reporter, caller.line)
        sys.addaudithook(_hook(refuse))
        if not job["threads"]:
            _refuse_threads(refuse)
        if job["guarded"]:
            _refuse_switches(refuse)
        kernel, problem = _load(job, caller)
        reporter.say("loaded", problem)
        if problem is None:
            _answer(sock, reporter, caller, kernel)
        _flush()
        os._exit(0)  # not sys.exit: nothing that the attempt registered with atexit runs
    except BaseException:  # the attempt broke what this process needs
        os._exit(CONFUSED)


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
    sent = unpack(pack(question), (Question,))
    pack(write_answer(Caller("cpu", "", ("torch.nn.functional.relu",)).ask(kernel, sent)))


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
        names = ("NameError", "Exception", "BaseException")
        return missing, Raised("NameError", names, said, job["file"], operation="define", operands=_defined(module))
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


def _hide_grader() -> None:
    """Take the grader's modules out of `sys.modules`: what is in memory here holds no answer, and is no toy either."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "llmdrills"]:
        del sys.modules[name]
    sys.modules["__main__"] = ModuleType("__main__")
    gc.collect(0)


def _refusal(reporter: _Reporter, line: Callable[[], int]) -> Callable[[str], None]:
    say, error = reporter.say, ForbiddenError

    def refuse(act: str) -> None:
        say("act", act, line())  # said first: what the attempt catches, the command knows all the same
        raise error(f"{act} is not allowed in a kata")

    return refuse


def _hook(refuse: Callable[[str], None]) -> Callable[[str, tuple[Any, ...]], None]:
    own, lookup = os.getpid(), _PROCESSES.get

    def hook(event: str, args: tuple[Any, ...]) -> None:
        act = lookup(event)
        if act is not None and not (act == "os.kill" and args[0] == own):
            refuse(act)

    return hook


def _refuse_threads(refuse: Callable[[str], None]) -> None:
    """Python tells no audit hook of threads: replace what starts them."""

    def start(*_: Any, **__: Any) -> None:
        refuse("threading")

    for name in _THREADS:
        for module, attribute in ((_thread, name), (threading, f"_{name}")):
            if hasattr(module, attribute):
                setattr(module, attribute, start)


def _refuse_switches(refuse: Callable[[str], None]) -> None:
    """Where calls are watched, what would blind the watcher is refused; the grader holds its own references."""
    print_under_modes()
    for module, names in _SWITCHES:
        for name in names:
            if hasattr(module, name):
                setattr(module, name, _refused(f"{module.__name__}.{name}", refuse))


def _refused(act: str, refuse: Callable[[str], None]) -> Callable[..., None]:
    return lambda *_, **__: refuse(act)
