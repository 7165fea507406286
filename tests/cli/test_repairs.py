"""Repairs by command and in the daily loop: a wrong kernel instead of a blank."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdrills.content.catalogue import load_catalogue, with_slips
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from llmdrills.practice.moments import Moment
from tests.helpers.histories import rows
from tests.helpers.kata_learner import verdict
from tests.helpers.terminal import Terminal

KATA = "rms-norm"
DAY = 86_400_000_000


@pytest.fixture
def ws(run, small: Path):
    """`ws("start", …)` in the small workspace."""

    def words(*given: object, **options: object):
        return run(*given, cwd=small, **options)

    return words


@pytest.fixture
def repair(ws, home: Path) -> Path:
    """A repair that was begun; its file."""
    return Path(ws("start", KATA, "--repair").out.strip())


def right(ws, variant: str) -> str:
    """The reference; asked for in another home, because a look at it is recorded."""
    return ws("solution", KATA, "--variant", variant, env={"LLMDRILLS_HOME": "/nonexistent"}).out


def slips(small: Path, home: Path) -> dict[str, str]:
    kata = with_slips(next(kata for kata in load_catalogue(small, home / "cache") if kata.id == KATA))
    return {slip.id: slip.feedback.zh for slip in kata.slips}


def begun_from(home: Path) -> tuple[str, int]:
    """The slip and the seed of the last repair."""
    return rows(home, "SELECT slip, seed FROM sessions WHERE mode = 'repair' ORDER BY seq DESC LIMIT 1")[0]


def test_should_begin_from_a_mistake_in_a_file_of_its_own(ws, repair, home, small):
    slip, seed = begun_from(home)
    text = repair.read_text()
    assert repair.name == f"{KATA}.repair.py"
    assert text.splitlines()[0] == f"# llmdrills: kata={KATA} variant=cast-first mode=repair seed={seed}"
    assert "NotImplementedError" not in text
    assert slip in slips(small, home)
    assert slip not in text
    code = text.partition("\n\n")[2]
    assert "#" not in code


def test_should_name_the_mistake_after_the_pass_only_and_in_the_spoken_language(ws, repair, home, small):
    slip, _ = begun_from(home)
    failed = ws("grade", KATA, "--json").json
    assert (failed["passed"], failed["recorded"], failed["mistake"]) == (False, True, None)
    assert "mistake was" not in ws("grade", KATA).out
    repair.write_text(repair.read_text().splitlines()[0] + "\n" + right(ws, "cast-first"))
    passed = ws("grade", repair, "--lang", "zh")
    assert passed.code == 0
    assert f"其中的错误是：{slips(small, home)[slip]}" in passed.out
    assert "应得评级" not in passed.out
    assert rows(home, "SELECT count(*) FROM reviews") == [(0,)]


def test_should_go_on_with_the_open_repair_and_begin_another_when_asked(ws, repair, home):
    repair.write_text("half done\n")
    again = ws("start", KATA, "--repair")
    assert again.out.strip() == str(repair)
    assert "continues" in again.err
    assert repair.read_text() == "half done\n"
    met = [begun_from(home)[0]]
    for _ in range(3):
        assert ws("start", KATA, "--repair", "--again").code == 0
        met.append(begun_from(home)[0])
    assert len(set(met)) == 4
    assert rows(home, "SELECT code FROM archives ORDER BY seq LIMIT 1") == [("half done\n",)]


def test_should_write_the_same_repair_again_where_its_file_is_gone(ws, repair):
    text = repair.read_text()
    repair.unlink()
    ws("start", KATA, "--repair")
    assert repair.read_text() == text


def test_should_leave_a_repetition_from_a_blank_alone(ws, home):
    blank = Path(ws("start", KATA).out.strip())
    blank.write_text("mine\n")
    repair = Path(ws("start", KATA, "--repair").out.strip())
    assert blank.read_text() == "mine\n"
    assert "continues" in ws("start", KATA).err
    assert ws("grade", blank, "--json").json["recorded"]
    assert ws("grade", repair, "--json").json["recorded"]
    sessions = rows(home, "SELECT mode FROM attempts AS a JOIN sessions AS s ON s.id = a.session ORDER BY a.seq")
    assert sessions == [(None,), ("repair",)]


@pytest.mark.parametrize(
    ("language", "says"), [("en", "needs no rating"), ("zh", "无需评级")], ids=["English", "Chinese"]
)
def test_should_say_that_a_repair_needs_no_rating(ws, repair, language, says):
    for _ in range(2):  # open, and passed
        rated = ws("rate", KATA, "--lang", language)
        assert rated.code == 2
        assert says in rated.err
        repair.write_text(repair.read_text().splitlines()[0] + "\n" + right(ws, "cast-first"))
        ws("grade", repair)


def test_should_skip_a_repair_without_the_kata_and_take_that_back(ws, repair):
    skipped = ws("skip", KATA)
    assert "stays in the plan" in skipped.out
    assert [item["kata"] for item in ws("today", "--json").json["items"]] == [KATA]
    text = repair.read_text()
    undone = ws("undo")
    assert undone.code == 0
    assert "the skip of the repair" in undone.out
    assert "continues" in ws("start", KATA, "--repair").err
    assert repair.read_text() == text


def test_should_cost_nothing_to_ask_for_a_hint(ws, repair):
    assert "Hard" not in ws("hint", KATA).err
    assert "Again" not in ws("solution", KATA).err


def test_should_list_repairs_apart_in_the_past_and_in_the_figures(ws, repair, home):
    ws("grade", KATA)
    shown = ws("history", "show", KATA).out
    assert "repair · 1 attempt · not repaired" in shown
    figures = ws("stats", "--json").json
    assert figures["repairs"] == {"begun": 1, "passed": 0, "attempts": 1}
    assert (figures["attempts"], figures["reviews"], figures["misconceptions"]) == (0, 0, [])
    assert "0 of 1 repair done" in ws("stats").out
    page = home / "report.html"
    assert ws("report", page).code == 0
    assert "repairs done" in page.read_text()


def test_should_say_where_there_is_nothing_to_repair(ws, small):
    (small / "drills" / KATA / "slips.yaml").unlink()
    refused = ws("start", KATA, "--repair")
    assert refused.code == 2
    assert "no known mistake to begin a repair from" in refused.err


# ---- the day ----------------------------------------


@pytest.fixture
def passed_long_ago(small: Path, home: Path) -> None:
    """The kata passed the day before yesterday, and not due yet."""
    kata = next(kata for kata in load_catalogue(small, home / "cache") if kata.id == KATA)
    moment = Moment(Moment.now().at - 2 * DAY)
    (home / "data").mkdir(exist_ok=True)
    with History.open(home / "data" / "history.sqlite3") as history:
        begun = repetitions.start(
            history, kata, "cast-first", home / "practice" / f"{KATA}.py", "# blank\n", now=moment
        )
        begun.attempt("right", verdict(), moment.plus(60_000_000))
        begun.rate(now=moment.plus(61_000_000))


@pytest.mark.usefixtures("passed_long_ago")
def test_should_list_the_repair_apart_in_the_plan(ws):
    plan = ws("today", "--json").json
    assert plan["items"] == []
    assert (plan["repair"]["kata"], plan["repair"]["begun"]) == (KATA, False)
    for language, says in (("en", "If you like: repair rms-norm"), ("zh", "可选：修复 rms-norm")):
        said = ws("today", "--no-input", "--lang", language).out
        assert says in said
        assert f"llmdrills start {KATA} --repair" in said


@pytest.mark.usefixtures("passed_long_ago")
def test_should_offer_a_repair_in_the_day_and_name_its_mistake_when_it_is_done(ws, small, home):
    before = ws("stats", "--json").json
    day = Terminal("today", cwd=small)
    day.expect("If you like: repair rms-norm")
    day.expect("b repair rms-norm")
    day.press("b")
    day.expect("one thing in it is wrong")
    day.expect("waiting for a save")
    file = home / "practice" / f"{KATA}.repair.py"
    text = file.read_text()
    variant = re.search(r"variant=(\S+)", text)
    assert variant is not None
    file.write_text(text + "\n# saved\n")
    day.expect("✗")
    file.write_text(text.splitlines()[0] + "\n" + right(ws, variant[1]))
    day.expect("✓")
    day.expect("The mistake was: ")
    day.expect("needs no rating")
    day.expect("Enter next")
    day.press("\r")
    assert day.ended() == 0
    assert "If you like" not in day.text.rpartition("Enter next")[2]
    after = ws("stats", "--json").json
    assert after.pop("repairs") == {"begun": 1, "passed": 1, "attempts": 2}
    assert after == {name: value for name, value in before.items() if name != "repairs"}
    assert ws("today", "--json").json["repair"] is None


@pytest.mark.usefixtures("passed_long_ago")
def test_should_end_the_day_where_the_repair_is_not_wanted(small, home):
    day = Terminal("today", cwd=small)
    day.expect("b repair rms-norm")
    day.press("\r")
    assert day.ended() == 0
    assert rows(home, "SELECT count(*) FROM sessions WHERE mode IS NOT NULL") == [(0,)]


@pytest.mark.usefixtures("passed_long_ago")
def test_should_skip_the_repair_of_the_day_and_undo_that_by_command(ws, small):
    day = Terminal("today", cwd=small)
    day.expect("b repair rms-norm")
    day.press("b")
    day.expect("waiting for a save")
    day.press("k")
    day.expect("The repair of rms-norm is skipped")
    assert day.ended() == 0
    assert ws("today", "--json").json["repair"] is None
    assert ws("undo").code == 0
    assert ws("today", "--json").json["repair"]["begun"]
