"""A learner's day in a pseudo-terminal: what is seen, what is recorded, and that nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.histories import rows
from tests.helpers.terminal import Terminal

KATA = "rms-norm"  # quick, and it requires no other kata


@pytest.fixture
def solution(run) -> str:
    return run("solution", KATA).out


@pytest.fixture
def workspace(tmp_path: Path, root: Path) -> Path:
    """A workspace with one kata, so that every day holds exactly it."""
    shutil.copytree(root / "drills" / KATA, tmp_path / "ws" / "drills" / KATA)
    (tmp_path / "ws" / "decks").mkdir()
    text = (tmp_path / "ws" / "drills" / KATA / "kata.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("requires:", "proves:"))]
    (tmp_path / "ws" / "drills" / KATA / "kata.yaml").write_text("\n".join(lines) + "\n")
    return tmp_path / "ws"


class Day:
    """`llmdrills today` in a terminal, with the learner's file at hand."""

    def __init__(self, workspace: Path, home: Path, **options: object) -> None:
        self.home = home
        self.file = home / "practice" / f"{KATA}.py"
        self.terminal = Terminal("today", cwd=workspace, **options)

    def save(self, text: str) -> None:
        self.file.write_text(text)

    def rows(self, query: str) -> list[tuple]:
        return rows(self.home, query)

    def __getattr__(self, name: str):
        return getattr(self.terminal, name)


@pytest.fixture
def day(workspace: Path, home: Path, solution: str) -> Iterator[Day]:  # the solution first: asking for it later counts
    begun = Day(workspace, home)
    yield begun
    begun.terminal.child.close(force=True)


def wrong(solution: str) -> str:
    """The reference with its result doubled."""
    return solution.replace("return ", "return 2 * ")


SIZES = [
    pytest.param({"columns": 80, "rows": 24}, (), id="80x24"),
    pytest.param({"columns": 200, "rows": 60}, (), id="200x60"),
    pytest.param({"env": {"NO_COLOR": "1"}}, ("\x1b[1m", "\x1b[3"), id="NO_COLOR"),
    pytest.param({"env": {"TERM": "dumb"}}, ("\x1b",), id="dumb"),
]


@pytest.mark.parametrize(("options", "never"), SIZES)
def test_should_lead_from_the_plan_to_a_rating_on_every_terminal(workspace, home, solution, options, never):
    day = Day(workspace, home, **options)
    day.expect("1 kata")
    day.expect("waiting for a save")
    day.save(wrong(solution))
    day.expect("✗")
    day.save(solution)
    day.expect("✓")
    day.expect("Enter (Good|Hard|Easy)")
    day.press("\r")
    day.expect("due again on")
    day.press("\r")
    day.expect("Done for today")
    assert day.ended() == 0
    assert len(day.rows("SELECT * FROM reviews")) == 1
    assert [outcome for (outcome,) in day.rows("SELECT outcome FROM attempts")] == ["wrong", "passed"]
    assert [escape for escape in never if escape in day.raw] == []


def test_should_show_the_rest_of_the_last_verdict_by_a_key(day, solution):
    day.expect("waiting for a save")
    day.press("v")
    day.expect("no more to show")
    day.save(wrong(solution))
    day.expect("v shows the inputs")
    day.press("v")
    day.expect("To see it again:")
    day.press("q")
    assert day.ended() == 0


def test_should_count_a_hint_and_let_the_rating_be_lowered_only(day, solution):
    day.expect("waiting for a save")
    day.press("h")
    day.expect("Hint 1/")
    day.save(solution)
    day.expect("Enter Hard")
    day.press("4")  # Easy: more than was earned
    day.press("1")
    day.expect("Again; due again")
    day.press("q")
    assert day.ended() == 0
    assert day.rows("SELECT derived, rating, override FROM reviews") == [(2, 1, 1)]


def test_should_show_the_solution_only_when_asked_twice_and_then_rate_again(day):
    day.expect("waiting for a save")
    day.press("s")
    day.expect("Press s again")
    day.press("h")  # another key: the question is off the table
    day.expect("Hint 1/")
    day.press("s")
    day.expect("Press s again")
    assert not day.rows("SELECT * FROM solutions")
    day.press("s")
    day.expect("from memory")
    day.press("r")
    day.expect("Enter Again")
    day.press("\r")
    day.expect("Again; due again")
    day.press("q")
    assert day.ended() == 0


def test_should_undo_the_last_rating_and_open_the_kata_again(day, solution):
    day.expect("waiting for a save")
    day.save(solution)
    day.expect("How did it go")
    day.press("\r")
    day.expect("due again")
    day.press("u")
    day.expect(r"Press u again to undo the rating \w+ of rms-norm")
    day.press("e")  # another key: the question is off the table
    day.expect("LLMDRILLS_EDITOR")
    day.press("u")
    day.expect("Press u again")
    assert not day.rows("SELECT * FROM undos")
    day.press("u")
    day.expect("Undone: the rating")
    day.expect("How did it go")
    day.press("\r")
    day.expect("due again")
    day.press("q")
    assert day.ended() == 0
    assert len(day.rows("SELECT * FROM reviews")) == 2
    assert len(day.rows("SELECT * FROM undos")) == 1


def test_should_compare_with_the_reference_after_a_pass(day, solution):
    day.expect("waiting for a save")
    day.save(solution + "\n# mine\n")
    day.expect("How did it go")
    day.press("c")
    day.expect("reference")
    day.press("d")
    day.expect("-# mine")
    day.press("q")
    assert day.ended() == 0
    assert "Press" not in day.text


def test_should_skip_a_kata_for_today(day):
    day.expect("waiting for a save")
    day.press("k")
    day.expect("skipped for today; u, or `llmdrills undo`, takes it back")
    assert day.ended() == 0
    assert len(day.rows("SELECT * FROM skips")) == 1


def test_should_skip_what_was_graded_only_when_asked_twice(day, solution):
    day.expect("waiting for a save")
    day.save(wrong(solution))
    day.expect("✗")
    day.press("k")
    day.expect("Press k again to skip rms-norm: its 1 graded run")
    day.press("p")  # another key: the question is off the table
    day.press("k")
    day.expect("Press k again")
    assert not day.rows("SELECT * FROM skips")
    day.press("k")
    day.expect("skipped for today")
    assert day.ended() == 0


def test_should_not_skip_a_kata_that_is_passed(day, solution):
    day.expect("waiting for a save")
    day.save(solution)
    day.expect("Enter (Good|Hard|Easy)")
    day.press("kkk")
    day.press("\r")
    day.expect("due again")
    day.press("kk")
    day.press("q")
    assert day.ended() == 0
    assert not day.rows("SELECT * FROM skips")
    assert len(day.rows("SELECT * FROM reviews")) == 1


def test_should_name_an_earlier_rating_before_it_is_undone_while_writing(day, workspace, home, solution, run):
    day.expect("waiting for a save")
    day.save(solution)
    day.expect("How did it go")
    day.press("\r")
    day.expect("due again")
    day.press("q")
    assert day.ended() == 0
    assert run("start", KATA, cwd=workspace).code == 0
    again = Day(workspace, home)
    again.expect("waiting for a save")
    again.press("u")
    again.expect("Press u again to undo the rating")
    again.expect("in the place of this one")
    again.press("q")
    assert again.ended() == 0
    assert not again.rows("SELECT * FROM undos")


def test_should_take_a_skip_back_by_a_key(workspace, home, root):
    shutil.copytree(root / "drills" / "rope-pairing", workspace / "drills" / "rope-pairing")
    text = (workspace / "drills" / "rope-pairing" / "kata.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("requires:", "proves:"))]
    (workspace / "drills" / "rope-pairing" / "kata.yaml").write_text("\n".join(lines) + "\n")
    day = Day(workspace, home)
    day.expect("waiting for a save")
    begun = day.rows("SELECT kata FROM sessions")
    day.press("k")
    day.expect("skipped for today")
    day.expect("waiting for a save")
    day.press("u")
    day.expect("Undone: the skip of")
    day.expect("Back to where you were")
    day.press("q")
    assert day.ended() == 0
    assert len(day.rows("SELECT * FROM undos")) == 1
    assert len(begun) == 1


def test_should_say_what_a_hint_costs(day):
    day.expect("waiting for a save")
    day.press("h")
    day.expect("rated Hard at most")
    day.press("q")
    assert day.ended() == 0


def test_should_go_on_where_it_was_after_being_killed(day, workspace, home, solution):
    day.expect("waiting for a save")
    day.press("h")
    day.expect("Hint 1/")
    day.save(wrong(solution))
    day.expect("✗")
    day.kill()
    again = Day(workspace, home)
    again.expect("Back to where you were")
    again.expect("hint 2/")
    assert again.file.read_text() == wrong(solution)
    again.save(solution)
    again.expect("Enter Hard")
    again.press("q")
    assert again.ended() == 0


def test_should_grade_on_start_what_was_saved_while_it_was_away(day, workspace, home, solution):
    day.expect("waiting for a save")
    day.press("q")
    assert day.ended() == 0
    day.save(solution)
    again = Day(workspace, home)
    again.expect("✓")
    again.press("q")
    assert again.ended() == 0


def test_should_survive_a_deleted_file_and_write_it_back(day, solution):
    day.expect("waiting for a save")
    day.save(wrong(solution))
    day.expect("✗")
    day.file.unlink()
    day.expect("is gone")
    day.press("w")
    day.expect("written again")
    assert day.file.read_text() == wrong(solution)
    day.file.rename(day.file.with_suffix(".bak"))
    day.expect("is gone")
    day.save(solution)
    day.expect("✓")
    day.press("q")
    assert day.ended() == 0


def test_should_hear_an_editor_that_saves_by_a_rename(day, solution):
    day.expect("waiting for a save")
    for text, mark in ((wrong(solution), "✗"), (solution, "✓")):
        partial = day.file.with_name(".partial")
        partial.write_text(text)
        partial.replace(day.file)
        day.expect(mark)
    day.press("q")
    assert day.ended() == 0


def test_should_show_the_verdict_on_the_last_of_many_quick_saves(day, solution):
    day.expect("waiting for a save")
    for number in range(30):
        day.save(wrong(solution) + f"# {number}\n")
        time.sleep(0.1)  # ten saves a second is what is being tried, not waited for
    day.save(solution)
    day.expect("✓")
    day.press("q")
    assert day.ended() == 0
    assert day.rows("SELECT outcome FROM attempts ORDER BY seq DESC LIMIT 1") == [("passed",)]


def test_should_swallow_a_paste_and_arrow_keys(day):
    day.expect("waiting for a save")
    day.press("\x1b[200~q kk ss import torch\n\x1b[201~\x1b[A\x1bOB")
    day.press("?")
    day.expect("all hints so far")
    assert not day.rows("SELECT * FROM solutions UNION ALL SELECT * FROM solutions")
    assert not day.rows("SELECT * FROM skips")
    day.press("q")
    assert day.ended() == 0


def test_should_redraw_the_keys_after_a_resize(day):
    day.expect("waiting for a save")
    day.resize(40, 12)
    day.expect("waiting for a save")
    assert all(len(row) <= 40 for row in day.screen)
    assert sum("waiting for a save" in row for row in day.screen) == 1
    day.press("q")
    assert day.ended() == 0


def test_should_exit_130_at_ctrl_c_leave_no_process_and_say_how_to_go_on(day, solution):
    day.expect("waiting for a save")
    day.save(solution.replace("return ", "while True: pass\n    return "))
    day.expect("grading")
    children = descendants(day.child.pid)
    assert children
    day.press("\x03")
    assert day.ended() == 130
    assert "`llmdrills today` continues from here" in " ".join(day.text.split())[-60:]
    end = time.monotonic() + 10
    while any(alive(pid) for pid in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in children if alive(pid)]


def test_should_stop_an_endless_loop_when_a_newer_save_comes(day, solution):
    day.expect("waiting for a save")
    day.save(solution.replace("return ", "while True: pass\n    return "))
    day.expect("grading")
    time.sleep(1)
    day.save(solution)
    day.expect("✓", timeout=9)  # the endless loop alone would take longer than its limit
    day.press("q")
    assert day.ended() == 0


def test_should_open_the_file_in_the_editor_without_waiting_for_it(workspace, home, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/opened\nexec sleep 60\n')
    editor.chmod(0o755)
    day = Day(workspace, home, env={"LLMDRILLS_EDITOR": f"{editor} --new-window --wait"})
    day.expect("opened with editor")
    day.expect("waiting for a save")
    day.press("q")
    assert day.ended() == 0
    assert (tmp_path / "opened").read_text().split() == ["--new-window", str(day.file)]


def test_should_run_a_terminal_editor_in_this_terminal_only_on_request(workspace, home, tmp_path, solution):
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "text").write_text(solution)
    (folder / "vim").write_text(f'#!/bin/sh\nread line\ncp {tmp_path}/text "$1"\n')
    (folder / "vim").chmod(0o755)
    day = Day(workspace, home, env={"EDITOR": "vim", "PATH": f"{folder}:{os.environ['PATH']}"})
    day.expect("press e to edit here")
    day.expect("waiting for a save")
    day.press("e")
    time.sleep(0.5)
    day.press("now\n")  # a line: the terminal is in its normal mode again
    day.expect("✓")
    day.press("q")
    assert day.ended() == 0


def test_should_go_on_after_being_stopped_and_continued(day, solution):
    day.expect("waiting for a save")
    day.child.kill(signal.SIGTSTP)
    time.sleep(0.3)
    day.child.kill(signal.SIGCONT)
    day.save(solution)
    day.expect("✓")
    day.press("q")
    assert day.ended() == 0


def test_should_speak_chinese_throughout(workspace, home, solution):
    day = Day(workspace, home, env={"LLMDRILLS_LANG": "zh"})
    day.expect("今天")
    day.expect("等待保存")
    day.press("h")
    day.expect("提示 1/")
    day.save(solution)
    day.expect("通过")
    day.expect("掌握得怎么样")
    day.press("\r")
    day.expect("到期")
    day.press("q")
    assert day.ended() == 0


def test_should_print_only_the_plan_without_a_terminal(run, workspace):
    ran = run("today", cwd=workspace)
    assert ran.code == 0
    assert KATA in ran.out
    assert "waiting" not in ran.out
    plan = run("today", "--json", cwd=workspace).json
    assert plan["schema"] == 1
    assert [item["kata"] for item in plan["items"]] == [KATA]


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for word in child.read_text().split():
            found |= {int(word)} | descendants(int(word))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_should_say_once_what_became_of_a_damaged_history(day, run, workspace, home, solution):
    day.expect("waiting for a save")
    day.save(solution)
    day.expect("How did it go")
    day.press("\r")
    day.expect("due again")
    day.press("q")
    assert day.ended() == 0
    database = home / "data" / "history.sqlite3"
    database.write_bytes(b"not a database" + database.read_bytes()[14:])
    told = run("today", cwd=workspace)
    assert told.code == 0
    assert "damaged" in told.err
    assert "rebuilt" in told.err
    assert run("today", cwd=workspace).err == ""
    assert run("stats", "--json", cwd=workspace).json["reviews"] == 1


def test_should_show_the_plan_before_torch_is_up(day):
    day.expect("1 kata")
    mapped = [pid for pid in descendants(day.child.pid) if has_torch(pid)]
    day.expect("waiting for a save")
    day.press("q")
    assert day.ended() == 0
    assert not mapped


def has_torch(pid: int) -> bool:
    try:
        return "libtorch_cpu" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False
