"""Tasks in processes of this machine, each with a grader of its own."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from llmdrills.classroom.task import gone
from llmdrills.errors import GraderError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from llmdrills.classroom.task import Answer, Task

__all__ = ["on_this_machine"]

TRIES = 3
"""How often a task is begun whose process ends over it."""
TASK_SECONDS = 900.0
"""Wall-clock seconds after which a worker is taken for stuck: a grade's own limits add up to less."""

_NO_PROCESS = Bilingual("a worker cannot be started: {why}", "无法启动 worker：{why}")
_FEWER = Bilingual("free some memory, or ask for fewer with --jobs", "请腾出一些内存，或用 --jobs 减少并行数")


def on_this_machine(tasks: Iterator[Task], done: Callable[[Task, Answer], None], *, jobs: int) -> None:
    """Do every task in `jobs` processes. `done` is called in this thread, as answers come.

    A process that ends over a task is replaced, and the task is begun again. Whatever ends this call ends them all.
    Raises GraderError when a process cannot be started, and what `done` raises.
    """
    pool = _Pool(tasks)
    threads = [threading.Thread(target=pool.serve, name=f"llmdrills-class-{at}") for at in range(jobs)]
    for thread in threads:
        thread.start()
    try:
        left = jobs
        while left:
            found = pool.answers.get()
            if found is None:
                left -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                done(*found)
    finally:
        pool.end()
        for thread in threads:
            thread.join()


class _Pool:
    """What the threads share: the tasks that are left, the answers, and the processes."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._lock = threading.Lock()
        self._running: set[_Process] = set()
        self._ended = False
        self.answers: queue.SimpleQueue[tuple[Task, Answer] | BaseException | None] = queue.SimpleQueue()

    def serve(self) -> None:
        """Do one task after another in a process; a thread stays with its process, which Linux ends with it."""
        process: _Process | None = None
        try:
            while (task := self._next()) is not None:
                answer: Answer | None = None
                tries = 0
                while answer is None and tries < TRIES and not self._ended:
                    process = process if process is not None and process.alive else self._start()
                    answer = process.ask(task)
                    tries += 1
                if self._ended:
                    return
                self.answers.put((task, answer or gone(TRIES)))
        except BaseException as error:  # handed to the thread that waits
            self.answers.put(error)
        finally:
            if process is not None:
                process.end(quick=self._ended)
            self.answers.put(None)

    def end(self) -> None:
        """Let no task begin, and end those that run."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.kill()

    def _next(self) -> Task | None:
        with self._lock:  # the tasks come from a generator, which reads files
            return None if self._ended else next(self._tasks, None)

    def _start(self) -> _Process:
        with self._lock:
            process = _Process()
            self._running.add(process)
            if self._ended:
                process.kill()
            return process


class _Process:
    """One `llmdrills.classroom.worker`."""

    def __init__(self) -> None:
        # -P: a student's json.py in the current folder is not imported for Python's.
        command = [sys.executable, "-P", "-m", "llmdrills.classroom.worker", str(os.getpid())]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,  # whoever ends the worker's process group does not end the command
            )
        except OSError as error:
            raise GraderError(_NO_PROCESS.format(why=in_both(error.strerror)), _FEWER) from error

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, task: Task) -> Answer | None:
        """Its answer; None when it ended over the task, or took too long: it is dead then."""
        assert self._process.stdin is not None  # noqa: S101  # both are pipes
        assert self._process.stdout is not None  # noqa: S101  # both are pipes
        line = b""
        with contextlib.suppress(OSError):  # it has ended: there is no answer
            unsent = memoryview(json.dumps(task).encode() + b"\n")
            while unsent:
                unsent = unsent[self._process.stdin.write(unsent) :]
            while not line.endswith(b"\n"):
                ready, _, _ = select.select([self._process.stdout], [], [], TASK_SECONDS)
                part = self._process.stdout.read(1 << 16) if ready else b""
                if not part:
                    break
                line += part
        if line.endswith(b"\n"):
            return cast("Answer", json.loads(line))
        self.kill()
        self._process.wait()
        return None

    def kill(self) -> None:
        """End it at once; its server ends with it."""
        self._process.kill()

    def end(self, *, quick: bool) -> None:
        """Let it end its server and itself; kill it if that takes longer."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # it has ended already
                    pipe.close()
        if quick:
            self.kill()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
