"""What a verdict looks like: a symbol and a word, the judge's message, and what --parity found."""

from __future__ import annotations

from llmdrills.cli.verdict_view import OUTCOMES, verdict_text
from llmdrills.grading.judging.verdict import CaseResult, Verdict


def verdict(outcome="passed", **report) -> Verdict:
    cases = (CaseResult("base", outcome), CaseResult("other", "passed"))
    return Verdict("rms-norm", "cast-first", "cuda", 7, outcome, cases, message="the message\n", report=report)


def test_should_say_the_outcome_by_symbol_and_word_in_both_languages():
    assert verdict_text(verdict(), "en", colour=False).startswith("✓ rms-norm (cast-first): passed 2/2\n")
    for outcome, words in OUTCOMES.items():
        assert words.zh in verdict_text(verdict(outcome), "zh", colour=False)
        assert "\x1b" not in verdict_text(verdict(outcome), "en", colour=False)
        assert "\x1b" in verdict_text(verdict(outcome), "en", colour=True)


def test_should_say_whether_the_device_agrees_with_the_cpu():
    agree = {"cpu": "passed", "device": "passed", "agree": True, "differ": []}
    assert "CPU and cuda agree: passed" in verdict_text(verdict(parity=agree), "en", colour=False)
    differ = {"cpu": "passed", "device": "wrong", "agree": False, "differ": ["base"]}
    shown = verdict_text(verdict("wrong", parity=differ), "en", colour=False)
    assert "CPU: passed; cuda: wrong. These cases differ: base" in shown
