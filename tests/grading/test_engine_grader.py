"""Grading through the real processes: outcomes, limits, seeds, and what becomes of everything that was started."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.content.model import Kata
from llmdrills.errors import ContentError, MissingExtraError, UsageError
from llmdrills.grading import client
from llmdrills.grading.client import Cancelled, Grader, Limits, grade_once
from llmdrills.grading.protocol.answer import Attempt
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.workers import launcher as process
from llmdrills.grading.workers import pool

ROOT = Path(__file__).parents[2]
QUICK = Limits(load=3.0, call=1.0, total=6.0, memory=1 << 28)
RIGHT = """
import torch

def rms_norm(x, weight, eps=1e-6):
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    normal = wide * torch.rsqrt(wide.pow(2).mean(dim=-1, keepdim=True) + eps)
    return weight * normal.to(x.dtype)
"""


@pytest.fixture(scope="module")
def kata(shipped_kata) -> Kata:
    return shipped_kata("rms-norm")


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


@pytest.fixture
def grade(grader: Grader, kata: Kata):
    return lambda source, **options: grader.grade(
        kata, "cast-first", source, **{"limits": QUICK, "seed": 11, **options}
    )


def body(lines: str) -> str:
    inner = "\n".join(f"    {line}" for line in lines.splitlines())
    return f"import torch\n\ndef rms_norm(x, weight, eps=1e-6):\n{inner}\n"


def test_should_pass_a_right_attempt_in_every_case(grade):
    verdict = grade(RIGHT)
    assert verdict.passed
    assert verdict.cases
    assert {case.outcome for case in verdict.cases} == {"passed"}
    assert (verdict.seed, verdict.device) == (11, "cpu")


def test_should_leave_nothing_behind_where_it_tidies_late(kata, processes):
    """A verdict does not wait for its processes to end; whatever comes next does, and so does the end."""
    left = "import os, signal\nif not os.fork():\n    signal.pause()\n"
    with Grader(tidy_late=True) as grader:
        grader.prepare(kata, "cast-first", 11)
        assert grader.grade(kata, "cast-first", RIGHT, limits=QUICK, seed=11).passed
        assert not grader.grade(kata, "cast-first", left + RIGHT, limits=QUICK, seed=11).passed
        grader.prepare(kata, "cast-first", 11)
        own = {worker.pid for worker in (*grader._pool._spares, grader._pool.oracle)}
        assert set(processes(grader._pool.server.pid)) == own
        root = grader._pool.server.root
        grader.grade(kata, "cast-first", RIGHT, limits=QUICK, seed=11)
        server = grader._pool.server.pid
    assert processes(server) == []
    assert not root.exists()


def test_should_be_cancelled_while_it_tidies_what_the_last_attempt_left(kata, monkeypatch):
    with Grader(tidy_late=True) as grader:
        grader.grade(kata, "cast-first", RIGHT, limits=QUICK, seed=11)
        tidy = grader._pool.tidy
        monkeypatch.setattr(grader._pool, "tidy", lambda: (tidy(), grader.cancel()))
        with pytest.raises(Cancelled):
            grader.grade(kata, "cast-first", RIGHT, limits=QUICK, seed=11)
        monkeypatch.undo()
        assert grader.grade(kata, "cast-first", RIGHT, limits=QUICK, seed=11).passed


def test_should_call_a_starter_unimplemented(grade):
    assert grade(body("raise NotImplementedError")).outcome == "unimplemented"


def test_should_place_a_syntax_error_at_its_file_and_line(grade, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import torch\n\ndef rms_norm(x:\n", "utf-8")
    verdict = grade(file)
    assert verdict.outcome == "crashed"
    assert f"{file}:3: SyntaxError: '(' was never closed def rms_norm" in " ".join(verdict.message.split())


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"x = '\xff'\n", 1),
        (b"# caf\xe9\n", 1),
        (b"# one\n# two\n# caf\xe9\n", 3),
        (b"# -*- coding: nonsense -*-\n", 1),
        (b"# -*- coding: rot13 -*-\n", 1),
    ],
)
def test_should_crash_at_the_line_of_bytes_that_are_no_source(grade, data, line, tmp_path):
    file = tmp_path / "mine.py"
    file.write_bytes(data + RIGHT.encode())
    verdict = grade(file)
    assert verdict.outcome == "crashed"
    assert (verdict.report["raised"]["type"], verdict.report["raised"]["line"]) == ("SyntaxError", line)


def test_should_call_a_null_byte_a_crash(grade):
    assert grade(b"x = 1\0\n" + RIGHT.encode()).outcome == "crashed"


def test_should_read_source_in_another_encoding_as_python_reads_it(grade, tmp_path):
    file = tmp_path / "mine.py"
    file.write_bytes(b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + RIGHT.encode())
    assert grade(file).passed


def test_should_tell_an_error_inside_the_function_with_its_line_and_source(grade):
    verdict = grade(body("y = x * 2\nreturn missing_name"))
    assert verdict.outcome == "crashed"
    smallest = verdict.report["smallest"]
    assert "line 5, in rms_norm\n    return missing_name\n" in smallest["traceback"]
    assert "llmdrills" not in smallest["traceback"], "the grader's own frames tell a learner nothing"


def test_should_say_that_a_file_lacks_the_entry_function(grade):
    verdict = grade("x = 1\n")
    assert verdict.outcome == "crashed"
    assert "rms_norm" in verdict.message


@pytest.mark.parametrize(
    "source", ["import sys; sys.exit(0)", "import os; os._exit(0)", body("raise SystemExit"), body("exit()")]
)
def test_should_never_pass_an_attempt_that_leaves(grade, source):
    assert grade(source).outcome == "crashed"


def test_should_name_the_case_and_the_time_of_an_endless_loop(grade):
    started = time.monotonic()
    verdict = grade(body("while x.dim() == 1: pass\nreturn x"))
    assert verdict.outcome == "timeout"
    assert time.monotonic() - started < 15
    assert "one-vector" in verdict.message
    assert "1.0 s" in verdict.message


def test_should_limit_all_cases_together_too(grade):
    slow = body("import time; time.sleep(0.3)\nreturn x")
    late = grade(slow, limits=dataclasses.replace(QUICK, total=0.9))
    assert late.outcome == "timeout"
    assert late.message.startswith("no time is left: all cases have 0.9 s together in case ")


def test_should_name_a_native_crash(grade):
    verdict = grade(body("import ctypes\nreturn ctypes.string_at(0)"))
    assert verdict.outcome == "crashed"
    assert "SIGSEGV" in verdict.message


@pytest.mark.parametrize("line", ["return torch.empty(1 << 40)", "return bytearray(1 << 40)", "return [0] * (1 << 36)"])
def test_should_give_too_much_memory_its_own_outcome(grade, line):
    assert grade(body(line)).outcome == "memory"


def test_should_keep_and_cut_what_is_printed(grade):
    verdict = grade('print("loading")\n' + RIGHT)
    assert verdict.report["output"].startswith("loading\n")
    assert not verdict.report["output_cut"]
    verdict = grade('print("x" * 1_000_000)\n' + RIGHT)
    assert verdict.passed
    assert len(verdict.report["output"]) == QUICK.output
    assert verdict.report["output_cut"]


def attempt_of(grader: Grader, kata: Kata, source: str, limits: Limits = QUICK) -> Attempt:
    """What the grader knows of a run before it is judged."""
    spec = AttemptSpec(
        kata=kata,
        variant=kata.variants[0].id,
        source=source.encode(),
        file="mine.py",
        device="cpu",
        seed=3,
        limits=limits,
    )
    with grader._work():
        return grader._run(spec)[1]


def test_should_keep_by_cases_what_is_printed(grader, kata):
    source = (
        "import os, sys\nprint('loading')\ncalls = []\n" + RIGHT.replace("wide =", "calls.append(1); say(); wide =", 1)
    ) + (
        "\ndef say():\n    print('call', len(calls))\n    print('error', len(calls), file=sys.stderr)\n"
        "    os.write(1, b'written\\n')\n"
    )
    attempt = attempt_of(grader, kata, source)
    assert attempt.outputs[:3] == tuple(f"call {n}\nerror {n}\nwritten\n" for n in (1, 2, 3))
    assert len(attempt.outputs) == len(attempt.answers)
    assert attempt.output == "loading\n" + "".join(attempt.outputs)


def test_should_keep_what_answered_cases_printed_when_the_next_one_ends_the_process(grader, kata):
    source = "calls = []\n" + RIGHT.replace(
        "wide =", "calls.append(1); print(len(calls)); calls[2:] and __import__('os')._exit(0); wide =", 1
    )
    attempt = attempt_of(grader, kata, source)
    assert attempt.ended is not None
    assert (len(attempt.answers), attempt.outputs) == (2, ("1\n", "2\n"))
    assert attempt.output == "1\n2\n3\n"
    assert attempt.last_output == "3\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory is hidden on Linux only")
def test_should_hide_the_memory_while_a_grader_is_open():
    def hidden() -> bool:
        return ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE

    before = hidden()
    with Grader():
        with Grader():
            assert hidden()
        assert hidden()
    assert hidden() == before


def test_should_not_hide_programs_that_the_command_starts_meanwhile(grader):
    code = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"


def test_should_follow_no_link_out_of_the_folder_when_cleaning_up(grade, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "kept").write_text("x", "utf-8")
    link = f"import os; os.makedirs('a/b'); os.symlink({str(tmp_path)!r}, 'a/b/link'); os.chmod('a', 0)\n"
    assert grade(link + RIGHT).passed
    assert (tmp_path / "inner" / "kept").read_text("utf-8") == "x"


def test_should_pass_the_next_attempt_after_one_removed_the_temporary_folder(kata, grader, grade):
    grader.prepare(kata, "cast-first")
    root = grader._pool.server.root
    removes = (
        f"import os, shutil\nfor place, _, _ in os.walk({str(root)!r}):\n    os.chmod(place, 0o700)\n"
        f"shutil.rmtree({str(root)!r}, ignore_errors=True)\n"
    )
    assert grade(removes + RIGHT, seed=None).passed
    grader.prepare(kata, "cast-first")
    assert grade(RIGHT, seed=None).passed


def test_should_run_an_attempt_in_a_private_folder(grade):
    verdict = grade("import os, tempfile\nprint(os.getcwd(), os.environ['HOME'], tempfile.gettempdir())\n" + RIGHT)
    cwd, home, temporary = verdict.report["output"].split()
    assert cwd == home == temporary
    assert cwd not in (str(Path.cwd()), str(Path.home()))
    assert not Path(cwd).exists()


def test_should_keep_few_folders_of_cases_at_a_time(grader, grade):
    for seed in range(2 * pool.MOST_CASES):
        assert grade(RIGHT, seed=seed).passed
    kept = list(grader._pool.server.root.glob("cases-*"))
    assert len(kept) == pool.MOST_CASES


def test_should_run_an_attempt_as_no_main_program_that_knows_its_name(grade):
    verdict = grade("import sys\nprint(__name__, sys.argv, sys.modules[__name__].__file__)\n" + RIGHT, file="mine.py")
    assert verdict.report["output"] == "solution ['mine.py'] mine.py\n"


def test_should_keep_attempts_from_seeing_each_other(grade):
    grade("import torch\ntorch.kept = 1\n" + RIGHT)
    verdict = grade("import torch\nprint(hasattr(torch, 'kept'))\n" + RIGHT)
    assert verdict.report["output"] == "False\n"


def test_should_give_the_same_verdict_for_the_same_seed(kata, grade):
    wrong = body("return x * weight")
    first = grade(wrong, seed=5).to_json()
    with Grader() as other:
        second = other.grade(kata, "cast-first", wrong, seed=5, limits=QUICK).to_json()
    first["report"].pop("seconds"), second["report"].pop("seconds")
    assert first == second


def test_should_name_the_seed_that_it_takes_from_the_file_when_none_is_given(grade):
    files = (RIGHT, RIGHT, RIGHT + "\n# another file\n")
    first, again, other = (grade(file, seed=None).seed for file in files)
    assert first == again != other


def test_should_give_a_prepared_attempt_the_verdict_of_an_unprepared_one(kata, grader, grade):
    wrong = body("return x * weight")
    grader.prepare(kata, "cast-first")
    prepared = grade(wrong, seed=None)
    unprepared = grade(wrong, seed=prepared.seed)
    assert prepared.outcome == unprepared.outcome == "wrong"
    assert prepared.cases == unprepared.cases
    assert prepared.diagnosis == unprepared.diagnosis


def test_should_not_use_a_preparation_for_another_variant(kata, grader, grade):
    grader.prepare(kata, "cast-last")
    assert grade(RIGHT, seed=None).passed


def test_should_drop_a_preparation_when_the_kata_changes(tmp_path, kata, grader):
    import shutil

    shutil.copytree(kata.folder, tmp_path / "rms-norm")
    moved = dataclasses.replace(kata, folder=tmp_path / "rms-norm")
    grader.prepare(moved, "cast-first")
    reference = moved.reference_file
    reference.write_text(
        reference.read_text("utf-8").replace("return weight * normal", "return -weight * normal"), "utf-8"
    )
    assert grader.grade(moved, "cast-first", RIGHT, limits=QUICK).outcome == "wrong"


def test_should_call_a_fault_of_the_kata_a_content_error_and_go_on(tmp_path, kata, grader, grade):
    import shutil

    shutil.copytree(kata.folder, tmp_path / "rms-norm")
    broken = dataclasses.replace(kata, folder=tmp_path / "rms-norm")
    broken.cases_file.write_text("import torch\n\nthis is no Python\n", "utf-8")
    with pytest.raises(ContentError) as raised:
        grader.grade(broken, "cast-first", RIGHT, limits=QUICK)
    assert raised.value.problems[0].line == 3
    assert grade(RIGHT).passed


def test_should_call_a_pipe_a_usage_error_without_waiting_for_it(grade, tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(UsageError, match="a pipe"):
        grade(tmp_path / "pipe.py")


@pytest.mark.parametrize("source", [b"#" * ((1 << 20) + 1), "#" * ((1 << 20) + 1)])
def test_should_call_a_source_that_is_too_large_a_usage_error(grade, source):
    with pytest.raises(UsageError, match="1,048,576 bytes"):
        grade(source)


def test_should_call_a_missing_file_a_usage_error(grade, tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        grade(tmp_path / "none.py")


def test_should_let_an_attempt_be_called_off_from_another_thread(kata, grader, grade):
    timer = threading.Timer(0.5, grader.cancel)
    timer.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        grade("while True: pass", limits=Limits(load=30.0))
    timer.join()
    assert time.monotonic() - started < 10
    grader.cancel()  # nothing is in progress: nothing happens
    assert grade(RIGHT).passed


def test_should_start_a_server_again_that_died(kata, grader, grade):
    assert grade(RIGHT).passed
    os.kill(grader._pool.server.pid, signal.SIGKILL)
    assert grade(RIGHT).passed


def test_should_load_the_libraries_that_a_kata_needs_before_the_attempt(kata, grader):
    needy = dataclasses.replace(kata, needs=("sqlite3",))
    verdict = grader.grade(needy, "cast-first", "import sys\nprint('sqlite3' in sys.modules)\n" + RIGHT, limits=QUICK)
    assert verdict.report["output"] == "True\n"


def test_should_name_the_sentence_that_installs_a_missing_library(kata):
    with Grader(needs=("no_such_library",)) as grader, pytest.raises(MissingExtraError, match="no_such_library"):
        grader.grade(kata, "cast-first", RIGHT)


def test_should_report_a_missing_library_of_a_kata_too(kata, grader, grade):
    with pytest.raises(MissingExtraError, match="no_such_library"):
        grader.grade(dataclasses.replace(kata, needs=("no_such_library",)), "cast-first", RIGHT)
    assert grade(RIGHT).passed


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_should_call_an_absent_device_a_usage_error(kata, device):
    import torch

    if (torch.cuda if device == "cuda" else torch.mps).device_count():
        pytest.skip(f"{device} is here")
    with pytest.raises(UsageError, match=device):
        grade_once(kata, "cast-first", RIGHT, device=device)


def test_should_call_parity_without_a_gpu_a_usage_error(kata, grader):
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("a GPU is here")
    with pytest.raises(UsageError, match="GPU"):
        grader.parity(kata, "cast-first", RIGHT)


def test_should_compare_two_verdicts_under_one_seed_for_parity(kata, monkeypatch):
    # The CPU stands in for the GPU: a worker of its own kind, and the comparison, are what can be seen without one.
    monkeypatch.setattr(client, "ACCELERATORS", ("cpu",))
    monkeypatch.setattr(pool, "ACCELERATORS", ("cpu",))
    with Grader() as grader:
        verdict = grader.parity(kata, "cast-first", body("return x * weight"), seed=3, limits=QUICK)
    assert verdict.report["parity"] == {"cpu": "wrong", "device": "wrong", "agree": True, "differ": []}
    assert verdict.seed == 3


def test_should_let_workers_be_new_processes_where_fork_is_not_safe(kata, monkeypatch):
    # The path of GPUs and of macOS, on the CPU.
    monkeypatch.setattr(process, "FORK_IS_SAFE", False)
    with Grader() as grader:
        assert grader._pool.server.spawn
        verdict = grader.grade(kata, "cast-first", body("return x * weight"), seed=3)
    assert verdict.outcome == "wrong"


def test_should_end_every_process_and_remove_every_file_on_close(kata, processes):
    grader = Grader()
    assert grader.grade(kata, "cast-first", RIGHT, limits=QUICK).passed
    grader.prepare(kata, "cast-first")
    server, root = grader._pool.server.pid, grader._pool.server.root
    started = processes(server)
    assert len(started) == 1 + pool.SPARES  # the oracle, too
    grader.close()
    assert not root.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)
    assert wait_until(lambda: not Path(f"/proc/{server}").exists(), 10)
    grader.close()  # twice is once


PARENT = """
import sys, pathlib
from llmdrills.content.katafile import read_kata
from llmdrills.content.report import Report
from llmdrills.grading.client import Grader, Limits
folder = pathlib.Path(sys.argv[1])
kata = read_kata(folder, Report(folder.parents[1])).kata
grader = Grader()
print(grader._pool.server.pid, grader._pool.server.root, flush=True)
if sys.argv[2] == "pass":
    passed = grader.grade(kata, "cast-first", sys.argv[3]).passed
    print(passed, [name for name in ("torch", "transformers") if name in sys.modules])
    grader.close()
else:
    grader.grade(kata, "cast-first", "while True: pass", limits=Limits(load=600.0))
"""


def start_parent(kata: Kata, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PARENT, str(kata.folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_should_never_import_torch_into_the_command(kata):
    with start_parent(kata, "pass", RIGHT) as parent:
        assert parent.communicate(timeout=60)[0].splitlines()[1] == "True []"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_should_let_nothing_outlive_the_command(kata, number, processes):
    with start_parent(kata, "loop") as parent:
        assert parent.stdout is not None
        server, root = parent.stdout.readline().split()
        assert wait_until(lambda: len(processes(int(server))) >= 2, 30), "the oracle and a learner run"
        workers = processes(int(server))
        parent.send_signal(number)
        parent.wait(timeout=30)
        assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (server, *workers)), 10)
        assert wait_until(lambda: not Path(root).exists(), 5)


def wait_until(true, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return True
        except OSError:
            pass
        time.sleep(0.02)
    return False
