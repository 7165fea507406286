"""The verdict on one attempt: what is wrong with each answer, what that makes of the attempt, and why. No torch.

The command decides here, from plain values; the learner's process has no say in it. A verdict's `report` holds
everything that `llmdrills.grading.judging.report` renders:

- `smallest`: the failing case with the least input: name, why, inputs, findings, snippet
- `passing`, `failing`: names of cases
- `recognised`, `undecided`: how the diagnosis was found
- `seconds`: {"attempt", "reference"}, shown, never judged
- `counts`: per counted case, what the attempt and the reference cost
- `output`: what the attempt printed; `output_cut` when it was longer
- `raised`: where the file failed to load
- `next`: the next step, in the learner's language
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llmdrills.content.model import Kata
from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.diagnosis import Explanation, Judged, diagnose
from llmdrills.grading.judging.report import report_text
from llmdrills.grading.judging.snippet import snippet
from llmdrills.grading.judging.verdict import CaseResult, Diagnosis, Outcome, Verdict
from llmdrills.grading.judging.wording import FORBIDDEN_WHY, NEXT_STEPS, describe
from llmdrills.grading.protocol.answer import Answer, Attempt, Counts, Expected, outcome_of
from llmdrills.grading.protocol.printable import printable, printable_tree
from llmdrills.grading.protocol.wire import Raised
from llmdrills.grading.rules.forbidden import ForbiddenUse, scan
from llmdrills.language import Bilingual, Language

__all__ = ["feedback", "judge"]


_SILENT = Bilingual("", "")


@dataclass(frozen=True)
class _Graded:
    """One case, with its outcome. `answer` is None when the attempt never came to it."""

    expected: Expected
    answer: Answer | None
    outcome: Outcome
    findings: tuple[f.Finding, ...]
    note: Bilingual = _SILENT


def judge(
    kata: Kata,
    variant: str,
    expected: Sequence[Expected],
    attempt: Attempt,
    *,
    seed: int,
    source: str = "",
    file: str = "attempt.py",
    device: str = "cpu",
    language: Language = "en",
    extra: Iterable[tuple[Sequence[Expected], Attempt]] = (),
    explained: Callable[[], Sequence[Expected]] | None = None,
) -> Verdict:
    """Judge what came back. `expected` are the oracle's, in the order of the questions. `explained` gives them again
    with the wrong kernels' answers, and is called only where the attempt failed; without it they are in `expected`.

    `source` is the attempt's text, read for forbidden calls, and `file` its path, for the snippet. `extra` are runs
    of the same attempt on other seeds: give one when `report["undecided"]` is not empty, and judge again.
    """
    graded = [_one(kata, attempt, index, due, device) for index, due in enumerate(expected)]
    uses = _forbidden(kata, attempt, source)
    outcome = _outcome(graded, attempt, bool(uses))
    failed = outcome in {"wrong", "crashed", "over-budget"}
    if failed and explained is not None:
        graded = [dataclasses.replace(item, expected=due) for item, due in zip(graded, explained(), strict=True)]
    explanation = _explain(graded, extra, device) if failed else None
    report = _report(kata, variant, graded, attempt, explanation, uses, seed, file, device, outcome, language)
    diagnosis = None if explanation is None else _diagnosis(kata, variant, explanation, language)
    verdict = Verdict(
        kata.id, variant, device, seed, outcome, tuple(_case(item, language) for item in graded), diagnosis, "", report
    )
    return _fit_to_show(_with_message(verdict, _first_words(kata, graded, attempt, uses, outcome), language))


def feedback(kata: Kata, variant: str, misconception: str) -> Bilingual:
    """What to say to whoever made this slip; empty when the kata has none of that id."""
    for slip in kata.slips:
        if slip.id == misconception and slip.belongs_to(variant):
            return slip.feedback
    other = kata.variant(misconception.removeprefix("variant-"))
    return other.mistaken if other is not None and other.mistaken is not None else Bilingual("", "")


# Outcomes


def _one(kata: Kata, attempt: Attempt, index: int, due: Expected, device: str) -> _Graded:
    if index < len(attempt.answers):
        return _answered(kata, due, attempt.answers[index], device)
    return _unanswered(due, attempt)


def _answered(kata: Kata, due: Expected, answer: Answer, device: str) -> _Graded:
    findings = tuple(compare(due, answer, device))
    if answer.forbidden:
        return _Graded(due, answer, "forbidden", tuple(_rule(kata, use) for use in answer.forbidden) + findings)
    if not findings:
        return _Graded(due, answer, "passed", ())
    outcome: Outcome = "wrong"
    if isinstance(answer.value, Raised):
        outcome = outcome_of(answer.value)
        if due.raises and outcome == "crashed":
            outcome = "wrong"  # an exception is due here: another one is a wrong answer
    elif all(isinstance(finding, f.OverBudget) for finding in findings):
        outcome = "over-budget"
    elif any(isinstance(finding, f.NotCounted) for finding in findings):
        outcome = "forbidden"
    return _Graded(due, answer, outcome, findings)


def _unanswered(due: Expected, attempt: Attempt) -> _Graded:
    if attempt.loading is not None:
        return _Graded(due, None, outcome_of(attempt.loading), (), Bilingual("the file does not load", "文件无法加载"))
    if attempt.ended is None:
        return _Graded(due, None, "error", (), Bilingual("no answer came", "没有收到答案"))
    reached = attempt.ended.case == due.case
    note = Bilingual(attempt.ended.detail, attempt.ended.detail) if reached else Bilingual("not reached", "没有执行到")
    return _Graded(due, None, attempt.ended.by, (), note)


def _outcome(graded: Sequence[_Graded], attempt: Attempt, forbidden: bool) -> Outcome:
    """One word for the whole: what stops the attempt comes before what is wrong with its answers."""
    outcomes = {item.outcome for item in graded}
    if attempt.loading is not None:
        return outcome_of(attempt.loading)
    if forbidden or "forbidden" in outcomes:
        return "forbidden"
    if attempt.ended is not None:
        return attempt.ended.by
    if "unimplemented" in outcomes and "passed" not in outcomes:
        return "unimplemented"
    for outcome in _WORST_FIRST:
        if outcome in outcomes:
            return outcome
    return "passed" if graded else "error"


_WORST_FIRST: tuple[Outcome, ...] = ("error", "memory", "wrong", "crashed", "unimplemented", "over-budget")


def _forbidden(kata: Kata, attempt: Attempt, source: str) -> list[ForbiddenUse]:
    """What was read in the text and what was seen at run time, once for each call and line."""
    counted = bool(kata.budgets)
    uses = [*scan(source, (rule.call for rule in kata.forbidden), counted=counted), *attempt.forbidden]
    uses += [use for answer in attempt.answers for use in answer.forbidden]
    return list({(use.call, use.line): use for use in reversed(uses)}.values())[::-1]


def _rule(kata: Kata, use: ForbiddenUse) -> f.Forbidden:
    why = next((rule.why for rule in kata.forbidden if rule.call == use.call), None)
    if why is None:
        why = FORBIDDEN_WHY.get(use.how)
    return f.Forbidden("", use.call, use.line, why.en if why else "", why.zh if why else "")


# Diagnosis


def _explain(
    graded: Sequence[_Graded], extra: Iterable[tuple[Sequence[Expected], Attempt]], device: str
) -> Explanation | None:
    cases = [Judged(item.expected, item.answer, item.findings) for item in graded if item.answer is not None]
    more = [
        [
            Judged(due, answer, tuple(compare(due, answer, device)))
            for due, answer in zip(dues, run.answers, strict=False)
        ]
        for dues, run in extra
    ]
    return diagnose(cases, more)


def _diagnosis(kata: Kata, variant: str, explanation: Explanation, language: Language) -> Diagnosis:
    said = explanation.recognition.text if explanation.recognition else feedback(kata, variant, explanation.id)
    if explanation.contradicts and explanation.explains == explanation.failing:
        said = Bilingual(
            f"This would explain every failing case, but not why others pass: {said.en}",
            f"这一条能解释所有失败的用例，但解释不了其他用例为什么通过：{said.zh}",
        )
    elif not explanation.whole:
        partial = Bilingual(
            "This explains {n} of the {m} failing cases: {said}", "{m} 个失败的用例中，这一条能解释 {n} 个：{said}"
        )
        said = Bilingual(
            partial.en.format(n=explanation.explains, m=explanation.failing, said=said.en),
            partial.zh.format(n=explanation.explains, m=explanation.failing, said=said.zh),
        )
    return Diagnosis(explanation.id, said[language], explanation.explains, explanation.failing)


# The report


def _report(
    kata: Kata,
    variant: str,
    graded: Sequence[_Graded],
    attempt: Attempt,
    explanation: Explanation | None,
    uses: Sequence[ForbiddenUse],
    seed: int,
    file: str,
    device: str,
    outcome: Outcome,
    language: Language,
) -> dict[str, Any]:
    smallest = _smallest(graded)
    ran = [item for item in graded if item.answer is not None]
    report: dict[str, Any] = {
        "passing": [item.expected.case for item in graded if item.outcome == "passed"],
        "failing": [item.expected.case for item in graded if item.outcome != "passed"],
        "smallest": None if smallest is None else _shown(kata, variant, smallest, seed, file, device, language),
        "forbidden": [_rule(kata, use).to_json() for use in uses],
        "undecided": list(explanation.undecided) if explanation else [],
        "recognised": explanation.recognition.id if explanation and explanation.recognition else None,
        "seconds": {
            "attempt": sum(item.answer.seconds for item in ran if item.answer is not None),
            "reference": sum(item.expected.seconds for item in ran),
        },
        "counts": [_counts(item.expected, item.answer.counts) for item in ran if item.answer and item.answer.counts],
        "output": attempt.output,
        "output_cut": attempt.output_cut,
        "raised": None if attempt.loading is None else _raised(attempt.loading),
        "ended": None if attempt.ended is None else dataclasses.asdict(attempt.ended),
        "next": NEXT_STEPS[outcome][language].format(kata=kata.id),
    }
    return report


def _smallest(graded: Sequence[_Graded]) -> _Graded | None:
    """The failing case that is easiest to look at: an author's before a derived one, then the one with the least
    input."""
    failing = [item for item in graded if item.findings]
    return min(
        failing,
        key=lambda item: (item.expected.derived, item.expected.call.size),
        default=None,
    )


def _shown(
    kata: Kata, variant: str, item: _Graded, seed: int, file: str, device: str, language: Language
) -> dict[str, Any]:
    due = item.expected
    raised = item.answer.value if item.answer is not None and isinstance(item.answer.value, Raised) else None
    return {
        "case": due.case,
        "why": due.why,
        "inputs": list(due.call.inputs),
        "findings": [{**finding.to_json(), "text": describe(finding)[language]} for finding in item.findings],
        "snippet": snippet(kata, variant, due, item.findings, seed, file, device),
        "traceback": raised.traceback if raised is not None else "",
    }


def _counts(due: Expected, spent: Counts) -> dict[str, Any]:
    return {
        "case": due.case,
        "flops": spent.flops,
        "largest_tensor": spent.largest_tensor,
        "largest_shape": list(spent.largest_shape),
        "largest_operator": spent.largest_operator,
        "largest_line": spent.largest_line,
        "dearest_operator": spent.dearest_operator,
        "dearest_line": spent.dearest_line,
        "budget": {budget.what: [budget.limit, budget.reference] for budget in due.budgets},
    }


def _raised(raised: Raised) -> dict[str, Any]:
    return {name: getattr(raised, name) for name in ("type", "message", "file", "line", "traceback")}


def _case(item: _Graded, language: Language) -> CaseResult:
    said = [describe(finding)[language] for finding in item.findings]
    message = said[0] if said else item.note[language]
    return CaseResult(item.expected.case, item.outcome, message, tuple(finding.to_json() for finding in item.findings))


def _first_words(
    kata: Kata, graded: Sequence[_Graded], attempt: Attempt, uses: Sequence[ForbiddenUse], outcome: Outcome
) -> Bilingual:
    """The one fact that a learner reads first."""
    if attempt.loading is not None:
        raised = attempt.loading
        place = f"{raised.file}:{raised.line}: " if raised.line else ""
        first = raised.message.strip().split("\n")[0]  # more lines could pass for the report's own
        said = f"{place}{raised.type}: {first}" if outcome != "unimplemented" else ""
        return Bilingual(said, said)
    if uses:
        return describe(_rule(kata, uses[0]))
    if attempt.ended is not None:
        case, detail = attempt.ended.case, attempt.ended.detail
        where = Bilingual(f" in case {case}", f"（用例 {case}）") if case else Bilingual("", "")
        return Bilingual(f"{detail}{where.en}", f"{detail}{where.zh}")
    smallest = _smallest(graded)
    if outcome == "unimplemented" or smallest is None or not smallest.findings:
        return Bilingual("", "")
    said_first, name = describe(smallest.findings[0]), smallest.expected.case
    return Bilingual(f"case {name}: {said_first.en}", f"用例 {name}：{said_first.zh}")


def _with_message(verdict: Verdict, first: Bilingual, language: Language) -> Verdict:
    return dataclasses.replace(verdict, message=report_text(verdict, first[language], language))


def _fit_to_show(verdict: Verdict) -> Verdict:
    """The verdict with what the attempt printed, raised and named made printable, wherever it stands."""
    return dataclasses.replace(
        verdict,
        cases=tuple(
            dataclasses.replace(case, message=printable(case.message), findings=printable_tree(case.findings))
            for case in verdict.cases
        ),
        message=printable(verdict.message),
        report=printable_tree(verdict.report),
    )
