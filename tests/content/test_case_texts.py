"""`llmdrills check` fails where a case is not told in Chinese, or not as cases.py tells it now."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.content.lint import lint
from llmdrills.content.load import load_workspace
from llmdrills.content.scaffold import new_kata

FILE = Path("drills/trial/cases.zh.yaml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "decks").mkdir()
    new_kata(tmp_path, "trial")
    return tmp_path


def found(root: Path) -> list[str]:
    return [str(problem) for problem in lint(load_workspace(root)) if problem.rule == "case-in-chinese"]


def spoil(root: Path, old: str, new: str) -> None:
    text = (root / FILE).read_text("utf-8")
    assert text.count(old) == 1
    (root / FILE).write_text(text.replace(old, new), "utf-8")


def test_should_find_nothing_in_a_new_kata(root: Path) -> None:
    assert found(root) == []


def test_should_report_each_case_where_the_file_is_missing(root: Path) -> None:
    (root / FILE).unlink()
    assert [one.partition(": ")[2].partition(":")[0] for one in found(root)] == [
        f"cases.zh.yaml says nothing of the case `{name}`" for name in ("base", "gradient", "large")
    ]


def test_should_report_a_case_that_changed_at_its_line(root: Path) -> None:
    spoil(root, "en: the gradient must reach x", "en: the gradient reaches x")
    (one,) = found(root)
    assert one.startswith(f"{FILE}:9:1: the Chinese of the case `gradient` is stale")


def test_should_report_a_case_that_is_gone(root: Path) -> None:
    spoil(root, "large:", "larger:")
    said = " ".join(found(root))
    assert "cases.py has no case `larger`: did you mean `large`?" in said
    assert "says nothing of the case `large`" in said


def test_should_report_what_cannot_be_read_at_its_place(root: Path) -> None:
    spoil(root, "  title: 梯度\n", "")
    assert any(
        one.startswith(f"{FILE}:10:3: the texts of a case (cases.gradient) has no `title`") for one in found(root)
    )


def test_should_look_at_the_punctuation_of_these_texts_too(root: Path) -> None:
    spoil(root, "弄错轴，和", "弄错轴,和")
    assert [problem.rule for problem in lint(load_workspace(root))] == ["mixed-punctuation"]
