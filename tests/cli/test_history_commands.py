"""What comes of the history: stats, report, readiness, optimize, history export and import, doctor, paths."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.grading.workers.linux import drop_capabilities
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History, insertion
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating
from tests.helpers.processes import processes_of, wait_for_nobody

HOUR = 3_600_000_000
DAY = 24 * HOUR
VERDICT = {"outcome": "wrong", "seed": 1, "device": "cpu", "cases": [{"name": "base", "outcome": "wrong"}]}


@pytest.fixture(scope="module")
def katas(root):
    return {kata.id: kata for kata in load_katas(root)}


def practise(home: Path, katas, *, days: int = 3) -> None:
    """A few days of two katas, the last one yesterday: one with a slip met and beaten."""
    now = Moment.now()
    since = now.plus(-4 * HOUR).local  # a day of practice begins at four
    noon = now.plus(8 * HOUR - since.hour * HOUR - since.minute * HOUR // 60)
    with History.open(home / "data" / "history.sqlite3") as history:
        for day in range(days, 0, -1):
            at = noon.plus(-day * DAY)
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
    assert "Without eps a vector of zeros is 0/0" in shown
    assert "beaten" in shown
    assert max(len(line) for line in shown.splitlines() if "eps" not in line) <= 80  # a mistake's text is whole
    chinese = run("stats", "--lang", "zh").out
    assert "6 次复习" in chinese


def test_should_answer_readiness_from_what_was_written(run, home, katas):
    practise(home, katas)
    items = run("readiness", "--json").json["items"]
    evidence = {kata["kata"]: kata for item in items for kata in item["katas"]}
    assert evidence["online-softmax"]["clean_days"] == 2  # the first day had a hint
    assert 0 < evidence["online-softmax"]["retrievability"] <= 1
    shown = run("readiness").out
    assert "to review in Anki" in shown
    assert "llmdrills start" in shown


def test_should_write_a_page_that_needs_no_network(run, home, katas, tmp_path):
    practise(home, katas)
    page = tmp_path / "报告 1.html"
    ran = run("report", page)
    assert (ran.code, ran.out.strip()) == (0, str(page))
    text = page.read_text()
    assert "<svg" in text
    assert "Without eps a vector of zeros is 0/0" in text
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
    assert found == {"schema": 1, "new": len(lines) - 1, "known": 0, "set_aside": []}
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
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# ---- backups, and what a rebuild says ---------------------------------------------------------------


def data(home: Path) -> Path:
    return home / "data" / "history.sqlite3"


def test_should_make_a_backup_on_a_day_of_practice_and_restore_what_was_lost(run, home, katas):
    practise(home, katas)
    before = run("history", "export").out
    (listed,) = run("history", "restore", "--list", "--json").json["backups"]
    assert listed["events"] == len(before.splitlines()) - 1
    run("today", "--json")
    assert len(list((home / "data" / "backups").iterdir())) == 1
    assert listed["name"] in run("history", "restore", "--list").out
    assert "holds everything" in run("history", "restore").out
    assert "都还在" in run("history", "restore", "--lang", "zh").out
    data(home).write_bytes(b"")
    ran = run("stats", "--json")
    assert "rebuilt whole" in ran.err
    assert ran.json["reviews"] == 6
    assert "rebuilt" not in run("stats").err
    assert sorted(run("history", "export").out.splitlines()) == sorted(before.splitlines())


def test_should_go_back_to_before_an_import(run, home, katas, tmp_path):
    practise(home, katas)
    before = run("stats", "--json").json
    other = {"LLMDRILLS_HOME": str(tmp_path / "other")}
    practise(tmp_path / "other", katas, days=5)
    run("history", "export", tmp_path / "other.jsonl", env=other)
    assert run("history", "import", tmp_path / "other.jsonl", "--json").json["new"] > 0
    assert run("stats", "--json").json["reviews"] == 16
    ran = run("history", "restore", "--replace", "--json")
    assert Path(ran.json["aside"]).is_file()
    assert run("stats", "--json").json == before
    assert run("history", "restore", "1999").code == 2


def test_should_say_that_there_is_no_backup_yet(run):
    assert "no backup yet" in run("history", "restore", "--list").err
    assert "还没有备份" in run("history", "restore", "--list", "--lang", "zh").err
    ran = run("history", "restore")
    assert ran.code == 2
    assert "no backup" in ran.err


def test_should_practise_on_where_no_backup_can_be_made(run, home, katas):
    practise(home, katas)
    (home / "data" / "backups").write_text("a file in the place of the folder")
    ran = run("stats", "--json", "--lang", "zh")
    assert ran.json["reviews"] == 6
    assert "今天没有备份" in ran.err


def test_should_name_what_an_import_leaves_out(run, home, katas, tmp_path):
    practise(home, katas, days=1)
    lines = run("history", "export").out.splitlines()
    bad = [
        line.replace('"rating": 2', '"rating": 99').replace('"id": "', '"id": "x') for line in lines if "rating" in line
    ]
    file = tmp_path / "bad.jsonl"
    file.write_text("\n".join([*lines, *bad]) + "\n")
    ran = run("history", "import", file)
    assert (ran.code, ran.out) == (0, f"0 new events, {len(lines) - 1} known already\n")
    assert "Not taken, because of values that no event can have: 2." in ran.err
    assert f"line {len(lines) + 1} (reviews): rating is 99; it must lie in 1 … 4" in ran.err
    assert (
        f"第 {len(lines) + 1} 行（reviews）：rating 的值为 99，应在 1 到 4 之间"
        in run("history", "import", file, "--lang", "zh").err
    )
    assert [one["line"] for one in run("history", "import", file, "--json").json["set_aside"]] == [
        len(lines) + 1,
        len(lines) + 2,
    ]


# ---- doctor runs what the commands run ----------------------------------------------------------------


def edit(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def faults(run) -> dict[str, str]:
    ran = run("doctor", "--json")
    found = {check["name"]: check["fault"] for check in ran.json["checks"] if check["fault"]}
    assert ran.code == bool(found)
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = 0",
        "PRAGMA user_version = -5",
        "PRAGMA user_version = 99",
        "DROP TABLE hints",
        "DROP TRIGGER reviews_hold",
        "ALTER TABLE skips ADD COLUMN more TEXT",
    ],
)
def test_should_find_with_doctor_what_the_commands_would_meet(run, home, katas, statement):
    practise(home, katas)
    edit(data(home), statement)
    before = data(home).read_bytes()
    assert "history" in faults(run)
    assert data(home).read_bytes() == before, "doctor changes nothing"
    today = run("today", "--json")
    assert today.err, "the command says so too"
    assert ("history" in faults(run)) == (today.code != 0)


def test_should_have_doctor_make_figures_anew_that_do_not_follow_from_the_events(run, home, katas):
    practise(home, katas)
    right = run("stats", "--json").json
    edit(data(home), "UPDATE days SET reviews = 40, seconds = 4000")
    assert run("stats", "--json").json["reviews"] != right["reviews"]
    assert "made anew" in run("doctor").out
    assert run("stats", "--json").json == right
    assert "made anew" not in run("doctor").out


def test_should_have_doctor_name_events_that_are_left_out(run, home, katas):
    practise(home, katas)
    edit(data(home), "INSERT INTO skips (id, at, zone, session, kata, reason) VALUES ('odd', -5, 0, 's', 'k', '')")
    shown = run("doctor").out
    assert "left out for values that no event can have: skips odd" in shown
    assert run("stats", "--json").json["reviews"] == 6


@pytest.mark.parametrize("what", ["data", "data/history.sqlite3"])
def test_should_have_doctor_report_what_may_not_be_read(home, katas, what):
    practise(home, katas)
    (home / what).chmod(0)

    try:
        done = subprocess.run(
            [sys.executable, "-m", "llmdrills", "doctor"],
            env={**os.environ, "LLMDRILLS_HOME": str(home)},
            preexec_fn=drop_capabilities,  # root may read anything
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd="/",
        )
    finally:
        (home / what).chmod(0o755)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "✗ history" in done.stdout


@pytest.mark.parametrize("words", [["today", "--json"], ["stats"], ["doctor"], ["start", "rms-norm"]])
def test_should_name_a_time_zone_that_cannot_be_right(run, words):
    ran = run(*words, env={"TZ": "XXX-25"})
    assert ran.code in {1, 2}
    assert "set TZ" in ran.out + ran.err


# ---- nothing is left of a command that was killed -------------------------------------------------------


def killed(home: Path, tmp_path: Path, *words: object, when) -> Path:
    """Run a command, kill it once `when` of its temporary folder holds, and wait for its processes to end."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "llmdrills", *map(str, words)],
        env={**os.environ, "LLMDRILLS_HOME": str(home), "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 120
    while not when(temporary):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    return temporary


def fitting_runs(home: Path) -> bool:
    return any(b"practice.fitting" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in processes_of(str(home)))


needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells a child of its parent's end")


@needs_linux
def test_should_leave_no_process_when_optimize_is_killed(home, tmp_path):
    start = Moment.now().plus(-400 * DAY)
    with History.open(data(home)) as history:
        values = {"session": "s", "variant": "v", "override": 0, "seconds": 60.0, "derived": 3, "rating": 3}
        for day in range(2):
            for kata in range(700):
                history.append("reviews", start.plus(day * DAY + kata), kata=f"kata-{kata}", **values)
    killed(home, tmp_path, "optimize", when=lambda _: fitting_runs(home))
    assert wait_for_nobody(str(home), 5) < 2


@needs_linux
def test_should_leave_no_process_and_soon_no_folder_when_check_is_killed(run, home, small, tmp_path):
    words = ("check", "--no-cache", "-w", small, "rms-norm")
    temporary = killed(home, tmp_path, *words, when=lambda folder: any(folder.glob("llmdrills-check-*")))
    assert wait_for_nobody(str(home), 20) < 5
    left = list(temporary.glob("llmdrills-*"))
    assert all(folder.name.startswith("llmdrills-check-") for folder in left)
    for folder in left:
        os.utime(folder, (0, 0))
    run("check", "--no-cache", "-w", small, env={"TMPDIR": str(temporary)})
    assert list(temporary.glob("llmdrills-*")) == []


@needs_linux
def test_should_leave_no_part_of_a_file_when_an_export_is_killed(home, katas, tmp_path):
    practise(home, katas)
    with History.open(data(home)) as history:
        for number in range(3000):
            history.execute(insertion("skips"), f"s{number}", Moment.now().at, 0, "s", "k", "x" * 3000)
    target = tmp_path / "out" / "history.jsonl"
    killed(home, tmp_path, "history", "export", target, when=lambda _: target.parent.is_dir())
    assert list(target.parent.iterdir()) == []


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
