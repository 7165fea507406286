"""Two values as trees: in which leaves one differs from the other, in type, shape, dtype, device, finiteness, numbers.

Pure functions of values. Nothing is broadcast, NaN equals nothing unless the rules say so, and the first thing wrong
at one place is the only finding there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.grading.judging.findings import (
    Finding,
    NotFinite,
    Unreadable,
    WrongDevice,
    WrongDtype,
    WrongScalar,
    WrongShape,
    WrongStructure,
    WrongText,
    WrongType,
    WrongValues,
)
from llmdrills.grading.protocol.numbers import array, limits, load_numpy
from llmdrills.grading.protocol.wire import DtypeValue, Opaque, TensorValue, Value

if TYPE_CHECKING:
    from llmdrills.grading.protocol.numbers import Array

__all__ = ["Rules", "differences", "leaves", "type_name"]

AROUND = 3
"""How many numbers are shown on each side of the first wrong one."""
MAX_ITEM = 24
"""An item of a list is shown by at most so many characters."""


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
    times: float = 1.0  # so many times what a case allows: two answers that are both rounded lie twice as far apart
    device: str = ""  # "" : wherever
    only_whether: bool = False  # any difference will do: stop at the first, and say nothing of it


def differences(want: Value, got: Value, rules: Rules, path: str = "") -> list[Finding]:
    """Everything in which one tree differs from another, at most one finding a leaf."""
    walk = _Walk(rules)
    _walk(want, got, path, walk)
    return walk.found


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


@dataclass
class _Walk:
    rules: Rules
    leaf: int = 0
    found: list[Finding] = field(default_factory=list)


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
    return rules.times * float(limits(np.asarray(want), "float32", rules.rtol, rules.atol, baseline * rules.widen))


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
    return _numbers(array(want), array(got), _Leaf(path, dtype, baseline), rules)


class _Leaf(NamedTuple):
    """Where a tensor of the result stands, the dtype that is due there, and what the inputs' precision costs."""

    path: str
    dtype: str
    baseline: float


def _numbers(want: Array, got: Array, leaf: _Leaf, rules: Rules) -> Finding | None:
    np = load_numpy()
    path = leaf.path
    allowed = rules.times * limits(want, leaf.dtype, rules.rtol, rules.atol, leaf.baseline * rules.widen)
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
        return NotFinite(
            path=path, index=at, expected=_number(want[at]), got=_number(got[at]), wrong=int(odd.sum()), total=want.size
        )
    at = _first(wrong)
    excess = np.where(wrong, distance, -1.0)
    worst = tuple(int(i) for i in np.unravel_index(int(excess.argmax()), excess.shape))
    start = max(0, at[-1] - AROUND) if at else 0
    rows = [_row(numbers, at, start) for numbers in (want, got)]
    allowed = np.broadcast_to(allowed, want.shape)
    return WrongValues(
        path=path,
        index=at,
        expected=_number(want[at]),
        got=_number(got[at]),
        allowed=float(allowed[at]),
        greatest=float(distance[worst]),
        greatest_index=worst,
        greatest_allowed=float(allowed[worst]),
        wrong=int(wrong.sum()),
        total=want.size,
        start=start,
        expected_around=rows[0],
        got_around=rows[1],
    )


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
