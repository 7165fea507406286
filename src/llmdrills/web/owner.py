"""The one thread that owns the history and every repetition: requests and verdicts come to it one after another."""

from __future__ import annotations

import concurrent.futures
import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Owner"]

_T = TypeVar("_T")


class Owner:
    """Runs what it is given, in order, in a thread of its own; in between, `each` so many seconds."""

    def __init__(self, each: Callable[[], None], seconds: float) -> None:
        self._each = each
        self._seconds = seconds
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="llmdrills-owner", daemon=True)

    def start(self) -> None:
        """From now on work is done."""
        self._thread.start()

    def ask(self, work: Callable[[], _T]) -> _T:
        """Have this done and wait for it; what it raises is raised here. Called from any other thread."""
        answer: concurrent.futures.Future[_T] = concurrent.futures.Future()

        def run() -> None:
            try:
                answer.set_result(work())
            except BaseException as error:  # whoever waits must be told, whatever it is
                answer.set_exception(error)

        self._work.put(run)
        return answer.result()

    def post(self, work: Callable[[], None]) -> None:
        """Have this done without waiting; it must not raise."""
        self._work.put(work)

    def close(self) -> None:
        """Finish what waits, and end."""
        self._work.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=self._seconds)
            except queue.Empty:
                work = self._each
            if work is None:
                return
            work()
