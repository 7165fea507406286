"""An answer against what is expected of it, and two answers against each other.

What it raises, its value, its gradients, changed inputs and settings, and the cost of a budgeted case, in that order;
`differences` compares the values themselves.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator

from llmdrills.grading.judging.costs import cost_alike, over_budget
from llmdrills.grading.judging.differences import Rules, differences, leaves, type_name
from llmdrills.grading.judging.findings import (
    DidNotRaise,
    EarlierResultChanged,
    Finding,
    GlobalsChanged,
    InputChanged,
    NoGradient,
    Raises,
    RaisesOther,
    StrayGradient,
    WrongDraws,
    WrongStructure,
    WrongType,
)
from llmdrills.grading.judging.laws import against_laws, brief
from llmdrills.grading.judging.of_kernels import is_stopped, kinds_of_events, of_kernels
from llmdrills.grading.protocol.answer import EARLIER_RESULT, Answer, Expected
from llmdrills.grading.protocol.numbers import array, is_floating, limits, load_numpy
from llmdrills.grading.protocol.wire import Raised, TensorValue, Value

__all__ = ["compare", "returned_again", "same_answer", "same_crash", "without_numbers"]

SMALL_BASELINE = 5e-6
"""Twice this is float32's absolute tolerance: a smaller baseline changes nothing."""

FEWEST_TELLING, FAR = 3, 10
_LOOKED_AT = 1000  # numbers of a result among which three distinct ones are looked for
"""So many numbers that differ by more than so many times what is allowed tell one result from another."""


def compare(expected: Expected, answer: Answer, device: str = "", *, only_whether: bool = False) -> list[Finding]:
    """Everything wrong with one answer to one case; nothing where it is right. `device` is where tensors are due.

    With `only_whether`, what is found wrong with a value is not described.
    """
    seen = of_kernels(answer)
    if seen and (only_whether or is_stopped(answer)):
        return seen
    found = _raising(expected, answer)
    if found is None:
        if expected.laws:
            found = against_laws(expected, answer.value)
        else:
            found = _draws(expected, answer) if expected.draws else _value(expected, answer, device, only_whether)
        if found and only_whether:
            return found
        found += _gradients(expected, answer)
    names = expected.call.names
    for position in answer.inputs_changed:
        found.append(InputChanged(names[position] if position < len(names) else f"argument {position + 1}"))
    settings = tuple(name for name in answer.globals_changed if name != EARLIER_RESULT)
    if settings:
        found.append(GlobalsChanged("", settings))
    if EARLIER_RESULT in answer.globals_changed:
        found.insert(0, EarlierResultChanged(""))
    if not found and not seen:
        found += over_budget(expected, answer)
    return seen + found


def same_answer(expected: Expected, one: Answer, other: Answer, times: float = 1.0) -> bool:
    """Whether two answers agree by the case's own tolerance, or so many times it: NaNs in the same places, the same
    crash (see `same_crash`), the same damage."""
    if kinds_of_events(one) != kinds_of_events(other):
        return False
    if isinstance(one.value, Raised) or isinstance(other.value, Raised):
        both = isinstance(one.value, Raised) and isinstance(other.value, Raised)
        return both and same_crash(expected, one.value, other.value)
    if set(one.inputs_changed) != set(other.inputs_changed) or len(one.grads) != len(other.grads):
        return False
    if expected.draws:
        return _distinct_equal(one.value, other.value)
    rules = dataclasses.replace(_rules_of(expected, one.value), times=times)
    if differences(one.value, other.value, rules) or not cost_alike(expected, one, other):
        return False
    return all(
        _same_gradient(expected, index, a, b, times)
        for index, (a, b) in enumerate(zip(one.grads, other.grads, strict=True))
    )


def same_crash(expected: Expected, one: Raised, other: Raised) -> bool:
    """Whether two exceptions are one fault: type, message (numbers left out) and failing operation agree, and where
    both operands are known, the shapes of the tensors among them.

    Where an exception is due and both raise another one by a statement of their own, the message is free text of
    whoever wrote it: there type and operation suffice.
    """
    if one.type != other.type or one.operation != other.operation:
        return False
    if expected.raises and one.operation == "raise":
        return True
    if without_numbers(one.message) != without_numbers(other.message):
        return False
    shapes = [_SHAPE.findall(" ".join(raised.operands)) for raised in (one, other)]
    return shapes[0] == shapes[1] or not all(shapes)


_NUMBER = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_SHAPE = re.compile(r"(?:bool|[a-z]+\d\w*) \(([\d, ]*)\)")


def without_numbers(message: str) -> str:
    """The message with every number and address replaced: sizes differ from case to case, the fault does not."""
    return _NUMBER.sub("#", message)


def _same_gradient(expected: Expected, index: int, one: Value | None, other: Value | None, times: float) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, Raised) and isinstance(other, Raised):
        return same_crash(expected, one, other)
    rules = _gradient_rules(expected, index)
    return not differences(one, other, dataclasses.replace(rules, nan_ok=True, only_whether=True, times=times))


def _gradient_rules(expected: Expected, index: int) -> Rules:
    at, tolerance, gradients = slice(index, index + 1), expected.tolerance, expected.gradients
    return Rules(gradients.dtypes[at], gradients.baselines[at], tolerance.rtol, tolerance.atol, expected.nan_ok)


def _raising(expected: Expected, answer: Answer) -> list[Finding] | None:
    """What is wrong with raising or not raising; None when both returned, so that values are to be compared."""
    value = answer.value
    if expected.raises:
        if not isinstance(value, Raised):
            return [DidNotRaise("", expected.raises)]
        # An untouched starter raises NotImplementedError, which is a RuntimeError: never the one that is asked for
        # by accident.
        starter = "NotImplementedError" in value.classes and expected.raises != "NotImplementedError"
        due = expected.raises in value.classes and not starter
        return [] if due else [RaisesOther("", expected.raises, value.type, value.message, value.line)]
    if isinstance(value, Raised):
        return [Raises("", value.type, value.message, value.line)]
    return None


def _value(expected: Expected, answer: Answer, device: str, only_whether: bool) -> list[Finding]:
    of = expected.tolerance
    rules = Rules(
        expected.dtypes,
        of.baselines,
        of.rtol,
        of.atol,
        expected.nan_ok,
        device=device,
        only_whether=only_whether,
    )
    if expected.calls > 1:
        results = _results(expected, answer, rules)
        return list(itertools.islice(results, 1) if only_whether else results)
    return differences(expected.answer.value, answer.value, rules)


def _results(expected: Expected, answer: Answer, rules: Rules) -> Iterator[Finding]:
    """What is wrong with each of several results; a path begins with the number of its call."""
    due: Value = expected.answer.value
    came: Value = answer.value
    if type(came) is not list or len(came) != len(due):
        yield WrongStructure("", f"{expected.calls} results", "another number")  # only a forged answer comes to this
        return
    leaf = 0
    for number, (want, got) in enumerate(zip(due, came, strict=True), 1):
        width = sum(1 for _ in leaves(want))
        at = slice(leaf, leaf + width)
        own = dataclasses.replace(rules, dtypes=rules.dtypes[at], baselines=rules.baselines[at])
        yield from differences(want, got, own, f"call {number} ")
        leaf += width


def returned_again(expected: Expected, answer: Answer) -> int:
    """The call, from 2 on, that returned what was due in the call before it, and not its own result; 0 where none did.

    That shows that something is kept between calls, so it is told only where nothing else gives such an answer: the
    framework made the calls, with other values in neighbours, and the two results are plainly not the same.
    """
    due: Value = expected.answer.value
    came: Value = answer.value
    made = expected.derived or expected.drawn
    if expected.calls < 2 or not made or type(came) is not list or len(came) != len(due):
        return 0
    rules = list(_rules_by_call(due, expected))
    for at in range(1, len(due)):
        before, returned = due[at - 1], came[at]
        if differences(before, returned, dataclasses.replace(rules[at - 1], only_whether=True)):
            continue  # looked at first: nearly always it is another
        if _telling(before, due[at], rules[at - 1]) and differences(due[at], returned, rules[at]):
            return at + 1
    return 0


def _rules_by_call(due: Value, expected: Expected) -> Iterator[Rules]:
    """The case's rules for the result of each of several calls."""
    of, leaf = expected.tolerance, 0
    for want in due:
        at = slice(leaf, leaf + sum(1 for _ in leaves(want)))
        yield Rules(expected.dtypes[at], of.baselines[at], of.rtol, of.atol, expected.nan_ok)
        leaf = at.stop


def _telling(value: Value, other: Value, rules: Rules) -> bool:
    """Whether a result holds three distinct numbers, none of them whole, that are far from those of another result: it
    is then taken for no other."""
    np = load_numpy()
    found: set[float] = set()
    for at, ((_, one), (_, two)) in enumerate(zip(leaves(value), leaves(other), strict=False)):
        if not (isinstance(one, TensorValue) and isinstance(two, TensorValue)) or one.shape != two.shape:
            continue
        if is_floating(one.dtype) and not one.missing and not two.missing:
            numbers, others = array(one).astype("float64"), array(two).astype("float64")
            baseline = rules.baselines[at] if at < len(rules.baselines) else 0.0
            allowed = limits(numbers, rules.dtypes[at], rules.rtol, rules.atol, baseline)
            told = np.isfinite(numbers) & (np.abs(numbers - others) > FAR * allowed) & (numbers != np.round(numbers))
            found.update(numbers[told][:_LOOKED_AT].tolist())
    return len(found) >= FEWEST_TELLING


def _gradients(expected: Expected, answer: Answer) -> list[Finding]:
    names = expected.gradients.names
    found: list[Finding] = []
    for index, want in enumerate(expected.answer.grads):
        path = f"gradient of {names[index] if index < len(names) else index}"
        got = answer.grads[index] if index < len(answer.grads) else None
        if want is None:  # the reference detaches it: none may arrive, or zeros
            if isinstance(got, TensorValue) and (array(got) != 0).any():
                found.append(StrayGradient(path))
            continue
        if got is None:
            found.append(NoGradient(path))
        elif isinstance(got, Raised):
            return [*found, Raises(path, got.type, got.message, got.line)]  # one backward pass, one failure
        else:
            found += differences(want, got, _gradient_rules(expected, index), path)
    return found


def _rules_of(expected: Expected, value: Value) -> Rules:
    """The case's rules for a tree that stands in for the right one: its own dtypes, and the right one's rounding
    scaled up to its size."""
    of = expected.tolerance
    dtypes = [leaf.dtype if isinstance(leaf, TensorValue) else "" for _, leaf in leaves(value)]
    widen = 1.0
    if max(of.baselines, default=0.0) > SMALL_BASELINE:
        widen = min(max(1.0, _size(value) / max(_size(expected.answer.value), 1e-30)), 1e3)
    return Rules(dtypes, of.baselines, of.rtol, of.atol, nan_ok=True, widen=widen, only_whether=True)


def _size(value: Value) -> float:
    np = load_numpy()
    sizes = [1e-30]
    for _, leaf in leaves(value):
        if (
            isinstance(leaf, TensorValue)
            and not leaf.missing
            and leaf.numel
            and leaf.dtype.startswith(("float", "bfloat"))
        ):
            numbers = np.abs(array(leaf))
            numbers = numbers[np.isfinite(numbers)]
            sizes.append(float(numbers.max()) if numbers.size else 0.0)
    return max(sizes)


# Random results: what may come, and what must


def _draws(expected: Expected, answer: Answer) -> list[Finding]:
    want, got = _distinct(expected.answer.value), _distinct(answer.value)
    missing = [value for value in want if not any(_equal(value, other) for other in got)]
    unwanted = [value for value in got if not any(_equal(other, value) for other in want)]
    if not missing and not unwanted:
        return []
    if len(got) == 1 and type_name(got[0]) != type_name(want[0]):
        return [WrongType("", type_name(want[0]), type_name(got[0]))]
    return [WrongDraws("", expected.draws, *(tuple(brief(v) for v in values[:5]) for values in (missing, unwanted)))]


def _distinct(value: Value) -> list[Value]:
    found: list[Value] = []
    for item in value if isinstance(value, list) else [value]:
        if not any(_equal(item, other) for other in found):
            found.append(item)
    return found


def _distinct_equal(one: Value, other: Value) -> bool:
    first, second = _distinct(one), _distinct(other)
    return len(first) == len(second) and all(any(_equal(a, b) for b in second) for a in first)


def _equal(want: Value, got: Value) -> bool:
    dtypes = [leaf.dtype if isinstance(leaf, TensorValue) else "" for _, leaf in leaves(want)]
    return not differences(want, got, Rules(dtypes, nan_ok=True))
