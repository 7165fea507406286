"""A process that must not outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["die_with_parent", "prctl"]

_PR_SET_PDEATHSIG = 1


def prctl(option: int, value: int) -> int:
    """Linux's call of that name; it does nothing elsewhere."""
    if not sys.platform.startswith("linux"):
        return 0
    return int(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0))


def die_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends, even if that happened a moment ago.

    Linux counts the thread that started it as the parent: it must live as long as the process is needed. What is not
    covered: other systems, where the process ends when it next looks at its input.
    """
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
