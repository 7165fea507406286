"""A clean workspace is not linted again; whatever changes in it, or a problem, is looked at anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.errors import Problem
from llmdrills.grading.proving.clean import unless_clean

PROBLEM = Problem(Path("decks/a.yaml"), 1, 1, "wrong", "fix it")


class Look:
    """Finds what it is told to, and counts how often it was asked."""

    def __init__(self, *found: Problem) -> None:
        self.found = found
        self.times = 0

    def __call__(self) -> tuple[Problem, ...]:
        self.times += 1
        return self.found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "decks").mkdir()
    (tmp_path / "decks/a.yaml").write_text("deck: a\n", "utf-8")
    return tmp_path


def test_should_look_once_while_nothing_changes(root: Path) -> None:
    look = Look()
    assert [unless_clean(root, root / "cache", "lint", look) for _ in range(3)] == [(), (), ()]
    assert look.times == 1
    assert unless_clean(root, root / "cache", "cards", look) == ()  # another look at the same files
    assert look.times == 2


@pytest.mark.parametrize("name", ["decks/a.yaml", "decks/new.yaml", "drills/k/cases.py", "workspace.toml"])
def test_should_look_again_when_a_file_changes_and_when_it_goes(root: Path, name: str) -> None:
    look = Look()
    unless_clean(root, root / "cache", "lint", look)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed\n", "utf-8")
    unless_clean(root, root / "cache", "lint", look)
    path.unlink()
    unless_clean(root, root / "cache", "lint", look)
    assert look.times == 3


def test_should_tell_a_problem_each_time(root: Path) -> None:
    look = Look(PROBLEM)
    assert [unless_clean(root, root / "cache", "lint", look) for _ in range(2)] == [(PROBLEM,), (PROBLEM,)]
    assert look.times == 2


def test_should_look_each_time_without_a_cache_and_with_a_damaged_one(root: Path) -> None:
    look = Look()
    unless_clean(root, None, "lint", look)
    unless_clean(root, None, "lint", look)
    unless_clean(root, root / "cache", "lint", look)
    (memo,) = (root / "cache").rglob("*.json")
    memo.write_text("{", "utf-8")
    assert unless_clean(root, root / "cache", "lint", look) == ()
    assert look.times == 4


def test_should_only_cost_time_where_the_cache_cannot_be_written(root: Path) -> None:
    (root / "cache").write_text("a file", "utf-8")
    look = Look()
    assert [unless_clean(root, root / "cache", "lint", look) for _ in range(2)] == [(), ()]
    assert look.times == 2
