"""What a report shows of an attempt besides the verdict itself: gathered as plain data, rendered elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from llmdrills.content.casetexts import CaseText
from llmdrills.grading.engines.triton.report import Cost
from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.compare import returned_again
from llmdrills.grading.judging.costs import cost_of
from llmdrills.grading.judging.judgement import GradedCase, Judgement
from llmdrills.grading.judging.operands import disagreement, given
from llmdrills.grading.judging.snippet import snippet
from llmdrills.grading.judging.telling import feedback
from llmdrills.grading.judging.verdict import CaseCounts, CaseTraffic, LoadFailure, Outcome, Report, ShownCase, Where
from llmdrills.grading.judging.wording import ENDED, NEXT_STEPS, NOT_LOADED, describe
from llmdrills.grading.protocol.answer import Answer, Attempt, Counts, Expected
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.protocol.wire import Raised
from llmdrills.language import Bilingual, Language

__all__ = ["first_place", "gather", "where"]

MOST_OPERANDS = 8
MOST_LETTERS = 120


def gather(judgement: Judgement) -> Report:
    """The verdict's report."""
    spec, attempt, graded = judgement.spec, judgement.attempt, judgement.graded
    explanation = judgement.explanation
    ran = [(item.expected, item.answer) for item in graded if item.answer is not None]
    recognised = explanation.recognition if explanation else None
    return Report(
        passing=[item.expected.case for item in graded if item.outcome == "passed"],
        failing=[item.expected.case for item in graded if item.outcome != "passed"],
        titles={name: title for name in judgement.told if (title := judgement.title(name)) != name},
        smallest=None if judgement.shown is None else _shown(spec, judgement.shown, attempt, judgement.told),
        forbidden=[use.to_json() for use in judgement.uses],
        undecided=list(explanation.undecided) if explanation else [],
        also=[feedback(spec.kata, spec.variant, one)[spec.language] for one in explanation.undecided]
        if explanation
        else [],
        recognised=recognised.id if recognised else None,
        seconds={
            "attempt": sum(answer.seconds for _, answer in ran),
            "reference": sum(due.seconds for due, _ in ran),
        },
        counts=[_counts(due, answer.counts) for due, answer in ran if answer.counts is not None],
        traffic=[_traffic(due, answer) for due, answer in ran if answer.watched is not None and not due.drawn],
        output=attempt.output,
        output_cut=attempt.output_cut,
        raised=None if attempt.loading is None else _load_failure(attempt.loading),
        ended=None if attempt.ended is None else {**dataclasses.asdict(attempt.ended), "output": attempt.last_output},
        draws=sum(item.expected.drawn for item in graded),
        passes=judgement.passes,
        next=_next_step(attempt, judgement.outcome)[spec.language].format(kata=spec.kata.id),
    )


def _next_step(attempt: Attempt, outcome: Outcome) -> Bilingual:
    if outcome == "crashed" and attempt.loading is not None:
        return NOT_LOADED
    if outcome == "timeout" and attempt.ended is None:
        return NEXT_STEPS["crashed"]  # the finding says what to look for
    if outcome == "crashed" and attempt.ended is not None:
        return ENDED
    return NEXT_STEPS[outcome]


def _shown(spec: AttemptSpec, item: GradedCase, attempt: Attempt, told: Mapping[str, CaseText]) -> ShownCase:
    due, raised = item.expected, item.raised
    return {
        "case": due.case,
        "why": told[due.case].why[spec.language] if due.case in told else due.why,
        "inputs": list(due.call.inputs),
        "findings": [{**finding.to_json(), "text": describe(finding)[spec.language]} for finding in item.findings],
        "snippet": snippet(spec, due, item.findings),
        "traceback": raised.traceback if raised is not None else "",
        "output": item.output if attempt.outputs else attempt.output,
    }


def _counts(due: Expected, spent: Counts) -> CaseCounts:
    return {
        "case": due.case,
        "flops": spent.flops,
        "largest_tensor": spent.largest_tensor,
        "largest_shape": list(spent.largest_shape),
        "largest_operator": spent.largest_operator,
        "largest_line": spent.largest_line,
        "costliest_operator": spent.costliest_operator,
        "costliest_line": spent.costliest_line,
        "alive": spent.alive,
        "alive_line": spent.alive_line,
        "budget": {budget.what: [budget.limit, budget.reference] for budget in due.budgets},
    }


def _traffic(due: Expected, answer: Answer) -> CaseTraffic:
    cost = Cost() if answer.watched is None else answer.watched.cost
    return {
        "case": due.case,
        "loaded": cost.loaded,
        "stored": cost.stored,
        "moved": cost_of(answer, "bytes") or 0,
        "least": due.least,
        "launches": cost.launches,
        "programs": cost.programs,
        "largest_tile": cost.largest_tile,
        "dot_flops": cost.dot_flops,
        "atomics": cost.atomics,
        "budget": {budget.what: [budget.limit, budget.reference] for budget in due.budgets},
    }


def _load_failure(raised: Raised) -> LoadFailure:
    return {
        "type": raised.type,
        "message": raised.message,
        "file": raised.file,
        "line": raised.line,
        "traceback": raised.traceback,
    }


# The place where it certainly goes wrong


def first_place(graded: Sequence[GradedCase], shown: GradedCase | None, language: Language) -> Where | None:
    """A crash, a caller's tensor that was written, an answer that depends on earlier calls, or a gradient that never
    arrives: the shown case's, else the first of another case, in that order of kinds."""
    found = None if shown is None else _where(shown, language)
    if found is None:
        places = [place for item in graded if (place := _where(item, language)) is not None]
        order = ("kernel", "crash", "input-changed", "earlier-calls", "no-gradient")
        found = min(places, key=lambda place: order.index(place.kind), default=None)
    return found


def where(judgement: Judgement) -> Where | None:
    """Its place, or else where half precision begins, with the lines in which it happens where they are known."""
    language, sought, found = judgement.spec.language, judgement.sought, judgement.place
    if found is not None and found.kind == "kernel" and found.line:
        return dataclasses.replace(found, expression=_line(judgement.spec.text, found.line))
    if sought is None or not sought.lines or 0 in sought.lines:
        return found
    if found is None and sought.kind == "half-precision":
        found = Where(sought.kind, sought.case, _HALF[language])
    if found is None or (found.case, found.kind) != (sought.case, sought.kind):
        return found
    return dataclasses.replace(
        found,
        message=_in_lines(found.message, sought.lines)[language],
        line=sought.lines[0],
        expression=_line(judgement.spec.text, sought.lines[0]) if len(sought.lines) == 1 else "",
    )


_HALF = Bilingual("numbers are calculated in half precision for the first time", "计算首次以半精度进行")


def _in_lines(message: str, lines: tuple[int, ...]) -> Bilingual:
    """What happens, with the lines in which it does."""
    *others, last = map(str, lines)
    if not others:
        return Bilingual(f"{message}, in line {last}", f"{message}，在第 {last} 行")
    return Bilingual(
        f"{message}, in lines {', '.join(others)} and {last}", f"{message}，在第 {'、'.join((*others, last))} 行"
    )


def _line(text: str, number: int) -> str:
    """The text of that line, as far as it can be shown between backticks."""
    lines = text.splitlines()
    found = lines[number - 1].strip()[:MOST_LETTERS] if number <= len(lines) else ""
    return "" if "`" in found else found


def _where(item: GradedCase, language: Language) -> Where | None:
    name, raised = item.expected.case, item.raised
    for finding in item.findings:
        if isinstance(finding, f.OfKernel):
            return Where("kernel", name, describe(finding)[language], line=finding.line)
        if isinstance(finding, (f.Raises, f.RaisesOther)) and raised is not None:
            raised = _short(raised)
            return Where(
                kind="crash",
                case=name,
                message=_crash(raised)[language],
                line=raised.line,
                operation=raised.operation,
                operands=raised.operands,
                expression=raised.expression,
            )
        if isinstance(finding, f.InputChanged):
            return Where("input-changed", name, describe(finding)[language])
        if isinstance(finding, f.EarlierResultChanged):
            return Where("earlier-calls", name, describe(finding)[language])
        if isinstance(finding, f.NoGradient):
            return Where("no-gradient", name, describe(finding)[language])
    call = 0 if item.answer is None or not item.findings else returned_again(item.expected, item.answer)
    return Where("earlier-calls", name, _KEPT[language].format(call=call, before=call - 1)) if call else None


_KEPT = Bilingual(
    "call {call} of several in a row returns the result of call {before}: something is kept between calls",
    "连续几次调用中，第 {call} 次返回的是第 {before} 次的结果：函数在两次调用之间保留了什么",
)


def _short(raised: Raised) -> Raised:
    """The same with texts of a bearable length: they are the attempt's own word."""
    operands = tuple(operand[:MOST_LETTERS] for operand in raised.operands[:MOST_OPERANDS])
    return dataclasses.replace(
        raised,
        operation=raised.operation[:MOST_LETTERS],
        operands=operands,
        expression=raised.expression[:MOST_LETTERS],
    )


def _crash(raised: Raised) -> Bilingual:
    """The failing expression, what it was given, and what in that disagrees."""
    parts = Bilingual("", "")
    if raised.expression:
        parts = Bilingual(f"`{raised.expression}`", f"`{raised.expression}`")
    if raised.operands:
        what = given(raised.operation, raised.operands)
        if " @ " not in what:
            what = f"{raised.operation}({what})"
        parts = _joined(parts, Bilingual(what, what.replace(", not contiguous", "，不连续")))
    wrong = disagreement(raised.operation, raised.operands)
    return parts if wrong is None else _joined(parts, wrong)


def _joined(one: Bilingual, other: Bilingual) -> Bilingual:
    return Bilingual(f"{one.en}: {other.en}", f"{one.zh}：{other.zh}") if one.en else other
