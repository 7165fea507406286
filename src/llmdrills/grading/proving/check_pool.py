"""A few checker processes, and the requests handed out to them. No torch here."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from llmdrills.errors import GraderError, MissingExtraError
from llmdrills.grading.proving.scratch import sweep
from llmdrills.grading.workers.launcher import ended_how

__all__ = ["Checkers"]

_LOOK_SECONDS = 0.5
_IDLE_FACTOR = 10  # a process that waits for something that never comes uses no CPU time


def _cpu_seconds(pid: int) -> float | None:
    """What the process has used so far, its ended children included; None where the system does not say (no /proc)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Checkers:
    """A pool of `python -m llmdrills.grading.proving.check_process`; leaving it ends them all."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._running: list[_Checker] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Checkers:
        sweep()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for checker in self._running:
            checker.end()

    def run(
        self, requests: Sequence[dict[str, Any]], timeout: float, done: Callable[[int, dict[str, Any]], None]
    ) -> None:
        """Put every request to a free process; `done(index, answer)` is called in this thread, as answers come.

        A process that takes longer than `timeout` CPU seconds over one request (wall-clock ones where the system does
        not tell them), or ends over it, is replaced; its answer is `{"failed": why}`.
        """
        if not requests:
            return
        waiting: queue.SimpleQueue[tuple[int, dict[str, Any]]] = queue.SimpleQueue()
        answered: queue.SimpleQueue[tuple[int, dict[str, Any] | BaseException]] = queue.SimpleQueue()
        for item in enumerate(requests):
            waiting.put(item)
        threads = [
            threading.Thread(target=self._serve, args=(waiting, answered, timeout), daemon=True)
            for _ in range(self._count)
        ]
        for thread in threads:
            thread.start()
        for _ in requests:
            index, answer = answered.get()
            if isinstance(answer, BaseException):
                raise answer
            done(index, answer)
        for thread in threads:
            thread.join()

    def _serve(
        self,
        waiting: queue.SimpleQueue[tuple[int, dict[str, Any]]],
        answered: queue.SimpleQueue[tuple[int, dict[str, Any] | BaseException]],
        timeout: float,
    ) -> None:
        checker: _Checker | None = None
        index = 0
        try:
            while True:
                try:
                    index, request = waiting.get_nowait()
                except queue.Empty:
                    return
                if checker is None or not checker.alive:
                    checker = self._start()
                answered.put((index, checker.ask(request, timeout)))
        except BaseException as error:  # handed to the thread that waits
            answered.put((index, error))
        finally:
            if checker is not None:
                checker.end()

    def _start(self) -> _Checker:
        checker = _Checker()
        with self._lock:
            self._running.append(checker)
        return checker


class _Checker:
    """One process. What it writes to stderr goes to a file, so that it never waits for a reader."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  # closed by `end`
        command = [sys.executable, "-m", "llmdrills.grading.proving.check_process", str(os.getpid())]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=self._errors, text=True, encoding="utf-8",
                # One process a core does the work; a mutant that loads a model by a wrong name must not ask a network.
                env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRITON_INTERPRET": "1"},
            )  # fmt: skip
        except OSError as error:
            self._errors.close()
            raise GraderError("the checker cannot be started", str(error)) from error

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        """One request, one answer; {"failed": why} when the process took too long, or ended over it: it is dead then.

        Raises MissingExtraError when the process found no torch.
        """
        assert self._process.stdin is not None  # noqa: S101  # both are pipes
        assert self._process.stdout is not None  # noqa: S101  # both are pipes
        late, answered = threading.Event(), threading.Event()

        def watch() -> None:
            started, begun = time.monotonic(), _cpu_seconds(self._process.pid)
            while not answered.wait(_LOOK_SECONDS):
                waited = time.monotonic() - started
                # A busy machine gives a process little of its time: what counts is what it was given.
                used = waited if begun is None else (_cpu_seconds(self._process.pid) or begun) - begun
                if used > timeout or waited > _IDLE_FACTOR * timeout:
                    late.set()
                    self._process.kill()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        finally:
            answered.set()
            watcher.join()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._process.wait()
        if late.is_set():
            return {"failed": f"takes longer than {timeout:g} s of CPU time"}
        errors = self._last_errors()
        if "No module named 'torch'" in errors:
            raise MissingExtraError("torch")
        last = f": {errors.splitlines()[-1]}" if errors else ""
        return {"failed": f"ends its process ({ended_how(self._process.returncode)}){last}"}

    def _last_errors(self) -> str:
        """The end of what the process wrote to stderr."""
        self._errors.seek(0)
        return self._errors.read()[-2000:].strip()

    def end(self) -> None:
        """End the process, at once if it does not end by itself."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()
