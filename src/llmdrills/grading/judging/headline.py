"""The first fact that a learner reads of an attempt that failed."""

from __future__ import annotations

from llmdrills.grading.judging.judgement import Judgement
from llmdrills.grading.judging.verdict import Outcome
from llmdrills.grading.judging.wording import describe, end_of_process, missing_entry
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.protocol.wire import Raised
from llmdrills.language import Bilingual

__all__ = ["headline"]


def headline(judgement: Judgement) -> Bilingual:
    """Why the file could not be run, or what is wrong with the case that is shown; empty where nothing was written."""
    attempt = judgement.attempt
    if attempt.loading is not None and not attempt.forbidden:
        return _not_loaded(judgement.spec, attempt.loading, judgement.outcome)
    fact = _fact(judgement)
    cell = judgement.spec.cell
    if cell is None or not cell.number or not fact.en:
        return fact
    return Bilingual(f"cell {cell.number}, {fact.en}", f"第 {cell.number} 个单元格，{fact.zh}")


def _fact(judgement: Judgement) -> Bilingual:
    """What is wrong with a file that was run."""
    attempt, shown = judgement.attempt, judgement.shown
    if judgement.uses:
        return describe(judgement.uses[0])
    if attempt.ended is not None:
        return end_of_process(attempt.ended, judgement.title(attempt.ended.case))
    if judgement.outcome == "unimplemented" or shown is None:
        return Bilingual("", "")
    fact, name = describe(shown.findings[0]), shown.expected.case
    return Bilingual(f"case {name}: {fact.en}", f"用例“{judgement.title(name)}”：{fact.zh}")


def _not_loaded(spec: AttemptSpec, raised: Raised, outcome: Outcome) -> Bilingual:
    if outcome == "unimplemented":
        return Bilingual("", "")
    place = f"{raised.file}:{raised.line}: " if raised.line else ""
    if raised.operation == "define":
        fact = missing_entry(spec.kata.entry, raised.operands)
        return Bilingual(f"{spec.file}: {fact.en}", f"{spec.file}：{fact.zh}")
    first = raised.message.strip().split("\n")[0]  # more lines could pass for the report's own
    text = f"{raised.type}: {first}"
    if spec.cell is not None and raised.line and raised.file == spec.file:
        return Bilingual(f"{spec.file}, line {raised.line}: {text}", f"{spec.file}，第 {raised.line} 行：{text}")
    return Bilingual(f"{place}{text}", f"{place}{text}")
