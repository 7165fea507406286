"""Which failing case a learner is shown, and which clauses of the contract fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from llmdrills.content.model import Clause
from llmdrills.grading.judging.compare import without_numbers
from llmdrills.grading.judging.inputs import has_empty_tensor
from llmdrills.grading.judging.judgement import GradedCase, Judgement
from llmdrills.grading.judging.verdict import FailingClause
from llmdrills.grading.protocol.answer import Expected

__all__ = ["choose_example", "failing_clauses"]


def choose_example(graded: Sequence[GradedCase]) -> GradedCase | None:
    """The failing case that shows most of what is wrong; None when no answer is wrong.

    It has the most frequent outcome (of two as frequent, the crash), and in it the most frequent kind of finding. A
    case with an empty tensor is taken only where all that fail have one. An author's case comes before a derived or
    drawn one, then the one with the least input.
    """
    failing = [item for item in graded if item.findings]
    full = [item for item in failing if not _is_empty(item.expected)] or failing
    outcomes = Counter(item.outcome for item in full)
    kinds = Counter((item.outcome, _kind(item)) for item in full)

    def rank(item: GradedCase) -> tuple[int, bool, int, bool, int]:
        often = -outcomes[item.outcome], item.outcome != "crashed", -kinds[item.outcome, _kind(item)]
        return *often, item.expected.derived or item.expected.drawn, item.expected.call.size

    return min(full, key=rank, default=None)


def _is_empty(expected: Expected) -> bool:
    return expected.call.empty or has_empty_tensor(expected.answer.value)


def _kind(item: GradedCase) -> str:
    """What two cases have in common that fail in the same way."""
    raised = item.raised
    return item.findings[0].kind if raised is None else f"{raised.type}: {without_numbers(raised.message)}"


def failing_clauses(judgement: Judgement) -> tuple[FailingClause, ...]:
    """The contract lines that failing cases grade, the most telling first.

    Authors write the plain cases first, and in each case the clause that it is about: so the first failing case's own
    clauses come first, in its order, but after them those of which half the cases pass or more. Then come the others,
    those whose every case fails first, in the contract's order.
    """
    cases: dict[str, list[bool]] = {}
    for item in judgement.graded:
        for clause in item.expected.clauses:
            cases.setdefault(clause, []).append(bool(item.findings))
    spec = judgement.spec
    first = next((item.expected.clauses for item in judgement.graded if item.findings and item.expected.clauses), ())
    variant = spec.kata.variant(spec.variant)
    lines = () if variant is None else variant.clauses

    def rank(line: Clause) -> tuple[bool, bool, int, bool]:
        own, failed = line.id in first, cases[line.id]
        return not own, 2 * sum(failed) <= len(failed), first.index(line.id) if own else 0, not all(failed)

    failing = sorted((line for line in lines if any(cases.get(line.id, ()))), key=rank)
    return tuple(FailingClause(line.id, line.text[spec.language]) for line in failing)
