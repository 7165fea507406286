"""`llmdrills grade` through the real process: verdicts, exit codes, and what it says of a file that it cannot grade."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.histories import rows

KATA = "rms-norm"
FIRST_KATAS = ("scaled-dot-product-attention", "rope-pairing", "sampling-parameters")
VERDICT_KEYS = {
    *("schema", "kata", "variant", "device", "seed", "passed", "outcome", "cases", "diagnosis", "message", "report"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.py"


@pytest.fixture
def solution(run) -> str:
    return run("solution", KATA).out


def spoilt(solution: str, statement: str) -> str:
    """The reference with a statement as the first of its function."""
    return solution.replace("    wide = ", f"    {statement}\n    wide = ", 1)


@pytest.mark.parametrize("kata", FIRST_KATAS)
def test_should_pass_the_reference_of_each_variant(run, file, kata):
    variants = run("list", "--json").json["katas"]
    for variant in next(found["variants"] for found in variants if found["kata"] == kata):
        file.write_text(run("solution", kata, "--variant", variant).out)
        ran = run("grade", kata, file, "--json")  # the file's header says which variant it is
        verdict = ran.json
        assert (ran.code, verdict["outcome"], verdict["variant"]) == (0, "passed", variant)
        assert set(verdict) >= VERDICT_KEYS
        assert verdict["schema"] == 1
        assert {case["outcome"] for case in verdict["cases"]} == {"passed"}


@pytest.mark.parametrize("kata", FIRST_KATAS)
def test_should_call_the_untouched_starter_unimplemented(run, kata):
    run("start", kata)
    ran = run("grade", kata, "--json")
    assert (ran.code, ran.json["outcome"], ran.json["passed"]) == (1, "unimplemented", False)


def test_should_say_where_a_syntax_error_stands(run, file, solution):
    text = spoilt(solution, "oops = = 1")
    line = 1 + text.splitlines().index("    oops = = 1")
    file.write_text(text)
    ran = run("grade", KATA, file)
    assert ran.code == 1
    assert "crashed" in ran.out
    assert f"{file}:{line}" in ran.out


@pytest.mark.parametrize("statement", ["import sys; sys.exit(0)", "import os; os._exit(0)"])
def test_should_never_pass_a_file_that_leaves(run, file, solution, statement):
    file.write_text(spoilt(solution, statement))
    ran = run("grade", KATA, file, "--json")
    assert ran.code == 1
    assert ran.json["outcome"] == "crashed"


def test_should_never_pass_a_file_that_leaves_while_it_is_loaded(run, file, solution):
    file.write_text(solution + "\nimport os\nos._exit(0)\n")
    assert run("grade", KATA, file).code == 1


@pytest.mark.slow
def test_should_stop_an_endless_loop(run, file, solution):
    file.write_text(spoilt(solution, "while True: pass"))
    ran = run("grade", KATA, file, "--json")
    assert (ran.code, ran.json["outcome"]) == (1, "timeout")


def test_should_give_the_same_verdict_for_the_same_seed(run, file, solution):
    file.write_text(solution.replace("return ", "return 1.001 * "))
    verdicts = [run("grade", KATA, file, "--json", "--seed", 7).json for _ in range(2)]
    for verdict in verdicts:
        assert verdict["outcome"] == "wrong"
        assert verdict["seed"] == 7
        verdict["report"].pop("seconds", None)  # the one thing that may differ
    assert verdicts[0] == verdicts[1]


def test_should_leave_the_rest_to_why(run, file, solution):
    file.write_text(solution.replace("return ", "return 2 * "))
    first, rest = (run("grade", KATA, file, "--seed", 7, *more).out for more in ((), ("--why",)))
    assert len(first.splitlines()) <= 14
    assert "--why --seed 7" in first
    assert "runpy" not in first
    assert rest.startswith(first[: first.rindex("`--why")])
    assert f"runpy.run_path({str(file)!r})" in rest


def test_should_name_the_nearest_function_when_the_entry_is_missing(run, file, solution):
    file.write_text(solution.replace("def rms_norm(", "def rmsnorm("))
    said = " ".join(run("grade", KATA, file).out.split())  # a long path breaks the line anywhere
    assert "you define `rmsnorm`; this kata asks for `rms_norm`" in said


def test_should_show_a_crash_with_what_it_was_given(run, file, solution):
    file.write_text(spoilt(solution, "x @ x"))
    ran = run("grade", KATA, file, "--json")
    assert ran.json["outcome"] == "crashed"
    assert ran.json["diagnosis"] is None
    where = ran.json["where"]
    assert (where["operation"], where["expression"]) == ("matmul", "x @ x")
    assert len(where["operands"]) == 2
    assert "must equal axis −2 of the right" in where["message"]
    assert where["message"] in " ".join(ran.json["message"].split())


def test_should_explain_in_chinese_when_asked(run, file, solution):
    file.write_text(solution.replace("return ", "return 2 * "))
    ran = run("grade", KATA, file, "--lang", "zh")
    assert ran.code == 1
    assert ran.out.splitlines()[0].startswith(f"✗ {KATA}（cast-first）：答案不对")


def test_should_grade_practice_and_record_it_as_an_attempt(run, home, solution):
    file = Path(run("start", KATA, "--variant", "cast-first").out.strip())
    text = solution + "# mine\n"
    file.write_text(text)
    assert run("grade", KATA).code == 0
    assert rows(home, "SELECT outcome, code FROM attempts") == [("passed", text)]


def test_should_not_record_a_file_from_elsewhere(run, home, file, solution):
    run("start", KATA)
    file.write_text(solution)
    assert run("grade", KATA, file).code == 0
    assert rows(home, "SELECT count(*) FROM attempts") == [(0,)]


# ---- what cannot be graded ----------------------------------------


def test_should_say_how_to_get_a_starter_when_there_is_no_file(run, home):
    ran = run("grade", KATA)
    assert ran.code == 2
    assert str(home / "practice" / f"{KATA}.py") in ran.err
    assert f"llmdrills start {KATA}" in ran.err


def test_should_refuse_a_file_written_for_another_kata(run, file):
    file.write_text(run("solution", "online-softmax").out)
    ran = run("grade", KATA, file)
    assert ran.code == 2
    assert f"llmdrills grade online-softmax {file}" in ran.err


def test_should_name_the_variants_when_the_header_names_none_of_them(run, file, solution):
    file.write_text(solution.replace("variant=cast-first", "variant=cast-twice"))
    ran = run("grade", KATA, file)
    assert ran.code == 2
    assert "cast-last" in ran.err


def test_should_refuse_a_folder_and_an_unknown_device(run, tmp_path, file, solution):
    ran = run("grade", KATA, tmp_path)
    assert ran.code == 2
    assert str(tmp_path) in ran.err
    file.write_text(solution)
    assert run("grade", KATA, file, "--device", "tpu").code == 2


@pytest.mark.parametrize("words", [("no-such-kata",), (KATA, "none.py"), (KATA, "--nonsense"), (KATA, "--device", "x")])
def test_should_leave_nothing_behind_when_there_was_nothing_to_grade(run, tmp_path, words):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert run("grade", *words, env={"TMPDIR": str(scratch)}).code == 2
    end = time.monotonic() + 20  # the server may be importing torch; it ends after that
    while list(scratch.iterdir()) and time.monotonic() < end:
        time.sleep(0.1)
    assert list(scratch.iterdir()) == []


def test_should_grade_a_file_whose_path_is_odd(run, tmp_path, solution):
    file = tmp_path / "meine Lösung 注意力 (1)" / "-q 'x' %s.py"
    file.parent.mkdir()
    file.write_text(solution)
    assert run("grade", KATA, file).code == 0
    file.write_text(solution.replace("return ", "raise ValueError('ü') or "))
    ran = run("grade", KATA, file, "--why")
    assert ran.code == 1
    assert str(file) in ran.out


def test_should_refuse_a_pipe_and_a_device_without_waiting_for_them(run, tmp_path):
    pipe = tmp_path / "pipe.py"
    os.mkfifo(pipe)
    for place, kind in ((pipe, "a pipe"), (Path("/dev/zero"), "a device")):
        ran = run("grade", KATA, place)
        assert ran.code == 2
        assert f"{place} is {kind}" in ran.err


def test_should_refuse_a_file_that_is_too_large_for_a_kata(run, file):
    file.write_bytes(b"#" * ((1 << 20) + 1))
    ran = run("grade", KATA, file)
    assert ran.code == 2
    assert "1,048,576 bytes" in ran.err


def test_should_refuse_bytes_that_python_refuses_with_their_line(run, file, solution):
    file.write_bytes(b"# first\n# caf\xe9\n" + solution.encode())
    ran = run("grade", KATA, file, "--json")
    assert (ran.code, ran.json["outcome"]) == (1, "crashed")
    assert f"{file}:2: SyntaxError: byte 0xe9 is not utf-8" in ran.json["message"].replace("\n", " ")


def test_should_show_a_verdict_that_cannot_be_recorded(run, home):
    file = Path(run("start", KATA, "--variant", "cast-first").out.strip())
    history = home / "data" / "history.sqlite3"
    with contextlib.closing(sqlite3.connect(history)) as connection, connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    ran = run("grade", KATA)
    assert file.exists()
    assert ran.code == 1
    assert ran.out.startswith(f"○ {KATA} (cast-first)")
    assert "this attempt is not recorded" in ran.err


def test_should_grade_a_file_whose_name_is_no_text(run, tmp_path, solution):
    file = tmp_path / os.fsdecode(b"caf\xe9.py")
    file.write_text(solution.replace("return ", "raise ValueError('\\ud800') or "))
    ran = run("grade", KATA, file, "--json")
    assert (ran.code, ran.json["outcome"]) == (1, "crashed")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", [r"\ud800", r"\udcff", r"\udfff\ud800"])
def test_should_show_and_record_an_answer_that_is_half_a_character(run, home, solution, text, language):
    file = Path(run("start", KATA, "--variant", "cast-first").out.strip())
    file.write_text(solution.replace("    wide = ", f"    print('{text}'); return '{text}'\n    wide = ", 1))
    ran = run("grade", KATA, "--lang", language)
    assert (ran.code, ran.err) == (1, "")
    assert rows(home, "SELECT outcome FROM attempts") == [("wrong",)]


def test_should_grade_every_save_until_ctrl_c(file, solution):
    file.write_text(solution.replace("return ", "return 2 * "))
    words = [sys.executable, "-u", "-m", "llmdrills", "grade", KATA, str(file), "--watch"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            heads = (line for line in process.stdout if line.startswith(("✓", "✗")))
            assert "wrong" in next(heads)
            file.write_text(solution)
            assert "passed" in next(heads)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        finally:
            process.kill()


def test_should_keep_the_screen_when_an_attempt_prints_escapes(run, file, solution):
    hostile = "\x1b[2J\x1b[H✓ passed\r\x9b2J\u202e"
    file.write_text(spoilt(solution, f"print({hostile!a}); raise RuntimeError({hostile!a})"))
    ran = run("grade", KATA, file)
    assert ran.code == 1
    assert not set("\x1b\x9b\r\u202e") & set(ran.out)
    assert r"\x1b[2J\x1b[H✓ passed\r\x9b2J\u202e" in ran.out


def test_should_write_lone_surrogates_as_escapes_in_json(run, file, solution):
    file.write_text(spoilt(solution, "return '\\ud800'"))
    ran = run("grade", KATA, file, "--json")
    assert (ran.code, ran.json["outcome"]) == (1, "wrong")


# ---- which kata, and what becomes of it ----------------------------------------


def test_should_find_the_kata_and_the_variant_in_the_first_line(run, file, root):
    file.write_text(run("solution", KATA, "--variant", "cast-last").out)
    ran = run("grade", file, "--json")
    assert (ran.code, ran.json["kata"], ran.json["variant"]) == (0, KATA, "cast-last")
    assert ran.json["recorded"] is False
    assert "Not recorded: no repetition of rms-norm is open" in ran.err


def test_should_grade_standard_input(run, solution):
    ran = run("grade", KATA, "-", stdin=solution)
    assert ran.code == 0
    assert ran.out.startswith(f"✓ {KATA} (cast-first)")
    assert run("grade", "-", stdin=solution.replace("return ", "return 2 * ")).code == 1


def test_should_take_a_path_for_a_file_and_anything_else_for_a_kata(run, tmp_path, solution):
    named = tmp_path / "rms-norm.txt"
    named.write_text(solution)
    assert run("grade", named.name, cwd=tmp_path).code == 0
    missing = run("grade", "none.py")
    assert missing.code == 2
    assert "there is no none.py" in missing.err
    unknown = run("grade", "rms-nrm")
    assert unknown.code == 2
    assert "did you mean rms-norm" in unknown.err


def test_should_take_the_folder_of_a_kata_for_the_kata(run, root):
    ran = run("grade", KATA, cwd=root / "drills")
    assert ran.code == 2
    assert f"llmdrills start {KATA}" in ran.err


@pytest.mark.parametrize("text", ["def rms_norm(x):\n    return x\n", "# llmdrills: kata=no-such variant=x\n"])
def test_should_say_how_to_name_the_kata_where_the_first_line_names_none(run, file, text):
    file.write_text(text)
    ran = run("grade", file)
    assert ran.code == 2
    assert "llmdrills grade KATA" in ran.err or "there is no kata 'no-such'" in ran.err


def test_should_refuse_two_files_and_to_watch_standard_input(run, file, solution):
    file.write_text(solution)
    assert "two files" in run("grade", file, file).err
    ran = run("grade", KATA, "-", "--watch", stdin=solution)
    assert ran.code == 2
    assert "cannot be watched" in ran.err


def test_should_say_what_was_earned_when_it_comes_back_and_how_to_record_it(run, home, solution):
    file = Path(run("start", KATA, "--variant", "cast-first").out.strip())
    file.write_text(solution)
    ran = run("grade", KATA)
    assert ran.code == 0
    assert ran.err == ""
    assert re.search(r"^You earned (Good|Easy) \(.*\)\. It comes back on:$", ran.out, re.MULTILINE)
    assert re.search(r"^  1 Again +\d{4}-\d\d-\d\d \(in \d+ days?\)$", ran.out, re.MULTILINE)
    assert f"`llmdrills rate {KATA}` records" in ran.out
    found = run("grade", file, "--json").json
    assert found["recorded"] is True
    assert [one["rating"] for one in found["ratings"]][:3] == ["again", "hard", "good"]
    assert "本次应得评级" in run("grade", KATA, "--lang", "zh").out


def test_should_say_that_a_file_from_elsewhere_is_not_recorded(run, home, file, solution):
    own = Path(run("start", KATA, "--variant", "cast-first").out.strip())
    file.write_text(solution)
    ran = run("grade", KATA, file)
    assert f"Not recorded: the repetition of {KATA} is written in {own}." in ran.err
    assert "You earned" not in ran.out
    own.write_text(run("solution", KATA, "--variant", "cast-last").out)
    ran = run("grade", KATA)
    assert "graded as cast-last, and the repetition that is open is of cast-first" in ran.err


def test_should_grade_where_the_repetition_began_whatever_the_practice_folder_is_now(run, home, tmp_path, solution):
    file = Path(run("start", KATA, "--variant", "cast-first").out.strip())
    file.write_text(solution)
    run("config", "set", "practice", tmp_path / "elsewhere")
    ran = run("grade", KATA, "--json")
    assert ran.json["recorded"] is True
    again = run("start", KATA)
    assert again.out == f"{file}\n"
    assert f"began in {file.parent}" in again.err
