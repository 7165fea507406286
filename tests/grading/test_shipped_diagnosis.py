"""Every wrong kernel of the shipped katas, graded as an attempt, is diagnosed as itself, on a seed that `check` does
not use."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdrills.content.load import kata_folders
from llmdrills.content.model import Kata
from llmdrills.grading.judging.judge import judge
from llmdrills.grading.judging.report import why_text
from llmdrills.grading.judging.telling import feedback
from llmdrills.grading.judging.verdict import Verdict
from llmdrills.grading.kernels.expectations import prepare
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.protocol.answer import Attempt, Expected
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from tests.helpers.english_left import english_left

ROOT = Path(__file__).parents[2]
KATAS = sorted(folder.name for folder in kata_folders(ROOT))
FAMILIES = {
    ("scaled-dot-product-attention", "standard"): 20,
    ("rope-pairing", "interleaved"): 20,
    ("rope-pairing", "half-split"): 20,
    ("sampling-parameters", "standard"): 20,
}


_OUTCOMES = {"wrong", "crashed", "over-budget", "fault", "race", "does-not-compile"}
_RAISED = re.compile(r"\w+Error: [^（，。；：]*")
"""What an exception says is Python's or torch's."""
_TEXT = re.compile(r"'[^']*'")
"""A text that a kata of tokens was given, or answered."""


@pytest.mark.slow
@pytest.mark.parametrize("name", KATAS)
def test_should_diagnose_each_slip_as_itself(name: str, shipped_kata: Callable[[str], Kata], tmp_path: Path) -> None:
    kata = shipped_kata(name)
    loaded = load(kata)
    for variant in kata.variants:
        kernels = loaded.variant(variant.id)
        assert len(kernels.wrong) >= FAMILIES.get((name, variant.id), 5)
        _, expectations = prepare(loaded, variant.id, 1013, tmp_path)
        expected = list(expectations)
        spec = AttemptSpec(
            kata=kata, variant=variant.id, source=b"", file="attempt.py", device="cpu", seed=1013, language="zh"
        )

        @functools.cache
        def expected_again(seed: int, variant: str = variant.id) -> list[Expected]:
            return list(prepare(loaded, variant, seed, tmp_path)[1])

        declared = {wrong.id: wrong.same_as for wrong in kernels.wrong}
        for wrong in kernels.wrong:
            answers = tuple(due.slips[wrong.id] for due in expected)
            verdict = judge(spec, expected, Attempt(None, answers))
            if verdict.report["undecided"]:  # two fit: as a grade does, look at the named cases under another seed
                others = expected_again(1014)
                extra = [(others, Attempt(None, tuple(due.slips[wrong.id] for due in others)))]
                verdict = judge(spec, expected, Attempt(None, answers), extra=extra)
            assert verdict.outcome in _OUTCOMES, wrong.id
            assert verdict.diagnosis is not None, wrong.id
            assert verdict.diagnosis.id in {wrong.id, declared[wrong.id]}
            assert verdict.diagnosis.explains == verdict.diagnosis.failing
            assert verdict.diagnosis.message == feedback(kata, variant.id, wrong.id).zh
            told = " ".join(line.strip() for line in f"{verdict.message}\n{_prose(verdict)}".splitlines())
            assert english_left(_TEXT.sub("", _RAISED.sub("", told))) == [], wrong.id


def _prose(verdict: Verdict) -> str:
    """The rest of the report, without the snippet and what the attempt itself said: they are Python, and no prose."""
    text = why_text(verdict, "zh")
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))
