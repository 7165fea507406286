"""A failure's snippet runs where the model that the case made is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.content.starter import solution_text
from llmdrills.grading.client import grade_once


@pytest.mark.slow
def test_should_make_the_model_again_when_the_snippet_is_pasted(root: Path, tmp_path: Path):
    kata = next(kata for kata in load_katas(root) if kata.id == "generate-text")
    attempt = tmp_path / "mine.py"
    solved = solution_text(kata, kata.variants[0])
    assert "do_sample=True" in solved
    attempt.write_text(solved.replace("do_sample=True", "do_sample=False"), "utf-8")
    verdict = grade_once(kata, "standard", attempt, seed=3)
    assert verdict.outcome == "wrong"
    pasted = verdict.report["smallest"]["snippet"]
    ran = subprocess.run([sys.executable, "-c", pasted], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().splitlines()[-1] == "a"  # what the attempt gave: greedy waits for ever
