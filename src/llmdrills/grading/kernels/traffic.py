"""What a call may cost, in absolute numbers, and the bytes that any right Triton kernel moves for it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from llmdrills.errors import ContentError, Problem
from llmdrills.grading.authoring import Case
from llmdrills.grading.judging.costs import cost_of
from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.registry import LoadedKata, VariantKernels
from llmdrills.grading.protocol.answer import Answer, CostLimit, Question
from llmdrills.grading.protocol.tensors import thaw
from llmdrills.grading.protocol.wire import Raised, TensorValue, Value

__all__ = ["cost_limits", "least_bytes"]


def cost_limits(
    loaded: LoadedKata, kernels: VariantKernels, case: Case, question: Question, answer: Answer
) -> tuple[CostLimit, ...]:
    """Limits in absolute numbers, each with what the reference, or the solution, costs.

    Raises ContentError where the solution cannot be counted.
    """
    own = [budget for budget in loaded.kata.budgets if budget.case == case.name]
    if own and loaded.kata.engine == "triton":
        answer = Caller("cpu", str(loaded.kata.solution_file)).ask(kernels.solution, question)
        if isinstance(answer.value, Raised):
            what = f"the solution raises {answer.value.type}: {answer.value.message}"
            problem = Problem(loaded.kata.cases_file, case.line, 1, f"case {case.name}: {what}", "fix solution.py")
            raise ContentError([problem])
    found: list[CostLimit] = []
    for budget in own:
        for what, multiple in budget.multiples.items():
            cost = cost_of(answer, what)
            if cost is not None:
                found.append(CostLimit(what, int(cost * multiple), cost))
    return tuple(found)


def least_bytes(loaded: LoadedKata, question: Question, answer: Answer) -> int:
    """For all calls of the question together: what the kata's own `least_bytes` says, else what goes in and comes out.

    `answer` is the reference's to the inputs as they are. Raises ContentError where the kata's function raises.
    """
    if isinstance(answer.value, Raised):
        return 0
    calls = ((question.args, question.kwargs), *question.then)
    try:
        said = [_said(loaded, args, kwargs) for args, kwargs in calls]
    except Exception as error:  # whatever the author's function raises is reported as their problem
        what = f"`least_bytes` raises {type(error).__name__}: {error}"
        raise ContentError([Problem(loaded.kata.cases_file, 1, 1, what, "fix the function")]) from error
    if None not in said:
        return sum(one or 0 for one in said)
    given = [value for args, kwargs in calls for value in (*args, *kwargs.values())]
    return sum(map(_bytes, _tensors([*given, answer.value])))


def _said(loaded: LoadedKata, args: tuple[Value, ...], kwargs: dict[str, Value]) -> int | None:
    return loaded.least_bytes(*(thaw(value) for value in args), **{name: thaw(value) for name, value in kwargs.items()})


def _tensors(values: list[Value]) -> Iterator[TensorValue]:
    for value in values:
        yield from (leaf for _, leaf in leaves(value) if isinstance(leaf, TensorValue))


def _bytes(tensor: TensorValue) -> int:
    """Of its distinct elements: an expanded axis holds one."""
    strides = tensor.strides or (1,) * len(tensor.shape)
    sizes = [size if stride or not size else 1 for size, stride in zip(tensor.shape, strides, strict=True)]
    return math.prod(sizes) * len(tensor.data) // max(tensor.numel, 1)
