"""`rate`, `skip`, `undo`, and what `start` and `grade` do with a pass that waits for its rating."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.content.catalogue import load_catalogue
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from tests.helpers.histories import rows
from tests.helpers.kata_learner import verdict

KATA = "rms-norm"
CODE = "# mine\n"


@pytest.fixture
def ws(run, small: Path):
    """`ws("rate", …)` in the small workspace."""

    def words(*given: object, **options: object):
        return run(*given, cwd=small, **options)

    return words


@pytest.fixture
def passed(ws, small: Path, home: Path) -> Path:
    """The kata begun and passed, without the seconds that grading takes; its file."""
    file = Path(ws("start", KATA).out.strip())
    file.write_text(CODE)
    attempt(small, home, "passed")
    return file


def attempt(small: Path, home: Path, outcome: str) -> None:
    kata = next(kata for kata in load_catalogue(small, home / "cache") if kata.id == KATA)
    with History.open(home / "data" / "history.sqlite3") as history:
        found = repetitions.resume(history, kata)
        assert found is not None
        found.attempt(CODE, {**verdict(outcome), "variant": found.variant})


def reviews(ws) -> int:
    return ws("stats", "--json").json["reviews"]


# ---- rate ----------------------------------------


def test_should_rate_what_was_earned_unless_told_otherwise(ws, passed, home):
    ran = ws("rate", KATA)
    assert ran.code == 0
    assert ran.out.startswith(f"{KATA}: Easy; due again on ")
    assert "llmdrills undo" in ran.err
    assert rows(home, "SELECT derived, rating, override FROM reviews") == [(4, 4, 0)]
    assert reviews(ws) == 1


def test_should_rate_lower_and_say_it_in_json(ws, passed, home):
    found = ws("rate", KATA, "hard", "--json").json
    assert found["schema"] == 1
    assert (found["kata"], found["earned"], found["rating"]) == (KATA, "easy", "hard")
    assert found["days"] >= 1
    assert rows(home, "SELECT id FROM reviews") == [(found["review"],)]


def test_should_refuse_a_rating_higher_than_earned(ws, passed, small, home):
    assert ws("hint", KATA).code == 0  # after the pass: it costs nothing
    ws("rate", KATA, "again")
    ws("undo")
    ws("skip", KATA)
    ws("start", KATA)
    ws("hint", KATA)
    attempt(small, home, "passed")
    for wanted in ("easy", "good"):
        ran = ws("rate", KATA, wanted)
        assert ran.code == 2
        assert "more than this repetition earned (Hard)" in ran.err
    ran = ws("rate", KATA, "good", "--lang", "zh")
    assert ran.code == 2
    assert "高于本次练习应得的评级（困难）" in ran.err
    assert ws("rate", KATA, "hard").code == 0


@pytest.mark.parametrize("rating", ["good", None])
def test_should_refuse_to_rate_what_is_neither_passed_nor_given_up(ws, rating, home):
    ran = ws("rate", KATA, *([rating] if rating else []))
    assert ran.code == 2
    assert "no repetition of rms-norm is open" in ran.err
    ws("start", KATA)
    ran = ws("rate", KATA, *([rating] if rating else []))
    assert ran.code == 2
    assert "not passed yet" in ran.err
    assert not rows(home, "SELECT * FROM reviews")


def test_should_rate_again_once_the_solution_was_looked_at_and_say_that_it_costs(ws, home):
    assert ws("solution", KATA).err == ""
    ws("start", KATA)
    assert "now counts as Again" in ws("solution", KATA).err
    assert ws("solution", KATA).err == ""  # once is enough
    assert ws("rate", KATA).out.startswith(f"{KATA}: Again; due again on ")


def test_should_say_what_a_hint_costs_while_it_does(ws, passed):
    assert ws("hint", KATA).err == ""
    ws("rate", KATA)
    assert ws("hint", KATA).err == ""
    ws("start", KATA)
    assert "rated Hard at most" in ws("hint", KATA).err


def test_should_name_the_ratings_for_a_misspelt_one(ws, passed):
    ran = ws("rate", KATA, "eazy")
    assert ran.code == 2
    assert "did you mean easy" in ran.err


def test_should_not_rate_twice(ws, passed):
    ws("rate", KATA)
    ran = ws("rate", KATA)
    assert ran.code == 2
    assert "llmdrills undo" in ran.err


# ---- undo ----------------------------------------


def test_should_open_the_repetition_again_with_its_file(ws, passed, home):
    ws("rate", KATA, "hard")
    assert reviews(ws) == 1
    passed.unlink()
    ran = ws("undo")
    assert ran.code == 0
    assert "Undone: the rating Hard of rms-norm" in ran.out
    assert str(passed) in ran.out
    assert f"`llmdrills rate {KATA} hard` takes this back" in ran.err
    assert reviews(ws) == 0
    assert passed.read_text() == CODE
    assert ws("rate", KATA).code == 0
    assert rows(home, "SELECT rating FROM reviews ORDER BY seq") == [(2,), (4,)]


def test_should_put_back_what_a_later_repetition_has_blanked(ws, passed, home):
    passed.write_text("# mine, and a thought after the pass\n")
    ws("rate", KATA)
    ws("start", KATA)
    passed.write_text("# another beginning\n")
    ran = ws("undo")
    assert ran.code == 0
    assert f"llmdrills history show {KATA}" in ran.err
    assert "# another beginning" in ws("history", "show", KATA).out
    assert passed.read_text() == "# mine, and a thought after the pass\n"
    assert "# another beginning\n" in [code for (code,) in rows(home, "SELECT code FROM archives")]
    assert ws("rate", KATA, "good").code == 0


def test_should_leave_alone_what_was_written_after_the_rating(ws, passed):
    ws("rate", KATA)
    passed.write_text("# polished\n")
    ws("undo")
    assert passed.read_text() == "# polished\n"


def test_should_not_undo_an_earlier_rating_under_a_pass_that_waits_for_its_own(ws, passed, small, home):
    ws("rate", KATA)
    ws("start", KATA)
    attempt(small, home, "passed")
    ran = ws("undo")
    assert ran.code == 2
    assert f"llmdrills rate {KATA}" in ran.err
    assert not rows(home, "SELECT * FROM undos")


def test_should_undo_one_after_the_other_and_say_when_there_is_nothing(ws, passed, home):
    ws("rate", KATA)
    ws("skip", KATA)
    found = ws("undo", "--json").json
    assert (found["undone"], found["kata"], found["rating"], found["file"]) == ("skip", KATA, None, None)
    found = ws("undo", "--json").json
    assert (found["undone"], found["rating"], found["file"]) == ("rating", "easy", str(passed))
    ran = ws("undo")
    assert (ran.code, ran.out) == (0, "There is no rating and no skip to undo.\n")


def test_should_find_nothing_to_undo_where_nothing_was_done(ws, home):
    assert ws("undo").code == 0
    assert not (home / "data").exists()


def test_should_speak_chinese(ws, passed):
    assert "到期" in ws("rate", KATA, "--lang", "zh").out
    assert "已撤销：rms-norm 的评级“简单”" in ws("undo", "--lang", "zh").out
    assert "今天跳过" in ws("skip", KATA, "--lang", "zh").out
    ran = ws("rate", KATA, "--lang", "zh")
    assert ran.code == 2
    assert "没有进行中的练习" in ran.err


# ---- skip ----------------------------------------


def planned(ws) -> list[str]:
    return [item["kata"] for item in ws("today", "--json").json["items"]]


def test_should_skip_a_kata_that_was_not_begun_and_take_it_back(ws, home):
    assert planned(ws) == [KATA]
    ran = ws("skip", KATA)
    assert ran.code == 0
    assert "skipped for today" in ran.out
    assert "llmdrills undo" in ran.err
    assert planned(ws) == []
    assert "already" in ws("skip", KATA).out
    assert len(rows(home, "SELECT * FROM skips")) == 1
    ran = ws("undo")
    assert "Undone: the skip of rms-norm" in ran.out
    assert planned(ws) == [KATA]
    assert ws("today", "--json").json["items"][0]["reason"] == "new"  # nothing was begun by it


def test_should_skip_what_was_begun_and_open_it_again(ws, home):
    file = Path(ws("start", KATA).out.strip())
    file.write_text("# half a thought\n")
    ws("skip", KATA)
    assert planned(ws) == []
    ws("undo")
    assert ws("today", "--json").json["items"][0]["reason"] == "unfinished"
    assert file.read_text() == "# half a thought\n"
    assert "continues where you left it" in ws("start", KATA).err


def test_should_name_the_pass_that_a_skip_leaves_unrated(ws, passed):
    assert "Its pass earned Easy" in ws("skip", KATA).err
    ws("undo")
    assert ws("rate", KATA).code == 0


# ---- start ----------------------------------------


@pytest.mark.parametrize("words", [("--again",), ("--variant", "cast-last")])
def test_should_not_drop_a_pass_that_is_not_rated_unless_told_to(ws, passed, home, words):
    ran = ws("start", KATA, *words)
    assert ran.code == 2
    assert "earned Easy" in ran.err
    assert f"llmdrills rate {KATA}" in ran.err
    assert "--discard" in ran.err
    assert passed.read_text() == CODE
    assert len(rows(home, "SELECT * FROM sessions")) == 1
    ran = ws("start", KATA, *words, "--discard")
    assert ran.code == 0
    assert "llmdrills undo" in ran.err
    assert "raise NotImplementedError" in passed.read_text()
    assert [item["reason"] for item in ws("today", "--json").json["items"]] == ["unfinished"]
    ws("undo")
    assert passed.read_text() == CODE
    assert ws("rate", KATA).code == 0


def test_should_say_at_start_that_a_pass_waits_for_its_rating(ws, passed):
    assert f"waits for its rating: `llmdrills rate {KATA}`" in ws("start", KATA).err
