"""Right numbers in a wrong place: what can be said of a wrong answer without any slip.

Each recogniser looks at one expected and one returned array and names itself when it explains the difference. Arrays
of fewer than three numbers show nothing: anything is a multiple of anything. Neither does an answer that is almost
right: numbers are looked at only where most of them are off by more than ten times what the case allows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.protocol.answer import Answer, Expected
from llmdrills.grading.protocol.numbers import array, is_floating, limits, load_numpy
from llmdrills.grading.protocol.wire import TensorValue, Value
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.grading.protocol.numbers import Array

__all__ = ["Recognition", "recognitions"]

FEWEST = 3
FAR = 10
"""A number is plainly wrong beyond so many times what the case allows."""
MOST_AXES = 5
_CASE = "{case}"


@dataclass(frozen=True)
class Recognition:
    """What the answer is, in terms of the right one. `id` and `key` are the same in every case that it explains."""

    id: str
    key: tuple[int | str, ...]
    text: Bilingual  # may hold `{case}`
    case: str = ""  # the one in which the text's numbers were seen

    def told(self, title: str) -> Bilingual:
        """Its text; `title` is what its case is called in Chinese."""
        return Bilingual(self.text.en.replace(_CASE, self.case), self.text.zh.replace(_CASE, title or self.case))


@dataclass(frozen=True)
class _Pair:
    """One expected leaf and the returned one, as numbers; `path` leads to them in the answer."""

    want: Array
    got: Array
    want_dtype: str
    got_dtype: str
    expected: Expected
    baseline: float
    path: str = ""

    def equal(self, want: Array, got: Array) -> bool:
        np = load_numpy()
        if want.shape != got.shape:
            return False
        coarser = max(self.want_dtype, self.got_dtype, key=lambda name: _COARSENESS.get(name, 0))
        allowed = self.limits(want, coarser)
        with np.errstate(invalid="ignore", over="ignore"):
            near = (want == got) | (np.abs(got - want) <= allowed) | (np.isnan(want) & np.isnan(got))
        return bool(near.all())

    def plainly_wrong(self) -> bool:
        """Whether most numbers are off by more than rounding could explain."""
        np = load_numpy()
        if self.want.shape != self.got.shape:
            return True
        with np.errstate(invalid="ignore", over="ignore"):
            allowed = FAR * self.limits(self.want, self.want_dtype)
            near = (self.want == self.got) | (np.abs(self.got - self.want) <= allowed)
            near |= np.isnan(self.want) & np.isnan(self.got)
        return bool(2 * (~near).sum() > near.size)

    def limits(self, want: Array, dtype: str) -> Array:
        """How far each number may lie from `want`, by the case's tolerance."""
        of = self.expected.tolerance
        return limits(want, dtype, of.rtol, of.atol, self.baseline)


_COARSENESS = {"float32": 1, "float16": 2, "bfloat16": 3}


def recognitions(expected: Expected, answer: Answer) -> list[Recognition]:
    """Everything that explains the answer to this case, the most telling first."""
    want, got = expected.answer.value, answer.value
    if expected.draws or expected.raises or expected.calls > 1:
        return []
    structural = list(_structure(expected, want, got))
    if structural:
        return structural
    pairs = list(_pairs(expected, want, got))
    wrong = [pair for pair in pairs if not (pair.want_dtype == pair.got_dtype and pair.equal(pair.want, pair.got))]
    if not wrong or len(pairs) != len(list(leaves(want))):
        return []
    found = [_recognise(pair) for pair in wrong]
    common = {(r.id, r.key) for r in found[0]}
    for others in found[1:]:
        common &= {(r.id, r.key) for r in others}
    agreed = [r for r in found[0] if (r.id, r.key) in common]
    return agreed if len(wrong) == len(pairs) else [_naming_items(r, [pair.path for pair in wrong]) for r in agreed]


def _naming_items(recognition: Recognition, paths: Sequence[str]) -> Recognition:
    """The recognition with the names of the items that it is about, where the other items are right."""
    places = [f"result{path}" for path in paths]
    en, zh = recognition.text.en, recognition.text.zh
    text = Bilingual(f"{', '.join(places)}: {en[0].lower()}{en[1:]}", f"{'、'.join(places)}：{zh}")
    return Recognition(recognition.id, (*recognition.key, *paths), text, recognition.case)


def _recognise(pair: _Pair) -> list[Recognition]:
    return [recognition for recogniser in _RECOGNISERS for recognition in recogniser(pair)]


def _pairs(expected: Expected, want: Value, got: Value) -> Iterator[_Pair]:
    """The leaves that stand at the same place in both, as pairs of arrays; whatever else there is is left out."""
    found = dict(leaves(got))
    for index, (path, leaf) in enumerate(leaves(want)):
        other = found.get(path)
        if (
            isinstance(leaf, TensorValue)
            and isinstance(other, TensorValue)
            and not other.missing
            and not other.subclass
        ):
            if leaf.dtype.startswith("complex") or other.dtype.startswith("complex"):
                continue
            dtype = expected.dtypes[index] if index < len(expected.dtypes) else leaf.dtype
            baselines = expected.tolerance.baselines
            one, two = array(leaf).astype("float64"), array(other).astype("float64")
            baseline = baselines[index] if index < len(baselines) else 0.0
            yield _Pair(
                want=one,
                got=two,
                want_dtype=dtype or leaf.dtype,
                got_dtype=other.dtype,
                expected=expected,
                baseline=baseline,
                path=path,
            )


# Structure: the right thing in another wrapping


def _structure(expected: Expected, want: Value, got: Value) -> Iterator[Recognition]:
    many = (tuple, list)
    if isinstance(want, TensorValue) and isinstance(got, many):
        for index, item in enumerate(got):
            if _same(expected, want, item, 0):
                yield Recognition("wrapped", (index,), Bilingual(
                    f"The right result is `result[{index}]` of what you return: return it alone.",
                    f"正确的结果是你返回值中的 `result[{index}]`：只返回它即可。",
                ))  # fmt: skip
    elif isinstance(want, many) and isinstance(got, TensorValue):
        for index, item in enumerate(want):
            if _same(expected, item, got, index):
                yield Recognition("part-only", (index,), Bilingual(
                    f"You return only what `result[{index}]` should be; {len(want)} items are due.",
                    f"你只返回了 `result[{index}]` 应有的内容；应返回 {len(want)} 项。",
                ))  # fmt: skip
    elif isinstance(want, many) and isinstance(got, many) and len(want) == len(got):
        if type(want) is not type(got) and all(
            _same(expected, a, b, i) for i, (a, b) in enumerate(zip(want, got, strict=True))
        ):
            names = type(want).__name__, type(got).__name__
            yield Recognition("container", (), Bilingual(
                f"The items are right; return a {names[0]}, not a {names[1]}.",
                f"各项都对；应返回 {names[0]}，而不是 {names[1]}。",
            ))  # fmt: skip
        elif 2 <= len(want) <= 4:
            for order in itertools.permutations(range(len(want))):
                if list(order) != sorted(order) and all(
                    _same(expected, want[i], got[j], i) for i, j in enumerate(order)
                ):
                    yield Recognition("swapped-items", order, Bilingual(
                        "The items are right, in another order.", "各项都对，但顺序不同。"
                    ))  # fmt: skip
                    break


def _same(expected: Expected, want: Value, got: Value, index: int) -> bool:
    if not isinstance(want, TensorValue) or not isinstance(got, TensorValue) or got.missing or want.shape != got.shape:
        return not isinstance(want, TensorValue) and type(want) is type(got) and bool(want == got)
    np = load_numpy()
    dtype = expected.dtypes[index] if index < len(expected.dtypes) else want.dtype
    baselines = expected.tolerance.baselines
    baseline = baselines[index] if index < len(baselines) else 0.0
    one, other = array(want).astype(np.float64), array(got).astype(np.float64)
    return got.dtype == dtype and _Pair(
        want=one, got=other, want_dtype=dtype, got_dtype=got.dtype, expected=expected, baseline=baseline
    ).equal(one, other)


# One array


def _dtype(pair: _Pair) -> Iterator[Recognition]:
    if pair.want_dtype != pair.got_dtype and pair.equal(pair.want, pair.got):
        yield Recognition("dtype", (pair.got_dtype, pair.want_dtype), Bilingual(
            f"The values are right in {pair.got_dtype}; the result must be {pair.want_dtype}.",
            f"数值是对的，但 dtype 是 {pair.got_dtype}；结果应为 {pair.want_dtype}。",
        ))  # fmt: skip


def _transposed(pair: _Pair) -> Iterator[Recognition]:
    axes = pair.want.ndim
    if pair.got.ndim != axes or not 2 <= axes <= MOST_AXES:
        return
    for order in itertools.permutations(range(axes)):
        if list(order) == sorted(order) or pair.got.shape != tuple(pair.want.shape[i] for i in order):
            continue
        if pair.equal(pair.want.transpose(order), pair.got):
            key = tuple(i - axes for i in order)
            yield Recognition("transposed", key, Bilingual(
                f"The values are right, with axes in the order {order}: transpose the result.",
                f"数值是对的，但轴的顺序成了 {order}：把结果转置回来。",
            ))  # fmt: skip
            return


def _shape(pair: _Pair) -> Iterator[Recognition]:
    if pair.want.shape != pair.got.shape and pair.equal(pair.want.reshape(-1), pair.got.reshape(-1)):
        came, due = pair.got.shape, pair.want.shape
        yield Recognition("shape", (), Bilingual(
            f"The values are right, but in another shape ({came}, not {due}, in case {_CASE}).",
            f"数值是对的，但形状不对（用例“{_CASE}”中是 {came}，应为 {due}）。",
        ), pair.expected.case)  # fmt: skip


def _scaled(pair: _Pair) -> Iterator[Recognition]:
    np = load_numpy()
    if pair.want.shape != pair.got.shape or not is_floating(pair.want_dtype):
        return
    finite = np.isfinite(pair.want) & np.isfinite(pair.got)
    if not finite.any() or np.ptp(pair.want[finite]) == 0:
        return
    square = float((pair.want[finite] ** 2).sum())
    factor = float((pair.want[finite] * pair.got[finite]).sum()) / square if square else 0.0
    if factor and abs(factor - 1) > 1e-3 and pair.equal(pair.want * factor, pair.got):
        if abs(factor + 1) < 1e-3:
            yield Recognition(
                "negated", (), Bilingual("The values are right but for the sign.", "数值是对的，只是符号相反。")
            )
        yield Recognition("scaled", (), Bilingual(
            f"Every value is the right one times a constant ({factor:.5g} in case {_CASE}).",
            f"每个数值都是正确值乘以同一个常数（用例“{_CASE}”中为 {factor:.5g}）。",
        ), pair.expected.case)  # fmt: skip


def _offset(pair: _Pair) -> Iterator[Recognition]:
    np = load_numpy()
    if pair.want.shape != pair.got.shape:
        return
    finite = np.isfinite(pair.want) & np.isfinite(pair.got)
    if not finite.any() or np.ptp(pair.want[finite]) == 0:
        return
    step = float((pair.got[finite] - pair.want[finite]).mean())
    if abs(step) > 1e-3 and pair.equal(pair.want + step, pair.got):
        yield Recognition("offset", (), Bilingual(
            f"Every value is off by the same constant ({step:.5g} in case {_CASE}).",
            f"每个数值都差同一个常数（用例“{_CASE}”中为 {step:.5g}）。",
        ), pair.expected.case)  # fmt: skip


def _moved(pair: _Pair) -> Iterator[Recognition]:
    """Reversed, or shifted by one position, along one axis."""
    np = load_numpy()
    if pair.want.shape != pair.got.shape:
        return
    for axis in range(pair.want.ndim):
        size, key = pair.want.shape[axis], axis - pair.want.ndim
        if size < 2:
            continue
        want, got = np.moveaxis(pair.want, axis, 0), np.moveaxis(pair.got, axis, 0)
        if pair.equal(want[::-1], got):
            yield Recognition("reversed", (key,), Bilingual(
                f"The values are right, but in reverse along dim={axis}.", f"数值是对的，但沿 dim={axis} 方向颠倒了。"
            ))  # fmt: skip
        if size < FEWEST:
            continue
        for step, en, zh in ((1, "one position late", "晚了一个位置"), (-1, "one position early", "早了一个位置")):
            inner = (want[:-1], got[1:]) if step == 1 else (want[1:], got[:-1])
            if pair.equal(*inner) and not pair.equal(want, got):
                yield Recognition("shifted", (key, step), Bilingual(
                    f"The values are right, but {en} along dim={axis}.", f"数值是对的，但沿 dim={axis} {zh}。"
                ))  # fmt: skip


def _order(pair: _Pair) -> Iterator[Recognition]:
    np = load_numpy()
    if pair.want.shape != pair.got.shape or np.isnan(pair.got).any() or pair.equal(pair.want, pair.got):
        return
    for axis in range(pair.want.ndim):
        if pair.want.shape[axis] >= FEWEST and pair.equal(np.sort(pair.want, axis), np.sort(pair.got, axis)):
            yield Recognition("order", (axis - pair.want.ndim,), Bilingual(
                f"The values are right, but in another order along dim={axis}.",
                f"数值是对的，但沿 dim={axis} 的顺序不同。",
            ))  # fmt: skip
    if pair.want.ndim > 1 and pair.equal(np.sort(pair.want, None), np.sort(pair.got, None)):
        yield Recognition(
            "order", (), Bilingual("The values are right, but in other places.", "数值是对的，但位置不同。")
        )


def _enough(recogniser: Callable[[_Pair], Iterator[Recognition]]) -> Callable[[_Pair], Iterator[Recognition]]:
    def guarded(pair: _Pair) -> Iterator[Recognition]:
        if min(pair.want.size, pair.got.size) >= FEWEST and pair.plainly_wrong():
            yield from recogniser(pair)

    return guarded


_RECOGNISERS: tuple[Callable[[_Pair], Iterator[Recognition]], ...] = (
    _dtype,
    _enough(_transposed),
    _shape,
    _enough(_scaled),
    _enough(_offset),
    _enough(_moved),
    _enough(_order),
)
