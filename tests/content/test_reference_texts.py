"""A Chinese starter and solution have Chinese docstrings and comments, and run like the English ones."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from llmdrills.content.lint import lint
from llmdrills.content.load import load_katas, load_workspace
from llmdrills.content.referencetexts import prose_of, told_in
from llmdrills.content.repair import first_text
from llmdrills.content.scaffold import new_kata
from llmdrills.content.starter import solution_text, starter_text
from tests.helpers.english_left import english_left

ROOT = Path(__file__).parents[2]
KATAS = load_katas(ROOT)
FILE = Path("drills/trial/reference.zh.yaml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "decks").mkdir()
    new_kata(tmp_path, "trial")
    return tmp_path


def found(root: Path) -> list[str]:
    return [str(problem) for problem in lint(load_workspace(root)) if problem.rule == "reference-in-chinese"]


def without_docstrings(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            del node.body[0]
            node.body = node.body or [ast.Pass()]
    return ast.unparse(tree)


@pytest.mark.parametrize("kata", KATAS, ids=[kata.id for kata in KATAS])
def test_should_leave_no_english_in_what_a_chinese_learner_begins_with_and_ends_at(kata) -> None:
    for variant in kata.variants:
        texts = [
            starter_text(kata, variant, "zh"),
            first_text(kata, variant, "zh", 3),
            solution_text(kata, variant, "zh"),
        ]
        for text in texts:
            assert [said for said in prose_of(text) if english_left(said)] == []


@pytest.mark.parametrize("kata", KATAS, ids=[kata.id for kata in KATAS])
def test_should_change_nothing_but_docstrings_and_comments(kata) -> None:
    for variant in kata.variants:
        english, chinese = solution_text(kata, variant), solution_text(kata, variant, "zh")
        assert english != chinese
        assert without_docstrings(english) == without_docstrings(chinese)
        assert without_docstrings(first_text(kata, variant, "en", 3)).replace("is yours to write", "由你来写") == (
            without_docstrings(first_text(kata, variant, "zh", 3))
        )


def test_should_find_nothing_in_a_new_kata(root: Path) -> None:
    assert found(root) == []


def test_should_report_a_text_that_is_missing_and_one_that_is_gone(root: Path) -> None:
    text = (root / FILE).read_text("utf-8")
    (root / FILE).write_text(text.replace("Turn the last axis", "Turn some axis"), "utf-8")
    said = [one.partition(": ")[2] for one in found(root)]
    assert said[0].startswith("reference.zh.yaml lacks the text “Turn the last axis of x (..., N) into probabilities.”")
    assert said[1].startswith("reference.py does not say “Turn some axis of x (..., N) into probabilities.” any more")


def test_should_keep_code_that_looks_like_a_comment(root: Path) -> None:
    code = 'def f(x):\n    """One."""\n    return "# rounded once", x  # rounded once\n'
    folder = root / "drills/trial"
    entries = "texts:\n  - {en: rounded once, zh: 只舍入一次}\n  - {en: One., zh: 一。}\n"
    (folder / "reference.zh.yaml").write_text(entries, "utf-8")
    told = told_in("zh", code, folder / "reference.zh.yaml")
    assert told == 'def f(x):\n    """一。"""\n    return "# rounded once", x  # 只舍入一次\n'
