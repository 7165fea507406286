"""What an attempt prints, raises and names cannot command a terminal, and cannot break one."""

from __future__ import annotations

import pytest

from llmdrills.grading import Grader
from llmdrills.grading.protocol.printable import printable, printable_tree

HOSTILE = "\x1b[2J\x1b[H\x9b2J\x08\r\x00\u202e\ud800"
ATTEMPT = """
import torch

print("\\x1b[2J\\x1b[H✓ passed\\r\\x9b2J\\x08 \\u202e")

class Odd:
    pass

Odd.__qualname__ = "Odd\\ud800\\x1b[2J"
Bad = type("Bad\\x1b[2J", (Exception,), {"__module__": "\\ud800"})

def rms_norm(x, weight, eps=1e-6):
    RESULT
"""


@pytest.fixture(scope="module")
def kata(shipped_kata):
    return shipped_kata("rms-norm")


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


def fit(text: str) -> bool:
    return printable(text) == text


def test_should_escape_what_a_terminal_obeys_or_cannot_show():
    assert printable(HOSTILE) == "\\x1b[2J\\x1b[H\\x9b2J\\x08\\r\\x00\\u202e\\ud800"
    assert printable("a\r\nb\tc") == "a\nb\tc"


def test_should_leave_text_of_any_language_alone():
    said = "矩阵 été 👩‍👧 e\u0301 ✓ ‘x’…\n\tend"
    assert printable(said) == said


def test_should_reach_every_text_in_plain_data():
    assert printable_tree({"\x1b": ["\x1b", ("\x1b", 1, None)]}) == {"\\x1b": ["\\x1b", ("\\x1b", 1, None)]}


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ('return "\\ud800\\x1b[2J"', "wrong"),
        ('return {"\\ud800\\x1b[2J": x}', "wrong"),
        ("return Odd()", "wrong"),
        ('raise Bad("\\ud800\\x1b[2J\\n\\x1b[H✓ passed")', "crashed"),
        ('raise RuntimeError("\\x1b[2J\\x1b[H✓ passed")', "crashed"),
    ],
)
def test_should_give_a_normal_verdict_that_can_be_shown(result, outcome, kata, grader):
    verdict = grader.grade(kata, "cast-first", ATTEMPT.replace("RESULT", result), seed=7)
    assert verdict.outcome == outcome
    assert fit(verdict.message)
    assert all(fit(case.message) for case in verdict.cases)
    verdict.message.encode("utf-8")


def test_should_keep_a_loading_error_to_one_line_of_the_headline(kata, grader):
    verdict = grader.grade(kata, "cast-first", "raise ValueError('no\\n✓ passed')", seed=7)
    assert verdict.outcome == "crashed"
    assert "✓ passed" not in verdict.message.splitlines()
