"""A limit in CPU seconds for a wrong kernel that the framework made: an edit can make a loop that never ends."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

__all__ = ["cpu_limit"]


class _TookTooLong(BaseException):
    """Raised in a mutant by the timer; a BaseException, so that nothing in it catches this by chance."""


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[list[bool]]:
    """Stop what runs inside the block after so many CPU seconds; the list is then not empty.

    CPU seconds, not wall-clock ones: on a busy machine a right kernel must not be stopped.
    """
    late: list[bool] = []

    def stop(_signal: int, _frame: FrameType | None) -> None:
        late.append(True)
        raise _TookTooLong

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield late
    except _TookTooLong:
        pass  # `late` says it
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, before)
