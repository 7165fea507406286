"""What an answer cost, against the limits of its case: what torch's operators took, or what Triton kernels moved."""

from __future__ import annotations

import dataclasses

from llmdrills.grading.judging.findings import Finding, NotCounted, OverBudget
from llmdrills.grading.protocol.answer import Answer, Counts, Expected

__all__ = ["HIDDEN", "TRAFFIC", "cost_alike", "cost_of", "over_budget"]


def cost_of(answer: Answer, what: str) -> int | None:
    """What an answer cost, by the name of a limit; None where nobody counted it."""
    if what not in TRAFFIC:
        return None if answer.counts is None else int(getattr(answer.counts, what))
    if answer.watched is None:
        return None
    cost = answer.watched.cost
    return cost.loaded + cost.stored if what == "bytes" else int(getattr(cost, what))


TRAFFIC = ("bytes", "largest_tile", "launches", "dot_flops")
"""What is limited of Triton kernels."""


def _over_traffic(expected: Expected, answer: Answer) -> list[Finding]:
    """The limits on Triton kernels that are exceeded; none where nobody counted, as on a GPU."""
    costs = ((budget, cost_of(answer, budget.what)) for budget in expected.budgets)
    return [
        OverBudget("", budget.what, cost, budget.limit, budget.reference)
        for budget, cost in costs
        if cost is not None and cost > budget.limit
    ]


def over_budget(expected: Expected, answer: Answer) -> list[Finding]:
    """The limits that a right answer exceeds; what was computed where nobody counts."""
    if not expected.budgets:
        return []
    if any(budget.what in TRAFFIC for budget in expected.budgets):
        return _over_traffic(expected, answer)
    spent = answer.counts or Counts(0, 0)
    if (hidden := _hidden(expected.answer.counts, spent)) is not None:
        return [hidden]
    found: list[Finding] = []
    for budget in expected.budgets:
        got = int(getattr(spent, budget.what))
        if got > budget.limit:
            over = OverBudget("", budget.what, got, budget.limit, budget.reference)
            if budget.what == "flops":
                over = dataclasses.replace(over, line=spent.costliest_line, operator=spent.costliest_operator)
            elif budget.what == "alive":
                over = dataclasses.replace(over, line=spent.alive_line)
            else:
                over = dataclasses.replace(
                    over, shape=spent.largest_shape, line=spent.largest_line, operator=spent.largest_operator
                )
            found.append(over)
    return found


HIDDEN = 10
"""An attempt that is seen to do less than this part of the reference's work does it where nobody counts."""


def _hidden(reference: Counts | None, spent: Counts) -> NotCounted | None:
    if reference is None:
        return None
    if HIDDEN * spent.flops < reference.flops:
        return NotCounted("", "flops", spent.flops, reference.flops)
    if reference.largest_tensor and not spent.largest_tensor:
        return NotCounted("", "largest_tensor", 0, reference.largest_tensor)
    return None


def cost_alike(expected: Expected, one: Answer, other: Answer) -> bool:
    """Whether two answers to a budgeted case exceed the same limits by about the same."""
    for budget in expected.budgets:
        costs = [cost_of(answer, budget.what) or 0 for answer in (one, other)]
        if max(costs) > budget.limit and min(costs) < 0.75 * max(costs):
            return False
    return True
