"""The server: imports torch once, forks workers, and reaps whatever they leave behind.

Run as a script by `llmdrills.grading.workers.launcher`. It stays at one thread, because a child of a process with a
thread pool hangs. Requests are one JSON line each, answered by one line: {"op": "fork", "role", "home"} with the
worker's descriptors beside it, and {"op": "reap", "pid"}. When the command's end of the socket closes, everything ends.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

ROLES = ("oracle", "learner", "player")
_LAZY = {"transformers": ("AutoModelForCausalLM", "AutoTokenizer", "GPT2LMHeadModel")}
"""Packages that import nothing until a name is used: without this each worker would, and that takes seconds."""


def main() -> None:
    """Serve (`fork|spawn CONTROL_FD ROOT [NEEDS…]`), or work (`worker ROLE CHANNEL_FD OUTPUT_FD HOME [NEEDS…]`)."""
    _find_package()
    mode, *rest = sys.argv[1:]
    if mode == "fork":
        os.environ["TRITON_INTERPRET"] = "1"  # before anything imports triton: its kernels are then interpreted
    if mode == "worker":
        role, channel, output, home, *needs = rest
        _load(needs, spawn=True)
        work(role, int(channel), int(output), home, os.getppid())
    control, root, *needs = rest
    Server(socket.socket(fileno=int(control)), Path(root), needs, spawn=mode == "spawn").serve()


def _find_package() -> None:
    """Make this file's llmdrills importable from anywhere; take its folder off the path: its names are common words.

    The command may have found its copy by PYTHONPATH, which is not handed on, while another one is installed.
    """
    here = Path(__file__).resolve().parent
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != here]
    try:
        import llmdrills
    except ModuleNotFoundError:
        sys.path.append(str(here.parents[2]))
    else:
        if Path(llmdrills.__file__ or "").resolve().parent != here.parents[1]:
            del sys.modules["llmdrills"]
            sys.path.insert(0, str(here.parents[2]))


def _load(needs: list[str], *, spawn: bool) -> dict[str, Any]:
    """Import torch, what the kata needs and the workers' code; returns what the command is told of it.

    `spawn`: for workers on a GPU, where Triton's kernels run as they are; else its interpreter is made ready.
    """
    from llmdrills.grading.engines import triton

    if "triton" in needs and not triton.available():
        return {"missing": "triton"}
    gc.disable()  # an import makes nothing but what stays: looking for garbage meanwhile costs a twentieth of it
    try:
        import torch

        torch.set_num_threads(1)
        for need in needs:
            if need == "triton" and not spawn:
                triton.prepare()
            module = __import__(need)
            for name in _LAZY.get(need, ()):
                getattr(module, name)
    except ModuleNotFoundError as error:
        return {"missing": error.name or "torch"}
    import llmdrills.grading.workers.learner
    import llmdrills.grading.workers.oracle  # noqa: F401  # loaded here once, so that no worker has to
    from llmdrills.grading.engines.devices import available

    torch.ones(2, 2).matmul(torch.ones(2, 2)).softmax(-1).tolist()  # the first use of an operator loads things
    gc.freeze()  # workers share these pages with the server as long as nobody counts what is on them
    gc.enable()
    return {"ready": True, "torch": torch.__version__, "devices": available()}


class Server:
    """One control socket, and the workers that it asked for."""

    def __init__(self, control: socket.socket, root: Path, needs: list[str], *, spawn: bool) -> None:
        self._control = control
        self._root = root
        self._needs = needs
        self._spawn = spawn
        self._workers: set[int] = set()

    def serve(self) -> NoReturn:
        """Answer requests until the command is gone; never returns."""
        from llmdrills.grading.workers.linux import adopt_orphans, hide_memory

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which then closes the socket
        adopt_orphans()
        try:
            hello = _load(self._needs, spawn=self._spawn)
            hide_memory()
            self._reply(hello)
            for request, descriptors in self._requests():
                self._answer(request, descriptors)
        finally:
            self._end()

    def _requests(self) -> Iterator[tuple[dict[str, Any], list[int]]]:
        pending, descriptors = b"", []
        while True:
            try:
                data, received, _, _ = socket.recv_fds(self._control, 1 << 16, 8)
            except ConnectionError:
                return
            if not data:
                return
            pending += data
            descriptors += received
            while b"\n" in pending:
                line, _, pending = pending.partition(b"\n")
                yield json.loads(line), descriptors
                descriptors = []

    def _answer(self, request: dict[str, Any], descriptors: list[int]) -> None:
        if request["op"] == "fork":
            pid = self._start(request["role"], descriptors, request["home"])
            self._workers.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
            self._reply({"pid": pid})
        elif request["op"] == "load":
            self._needs += request["needs"]
            self._reply(_load(request["needs"], spawn=self._spawn))
        else:
            self._reply(self._reap(request["pid"]))

    def _start(self, role: str, descriptors: list[int], home: str) -> int:
        channel, output = descriptors
        if self._spawn:
            command = [
                sys.executable,
                *_flags(),
                __file__,
                "worker",
                role,
                str(channel),
                str(output),
                home,
                *self._needs,
            ]
            return subprocess.Popen(command, pass_fds=(channel, output), stdin=subprocess.DEVNULL).pid
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                work(role, channel, output, home, parent)
            finally:
                os._exit(70)
        return pid

    def _reap(self, pid: int) -> dict[str, Any]:
        """Kill the worker if it still runs, wait for it, and sweep what it left; how it ended."""
        from llmdrills.grading.workers.linux import sweep

        if pid not in self._workers:
            return {"status": None, "left": 0}
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        self._workers.discard(pid)
        return {"status": os.waitstatus_to_exitcode(status) if ended else None, "left": sweep(self._workers)}

    def _reply(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the command is gone: the next read says so
            self._control.sendall(json.dumps(message).encode() + b"\n")

    def _end(self) -> NoReturn:
        from llmdrills.grading.workers.linux import sweep
        from llmdrills.grading.workers.removal import remove_tree

        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(Exception):  # nothing may keep the server from ending
            sweep(())
            remove_tree(self._root)
            self._control.close()  # tells the command that all is done; what is left is only to give the memory back
        os._exit(0)


def _flags() -> list[str]:
    # -P and -s keep the working folder and the user's packages out; -I would ignore PYTHONHASHSEED as well.
    return ["-P", "-s"]


def work(role: str, channel: int, output: int, home: str, parent: int) -> NoReturn:
    """Become a worker in this process: cut off from everything but its channel and its output. Never returns."""
    from llmdrills.grading.workers import learner, oracle
    from llmdrills.grading.workers.linux import hide_memory
    from llmdrills.parent import die_with_parent

    try:
        die_with_parent(parent)
        hide_memory()  # a forked worker is hidden already, a new process is not
        sock = settle(channel, output, Path(home))
        if role == "player":
            from llmdrills.grading.workers import player  # here: a grade does without it

            player.serve(sock)
        (learner.serve if role == "learner" else oracle.serve)(sock)
    finally:
        os._exit(71)


def settle(channel: int, output: int, home: Path) -> socket.socket:
    """Descriptors, signals, folder and environment of a worker; its channel."""
    import random
    import tempfile

    null = os.open(os.devnull, os.O_RDONLY)
    channel = os.dup(channel) if channel < 3 else channel
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in _open_descriptors():
        if descriptor > 2 and descriptor != channel:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # the process's own streams, for its whole life
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]  # typed as final
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(home)
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "TORCH_HOME", "HF_HOME"):
        os.environ[name] = str(home)
    tempfile.tempdir = str(home)
    random.seed(0)
    return socket.socket(fileno=channel)


def _open_descriptors() -> list[int]:
    for listing in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return [int(entry.name) for entry in Path(listing).iterdir()]
    return list(range(3, 256))


if __name__ == "__main__":
    main()
