"""`llmdrills web` as a command: how it begins and ends, what it imports, and a system without a POSIX terminal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.web_client import WebClient, WebProcess

_BLOCKED = '''\
"""Python imports this at its start: modules that only POSIX systems have cannot be imported."""

import os
import sys

for name in os.environ["TEST_BLOCKED"].split(","):
    sys.modules[name] = None
'''
TERMINAL = "termios,tty,pty,curses,readline,syslog"
POSIX = f"{TERMINAL},fcntl,resource,pwd,grp"


def blocking(folder: Path, names: str) -> dict[str, str]:
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_BLOCKED)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "TEST_BLOCKED": names}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_should_end_in_order_and_leave_no_process(workspace: Path, home: Path, number: int, code: int):
    served = WebProcess(workspace, home)
    client = WebClient(served.address)
    client.enter()
    client.ask("open", kata="rms-norm")  # the grader starts
    time.sleep(1)  # it has processes by now
    children = _children(served.process.pid)
    assert served.end(number) == code
    _wait_until_gone(children)
    assert list(Path(home).rglob("exam.json.lock")) == []


def _children(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    found = [int(line) for line in listed.stdout.split()]
    return found + [one for child in found for one in _children(child)]


def _wait_until_gone(processes: list[int]) -> None:
    end = time.monotonic() + 30
    while left := [one for one in processes if Path(f"/proc/{one}").exists()]:
        assert time.monotonic() < end, left
        time.sleep(0.1)


def test_should_say_that_a_port_is_taken(run_in_workspace):
    with socket.create_server(("127.0.0.1", 0)) as other:
        ran = run_in_workspace("web", "--no-open", "--port", str(other.getsockname()[1]))
    assert ran.returncode == 2
    assert "cannot use port" in ran.stderr
    assert "choose another --port" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_should_listen_on_the_loopback_only(workspace: Path, home: Path):
    with WebProcess(workspace, home) as served:
        port = WebClient(served.address).port
        listed = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        own = [line.split()[1] for line in listed.splitlines() if line.split()[1].endswith(f":{port:04X}")]
    assert {address.partition(":")[0] for address in own} == {"0100007F"}


def test_should_import_no_heavy_library_in_the_process_of_the_command(workspace: Path, home: Path):
    with WebProcess(workspace, home, env={"PYTHONPROFILEIMPORTTIME": "1"}) as served:
        client = WebClient(served.address)
        client.enter()
        client.ask("open", kata="rms-norm")
        for path in ("plan", "katas", "stats", "readiness"):
            assert client.get(f"/api/{path}").status == 200
        served.process.send_signal(signal.SIGINT)
        said = served.process.communicate(timeout=30)[1]
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in said.splitlines() if "import time:" in line}
    assert not imported & {"torch", "transformers", "genanki", "numpy", "anki"}
    assert "comrak" in imported  # the listing is what we think it is


def test_should_import_nothing_at_first_that_only_posix_has(tmp_path: Path, root: Path):
    names = [f"llmdrills.web.{path.stem}" for path in sorted((root / "src/llmdrills/web").glob("[a-z]*.py"))]
    program = (
        f"import importlib; [importlib.import_module(name) for name in {['llmdrills.cli.commands.web', *names]!r}]"
    )
    env = {**os.environ, **blocking(tmp_path / "site", POSIX)}
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(names) >= 10


def test_should_practise_where_no_terminal_is(workspace: Path, home: Path, tmp_path: Path, solution):
    """As on Windows, as far as Linux can be made like it: no module for terminals, no controlling terminal."""
    with WebProcess(workspace, home, env=blocking(tmp_path / "site", TERMINAL)) as served:
        client = WebClient(served.address)
        assert client.enter().status == 200
        sheet = client.ask("open", kata="rms-norm")
        sent = {"session": sheet["session"], "code": solution(sheet["variant"]), "version": sheet["version"]}
        assert client.ask("save", **sent, number=1)["conflict"] is False
        end = time.monotonic() + 60
        while not (shown := client.ask("open", kata="rms-norm"))["verdict"]:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert shown["verdict"]["passed"] is True


_WITHOUT_FORK = '''\
"""Python imports this at its start: as on Windows, no descriptor can be sent, and no process forked."""

import os
import socket

import platformdirs  # it chose its part for Linux, which takes getuid in older versions; Windows has another part

del socket.send_fds, socket.recv_fds, os.fork, os.fchmod, os.O_NONBLOCK, os.O_CLOEXEC, os.O_TMPFILE, os.getuid
'''


def test_should_say_on_a_system_that_cannot_grade_what_to_do_and_do_the_rest(
    workspace: Path, home: Path, tmp_path: Path
):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_WITHOUT_FORK)
    with WebProcess(workspace, home, env={"PYTHONPATH": str(folder)}) as served:
        client = WebClient(served.address)
        assert client.enter().status == 200
        sheet = client.ask("open", kata="rms-norm")
        sent = {"session": sheet["session"], "code": "mine = 1\n", "version": sheet["version"], "number": 1}
        saved = client.ask("save", **sent)
        assert saved["trouble"] == "grading needs Linux or macOS: on Windows, run llmdrills inside WSL"
        (file,) = home.rglob("rms-norm.py")
        assert file.read_text() == "mine = 1\n"  # what was written is not lost
        for path in ("plan", "katas", "stats", "readiness", "cards?kata=rms-norm", "exam"):
            assert client.get(f"/api/{path}").status == 200
