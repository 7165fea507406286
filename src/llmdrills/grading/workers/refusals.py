"""What an attempt is refused, in the learner's process: other processes, threads, signals and limits of others, its
own channel, and torch's modes where calls are watched.

Python tells an audit hook of most of it. What it tells nobody of is replaced by a function that refuses. The command
is told of each refusal first, so an attempt that catches the exception is `forbidden` all the same. Native code
(`ctypes`) passes by all of this.
"""

from __future__ import annotations

import _posixsubprocess
import _thread
import os
import posix
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
import torch.utils._mode_utils
import torch.utils._python_dispatch

from llmdrills.grading.rules.counting import print_under_modes
from llmdrills.grading.rules.forbidden import ForbiddenError

__all__ = ["Refuse", "refuse_acts", "refuse_switches", "refuse_threads"]

Refuse = Callable[[str], None]

_AUDITED = {
    "os.exec": "os.exec",
    "os.fork": "os.fork",
    "os.forkpty": "os.forkpty",
    "os.kill": "os.kill",
    "os.killpg": "os.killpg",
    "os.posix_spawn": "os.posix_spawn",
    "os.spawn": "os.spawn",
    "os.system": "os.system",
    "pty.spawn": "pty.spawn",
    "resource.prlimit": "resource.prlimit",
    "subprocess.Popen": "subprocess",
}
"""Events of which Python tells an audit hook, and what they are called in messages."""
_UNAUDITED: tuple[tuple[ModuleType, str, str], ...] = (
    (_posixsubprocess, "fork_exec", "_posixsubprocess.fork_exec"),
    (subprocess, "_fork_exec", "_posixsubprocess.fork_exec"),
    (signal, "pidfd_send_signal", "signal.pidfd_send_signal"),
    (sys.modules["_signal"], "pidfd_send_signal", "signal.pidfd_send_signal"),
)
_THREADS = ("start_new_thread", "start_new", "start_joinable_thread")
_SWITCHES = (
    (torch._C, ("DisableTorchFunction", "_DisableTorchDispatch", "_ExcludeDispatchKeyGuard", "_ForceDispatchKeyGuard")),
    (torch._C, ("_pop_torch_dispatch_stack", "_pop_torch_function_stack")),
    (torch.utils._python_dispatch, ("_disable_current_modes", "_pop_mode_temporarily")),
    (torch.utils._mode_utils, ("no_dispatch",)),
)
"""What switches torch's modes off, and on again before anyone looks."""
_RELOADED = {"_posixsubprocess", "_signal", "_thread"}
"""Modules whose functions are replaced here: a second import would bring the first ones back."""


def refuse_acts(tell: Callable[..., None], line: Callable[[], int], channel: int) -> Refuse:
    """From now on, refuse other processes, signals and limits of others, and closing the descriptor `channel`.

    `tell` reports an act to the command, `line` gives the attempt's line. Returns the function that refuses.
    """
    error = ForbiddenError

    def refuse(act: str) -> None:
        tell("act", act, line())  # told first: what the attempt catches, the command knows all the same
        raise error(f"{act} is not allowed in a kata")

    for module, name, act in _UNAUDITED:
        if hasattr(module, name):
            setattr(module, name, _refused(act, refuse))
    _keep_open(channel, refuse)
    sys.addaudithook(_hook(refuse))
    return refuse


def _hook(refuse: Refuse) -> Callable[[str, tuple[Any, ...]], None]:
    own, audited, reloaded = os.getpid(), _AUDITED.get, _RELOADED

    def on_itself(event: str, args: tuple[Any, ...]) -> bool:
        # To prlimit 0 is the process itself, to kill it is the process group.
        return (event == "os.kill" and args[0] == own) or (event == "resource.prlimit" and args[0] in (0, own))

    def hook(event: str, args: tuple[Any, ...]) -> None:
        act = audited(event)
        if act is not None and not on_itself(event, args):
            refuse(act)
        if event == "import" and args[0] in reloaded:
            refuse(f"importing {args[0]} again")

    return hook


def _keep_open(channel: int, refuse: Refuse) -> None:
    """Refuse to close or replace the descriptor over which the attempt answers."""
    close, close_range, dup2 = os.close, os.closerange, os.dup2

    def closing(fd: int) -> None:
        if fd == channel:
            refuse("os.close")
        close(fd)

    def closing_range(fd_low: int, fd_high: int, /) -> None:
        if fd_low <= channel < fd_high:
            refuse("os.closerange")
        close_range(fd_low, fd_high)

    def duplicating(fd: int, fd2: int, inheritable: bool = True) -> int:
        if fd2 == channel:
            refuse("os.dup2")
        return dup2(fd, fd2, inheritable)

    for module in (os, posix):
        for name, function in (("close", closing), ("closerange", closing_range), ("dup2", duplicating)):
            setattr(module, name, function)


def refuse_threads(refuse: Refuse) -> None:
    """Refuse to start threads."""
    for name in _THREADS:
        for module, attribute in ((_thread, name), (threading, f"_{name}")):
            if hasattr(module, attribute):
                setattr(module, attribute, _refused("threading", refuse))


def refuse_switches(refuse: Refuse) -> None:
    """Where calls are watched, refuse what would blind the watcher; the grader holds its own references."""
    print_under_modes()
    for module, names in _SWITCHES:
        for name in names:
            if hasattr(module, name):
                setattr(module, name, _refused(f"{module.__name__}.{name}", refuse))


def _refused(act: str, refuse: Refuse) -> Callable[..., None]:
    return lambda *_, **__: refuse(act)
