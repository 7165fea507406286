"""What comes of the history: stats, report, readiness, optimize, history export and import, doctor, paths."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating

DAY = 86_400_000_000
VERDICT = {"outcome": "wrong", "seed": 1, "device": "cpu", "cases": [{"name": "base", "outcome": "wrong"}]}


@pytest.fixture(scope="module")
def katas(root):
    return {kata.id: kata for kata in load_katas(root)}


def practise(home: Path, katas, *, days: int = 3) -> None:
    """A few days of two katas, the last one yesterday: one with a slip met and beaten."""
    now = Moment.now()
    with History.open(home / "data" / "history.sqlite3") as history:
        for day in range(days, 0, -1):
            at = now.plus(-day * DAY)
            for kata in (katas["rms-norm"], katas["online-softmax"]):
                variant = kata.variants[0].id
                file = home / "practice" / f"{kata.id}.py"
                repetition = repetitions.start(history, kata, variant, file, "# starter\n", now=at)
                if day == days:
                    repetition.hint(1, at.plus(1_000_000))
                    wrong = {**VERDICT, "diagnosis": {"id": "no-eps"}}
                    repetition.attempt("# wrong 错\n", wrong, at.plus(60_000_000))
                repetition.attempt("# right\n", {**VERDICT, "outcome": "passed"}, at.plus(300_000_000))
                repetition.rate(Rating.HARD if day == days else None, at.plus(310_000_000))
                at = at.plus(600_000_000)


def test_should_have_figures_before_anything_was_practised(run, tmp_path):
    assert "llmdrills today" in run("stats").out
    found = run("stats", "--json").json
    assert (found["schema"], found["reviews"], found["streak"]) == (1, 0, 0)
    assert run("report", tmp_path / "page.html").code == 0
    ready = run("readiness", "--json").json
    assert ready["schema"] == 1
    assert len(ready["items"]) == 10
    assert {item["state"] for item in ready["items"]} == {"not-shown"}
    missing = run("optimize", "--json").json
    assert (missing["schema"], missing["kept"]) == (1, False)
    assert missing["missing"] > 0


def test_should_show_what_was_practised(run, home, katas):
    practise(home, katas)
    found = run("stats", "--json").json
    assert (found["reviews"], found["attempts"], found["streak"], found["katas_met"]) == (6, 8, 3, 2)
    shown = run("stats").out
    assert "6 reviews, 8 attempts" in shown
    assert "no-eps" in shown
    assert "beaten" in shown
    assert max(map(len, shown.splitlines())) <= 80
    chinese = run("stats", "--lang", "zh").out
    assert "6 次复习" in chinese


def test_should_answer_readiness_from_what_was_written(run, home, katas):
    practise(home, katas)
    items = run("readiness", "--json").json["items"]
    evidence = {kata["kata"]: kata for item in items for kata in item["katas"]}
    assert evidence["online-softmax"]["clean_days"] == 2  # the first day had a hint
    assert 0 < evidence["online-softmax"]["retrievability"] <= 1
    shown = run("readiness").out
    assert "reviewed in Anki" in shown
    assert "llmdrills start" in shown


def test_should_write_a_page_that_needs_no_network(run, home, katas, tmp_path):
    practise(home, katas)
    page = tmp_path / "报告 1.html"
    ran = run("report", page)
    assert (ran.code, ran.out.strip()) == (0, str(page))
    text = page.read_text()
    assert "<svg" in text
    assert "no-eps" in text
    assert "src=" not in text
    ran = run("report", tmp_path / "none" / "x.html", cwd=tmp_path)
    assert (ran.code == 0) == (tmp_path / "none" / "x.html").exists()


def test_should_write_no_page_where_that_cannot_be(run, tmp_path):
    ran = run("report", tmp_path)  # a folder
    assert ran.code == 2
    assert str(tmp_path) in ran.err


def test_should_bring_a_history_to_another_machine(run, home, katas, tmp_path):
    practise(home, katas)
    file = tmp_path / "history.jsonl"
    said = run("history", "export", file)
    lines = run("history", "export").out.splitlines()
    assert file.read_text().splitlines() == lines
    assert f"{len(lines) - 1} events" in said.err
    assert "# wrong 错" in "".join(lines)
    other = {"LLMDRILLS_HOME": str(tmp_path / "other")}
    found = run("history", "import", file, "--json", env=other).json
    assert found == {"schema": 1, "new": len(lines) - 1, "known": 0}
    assert "0 new events" in run("history", "import", "-", env=other, stdin=file.read_text()).out
    assert run("history", "export", env=other).out.splitlines() == lines
    assert run("stats", "--json", env=other).json == run("stats", "--json").json


@pytest.mark.parametrize("damage", ["not json", '{"llmdrills": "history", "schema": 1}\n{"kind": "x"}', ""])
def test_should_import_all_of_a_file_or_nothing(run, home, katas, tmp_path, damage):
    practise(home, katas, days=1)
    file = tmp_path / "bad.jsonl"
    file.write_text(damage)
    before = run("history", "export").out
    ran = run("history", "import", file)
    assert ran.code == 2
    assert f"{file}:" in ran.err
    assert run("history", "export").out == before
    assert run("history", "import", tmp_path / "none.jsonl").code == 2


def test_should_report_a_healthy_installation(run, home, katas):
    practise(home, katas, days=1)
    found = run("doctor", "--json")
    assert (found.code, found.json["schema"], found.json["healthy"]) == (0, 1, True)
    shown = run("doctor").out
    assert "all well" in shown
    assert str(home) in shown
    assert "torch" in shown


def test_should_exit_1_and_name_the_fault_that_it_found(run, home, small):
    (home / "data").mkdir(parents=True)
    (home / "data" / "history.sqlite3").write_bytes(b"not a database at all" * 300)
    (small / "decks" / "small.yaml").write_text("deck: [")
    ran = run("doctor", "--json", cwd=small, env={"LLMDRILLS_EDITOR": "no-such-editor"})
    assert (ran.code, ran.json["healthy"]) == (1, False)
    faults = {check["name"] for check in ran.json["checks"] if check["fault"]}
    assert {"history", "workspace", "editor"} <= faults


def test_should_set_a_damaged_history_aside_and_say_so(run, home, katas):
    practise(home, katas)
    path = home / "data" / "history.sqlite3"
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])
    ran = run("today", "--json")
    assert ran.code == 0
    assert ran.json["schema"] == 1
    aside = [other for other in path.parent.iterdir() if other.name != path.name and "damaged" in other.name]
    assert aside, list(path.parent.iterdir())
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_should_print_paths_that_hold_odd_names(run, tmp_path):
    odd = tmp_path / "домой 家 'x'"
    found = run("paths", "--json", env={"LLMDRILLS_HOME": str(odd)}).json
    assert found["schema"] == 1
    assert found["paths"]["practice"] == str(odd / "practice")
    assert "not there yet" in run("paths", env={"LLMDRILLS_HOME": str(odd)}).out
    assert run("start", "rms-norm", env={"LLMDRILLS_HOME": str(odd)}).out.strip() == str(
        odd / "practice" / "rms-norm.py"
    )


def test_should_plan_by_the_options_of_the_command_line(run, home, katas):
    practise(home, katas)
    plan = run("today", "--json", "--minutes", "600", "--new", "3", "--topic", "position").json
    assert {item["topic"] for item in plan["items"] if item["reason"] != "new"} <= {"position"}
    assert len([item for item in plan["items"] if item["reason"] == "new"]) <= 3
    assert plan["budget"] == 600
    assert run("today", "--minutes", "0").code == 2
    assert run("today", "--topic", "nothing").code == 2
    again = json.dumps(run("today", "--json", "--seed", "4").json)
    assert again == json.dumps(run("today", "--json", "--seed", "4").json)
