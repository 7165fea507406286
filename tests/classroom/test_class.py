"""`llmdrills grade-all` as a teacher runs it: the real command, its processes, and what is left when they are ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.classroom.conftest import NO_MEAN, RIGHT, SLOW, Room
from tests.classroom.test_report import sections
from tests.helpers.processes import processes_of, wait_for_nobody

pytestmark = pytest.mark.slow
KATA = "centred-scale"


def wait_until(true: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait for it while the process runs."""
    until = time.monotonic() + 120
    while not true():
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < until
        time.sleep(0.02)


def workers(home: Path, words: str) -> list[int]:
    """The processes of this test that were started with these words."""
    return [pid for pid in processes_of(str(home)) if words.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]


def same(before: dict[str, int], after: dict[str, int]) -> bool:
    """Whether every result of before is there, and was not written again."""
    return {name: after.get(name) for name in before} == before


def test_should_grade_every_file_whatever_the_others_do_and_exit_0(room: Room):
    room.hand_in(
        {
            f"ann/{KATA}.py": RIGHT,
            f"bob/{KATA}.py": NO_MEAN,
            f"cy/{KATA}.py": "while True:\n    pass\n",
            f"dee/{KATA}.py": "def (:\n",
            f"eve/{KATA}.py": "import os, signal\n\nos.kill(os.getppid(), signal.SIGKILL)\n",
            f"fay/{KATA}.py": f"print('x' * 3_000_000)\n{RIGHT}",
            f"gus/{KATA}.py": "def centre(x, scale=1.0):\n    return x.new_zeros(100_000, 100_000)\n",
            f"hal/{KATA}.py": "raise SystemExit(0)\n",
            f"ida/{KATA}.py": f"for _ in range(100):\n    print('x' * 1_000_000)\n{RIGHT}",
            f"jo/{KATA}.py": "import ctypes\n\nctypes.CDLL(None).kill(0, 9)\n",
            "ann/notes.txt": "for you",
        }
    )
    done = room.run("--jobs", 2)
    outcomes = {file.partition("/")[0]: outcome for file, outcome in room.outcomes().items()}
    assert outcomes.pop("eve") in {"forbidden", "crashed"}
    assert outcomes == {
        "ann": "passed",
        "bob": "wrong",
        "cy": "timeout",
        "dee": "crashed",
        "fay": "passed",
        "gus": "memory",
        "hal": "crashed",
        "ida": "passed",
        "jo": "crashed",
    }
    assert done.code == 0, done.err
    assert done.err.startswith("WARNING: these files run as you.")
    assert "left out: ann/notes.txt" in done.err
    assert "graded 10 of 10" in done.err
    assert "10 submissions of 10 students: 3 passed, 7 did not, 0 not graded" in done.out
    rows = {row["student"]: row for row in room.results["rows"]}
    assert rows["bob"] == {
        "student": "bob",
        "kata": KATA,
        "variant": "rows",
        "file": f"bob/{KATA}.py",
        "passed": False,
        "outcome": "wrong",
        "diagnosis": "no-mean",
    }
    assert (room.report / "results.csv").read_text("utf-8-sig").count("\n") == 11
    assert "Take the mean off." in (room.report / "report.html").read_text("utf-8")


def test_should_show_nothing_of_one_student_in_anothers_section(room: Room):
    """What a file prints, raises, defines, or leaves in torch stays with whoever handed it in."""
    room.hand_in({f"student{at}/{KATA}.py": leaving(at) for at in range(4)})
    assert room.run("--jobs", 1).code == 0
    assert set(room.outcomes().values()) == {"wrong"}
    parts = sections((room.report / "report.html").read_text("utf-8"))
    for at in range(4):
        assert f"MARK{at}" in parts[f"student{at}"]
        assert [name for name, part in parts.items() if f"MARK{at}" in part] == [f"student{at}"]
    for path in (room.report / "work").glob("*.json"):
        text = path.read_text()
        assert len([at for at in range(4) if f"MARK{at}" in text or f"student{at}" in text]) == 1


def leaving(at: int) -> str:
    """A file that leaves a mark wherever a process could keep one, and says which marks it finds."""
    return f"""
import builtins, os, sys, torch

found = [getattr(builtins, "left", ""), os.environ.get("LEFT", ""), getattr(torch, "left", "")]
builtins.left = os.environ["LEFT"] = torch.left = "MARK{at}"
torch.set_default_dtype(torch.float64)
print("MARK{at}", found)

def centre(x, scale=1.0):
    raise RuntimeError(f"MARK{at} found {{found}}")
"""


def test_should_grade_only_what_is_missing_or_changed_in_a_second_run(room: Room):
    files = {f"student{at}/{KATA}.py": RIGHT for at in range(4)}
    room.hand_in(files)
    assert room.run().code == 0
    before = room.kept()
    again = room.run()
    assert (again.code, room.kept()) == (0, before)
    assert "4 submissions graded by an earlier run" in again.err
    assert "graded 0 of" not in again.err
    room.hand_in({f"student1/{KATA}.py": NO_MEAN, f"student9/{KATA}.py": RIGHT})
    third = room.run()
    assert "3 submissions graded by an earlier run" in third.err
    assert "graded 2 of 2" in third.err
    assert same(before, room.kept())
    assert len(room.kept()) == 6
    assert room.outcomes() == {
        **dict.fromkeys([*files, f"student9/{KATA}.py"], "passed"),
        f"student1/{KATA}.py": "wrong",
    }


def test_should_grade_again_after_a_kata_changed_or_a_result_was_damaged(room: Room):
    room.hand_in({f"ann/{KATA}.py": RIGHT, f"bob/{KATA}.py": RIGHT})
    room.run()
    damaged = next((room.report / "work").glob("*.json"))
    damaged.write_text(damaged.read_text()[:50])
    assert "graded 1 of 1" in room.run().err
    cases = room.workspace / "drills" / KATA / "cases.py"
    cases.write_text(cases.read_text().replace("make.normal(2, 5", "make.normal(2, 6"))
    assert "graded 2 of 2" in room.run().err
    assert set(room.outcomes().values()) == {"passed"}


@pytest.mark.parametrize(
    "other",
    [
        {"outcome": "splendid"},
        {"message": 5},
        {"diagnosis": "no-mean"},
        {"diagnosis": {"id": 5}},
        None,
    ],
)
def test_should_not_take_for_a_result_what_a_file_wrote_in_its_place(room: Room, other):
    """Files run as the teacher, so one may write there; what has no meaning is graded again, whatever it says."""
    room.hand_in({f"ann/{KATA}.py": NO_MEAN})
    room.run("--jobs", 1)
    (kept,) = (room.report / "work").glob("*.json")
    found = json.loads(kept.read_bytes())
    kept.write_text(json.dumps({**found, "verdict": other and {**found["verdict"], **other}}))
    assert "graded 1 of 1" in room.run("--jobs", 1).err
    assert room.outcomes() == {f"ann/{KATA}.py": "wrong"}
    assert json.loads(kept.read_bytes())["verdict"]["outcome"] == "wrong"


def test_should_exit_1_and_give_the_reasons_where_some_cannot_be_graded(room: Room):
    room.hand_in({f"ann/{KATA}.py": RIGHT, "bob/nothing-of-ours.py": RIGHT})
    done = room.run("--json", "--lang", "zh")
    assert done.code == 1
    assert json.loads(done.out) == room.results
    assert room.outcomes() == {f"ann/{KATA}.py": "passed", "bob/nothing-of-ours.py": "error"}
    assert [one["file"] for one in room.results["not_graded"]] == ["bob/nothing-of-ours.py"]
    assert "未评分：bob/nothing-of-ours.py：没有名为 nothing-of-ours 的练习" in done.err
    assert done.err.startswith("警告：")
    assert "未评分" in (room.report / "report.html").read_text("utf-8")


def test_should_not_import_a_students_file_for_one_of_pythons(room: Room):
    """Workers start where the teacher stands, which may be the folder of a student."""
    room.hand_in({f"ann/{KATA}.py": RIGHT, "ann/json.py": "raise SystemExit('taken')\n"})
    words = [*room.words()[3:], "--jobs", "1"]
    code = "import sys; from llmdrills.cli import main; sys.argv[0] = 'llmdrills'; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        cwd=room.submissions / "ann",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert room.outcomes()[f"ann/{KATA}.py"] == "passed", done.stderr


@pytest.mark.parametrize(
    "case", ["inside", "a file", "a loop", "a long name", "taken", "cluster and jobs", "no such scheduler"]
)
def test_should_refuse_what_cannot_work_before_anything_runs(room: Room, case, request):
    room.hand_in({f"ann/{KATA}.py": f"open({str(room.root / 'ran')!r}, 'w')\n"})
    more: list[object] = []
    if case == "inside":
        room.report = room.submissions / "report"
        said = "would take the report for a student"
    elif case == "a file":
        room.report.write_text("")
        said = "is not a folder"
    elif case == "a loop":
        room.report.symlink_to(room.report)
        said = "is not a folder"
    elif case == "a long name":
        room.report = room.root / ("x" * 300)
        said = "cannot be used: File name too long"
    elif case == "taken":
        import fcntl

        (room.report / "work").mkdir(parents=True)
        lock = (room.report / "work" / "lock").open("w")
        request.addfinalizer(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = "another run is writing"
    elif case == "cluster and jobs":
        more, said = ["--scheduler", "tcp://127.0.0.1:1", "--jobs", 2], "leave --jobs out"
    else:
        more, said = ["--scheduler", "tcp:/127.0.0.1"], "there is no Dask scheduler"
    done = room.run(*more)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not (room.root / "ran").exists()


# ---- killed ----------------------------------------------------------------------------------------


@pytest.fixture
def slow_class(room: Room) -> Room:
    """Twelve files that take a while."""
    room.hand_in({f"student{at:02}/{KATA}.py": SLOW for at in range(12)})
    return room


def complete(room: Room) -> bool:
    """Whether each of the twelve is there once, and passed."""
    rows = room.results["rows"]
    students = [row["student"] for row in rows]
    return students == [f"student{at:02}" for at in range(12)] and all(row["passed"] for row in rows)


def test_should_lose_nothing_when_a_worker_is_killed(slow_class: Room, home: Path):
    running = slow_class.start("--jobs", 2)
    wait_until(lambda: len(slow_class.kept()) >= 2, running)
    before = slow_class.kept()
    killed = workers(home, "llmdrills.classroom.worker")[0]
    os.kill(killed, signal.SIGKILL)
    assert running.wait(120) == 0
    assert complete(slow_class)
    assert same(before, slow_class.kept())
    assert len(slow_class.kept()) == 12
    wait_for_nobody(str(home))


@pytest.mark.parametrize("more", [("--jobs", 2), ("--scheduler", "local", "--jobs", 2)], ids=["processes", "dask"])
def test_should_exit_130_when_ctrl_c_reaches_all_of_its_processes_and_go_on_later(slow_class: Room, home: Path, more):
    """As at a terminal, which signals the whole group in the foreground."""
    running = slow_class.start(*more, start_new_session=True, stderr=subprocess.PIPE)
    wait_until(lambda: len(slow_class.kept()) >= 2, running)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, b"Traceback" in said) == (130, False), said.decode()
    assert said.endswith(b"interrupted; what was graded is kept, and the same command goes on from here\n")
    wait_for_nobody(str(home))
    before = slow_class.kept()
    assert slow_class.run("--jobs", 2).code == 0
    assert complete(slow_class)
    assert same(before, slow_class.kept())


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_should_go_on_after_the_whole_command_was_ended(slow_class: Room, home: Path, how, code):
    running = slow_class.start("--jobs", 2)
    wait_until(lambda: len(slow_class.kept()) >= 2, running)
    running.send_signal(how)
    assert running.wait(60) == code
    wait_for_nobody(str(home))  # no worker, server or attempt outlives it
    before = slow_class.kept()
    assert 2 <= len(before) < 12
    assert not (slow_class.report / "results.json").exists()
    done = slow_class.run("--jobs", 2)
    assert done.code == 0
    assert f"{len(before)} submissions graded by an earlier run" in done.err
    assert complete(slow_class)
    assert same(before, slow_class.kept())


@pytest.mark.parametrize(
    ("kill", "more"),
    [
        ("kill(worker, 9)", ()),
        ("killpg(os.getpgid(worker), 9)", ()),
        ("killpg(os.getpgid(worker), 9)", ("--scheduler", "local")),
    ],
    ids=["worker", "group", "dask"],
)
def test_should_give_up_on_a_file_that_ends_its_worker_each_time_and_grade_the_others(room: Room, kill, more):
    """Native code can kill a process that nothing in Python reaches; here it looks for its worker in /proc.

    On Dask the files that waited for that worker are under suspicion too, and a worker that ends while it starts is
    given up.
    """
    killer = f"""
import ctypes, os

def parent(pid):
    return int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1])

worker = parent(os.getppid())
ctypes.CDLL(None).{kill}
while True:
    pass
"""
    names = ("ann", "bob", "cy", "dee", "eve", "fay", "gus", "hal", "ida")
    bad = {"bob", "dee", "eve", "ida"}
    room.hand_in({f"{name}/{KATA}.py": killer if name in bad else RIGHT for name in names})
    done = room.run("--jobs", 1, *more)
    assert done.code == 1
    assert room.outcomes() == {f"{name}/{KATA}.py": "error" if name in bad else "passed" for name in names}
    assert re.search(r"the process that graded it ended \d times", done.err)
