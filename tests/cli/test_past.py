"""`llmdrills history show`: past attempts, their verdicts and their code."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from llmdrills.content.catalogue import load_catalogue, with_slips
from llmdrills.practice.history import History
from llmdrills.practice.past import code_of, repetitions
from tests.helpers.kata_learner import KataLearner, make_kata, verdict

KATA = "rms-norm"


@pytest.fixture
def learner(home: Path) -> KataLearner:
    with History.open(home / "data" / "history.sqlite3") as history:
        yield KataLearner(history, home / "practice")


@pytest.fixture
def slip(root: Path, home: Path):
    kata = next(kata for kata in load_catalogue(root, home / "cache") if kata.id == KATA)
    return with_slips(kata).slips[0]


@pytest.fixture
def two_days(learner: KataLearner, slip) -> KataLearner:
    kata = make_kata(KATA, variants=("cast-first",))
    first = learner.on(0).begin(kata)
    first.hint(1, learner.tick())
    first.attempt("first = 1\n", verdict("wrong", slip.id), learner.tick())
    first.attempt("second = 2\n", verdict("passed"), learner.tick())
    first.rate(now=learner.tick())
    second = learner.on(3).begin(kata)
    second.attempt(b"third = 3  # \xff\n", verdict("wrong"), learner.tick())
    other = learner.on(4).begin(make_kata("rope-pairing", variants=("interleaved",)))
    other.skip(now=learner.tick())
    return learner


def test_should_show_each_attempt_with_its_verdict_and_the_last_code(run, two_days, slip):
    text = run("history", "show", KATA).out
    assert "2026-03-02  rms-norm (cast-first) · 2 attempts · 1 hint · Hard" in text
    assert f"#1  18:02  ✗ wrong 0/1 → {slip.feedback.en}" in text
    assert "#2  18:03  ✓ passed 1/1" in text
    assert "2026-03-05  rms-norm (cast-first) · 1 attempt · not rated" in text
    assert "third = 3" in text
    assert "first = 1" not in text
    assert "rope-pairing" not in text


def test_should_show_all_katas_a_line_each_newest_first(run, two_days):
    lines = run("history", "show").out.splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["rope-pairing", KATA, KATA]
    assert lines[0].endswith("skipped")
    assert len(run("history", "show", "--limit", 1).out.splitlines()) == 2


def test_should_print_the_code_of_one_attempt_alone(two_days, home, run):
    assert run("history", "show", KATA, "--code", 2).out == "second = 2\n"
    assert code_of(two_days.history, KATA, 3) == b"third = 3  # \xff\n"
    ran = run("history", "show", KATA, "--code", 9)
    assert ran.code == 2
    assert "no attempt 9" in ran.err
    assert run("history", "show", "--code", 1).code == 2


def test_should_give_everything_in_json(run, two_days, slip):
    found = run("history", "show", KATA, "--json").json
    assert found["schema"] == 1
    newer, older = found["repetitions"]
    assert newer["attempts"][0]["number"] == 3
    assert "code_base64" in newer["attempts"][0]
    assert (older["rating"], older["earned"], older["hints"], older["day"]) == ("hard", "hard", 1, "2026-03-02")
    assert [one["code"] for one in older["attempts"]] == ["first = 1\n", "second = 2\n"]
    assert older["attempts"][0]["diagnosis"] == slip.id


def test_should_leave_out_a_rating_and_a_skip_that_were_undone(run, two_days):
    run("undo")
    run("undo")
    newest, _, oldest = run("history", "show", "--json").json["repetitions"]
    assert newest["skipped"] is False
    assert oldest["rating"] is None


def test_should_speak_chinese(run, two_days, slip):
    text = run("history", "show", KATA, "--lang", "zh").out
    assert f"答案不对 0/1 → {slip.feedback.zh}" in text
    assert "困难" in text
    assert "attempt" not in text.split("third")[0]


def test_should_show_nothing_and_make_nothing_where_nothing_was_done(run, tmp_path):
    env = {"LLMDRILLS_HOME": str(tmp_path / "fresh")}
    ran = run("history", "show", KATA, env=env)
    assert (ran.code, ran.out) == (0, "Nothing yet: begin with `llmdrills today`.\n")
    assert not (tmp_path / "fresh" / "data").exists()
    ran = run("history", "show", "rms-nrm", env=env)
    assert ran.code == 2
    assert "did you mean rms-norm" in ran.err


def test_should_show_a_kata_that_the_workspace_no_longer_has(run, learner):
    learner.passes(make_kata("long-gone"))
    assert "long-gone (plain)" in run("history", "show", "long-gone").out


def test_should_show_what_is_left_of_a_damaged_row(learner, home):
    learner.passes(make_kata("rope"))
    path = home / "data" / "history.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER attempts_keep")
        connection.execute("DROP TRIGGER reviews_keep")
        connection.execute("UPDATE attempts SET cases = 'null', code = 'é', encoding = 'base64'")
        connection.execute("UPDATE reviews SET rating = 77")
    (one,) = repetitions(learner.history, "rope")
    assert one.rating is None
    assert one.attempts[0].cases == ()
    assert one.attempts[0].code == "é".encode()
