"""The few calls of Linux that Python does not offer: each does nothing elsewhere. No torch."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Collection
from pathlib import Path

from llmdrills.parent import prctl

__all__ = [
    "adopt_orphans",
    "children",
    "drop_capabilities",
    "hide_memory",
    "show_memory",
    "sweep",
]

_PR_GET_DUMPABLE = 3
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522
_LINUX = sys.platform.startswith("linux")


def hide_memory() -> None:
    """Close this process's /proc/PID/mem, environment and descriptors to other processes of the same user.

    Meanwhile it leaves no core dump, and a debugger or profiler cannot attach to it, except as root. A program that it
    starts is not hidden. Each call wants a `show_memory`, or the end of the process.
    """
    with _hidden.lock:
        if _hidden.calls == 0:
            _hidden.before = prctl(_PR_GET_DUMPABLE, 0)
            prctl(_PR_SET_DUMPABLE, 0)
        _hidden.calls += 1


def show_memory() -> None:
    """Undo one `hide_memory`; the last one opens the memory again, if it was open."""
    with _hidden.lock:
        _hidden.calls -= 1
        if _hidden.calls == 0 and _hidden.before == 1:
            prctl(_PR_SET_DUMPABLE, 1)


class _Hidden:
    """How often this process was asked to hide its memory, and how it was before."""

    lock = threading.Lock()
    calls = 0
    before = 0


_hidden = _Hidden()


def drop_capabilities() -> None:
    """Drop root's power over other users' files and processes, above all over the memory of hidden processes.

    Nothing changes for an ordinary user.
    """
    if _LINUX:
        prctl(_PR_SET_NO_NEW_PRIVS, 1)  # or the next program that root starts would have them again
        ctypes.CDLL(None, use_errno=True).capset(struct.pack("<Ii", _CAPABILITY_VERSION, 0), bytes(24))


def adopt_orphans() -> None:
    """Adopt descendants whose own parent ends, so that setsid and double forks cannot escape."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """The process ids of this process's children; empty where the system does not tell."""
    try:
        tasks = list(Path("/proc/self/task").iterdir())
        return [int(pid) for task in tasks for pid in (task / "children").read_text("ascii").split()]
    except OSError:
        return []


def sweep(keep: Collection[int], patience: float = 5.0) -> int:
    """Kill and reap every child that is not in `keep`, round after round, until none is left; how many there were."""
    swept = 0
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        strangers = [pid for pid in children() if pid not in keep]
        if not strangers:
            break
        for pid in strangers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in strangers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
                swept += 1
    return swept
