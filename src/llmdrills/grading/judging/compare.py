"""An answer against what is expected of it: exact type, structure, shape, dtype, device, finiteness, values, in that
order.

Pure functions of values. Nothing is broadcast, NaN equals nothing unless the case says so, and the first thing wrong
at one place of the answer is the only finding there.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmdrills.grading.judging.findings import (
    DidNotRaise,
    EarlierResultChanged,
    Finding,
    GlobalsChanged,
    InputChanged,
    NoGradient,
    NotCounted,
    NotFinite,
    OverBudget,
    Raises,
    RaisesOther,
    Unreadable,
    WrongDevice,
    WrongDraws,
    WrongDtype,
    WrongScalar,
    WrongShape,
    WrongStructure,
    WrongText,
    WrongType,
    WrongValues,
)
from llmdrills.grading.protocol.answer import EARLIER_RESULT, Answer, Counts, Expected
from llmdrills.grading.protocol.numbers import array, limits, load_numpy
from llmdrills.grading.protocol.wire import DtypeValue, Opaque, Raised, TensorValue, Value

if TYPE_CHECKING:
    from llmdrills.grading.protocol.numbers import Array

__all__ = ["Rules", "compare", "differences", "leaves", "same_answer", "same_crash", "type_name", "without_numbers"]

AROUND = 3
"""How many numbers are shown on each side of the first wrong one."""
MAX_ITEM = 24
"""An item of a list is shown by at most so many characters."""
SMALL_BASELINE = 5e-6
"""Twice this is float32's absolute tolerance: a smaller baseline changes nothing."""


@dataclass(frozen=True)
class Rules:
    """How the leaves of one tree are compared. `dtypes` and `baselines` are in depth-first order of the expected
    tree."""

    dtypes: Sequence[str] = ()
    baselines: Sequence[float] = ()
    rtol: float | None = None
    atol: float | None = None
    nan_ok: bool = False
    widen: float = 1.0  # for numbers larger than the right ones, whose rounding is larger too
    device: str = ""  # "" : wherever
    only_whether: bool = False  # any difference will do: stop at the first, and say nothing of it


@dataclass
class _Walk:
    rules: Rules
    leaf: int = 0
    found: list[Finding] = field(default_factory=list)


def compare(expected: Expected, answer: Answer, device: str = "") -> list[Finding]:
    """Everything wrong with one answer to one case; nothing where it is right. `device` is where tensors are due."""
    found = _raising(expected, answer)
    if found is None:
        found = _draws(expected, answer) if expected.draws else _value(expected, answer, device)
        found += _gradients(expected, answer)
    names = expected.call.names
    for position in answer.inputs_changed:
        found.append(InputChanged(names[position] if position < len(names) else f"argument {position + 1}"))
    settings = tuple(name for name in answer.globals_changed if name != EARLIER_RESULT)
    if settings:
        found.append(GlobalsChanged("", settings))
    if EARLIER_RESULT in answer.globals_changed:
        found.insert(0, EarlierResultChanged(""))
    if not found:
        found += _budget(expected, answer)
    return found


def differences(want: Value, got: Value, rules: Rules, path: str = "") -> list[Finding]:
    """Everything in which one tree differs from another, at most one finding a leaf."""
    walk = _Walk(rules)
    _walk(want, got, path, walk)
    return walk.found


def same_answer(expected: Expected, one: Answer, other: Answer) -> bool:
    """Whether two answers agree by the case's own tolerance: NaNs in the same places, the same crash (see
    `same_crash`), the same damage."""
    if isinstance(one.value, Raised) or isinstance(other.value, Raised):
        both = isinstance(one.value, Raised) and isinstance(other.value, Raised)
        return both and same_crash(expected, one.value, other.value)
    if set(one.inputs_changed) != set(other.inputs_changed) or len(one.grads) != len(other.grads):
        return False
    if expected.draws:
        return _distinct_equal(one.value, other.value)
    rules = _rules_of(expected, one.value)
    if differences(one.value, other.value, rules) or not _cost_alike(expected, one, other):
        return False
    return all(
        _same_gradient(expected, index, a, b) for index, (a, b) in enumerate(zip(one.grads, other.grads, strict=True))
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


def _same_gradient(expected: Expected, index: int, one: Value | None, other: Value | None) -> bool:
    if one is None or other is None:
        return one is other
    if isinstance(one, Raised) and isinstance(other, Raised):
        return same_crash(expected, one, other)
    rules = _gradient_rules(expected, index)
    return not differences(one, other, dataclasses.replace(rules, nan_ok=True, only_whether=True))


def _gradient_rules(expected: Expected, index: int) -> Rules:
    at, tolerance, gradients = slice(index, index + 1), expected.tolerance, expected.gradients
    return Rules(gradients.dtypes[at], gradients.baselines[at], tolerance.rtol, tolerance.atol, expected.nan_ok)


def _cost_alike(expected: Expected, one: Answer, other: Answer) -> bool:
    """Whether two answers to a budgeted case exceed the same limits by about the same."""
    for budget in expected.budgets:
        costs = [0 if answer.counts is None else int(getattr(answer.counts, budget.what)) for answer in (one, other)]
        if max(costs) > budget.limit and min(costs) < 0.75 * max(costs):
            return False
    return True


def leaves(value: Value, path: str = "") -> Iterator[tuple[str, Value]]:
    """Every leaf of a tree with its path, depth first."""
    if isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}[{key!r}]")
    else:
        yield path, value


def type_name(value: Value) -> str:
    """The type as a learner knows it."""
    if isinstance(value, TensorValue):
        return value.subclass or "torch.Tensor"
    if isinstance(value, Opaque):
        return value.type
    if isinstance(value, DtypeValue):
        return "torch.dtype"
    return type(value).__name__ if value is not None else "None"


def _raising(expected: Expected, answer: Answer) -> list[Finding] | None:
    """What is wrong with raising or not raising; None when both returned, so that values are to be compared."""
    value = answer.value
    if expected.raises:
        if not isinstance(value, Raised):
            return [DidNotRaise("", expected.raises)]
        # An untouched starter raises NotImplementedError, which is a RuntimeError: never the one that is asked for
        # by accident.
        starter = "NotImplementedError" in value.classes and expected.raises != "NotImplementedError"
        asked = expected.raises in value.classes and not starter
        return [] if asked else [RaisesOther("", expected.raises, value.type, value.message, value.line)]
    if isinstance(value, Raised):
        return [Raises("", value.type, value.message, value.line)]
    return None


def _value(expected: Expected, answer: Answer, device: str) -> list[Finding]:
    of = expected.tolerance
    rules = Rules(expected.dtypes, of.baselines, of.rtol, of.atol, expected.nan_ok, device=device)
    if expected.calls > 1:
        return list(_results(expected, answer, rules))
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


def _gradients(expected: Expected, answer: Answer) -> list[Finding]:
    names = expected.gradients.names
    found: list[Finding] = []
    for index, want in enumerate(expected.answer.grads):
        path = f"gradient of {names[index] if index < len(names) else index}"
        got = answer.grads[index] if index < len(answer.grads) else None
        if want is None:
            continue
        if got is None:
            found.append(NoGradient(path))
        elif isinstance(got, Raised):
            return [*found, Raises(path, got.type, got.message, got.line)]  # one backward pass, one failure
        else:
            found += differences(want, got, _gradient_rules(expected, index), path)
    return found


def _budget(expected: Expected, answer: Answer) -> list[Finding]:
    if not expected.budgets:
        return []
    spent = answer.counts or Counts(0, 0)
    if (hidden := _hidden(expected.answer.counts, spent)) is not None:
        return [hidden]
    found: list[Finding] = []
    for budget in expected.budgets:
        got = int(getattr(spent, budget.what))
        if got > budget.limit:
            over = OverBudget("", budget.what, got, budget.limit, budget.reference)
            if budget.what == "flops":
                over = dataclasses.replace(over, line=spent.dearest_line, operator=spent.dearest_operator)
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


def _walk(want: Value, got: Value, path: str, walk: _Walk) -> None:
    if walk.rules.only_whether and walk.found:
        return
    if isinstance(want, (tuple, list, dict)):
        if type(want) is not type(got):
            walk.found.append(WrongType(path, type_name(want), type_name(got)))
            walk.leaf += sum(1 for _ in leaves(want))
        elif isinstance(want, dict) and isinstance(got, dict):
            _walk_dict(want, got, path, walk)
        elif isinstance(want, (tuple, list)) and isinstance(got, (tuple, list)):
            _walk_items(want, got, path, walk)
        return
    index, walk.leaf = walk.leaf, walk.leaf + 1
    finding = _leaf(want, got, path, index, walk.rules)
    if finding is not None:
        walk.found.append(finding)


def _walk_items(want: Sequence[Value], got: Sequence[Value], path: str, walk: _Walk) -> None:
    if len(want) != len(got):
        walk.found.append(_other_length(path, want, got))
        walk.leaf += sum(1 for _ in leaves(want))
        return
    for index, (inner, other) in enumerate(zip(want, got, strict=True)):
        _walk(inner, other, f"{path}[{index}]", walk)


def _other_length(path: str, want: Sequence[Value], got: Sequence[Value]) -> WrongStructure:
    at = next((i for i, (a, b) in enumerate(zip(want, got, strict=False)) if not _plain_alike(a, b)), None)
    at = min(len(want), len(got)) if at is None else at
    texts = ["", ""]
    if all(item is None or isinstance(item, (str, int, float, bool)) for item in (*want, *got)):
        texts = [_items(items, at) for items in (want, got)]
    return WrongStructure(path, f"{len(want)} items", f"{len(got)} items", at, *texts)


def _plain_alike(a: Value, b: Value) -> bool:
    return type(a) is type(b) and not isinstance(a, TensorValue) and bool(a == b)


def _items(items: Sequence[Value], at: int) -> str:
    """The items about the first that differs, as Python writes them."""
    start, end = max(0, at - AROUND), at + AROUND + 1
    shown = ["…"] if start else []
    shown += [text if len(text := repr(item)) <= MAX_ITEM else f"{text[: MAX_ITEM - 1]}…" for item in items[start:end]]
    shown += ["…"] if end < len(items) else []
    inner = ", ".join(shown)
    return f"[{inner}]" if isinstance(items, list) else f"({inner}{',' if len(shown) == 1 else ''})"


def _walk_dict(want: dict[Value, Value], got: dict[Value, Value], path: str, walk: _Walk) -> None:
    if set(want) != set(got):
        shown = [", ".join(sorted(repr(key) for key in keys)) or "none" for keys in (want, got)]
        walk.found.append(WrongStructure(path, f"keys {shown[0]}", f"keys {shown[1]}"))
        walk.leaf += sum(1 for _ in leaves(want))
        return
    for key, inner in want.items():
        _walk(inner, got[key], f"{path}[{key!r}]", walk)


def _leaf(want: Value, got: Value, path: str, index: int, rules: Rules) -> Finding | None:
    if isinstance(want, TensorValue):
        if not isinstance(got, TensorValue) or got.subclass:
            return WrongType(path, "torch.Tensor", type_name(got))
        return _tensor(want, got, path, index, rules)
    if type(want) is not type(got):
        return WrongType(path, type_name(want), type_name(got))
    if isinstance(want, str):
        if want == got:
            return None
        at = next((i for i, (a, b) in enumerate(zip(want, got, strict=False)) if a != b), min(len(want), len(got)))
        return WrongText(path, want, got, at)
    if isinstance(want, float):
        limit = _scalar_limit(want, index, rules)
        near = want == got or abs(want - got) <= limit or (rules.nan_ok and math.isnan(want) and math.isnan(got))
        return None if near else WrongScalar(path, want, got, limit)
    return None if want == got else WrongScalar(path, _shown(want), _shown(got))


def _shown(value: Value) -> str | int | bool | None:
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def _scalar_limit(want: float, index: int, rules: Rules) -> float:
    np = load_numpy()
    baseline = rules.baselines[index] if index < len(rules.baselines) else 0.0
    return float(limits(np.asarray(want), "float32", rules.rtol, rules.atol, baseline * rules.widen))


def _tensor(want: TensorValue, got: TensorValue, path: str, index: int, rules: Rules) -> Finding | None:
    if got.layout != "strided":
        return Unreadable(path, got.layout)
    if want.shape != got.shape:
        return WrongShape(path, want.shape, got.shape)
    dtype = rules.dtypes[index] if index < len(rules.dtypes) and rules.dtypes[index] else want.dtype
    if got.dtype != dtype:
        return WrongDtype(path, dtype, got.dtype)
    if rules.device and got.device.partition(":")[0] != rules.device.partition(":")[0]:
        return WrongDevice(path, rules.device, got.device)
    if got.missing:
        return Unreadable(path, got.missing)
    if rules.nan_ok and want.data == got.data and want.dtype == got.dtype:
        return None
    baseline = rules.baselines[index] if index < len(rules.baselines) else 0.0
    return _numbers(array(want), array(got), dtype, path, baseline, rules)


def _numbers(want: Array, got: Array, dtype: str, path: str, baseline: float, rules: Rules) -> Finding | None:
    np = load_numpy()
    allowed = limits(want, dtype, rules.rtol, rules.atol, baseline * rules.widen)
    with np.errstate(invalid="ignore", over="ignore"):
        exact = want == got
        if rules.nan_ok:
            exact = exact | (np.isnan(want) & np.isnan(got))
        if want.dtype.kind in "biu":
            wrong, distance = ~exact, np.abs(want.astype(np.float64) - got.astype(np.float64))
        else:
            distance = np.abs(got - want)
            wrong = ~exact & ~(distance <= allowed)
    if not wrong.any():
        return None
    if rules.only_whether:
        return _DIFFERENT
    finite = np.isfinite(want) & np.isfinite(got)
    odd = wrong & ~finite
    if odd.any():
        at = _first(odd)
        return NotFinite(path, at, _number(want[at]), _number(got[at]), int(odd.sum()), want.size)
    at = _first(wrong)
    excess = np.where(wrong, distance, -1.0)
    worst = tuple(int(i) for i in np.unravel_index(int(excess.argmax()), excess.shape))
    start = max(0, at[-1] - AROUND) if at else 0
    rows = [_row(numbers, at, start) for numbers in (want, got)]
    return WrongValues(
        path, at, _number(want[at]), _number(got[at]), float(np.broadcast_to(allowed, want.shape)[at]),
        float(distance[worst]), worst, float(np.broadcast_to(allowed, want.shape)[worst]),
        int(wrong.sum()), want.size, start, rows[0], rows[1],
    )  # fmt: skip


def _row(numbers: Array, at: tuple[int, ...], start: int) -> tuple[float, ...]:
    """The numbers about index `at` of the last axis."""
    if not at:
        return (_number(numbers[()]),)
    return tuple(_number(number) for number in numbers[at[:-1]][start : at[-1] + AROUND + 1])


_DIFFERENT = WrongScalar("", None, None)


def _first(flags: Array) -> tuple[int, ...]:
    np = load_numpy()
    return tuple(int(i) for i in np.unravel_index(int(flags.argmax()), flags.shape))


def _number(value: object) -> float:
    return float(value.real if isinstance(value, complex) else value)  # type: ignore[arg-type]  # a number by now


# Random results: what may come, and what must


def _draws(expected: Expected, answer: Answer) -> list[Finding]:
    want, got = _distinct(expected.answer.value), _distinct(answer.value)
    missing = [value for value in want if not any(_equal(value, other) for other in got)]
    unwanted = [value for value in got if not any(_equal(other, value) for other in want)]
    if not missing and not unwanted:
        return []
    if len(got) == 1 and type_name(got[0]) != type_name(want[0]):
        return [WrongType("", type_name(want[0]), type_name(got[0]))]
    return [WrongDraws("", expected.draws, *(tuple(_brief(v) for v in values[:5]) for values in (missing, unwanted)))]


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


def _brief(value: Value) -> str:
    if isinstance(value, TensorValue):
        return str(array(value).tolist())[:200]
    return repr(value)[:200]
