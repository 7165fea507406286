"""The command's side of the server: it starts the server, asks it for workers, and ends it. No torch.

The server is a child of the command and lives as long as the command's end of one socket. When the command ends, in
whatever way, the socket closes; the server then kills its workers and removes its temporary folder.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmdrills.errors import GraderError, MissingExtraError, UsageError
from llmdrills.grading.protocol.channel import Channel
from llmdrills.grading.workers.removal import remove_tree

__all__ = ["Server", "ServerDied", "Worker", "ended_how", "server_may_be_gone", "start_early", "take"]

START_SECONDS = 300.0
REPLY_SECONDS = 60.0
FORK_IS_SAFE = sys.platform.startswith("linux")
"""macOS offers fork, but its frameworks do not survive it once they were used: there each worker is a new process."""


class ServerDied(Exception):  # noqa: N818  # it is what happened, not an error of ours
    """The server ended while it was needed; `how` says how, `log` what it printed last."""

    def __init__(self, how: str, log: str) -> None:
        super().__init__(how, log)
        self.how = how
        self.log = log


def server_may_be_gone() -> contextlib.suppress:
    """Ignore ServerDied while workers are ended: a dead server has already taken its workers down."""
    return contextlib.suppress(ServerDied, GraderError)


@dataclass
class Worker:
    """A forked worker: its process, its channel, and (the learner's only) where it prints.

    `output` is -1 for the oracle, whose prints nobody reads.
    """

    pid: int
    channel: Channel
    home: Path
    pidfd: int = -1
    output: int = -1

    def close(self) -> None:
        """Close this process's descriptors of it."""
        self.channel.close()
        for descriptor in (self.pidfd, self.output):
            if descriptor >= 0:
                os.close(descriptor)
        self.pidfd = self.output = -1
        remove_tree(self.home)


class Server:
    """One server process. It starts at once; `hello` waits until it is ready."""

    def __init__(self, needs: Sequence[str] = (), *, spawn: bool = False) -> None:
        if not hasattr(socket, "send_fds"):
            raise UsageError("grading needs Linux or macOS", "on Windows, run llmdrills inside WSL")
        self.spawn = spawn or not FORK_IS_SAFE
        self.root = _temporary_folder()
        self._homes = 0
        self._unread = 0  # dismissals whose answers nobody has read yet
        self._pending = b""
        self._hello: dict[str, Any] | None = None
        self._control, theirs = socket.socketpair()
        script = str(Path(__file__).with_name("server.py"))
        mode = "spawn" if self.spawn else "fork"
        log = self.root / "server.log"
        with theirs, log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", script, mode, str(theirs.fileno()), str(self.root), *needs],
                env=_environment(self.root),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C at the terminal is for the command alone
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it still runs, and its temporary folder is what it was."""
        if self._process.poll() is not None:
            return False
        try:
            mode = self.root.lstat().st_mode
        except OSError:
            return False
        return stat.S_ISDIR(mode) and stat.S_IMODE(mode) == 0o700

    def hello(self) -> dict[str, Any]:
        """Its first message, when it is ready: `torch` (its version) and `devices`.

        Raises MissingExtraError when a library is not installed, GraderError when it could not start.
        """
        if self._hello is None:
            try:
                reply = self._reply(START_SECONDS)
            except ServerDied as died:
                raise GraderError(
                    f"the grader's server ended at its start ({died.how})", died.log or "try again"
                ) from died
            if "missing" in reply:
                raise MissingExtraError(str(reply["missing"]))
            self._hello = reply
        return self._hello

    def fork(self, role: str) -> Worker:
        """A new worker. Raises ServerDied, or what `hello` raises."""
        self.hello()
        self._homes += 1
        home = self.make_folder(f"{role}-{self._homes}")
        ours, theirs = socket.socketpair()
        reading, writing = _output(role)
        try:
            request = json.dumps({"op": "fork", "role": role, "home": str(home)}).encode() + b"\n"
            self._send(request, [theirs.fileno(), writing])
            pid = int(self._reply(REPLY_SECONDS)["pid"])
        except BaseException:
            ours.close()
            if reading >= 0:
                os.close(reading)
            raise
        finally:
            theirs.close()
            os.close(writing)
        return Worker(pid, Channel(ours), home, _pidfd(pid), reading)

    def make_folder(self, name: str) -> Path:
        """A new private folder in the server's own. Raises GraderError when the disk does not take it."""
        folder = self.root / name
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise GraderError(f"cannot make a folder in {self.root}: {error.strerror}", _NO_ROOM) from error
        return folder

    def load(self, needs: Sequence[str]) -> None:
        """Have it import further libraries, for workers to come. Raises MissingExtraError when one is not installed."""
        self.hello()
        self._send(json.dumps({"op": "load", "needs": list(needs)}).encode() + b"\n", [])
        reply = self._reply(START_SECONDS)
        if "missing" in reply:
            raise MissingExtraError(str(reply["missing"]))

    def reap(self, worker: Worker) -> tuple[int | None, int]:
        """End a worker and everything it left behind: its exit status (None: it had to be killed), how many it left."""
        self._send(json.dumps({"op": "reap", "pid": worker.pid}).encode() + b"\n", [])
        reply = self._reply(REPLY_SECONDS)
        return reply["status"], int(reply["left"])

    def dismiss(self, worker: Worker) -> None:
        """As `reap`, but `settle` reads the answer: ending a process takes as long as judging its answers."""
        self._put(json.dumps({"op": "reap", "pid": worker.pid}).encode() + b"\n", [])
        self._unread += 1

    def settle(self) -> None:
        """Wait until every dismissed worker, and what it left behind, is gone. Raises ServerDied."""
        while self._unread:
            self._reply(REPLY_SECONDS)
            self._unread -= 1

    def close(self) -> None:
        """End it, and every process and file it started."""
        if self._hello is None:
            self._process.kill()  # it still imports torch, and has no workers
            self._control.close()
        else:
            self._wait_for_end(5.0)
        # Taking down a process that holds torch takes a moment that nobody needs to wait for.
        threading.Thread(target=self._process.wait, name="llmdrills-reaper", daemon=True).start()
        remove_tree(self.root)

    def _wait_for_end(self, seconds: float) -> None:
        """Let it kill its workers, remove its folder and close its end of the socket; kill it if it takes longer."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
            self._control.settimeout(seconds)
            while self._control.recv(1 << 16):
                pass
            self._control.close()
            return
        self._control.close()
        self._process.kill()

    def _send(self, data: bytes, descriptors: list[int]) -> None:
        self.settle()  # answers come in the order of the requests
        self._put(data, descriptors)

    def _put(self, data: bytes, descriptors: list[int]) -> None:
        try:
            socket.send_fds(self._control, [data], descriptors)
        except OSError:
            raise self._died() from None

    def _reply(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            self._control.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                data = self._control.recv(1 << 16)
            except TimeoutError:
                raise GraderError(f"the grader's server did not answer within {seconds:.0f} s", "try again") from None
            except OSError:
                data = b""
            if not data:
                raise self._died()
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _died(self) -> ServerDied:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        status = self._process.poll()
        try:
            log = (self.root / "server.log").read_text("utf-8", "replace").strip()[-2000:]
        except OSError:
            log = ""
        return ServerDied(ended_how(status), log)


def _output(role: str) -> tuple[int, int]:
    """Where to read what a worker prints (-1: nowhere), and what it writes to.

    The oracle lives as long as the grader. In a pipe that nobody reads, 64 KiB of prints and warnings, summed over all
    its attempts, would stop it for good.
    """
    if role == "oracle":
        return -1, os.open(os.devnull, os.O_WRONLY)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return reading, writing


_NO_ROOM = "free some space there, or set TMPDIR to another folder"


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="llmdrills-")).resolve()
    except OSError as error:
        raise GraderError(f"cannot make a temporary folder: {error.strerror}", _NO_ROOM) from error


_early: Server | None = None


def start_early() -> None:
    """Start a server now, for whoever calls `take` later: it imports torch while the command reads its own code."""
    global _early  # one command, one server: there is no better place to leave it
    with contextlib.suppress(UsageError):  # whoever takes it is told
        _early = Server()
        atexit.register(_drop_early)


def take(needs: Sequence[str] = ()) -> Server:
    """The server that was started early, or a new one."""
    global _early
    server, _early = _early, None
    if server is not None and needs:
        server.close()
        server = None
    return server or Server(needs)


def _drop_early() -> None:
    if _early is not None:
        _early.close()


def ended_how(status: int | None) -> str:
    """An exit status in words: "SIGSEGV", "exit status 3"."""
    if status is None:
        return "no exit status"
    if status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"
    return f"exit status {status}"


def _environment(root: Path) -> dict[str, str]:
    """The server's environment: nothing of Python's own settings, one thread everywhere, offline, no GPU context."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {
        **kept,
        "PYTHONHASHSEED": "0",  # the same seed gives the same verdict
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # a learner is shown what the attempt printed
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        "TMPDIR": str(root),
    }


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or an old one: the channel's end tells nearly as much
        return -1
