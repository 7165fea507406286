"""The player's process: the small model, with the learner's files as kernels. Nothing leaves it but what it wrote.

What is trusted, the references and the model's file, is loaded first. Then the process is closed as a learner's is
(`llmdrills.grading.workers.learner`), and only then are the learner's files read.
"""

from __future__ import annotations

import mmap
import os
import pickle
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from llmdrills.errors import ContentError, LLMDrillsError
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.registry import load, reference_of
from llmdrills.grading.play.kernels import Kernel, KernelFailed
from llmdrills.grading.play.model import Model, Running
from llmdrills.grading.play.parts import PARTS
from llmdrills.grading.play.request import FIRST_BEAT, PlacedKernel, PlayJob
from llmdrills.grading.protocol.channel import receive
from llmdrills.grading.protocol.wire import Raised
from llmdrills.grading.rules.limits import EXHAUSTED, MemoryGuard, cap_files
from llmdrills.grading.workers.learner import Reporter, exit_status, hide_grader, load_file
from llmdrills.grading.workers.linux import drop_capabilities
from llmdrills.grading.workers.refusals import refuse_acts, refuse_threads

__all__ = ["BEAT", "serve"]

BEAT = "beat"
"""The file in the worker's folder that says which part is being called, so that the command sees what hangs."""
MOST_LISTED = 5


def serve(sock: socket.socket) -> None:
    """Wait for a job, run it, tell what came of it; ends the process."""
    frame = receive(sock)
    if frame is None:
        os._exit(0)
    job: PlayJob = pickle.loads(frame)  # noqa: S301  # written by our own command on a private socket
    reporter = Reporter(sock, job.nonce)
    try:
        _play(job, reporter, sock.fileno())
        os._exit(0)
    except MemoryError:  # nothing is left to say so with
        os._exit(EXHAUSTED)
    except BaseException as error:  # the attempt broke what this process needs, or left it no memory
        os._exit(exit_status(error))


def _play(job: PlayJob, reporter: Reporter, channel: int) -> None:
    tell, failed = reporter.tell, _Failures(reporter.tell)
    try:
        kernels, model = _trusted(job)
    except ContentError as error:
        tell("fault", "\n".join(map(str, error.problems[:MOST_LISTED])), "fix the kata")
        return
    except (LLMDrillsError, OSError, ValueError, KeyError) as error:  # the model's file is damaged or gone
        tell("fault", f"the model cannot be read: {error}", "install llmdrills again")
        return
    callers = {one.kata.id: Caller("cpu", one.file) for one in job.kernels if one.origin == "mine"}
    failed.callers = callers
    guard = MemoryGuard(job.memory)
    beat = _Beat()
    cap_files()
    tell("ready")
    drop_capabilities()
    hide_grader()
    refuse_threads(refuse_acts(tell, lambda: max((one.line() for one in callers.values()), default=0), channel))
    for one in job.kernels:
        if one.origin == "mine":
            beat(one.kata.id)
            with guard.hold():
                kernel, problem = load_file(one.source, one.file, one.kata.entry, callers[one.kata.id])
            if problem is not None:
                tell("failed", one.kata.id, "", problem)
                return
            kernels[one.kata.id] = kernel
    tell("loaded")
    with failed:
        with guard.hold():
            running = model.run(kernels, beat)
            perplexity = running.perplexity()
        tell("perplexity", perplexity)
        with guard.hold():
            texts = list(_texts(running, job))
        for text in texts:
            tell("written", *text)
        tell("done")


def _texts(running: Running, job: PlayJob) -> list[tuple[Any, ...]]:
    """The text, and the same without the cache: (text, tokens, why, seconds) each."""
    ways = (True, False) if job.uncached else (True,)
    found = [running.write(job.writing, cached=cached) for cached in ways]
    return [(one.text, one.tokens, one.why, one.seconds) for one in found]


def _trusted(job: PlayJob) -> tuple[dict[str, Kernel], Model]:
    """The references and slips, and the model. Raises ContentError, OSError, ValueError, KeyError."""
    kernels = {one.kata.id: _of_the_kata(one) for one in job.kernels if one.origin != "mine"}
    encode = next(one for one in job.kernels if one.kata.id == "bpe-encode")
    return kernels, Model.read(_of_the_kata(replace(encode, origin="reference")))


def _of_the_kata(placed: PlacedKernel) -> Kernel:
    if placed.origin == "reference":
        return reference_of(placed.kata, placed.variant)
    wrong = {one.id: one.kernel for one in load(placed.kata).variant(placed.variant).wrong}
    return wrong[placed.slip]


class _Beat:
    """Counts the calls of kernels in a file, with the number of the part that is called now."""

    def __init__(self) -> None:
        self._parts = {part.kata: number for number, part in enumerate(PARTS, 1)}
        self._count = 0
        descriptor = os.open(BEAT, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, FIRST_BEAT + 1)
        self._map = mmap.mmap(descriptor, FIRST_BEAT + 1)
        os.close(descriptor)

    def __call__(self, kata: str) -> None:
        self._count += 1
        self._map[:] = self._count.to_bytes(FIRST_BEAT, "little") + bytes([self._parts[kata]])


class _Failures:
    """Tells the command of a kernel that failed inside the block; it then ends quietly."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._failed = KernelFailed  # taken now: the grader's modules are hidden later
        self.callers: dict[str, Caller] = {}

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, self._failed):
            return False
        self._tell("failed", error.kata, error.what, self._raised(error))
        return True

    def _raised(self, failed: KernelFailed) -> Raised | None:
        if failed.error is None:
            return None
        return (self.callers.get(failed.kata) or Caller("cpu", "")).raised(failed.error)
