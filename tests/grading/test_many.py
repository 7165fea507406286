"""One grader for hundreds of files that answer, lie, hang, print and allocate: it neither stalls nor mixes them up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from llmdrills.content.catalogue import with_slips
from llmdrills.content.starter import solution_text
from llmdrills.grading.client import Grader, Limits
from tests.helpers.small_kata import REFERENCE, make_kata

pytestmark = pytest.mark.slow
QUICK = Limits(load=3.0, call=3.0, total=12.0, memory=1 << 28)
RIGHT = f"{REFERENCE}\ncentre = centre_rows\n"
CALL = "\n\ndef centre(x, scale=1.0):\n    {}\n    return centre_rows(x, scale)\n"
KINDS = {
    "right": ("passed", RIGHT, 80),
    "no mean": ("wrong", REFERENCE + CALL.format("if x.dim() == 2: return x * scale"), 60),
    "nothing": ("wrong", "def centre(x, scale=1.0):\n    return None\n", 20),
    "floods while loading": ("passed", f"print('x' * 3_000_000)\n{RIGHT}", 20),
    "floods in each call": ("passed", REFERENCE + CALL.format("print('x' * 1_000_000)"), 20),
    "floods and is wrong": ("wrong", REFERENCE + CALL.format("print('x' * 300_000); return [x]"), 20),
    "a million numbers": ("wrong", REFERENCE + CALL.format("return x.new_zeros(900_000)"), 20),
    "too many numbers": ("memory", REFERENCE + CALL.format("return x.new_zeros(12_000_000)"), 10),
    "too much memory": ("memory", REFERENCE + CALL.format("return x.new_zeros(100_000, 100_000)"), 20),
    "does not load": ("crashed", "def (:\n", 20),
    "never ends": ("timeout", "while True:\n    pass\n", 4),
    "never answers": ("timeout", REFERENCE + CALL.format("while True: print('x' * 10_000)"), 4),
}


@pytest.mark.timeout(600)
def test_should_grade_hundreds_of_files_of_every_kind_with_one_grader(tmp_path: Path):
    kata = with_slips(make_kata(tmp_path))
    files = [(kind, at) for kind, (_, _, count) in KINDS.items() for at in range(count)]
    assert len(files) == 298
    random.Random(14).shuffle(files)
    wrong = []
    with Grader() as grader:
        for kind, at in files:
            due, text, _ = KINDS[kind]
            verdict = grader.grade(kata, "rows", f"{text}\n# {at}\n", limits=QUICK)
            if verdict.outcome != due or (kind == "no mean") != (verdict.diagnosis is not None):
                wrong.append((kind, at, verdict.outcome, verdict.diagnosis, verdict.message[:200]))
    assert wrong == []


@pytest.mark.timeout(300)
def test_should_go_on_with_a_kata_whose_infinite_scores_once_filled_the_oracles_pipe(shipped_kata):
    """Fifteen wrong files were enough: numpy warned of each difference of two infinities."""
    kata = with_slips(shipped_kata("logits-processors"))
    variant = next(one for one in kata.variants if one.id == "temperature-last")
    right = solution_text(kata, variant)
    with Grader() as grader:
        for at in range(25):
            wrong = right.replace(f"def {kata.entry}(", f"def right_{at}(", 1)
            wrong += f"\n\ndef {kata.entry}(*args, **kwargs):\n    return right_{at}(*args, **kwargs) - 1.0\n"
            assert grader.grade(kata, variant.id, wrong).outcome == "wrong"
