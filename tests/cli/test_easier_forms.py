"""A variant that is weaker than another, at the command line: begun and graded by name, never planned, never rated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.histories import rows

KATA = "rms-norm"


@pytest.fixture
def workspace(small: Path) -> Path:
    """The kata rms-norm, its second variant declared an easier form of the first."""
    file = small / "drills" / KATA / "kata.yaml"
    text = file.read_text("utf-8")
    title = "  cast-last:\n"
    assert title in text
    file.write_text(text.replace(title, f"{title}    weaker_than: cast-first\n"), "utf-8")
    return small


def planned(run, workspace: Path) -> list[tuple[str, str]]:
    items = run("today", "--json", cwd=workspace).json["items"]
    return [(item["variant"], item["reason"]) for item in items]


def test_should_begin_and_grade_an_easier_form_by_name_and_say_that_it_is_not_rated(run, workspace, home):
    begun = run("start", KATA, "--variant", "cast-last", cwd=workspace)
    assert "cast-last is an easier form of cast-first" in begun.err
    file = Path(begun.out.strip())
    solution = run("solution", KATA, "--variant", "cast-last", cwd=workspace).out
    header = file.read_text("utf-8").splitlines()[0]
    file.write_text(f"{header}\n{solution}", "utf-8")
    graded = run("grade", KATA, cwd=workspace)  # the first line names the variant
    assert graded.code == 0, graded.out
    assert "not rated" in graded.err
    assert f"llmdrills start {KATA}" in graded.err
    assert rows(home, "SELECT variant, outcome FROM attempts") == [("cast-last", "passed")]
    assert planned(run, workspace) == [("cast-first", "new")]


def test_should_plan_the_stronger_form_while_an_easier_one_is_open(run, workspace):
    run("start", KATA, "--variant", "cast-last", cwd=workspace)
    assert planned(run, workspace) == [("cast-first", "new")]


def test_should_begin_the_stronger_form_where_no_variant_is_named(run, workspace, home):
    easier = run("start", KATA, "--variant", "cast-last", cwd=workspace)
    file = Path(easier.out.strip())
    file.write_text("half written\n", "utf-8")
    begun = run("start", KATA, cwd=workspace)
    assert "easier" not in begun.err
    assert "cast-first" in file.read_text("utf-8").splitlines()[0]
    assert rows(home, "SELECT code FROM archives") == [("half written\n",)]


def test_should_go_on_with_an_easier_form_when_it_is_named_again(run, workspace):
    run("start", KATA, "--variant", "cast-last", cwd=workspace)
    again = run("start", KATA, "--variant", "cast-last", cwd=workspace)
    assert "continues where you left it (cast-last)" in again.err


def test_should_say_so_in_chinese(run, workspace):
    begun = run("start", KATA, "--variant", "cast-last", "--lang", "zh", cwd=workspace)
    assert "不评级" in begun.err
