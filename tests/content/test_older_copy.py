"""A kata as the last release's `llmdrills init` copied it out: plain contract lines and @misconception still load."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from llmdrills.content.derive import bug_id
from llmdrills.content.load import load_katas
from llmdrills.grading import Grader

COPY = Path(__file__).parents[1] / "fixtures" / "older-copy"
CARDS = [
    "bug-rms-norm-mean-centred-cast-first",
    "bug-rms-norm-variance-cast-first",
    "bug-rms-norm-eps-outside-root-cast-first",
    "bug-rms-norm-half-accumulation-cast-first",
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(COPY, tmp_path / "copy")
    return tmp_path / "copy"


def test_should_load_an_older_copy_with_a_notice_for_each_old_form(copy: Path):
    (kata,) = load_katas(copy)
    assert [notice.partition(": ")[2].partition(":")[0] for notice in kata.notices] == [
        "plain contract lines",
        "@misconception is the old form",
    ]
    assert [bug_id(kata.id, slip) for slip in kata.slips if slip.card] == CARDS


def test_should_leave_an_older_copys_contract_as_it_is_written(copy: Path):
    (kata,) = load_katas(copy)
    assert [len(variant.clauses) for variant in kata.variants] == [6, 6]
    assert not any(clause.generated for variant in kata.variants for clause in variant.clauses)


def test_should_grade_and_diagnose_by_an_older_copy(copy: Path):
    (kata,) = load_katas(copy)
    wrong = next(slip for slip in kata.slips if slip.id == "no-root")
    with Grader() as grader:
        verdict = grader.grade(
            kata, "cast-first", "import torch\n\n\n" + wrong.source.replace("def no_root", "def rms_norm")
        )
    assert verdict.outcome == "wrong"
    assert verdict.to_json()["diagnosis"]["id"] == "no-root"


def test_should_prove_an_older_copy(copy: Path):
    from llmdrills.grading.proving.kata_proof import check_kata

    (kata,) = load_katas(copy)
    assert [str(problem) for problem in check_kata(kata, 0).problems] == []
