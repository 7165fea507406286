"""What a verdict looks like: a symbol and a word, the judge's message, and what --parity found."""

from __future__ import annotations

import pytest

from llmdrills.cli.verdict_view import BY_KEY, BY_OPTION, OUTCOMES, verdict_text
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


@pytest.mark.parametrize(("rest", "en"), [(BY_OPTION, "`--why --seed 7` shows"), (BY_KEY, "v shows")])
def test_should_say_how_to_see_the_rest_only_where_there_is_more(rest, en):
    failed = verdict("wrong", raised=None, smallest={"case": "base"})
    assert en in verdict_text(failed, "en", colour=False, rest=rest)
    assert "代码片段" in verdict_text(failed, "zh", colour=False, rest=rest)
    for other in (verdict(), verdict("unimplemented"), verdict("crashed", raised={"type": "SyntaxError"})):
        assert verdict_text(other, "en", colour=False, rest=rest) == verdict_text(other, "en", colour=False)
    stopped = verdict_text(verdict("timeout", raised=None, smallest=None), "en", colour=False, rest=rest)
    assert "snippet" not in stopped
    assert en in stopped
