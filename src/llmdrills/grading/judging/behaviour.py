"""What a failing attempt behaves like, where no known mistake explains it: data and words. No torch.

`llmdrills.grading.kernels.behaviours` finds a candidate by running wrong kernels that the framework makes around the
reference. It is worded as behaviour: arguments and what a call looks like, never how the reference is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmdrills.grading.judging.verdict import Behaviour
from llmdrills.language import Bilingual, Language, chinese

__all__ = ["ALWAYS", "BEHAVIOURS", "EXACTLY", "GIVEN", "HALF", "BehavesLike", "Candidate", "Condition", "worded"]

BEHAVIOURS = {
    "`{a}` is ignored": Bilingual("`{a}` were ignored", "忽略了 `{a}`"),
    "`{a}` is always {d}": Bilingual("`{a}` were always {d}", "`{a}` 总是 {d}"),
    "every entry of `{a}` is {d}": Bilingual("every entry of `{a}` were {d}", "`{a}` 的每个元素都是 {d}"),
    "the first row of `{a}` for all": Bilingual(
        "the first row's `{a}` were used for all rows", "所有行都用了第一行的 `{a}`"
    ),
    "`{a}` is transposed where it is square": Bilingual(
        "`{a}` were transposed where its last two sizes are equal", "在 `{a}` 最后两维相等时把它转置了"
    ),
    "the result is detached": Bilingual(
        "the result were detached: no gradient flows back from it", "返回值被 detach 了：梯度无法从它反传"
    ),
    "`{a}` is detached": Bilingual("`{a}` were detached: no gradient reaches it", "`{a}` 被 detach 了：梯度传不到它"),
    "a leading size of 1 is squeezed away": Bilingual(
        "the result's leading size of 1 were squeezed away", "返回值中大小为 1 的首维被 squeeze 掉了"
    ),
    "it stays in the inputs' own dtype": Bilingual(
        "everything were computed in the inputs' own precision", "全部计算都直接用输入自身的精度进行"
    ),
    "everything is computed in float16": Bilingual(
        "everything were computed in float16", "全部计算都用 float16 进行"
    ),
    "everything is computed in bfloat16": Bilingual(
        "everything were computed in bfloat16", "全部计算都用 bfloat16 进行"
    ),
    "everything is computed in float32": Bilingual(
        "everything were computed in float32", "全部计算都用 float32 进行"
    ),
    "the result is a buffer that is used again": Bilingual(
        "every call returned the same buffer, which a later call overwrites",
        "每次调用都返回同一块缓冲区，会被之后的调用覆盖"
    ),
    "a result is kept by shapes": Bilingual(
        "it returned the result of an earlier call whose inputs had the same shapes",
        "返回的是先前某次调用的结果，只要输入形状相同",
    ),
    "a result is kept by its first argument": Bilingual(
        "it returned the result of an earlier call with the same `{a}`",
        "只要 `{a}` 相同，返回的就是先前那次调用的结果"
    ),
    "the first `{a}` of a shape is kept": Bilingual(
        "it kept the first `{a}` of each shape and used it in later calls",
        "记住了每种形状的第一个 `{a}`，之后的调用一直沿用"
    ),
}  # fmt: skip
"""The family, the simplest first: how the framework words a wrong kernel, and how a learner reads it.

`{a}` is an argument, `{d}` a value.
"""
EXACTLY = "right except where"
"""The candidate that says nothing of the answers but where they are wrong; its condition is all that it has."""
HALF = ("float16", "bfloat16")
GIVEN = "is given"

_AS_IF = Bilingual("It behaves as if {what}.", "它的表现就像")
_AS_IF_WHERE = Bilingual("It behaves as if {what} where {where}.", "时，它的表现就像")
_EXACTLY_WHERE = Bilingual(
    "In the {calls} calls that were tried, it is wrong exactly where {where}.",
    "在试过的 {calls} 次调用中，它恰好在",
)


@dataclass(frozen=True)
class Condition:
    """What a call may have: the feature `name` (see `llmdrills.grading.kernels.features`) with one of `values`."""

    name: str
    values: tuple[str, ...]


ALWAYS = Condition("", ())
"""No condition: every call has it."""


@dataclass(frozen=True)
class Candidate:
    """Something that the attempt may behave like: `pattern` is a key of `BEHAVIOURS`, or `EXACTLY`."""

    pattern: str
    argument: str = ""
    detail: str = ""
    condition: Condition = ALWAYS


@dataclass(frozen=True)
class BehavesLike:
    """The candidate that the attempt agreed with in so many calls."""

    candidate: Candidate
    calls: int

    def told(self, language: Language) -> Behaviour:
        """As the verdict holds it."""
        one = self.candidate
        words = one.pattern.format(a=one.argument, d=one.detail)
        return Behaviour(words, worded(one.condition).en, self.sentence[language], self.calls)

    @property
    def sentence(self) -> Bilingual:
        """What a learner reads."""
        one, where = self.candidate, worded(self.candidate.condition)
        if one.pattern == EXACTLY:
            told = _EXACTLY_WHERE.format(where=where.en, calls=self.calls)
            return Bilingual(told.en, chinese(told.zh, where.zh, "时出错。"))
        what = BEHAVIOURS[one.pattern].format(a=one.argument, d=one.detail)
        if one.condition == ALWAYS:
            return Bilingual(_AS_IF.en.format(what=what.en), chinese(_AS_IF.zh, what.zh, "。"))
        english = _AS_IF_WHERE.en.format(what=what.en, where=where.en)
        return Bilingual(english, chinese("当", where.zh, _AS_IF_WHERE.zh, what.zh, "。"))


def worded(condition: Condition) -> Bilingual:
    """A condition as a learner reads it; empty for the one that always holds."""
    name, values = condition.name, frozenset(condition.values)
    if condition == ALWAYS:
        return Bilingual("", "")
    if " against " in name:
        one, _, other = name.partition(" against ")
        sign = _ORDERS[values]
        if "(" in one and "(" not in other:  # the argument's own name comes first
            one, sign, other = other, sign.translate(_TURNED), one
        return _same(f"`{one}` {sign} `{other}`")
    if name.endswith(".dtype"):
        argument = name.removesuffix(".dtype")
        names = sorted(values, key=lambda dtype: HALF.index(dtype) if dtype in HALF else -1)
        return Bilingual(f"`{argument}` is {' or '.join(names)}", f"`{argument}` 是 {' 或 '.join(names)}")
    for ending, texts in _CONTENTS.items():
        if name.endswith(f" {ending}"):
            words = texts[0 if values == {"True"} else 1]
            return words.format(a=name.removesuffix(f" {ending}"))
    if values == {"absent"}:
        return Bilingual(f"`{name}` is left out", f"省略了 `{name}`")
    if values == {"0", "1"}:
        return Bilingual(f"`{name}` is 0 or 1", f"`{name}` 是 0 或 1")
    if len(values) > 1:
        return _same(f"`{name}` ≥ 1")
    if values <= _NUMBERS.keys():
        return _same(f"`{name}` {_NUMBERS[min(values)]}")
    if values == {"below 1"}:
        return Bilingual(f"`{name}` < 1 and not 0", f"`{name}` < 1 且不为 0")
    return Bilingual(f"`{name}` is {min(values)}", f"`{name}` 是 {min(values)}")


def _same(text: str) -> Bilingual:
    return Bilingual(text, text)


_ORDERS = {
    frozenset({"less than"}): "<",
    frozenset({"equal to"}): "=",
    frozenset({"greater than"}): ">",
    frozenset({"less than", "equal to"}): "≤",
    frozenset({"equal to", "greater than"}): "≥",
    frozenset({"less than", "greater than"}): "≠",
}
_TURNED = str.maketrans("<>≤≥", "><≥≤")
_NUMBERS = {
    "negative": "< 0",
    "0": "= 0",
    "1": "= 1",
    "2 or more": "≥ 2",
    "3 or more": "≥ 3",
    "above 1": "> 1",
    "2": "= 2",
}


_CONTENTS = {
    GIVEN: (
        Bilingual("`{a}` is given", "给出了 `{a}`"),
        Bilingual("`{a}` is not given", "没有给出 `{a}`"),
    ),
    "contiguous": (
        Bilingual("`{a}` is contiguous", "`{a}` 在内存中连续"),
        Bilingual("`{a}` is not contiguous", "`{a}` 在内存中不连续"),
    ),
    "has large numbers": (
        Bilingual("`{a}` holds a number beyond ±50", "`{a}` 中有绝对值超过 50 的数"),
        Bilingual("`{a}` holds no number beyond ±50", "`{a}` 中没有绝对值超过 50 的数"),
    ),
    "has -inf": (
        Bilingual("`{a}` holds −inf", "`{a}` 中有 −inf"),
        Bilingual("`{a}` holds no −inf", "`{a}` 中没有 −inf"),
    ),
    "has ties": (
        Bilingual("a row of `{a}` holds two equal numbers", "`{a}` 的某一行中有两个相等的数"),
        Bilingual("no row of `{a}` holds two equal numbers", "`{a}` 的任何一行中都没有相等的数"),
    ),
    "all 0": (
        Bilingual("`{a}` is all 0", "`{a}` 全为 0"),
        Bilingual("`{a}` is not all 0", "`{a}` 不全为 0"),
    ),
    "all set": (
        Bilingual("`{a}` holds no 0", "`{a}` 中没有 0"),
        Bilingual("`{a}` holds a 0", "`{a}` 中有 0"),
    ),
    "has a row of 0": (
        Bilingual("`{a}` has a row that is all 0", "`{a}` 中有全为 0 的行"),
        Bilingual("`{a}` has no row that is all 0", "`{a}` 中没有全为 0 的行"),
    ),
    "in ASCII": (
        Bilingual("`{a}` is ASCII", "`{a}` 全是 ASCII 字符"),
        Bilingual("`{a}` is not ASCII", "`{a}` 含非 ASCII 字符"),
    ),
    "alphanumeric": (
        Bilingual("`{a}` is letters and digits alone", "`{a}` 只含字母和数字"),
        Bilingual("`{a}` is not letters and digits alone", "`{a}` 不只含字母和数字"),
    ),
}
"""What can be found in an argument: how it is worded where it holds, and where it does not."""
