"""What the oracle knows of each case: its inputs as a question, and everything that is needed to judge an answer to
it.

Runs beside the kata's code, in the oracle's process; the learner's process never sees any of this. The reference is
run twice: on inputs raised to float64, which gives the values that count, and on the inputs as they are, which gives
the result's dtypes, what the precision of the inputs costs, and the counts that budgets are multiples of.
"""

from __future__ import annotations

import dataclasses
import inspect
import traceback
import warnings
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from llmdrills.content.model import Kata
from llmdrills.errors import ContentError, Problem
from llmdrills.grading.authoring import Call, Case, Inputs, Kernel
from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.judging.inputs import describe, elements, has_empty_tensor, is_empty, is_float32, literal
from llmdrills.grading.kernels.asking import WrongAnswers
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.derived_cases import DERIVED, DRAWN, NotDerivable
from llmdrills.grading.kernels.registry import LoadedKata, VariantKernels, load
from llmdrills.grading.protocol.answer import (
    Answer,
    CostLimit,
    Expected,
    GradientRules,
    Law,
    Question,
    ShownCall,
    Tolerance,
)
from llmdrills.grading.protocol.numbers import array, is_floating, load_numpy
from llmdrills.grading.protocol.tensors import Freezer
from llmdrills.grading.protocol.wire import Opaque, Raised, TensorValue, Value

__all__ = [
    "Made",
    "expect",
    "explain",
    "frozen",
    "greatest",
    "make_question",
    "prepare",
    "unlike",
    "upcast",
]

MOST_LITERAL_ELEMENTS = 160
"""Inputs up to this size are written out in the snippet that reproduces a failure; larger ones are made again from
the seed."""


def prepare(
    kata: Kata | LoadedKata,
    variant: str,
    seed: int,
    folder: Path,
    device: str = "cpu",
    *,
    slips: bool = True,
) -> tuple[list[Question], Iterator[Expected]]:
    """Make every case of `variant`: the questions at once, and in the same order what is expected, one at a time as
    it is asked for.

    `folder` is private to the attempt: cases may write files there for the learner to read. `slips` says
    whether the wrong kernels are run too, which only a failing attempt needs (`explain` adds them later).

    Raises ContentError for an author's faults: a case that raises, a reference that raises or returns NaN where the
    case does not say so. The iterator raises it at its end, with all of them.
    """
    loaded = kata if isinstance(kata, LoadedKata) else load(kata)
    made: list[Made] = []
    problems: list[Problem] = []
    with loaded.importable():
        for case in loaded.variant(variant).cases:
            try:
                made.append(make_question(loaded, case, seed, folder))
            except NotDerivable:
                continue
            except ContentError as error:
                problems += error.problems
    if problems:
        raise ContentError(problems)
    return [one.question for one in made], _expectations(loaded, variant, made, device, slips)


def explain(
    kata: Kata | LoadedKata,
    variant: str,
    questions: Iterable[Question],
    device: str = "cpu",
    *,
    only: Collection[str] | None = None,
) -> Iterator[dict[str, Answer]]:
    """Every wrong kernel's answer to each question, or `only` those: what `Expected.slips` holds."""
    loaded = kata if isinstance(kata, LoadedKata) else load(kata)
    wrong = WrongAnswers(loaded, variant, device, only=only)
    for question in questions:
        yield {name: wrong.ask(name, question) for name in wrong.names}


def _expectations(loaded: LoadedKata, variant: str, made: list[Made], device: str, slips: bool) -> Iterator[Expected]:
    kernels = loaded.variant(variant)
    caller = Caller(device, str(loaded.kata.reference_file))
    problems: list[Problem] = []
    for one in made:
        try:
            with loaded.importable(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                expected = expect(loaded, kernels, one, caller)
        except ContentError as error:
            problems += error.problems
            continue
        answers = next(explain(loaded, variant, [one.question], device)) if slips else {}
        yield dataclasses.replace(expected, slips=answers)
    if problems:
        raise ContentError(problems)


def make_question(loaded: LoadedKata, case: Case, seed: int, folder: Path) -> Made:
    """The question of one case, the same with floating inputs raised to float64, and the laws of its calls.

    Raises NotDerivable for a derived case without a fitting tensor, ContentError when the case itself is at fault.
    """
    file = loaded.kata.cases_file
    try:
        returned = case.make(Inputs(seed, case.name, folder))
    except NotDerivable:
        raise
    except Exception as error:  # whatever an author's case raises is reported as their problem
        raise ContentError([_raised(case, error, file)]) from error
    made, *then = calls = _calls(returned, case, file)
    for position in case.grads:
        given = made.args[position] if position < len(made.args) else None
        if not isinstance(given, torch.Tensor) or not given.is_floating_point():
            what = f"grads names argument {position}, which is no floating tensor"
            raise ContentError([_problem(file, case, what, "count positional arguments from 0")])
    counted = any(budget.case == case.name for budget in loaded.kata.budgets)
    mixed = zlib.crc32(f"{seed}/{case.name}/call".encode())
    plain = _freeze(made, case, mixed, counted, then)
    laws = tuple(tuple(zip(map(Freezer().freeze, c.law), c.law.values(), strict=True)) for c in calls if c.law)
    if laws and len(laws) != len(calls):
        raise ContentError([_problem(file, case, "one of its calls has no law", "give each call a law, or none")])
    for value in (*plain.args, *plain.kwargs.values()):
        for path, leaf in leaves(value):
            if isinstance(leaf, Opaque):
                what = f"an argument holds a {leaf.type}{path}"
                todo = "use tensors, numbers, texts, dtypes, and lists or dicts of them"
                raise ContentError([_problem(file, case, what, todo)])
    return Made(case, plain, _freeze(upcast(made), case, mixed, False, [upcast(call) for call in then]), laws)


def _calls(returned: Any, case: Case, file: Path) -> list[Call]:
    """One call, or several in a row."""
    calls = list(returned) if isinstance(returned, tuple) and returned else [returned]
    if all(isinstance(call, Call) for call in calls):
        return calls
    raise ContentError([_problem(file, case, f"it returns a {type(returned).__name__}", "return call(…)")])


def upcast(made: Call) -> Call:
    """The same with floating inputs raised to float64."""
    return Call(tuple(_upcast_value(v) for v in made.args), {name: _upcast_value(v) for name, v in made.kwargs.items()})


def _freeze(made: Call, case: Case, seed: int, counted: bool, then: Sequence[Call] = ()) -> Question:
    (args, kwargs), *others = (_frozen(call) for call in (made, *then))
    return Question(
        name=case.name,
        args=args,
        kwargs=kwargs,
        seed=seed,
        grads=case.grads,
        draws=max(case.draws, made.draws, *(call.draws for call in then)),
        count=counted,
        then=tuple(others),
    )


def frozen(calls: Sequence[Call], like: Question) -> Question:
    """These calls as a question that is like another in everything else."""
    (args, kwargs), *then = (_frozen(call) for call in calls)
    return dataclasses.replace(like, args=args, kwargs=kwargs, then=tuple(then), count=False)


def _frozen(made: Call) -> tuple[tuple[Value, ...], dict[str, Value]]:
    freeze = Freezer().freeze
    return tuple(freeze(value) for value in made.args), {name: freeze(value) for name, value in made.kwargs.items()}


def _upcast_value(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and value.dtype != torch.float64:
            return value.detach().to(torch.float64).requires_grad_(value.requires_grad)
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(_upcast_value(item) for item in value)
    if isinstance(value, dict):
        return {key: _upcast_value(item) for key, item in value.items()}
    return value


class Made(NamedTuple):
    """A case with its question, the same question with floating inputs raised to float64, and its calls' laws."""

    case: Case
    question: Question
    exact: Question
    laws: tuple[Law, ...] = ()


def expect(loaded: LoadedKata, kernels: VariantKernels, made: Made, caller: Caller) -> Expected:
    """What is due for one case. Raises ContentError for an author's faults."""
    case, question = made.case, made.question
    if made.laws:
        return _expect_law(kernels, made)
    file = loaded.kata.cases_file
    same = caller.ask(kernels.reference, question)
    own = case.draws or case.raises or case.own_precision
    exact = same if own else caller.ask(kernels.reference, made.exact)
    if isinstance(same.value, Raised) != bool(case.raises) or (
        isinstance(same.value, Raised) and case.raises not in same.value.classes
    ):
        raise ContentError([_problem(file, case, _raising(same.value, case.raises), "fix the case or the reference")])
    if same.inputs_changed:
        raise ContentError([_problem(file, case, "the reference changes its inputs", "fix the reference")])
    if unlike(exact.value, same.value):
        # The reference cannot take float64 (a model in float32, say): then its own precision is the best there is.
        exact = same
    exact = dataclasses.replace(exact, counts=same.counts)
    if same.forbidden:
        what = f"its cost cannot be counted: the reference uses {same.forbidden[0].call}"
        raise ContentError([_problem(file, case, what, "write it with operators whose cost is known")])
    _refuse_nan(exact, case, file)
    call = _shown_call(kernels.reference, question)
    return Expected(
        case=case.name,
        why=case.why,
        answer=exact,
        dtypes=tuple(_dtype(leaf) for _, leaf in leaves(same.value)),
        raises=case.raises,
        draws=case.draws,
        nan_ok=case.nan_ok,
        tolerance=Tolerance(rtol=case.rtol, atol=case.atol, baselines=_errors(exact.value, same.value)),
        gradients=GradientRules(
            names=tuple(call.names[position] for position in case.grads),
            dtypes=tuple(_dtype(grad) for grad in same.grads),
            baselines=tuple(greatest(a, b) for a, b in zip(exact.grads, same.grads, strict=True)),
        ),
        budgets=_budgets(loaded, case, same),
        call=call,
        seconds=same.seconds,
        derived=DERIVED in case.tags,
        drawn=DRAWN in case.tags,
        float32=is_float32(question),
        empty=is_empty(question),
        clauses=case.clauses,
        calls=1 + len(question.then),
    )


def _expect_law(kernels: VariantKernels, made: Made) -> Expected:
    """What is due for a case that has a law: nobody is asked, and what is shown as due is what comes most likely."""
    question = made.question
    ranked = [[result for result, _ in sorted(law, key=lambda pair: -pair[1])] for law in made.laws]
    shown: list[Value] = [(one * question.draws)[: question.draws] if question.draws else one[0] for one in ranked]
    return Expected(
        case=made.case.name,
        why=made.case.why,
        answer=Answer(shown if question.then else shown[0]),
        draws=question.draws,
        call=_shown_call(kernels.reference, question),
        derived=DERIVED in made.case.tags,
        drawn=DRAWN in made.case.tags,
        clauses=made.case.clauses,
        calls=1 + len(question.then),
        laws=made.laws,
    )


def _budgets(loaded: LoadedKata, case: Case, answer: Answer) -> tuple[CostLimit, ...]:
    """Limits in absolute numbers, each with what the reference costs."""
    found: list[CostLimit] = []
    for budget in loaded.kata.budgets:
        if budget.case == case.name and answer.counts is not None:
            multiples = {"flops": budget.flops, "largest_tensor": budget.largest_tensor, "alive": budget.alive}
            for what, multiple in multiples.items():
                if multiple is not None:
                    cost = int(getattr(answer.counts, what))
                    found.append(CostLimit(what, int(cost * multiple), cost))
    return tuple(found)


def _shown_call(kernel: Kernel, question: Question) -> ShownCall:
    """The call as a report shows it, with the names that the reference gives its arguments."""
    parameters = list(inspect.signature(kernel).parameters)
    positional = [parameters[i] if i < len(parameters) else f"argument {i}" for i in range(len(question.args))]
    names = (*positional, *question.kwargs)
    values = (*question.args, *question.kwargs.values())
    return ShownCall(
        names=names,
        inputs=tuple(describe(name, value) for name, value in zip(names, values, strict=True)),
        size=sum(elements(value) for value in values),
        empty=any(has_empty_tensor(value) for value in values),
        literals=_literals(dict(zip(names, values, strict=True))),
        positional=len(question.args),
    )


def _literals(given: dict[str, Value]) -> dict[str, str]:
    """Each argument as Python; nothing where that is long, or where one of them cannot be written."""
    if sum(elements(value) for value in given.values()) > MOST_LITERAL_ELEMENTS:
        return {}
    if any(isinstance(value, str) and Path(value).is_absolute() for value in given.values()):
        return {}  # a file that the case made, gone when the snippet is pasted: it must be made again
    written = {name: literal(value) for name, value in given.items()}
    return {name: text for name, text in written.items() if text is not None} if None not in written.values() else {}


def _dtype(leaf: Value) -> str:
    return leaf.dtype if isinstance(leaf, TensorValue) else ""


def unlike(exact: Value, same: Value) -> bool:
    """Whether the two answers of the reference differ in more than numbers and floating dtypes."""
    if isinstance(exact, Raised) != isinstance(same, Raised):
        return True
    pairs = list(leaves(exact)), list(leaves(same))
    if [path for path, _ in pairs[0]] != [path for path, _ in pairs[1]]:
        return True
    return any(_unlike_leaves(a, b) for (_, a), (_, b) in zip(*pairs, strict=True))


def _unlike_leaves(a: Value, b: Value) -> bool:
    if isinstance(a, TensorValue) and isinstance(b, TensorValue):
        return a.shape != b.shape or is_floating(a.dtype) != is_floating(b.dtype)
    return type(a) is not type(b)


def _errors(exact: Value, same: Value) -> tuple[float, ...]:
    return tuple(greatest(a, b) for (_, a), (_, b) in zip(leaves(exact), leaves(same), strict=True))


def greatest(exact: Value, same: Value) -> float:
    """The greatest distance between two floating leaves, where both are finite."""
    np = load_numpy()
    if isinstance(exact, TensorValue) and isinstance(same, TensorValue):
        if not is_floating(exact.dtype) or exact.missing or same.missing or not exact.numel:
            return 0.0
        one, other = array(exact), array(same)
    elif isinstance(exact, float) and isinstance(same, float):
        one, other = np.asarray(exact), np.asarray(same)
    else:
        return 0.0
    finite = np.isfinite(one) & np.isfinite(other)
    return float(np.abs(one[finite] - other[finite]).max()) if finite.any() else 0.0


def _refuse_nan(answer: Answer, case: Case, file: Path) -> None:
    np = load_numpy()
    if case.nan_ok or case.raises:
        return
    for path, leaf in (*leaves(answer.value), *((f" gradient {i}", grad) for i, grad in enumerate(answer.grads))):
        if (
            isinstance(leaf, TensorValue)
            and is_floating(leaf.dtype)
            and not leaf.missing
            and np.isnan(array(leaf)).any()
        ):
            what = f"the reference returns NaN{f' at {path}' if path else ''}"
            raise ContentError([_problem(file, case, what, "fix it, or say nan_ok=True if the contract asks for NaN")])


def _raising(value: Value, due: str) -> str:
    if isinstance(value, Raised):
        instead = f", not {due}" if due else ""
        return f"the reference raises {value.type} at line {value.line}{instead}: {value.message}"
    return f"raises={due!r}, but the reference returns"


def _problem(file: Path, case: Case, what: str, todo: str) -> Problem:
    return Problem(file, case.line, 1, f"case {case.name}: {what}", todo)


def _raised(case: Case, error: Exception, file: Path) -> Problem:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    line = (frames[-1].lineno if frames else case.line) or case.line
    return Problem(file, line, 1, f"case {case.name} raises {type(error).__name__}: {error}", "fix this line")
