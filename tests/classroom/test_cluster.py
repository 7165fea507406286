"""A class on a Dask cluster: one made for the run, and one that runs already, with workers that are killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills import __version__
from llmdrills.classroom.task import Task, do, packed_code
from llmdrills.classroom.work import Work, fingerprint
from llmdrills.content.load import load_katas
from tests.classroom.conftest import NO_MEAN, RIGHT, Room
from tests.classroom.test_class import KATA, complete, same, slow_class, wait_until, workers
from tests.helpers.processes import wait_for_nobody

pytestmark = pytest.mark.slow
__all__ = ["slow_class"]


@pytest.fixture
def scheduler(home: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler of its own, as on another machine, with two workers whose nannies replace them."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    python = [sys.executable, "-m"]
    log = folder / "log"
    with log.open("wb") as out:
        options = {
            "cwd": folder,
            "stdout": out,
            "stderr": out,
            "env": {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(folder)},
        }
        started = [
            subprocess.Popen([*python, "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"], **options)
        ]
        try:
            wait_until(lambda: re.search(r"Scheduler at: +(tcp://\S+)", log.read_text()), started[0])
            address = re.findall(r"Scheduler at: +(tcp://\S+)", log.read_text())[0]
            worker = ["distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"]
            started.append(subprocess.Popen([*python, *worker], **options))
            yield address
        finally:
            for process in started:
                process.send_signal(signal.SIGINT)
            for process in started:
                process.wait(30)
    wait_for_nobody(str(home))


def test_should_say_the_same_by_dask_as_by_processes(room: Room, home: Path):
    room.hand_in({f"ann/{KATA}.py": RIGHT, f"bob/{KATA}.py": NO_MEAN, f"cy/{KATA}.py": "while True: pass\n"})
    by_dask = room.run("--scheduler", "local", "--jobs", 2)
    assert by_dask.code == 0, by_dask.err
    wait_for_nobody(str(home))
    found = room.results
    seed = (room.report / "work" / "seed").read_bytes()
    room.report = room.root / "other"
    (room.report / "work").mkdir(parents=True)
    (room.report / "work" / "seed").write_bytes(seed)  # the same inputs
    assert room.run("--jobs", 2).code == 0
    assert room.results == found
    assert [row["outcome"] for row in found["rows"]] == ["passed", "wrong", "timeout"]
    page = [(room.root / name / "report.html").read_bytes() for name in ("report", "other")]
    assert page[0] == page[1]


def test_should_lose_nothing_when_a_worker_of_the_cluster_is_killed(slow_class: Room, home: Path, scheduler: str):
    running = slow_class.start("--scheduler", scheduler)
    wait_until(lambda: len(slow_class.kept()) >= 2, running)
    before = slow_class.kept()
    os.kill(workers(home, "spawn_main")[0], signal.SIGKILL)
    assert running.wait(120) == 0
    assert complete(slow_class)
    assert same(before, slow_class.kept())
    assert len(slow_class.kept()) == 12
    # A second run on the same cluster, whose graders the first one ended.
    slow_class.hand_in({f"student03/{KATA}.py": NO_MEAN})
    again = slow_class.run("--scheduler", scheduler)
    assert (again.code, "graded 1 of 1" in again.err) == (0, True), again.err
    assert workers(home, "workers/server.py") == []


def test_should_leave_no_process_when_the_command_is_killed_with_its_own_cluster(slow_class: Room, home: Path):
    running = slow_class.start("--scheduler", "local", "--jobs", "2")
    wait_until(lambda: len(slow_class.kept()) >= 2, running)
    running.kill()
    running.wait(30)
    wait_for_nobody(str(home))
    before = slow_class.kept()
    assert slow_class.run("--jobs", 2).code == 0
    assert complete(slow_class)
    assert same(before, slow_class.kept())


def test_should_say_that_there_is_no_scheduler(room: Room):
    room.hand_in({f"ann/{KATA}.py": RIGHT})
    done = room.run("--scheduler", "tcp://127.0.0.1:9", "--lang", "zh")
    assert done.code == 2
    assert "tcp://127.0.0.1:9 处没有 Dask 调度器" in done.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"token": "another"}, "does not see"),
        ({"folder": "/nowhere/at/all"}, "does not see /nowhere/at/all"),
        ({"version": "9.9"}, f"this worker has llmdrills {__version__}, the command has 9.9"),
        ({"fingerprint": "another"}, f"{KATA} is not the same here"),
        ({"kata": "nothing"}, "nothing is not the same here"),
    ],
)
def test_should_not_grade_on_a_machine_that_has_something_else(room: Room, change, said):
    """A machine of a cluster may have another folder there, another version, or other katas."""
    (kata,) = load_katas(room.workspace)
    work = Work(room.report / "work")
    with work.held():
        task = Task(
            key="key",
            student="ann",
            file="ann/x.py",
            kata=KATA,
            variant="rows",
            seed=1,
            code=packed_code(b""),
            language="en",
            workspace=str(room.workspace),
            fingerprint=fingerprint(kata),
            version=__version__,
            folder=str(work.folder),
            token=work.token,
        )
        answer = do(Task(**{**task, **change}))
    assert (answer["how"], said in answer["en"]) == ("stop", True), answer
    assert answer["zh"] != answer["en"]
    assert list(work.folder.glob("*.json")) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/net")
def test_should_listen_on_the_loopback_alone_with_a_cluster_of_its_own(slow_class: Room):
    """Whoever reaches a scheduler can run code on its workers."""
    running = slow_class.start("--scheduler", "local", "--jobs", "1")
    wait_until(slow_class.kept, running)
    places = listening(running.pid)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert places
    assert {place.partition(":")[0] for place in places} == {"0100007F"}


def listening(pid: int) -> list[str]:
    """Where that process listens, as Linux writes it: hexadecimal address and port."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    lines = [line.split() for net in ("tcp", "tcp6") for line in Path(f"/proc/net/{net}").read_text().splitlines()[1:]]
    return [cells[1] for cells in lines if cells[3] == "0A" and f"socket:[{cells[9]}]" in links]
