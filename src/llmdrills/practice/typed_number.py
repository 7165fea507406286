"""A number as a learner types it: `8192`, `8,192`, `1.5e9`, `1.5×10^9`, `2^13`, `3/4`, `12 %`, `1.5 GB`, `1.24 亿`.

Only what can be meant in one way is read; everything else is told, and asked for again. `1,5` is no number, because
half of the world reads 1.5 and the other half a slip of the finger; `Gb` is no GB, because it is a bit.

What is not covered: sums, brackets and names of formulas, and words for numbers ("twelve", 十二).
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Unread", "read_number"]

_LONGEST = 100

_WHOLE = r"\d{1,3}(?:,\d{3})+(?![\d,])|\d{1,3}(?:_\d{3})+(?![\d_])|\d{1,3}(?: \d{3})+(?!\d)|\d+"
_NUMBER = rf"[+-]?(?:(?:{_WHOLE})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RAISED = r"\s*(?:\^|\*\*)\s*"
_TYPED = re.compile(
    rf"(?:[=≈~]|约|about )?\s*(?:"
    rf"(?P<factor>{_NUMBER})\s*[×x*·]\s*(?P<ten>10){_RAISED}(?P<tens>[+-]?\d+)"
    rf"|(?P<base>{_NUMBER}){_RAISED}(?P<power>[+-]?\d+)"
    rf"|(?P<over>{_NUMBER})\s*/\s*(?P<under>{_NUMBER})"
    rf"|(?P<number>{_NUMBER})"
    r")\s*(?P<unit>[^\d\s.,+*/^×·_-].*)?"
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+\D*|[+-]?\d[\d.,]*,[\d.,]*\D*")

_SCALES = {
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "千": 1e3,
    "万": 1e4,
    "十万": 1e5,
    "百万": 1e6,
    "千万": 1e7,
    "亿": 1e8,
    "十亿": 1e9,
    "百亿": 1e10,
    "千亿": 1e11,
    "万亿": 1e12,
}
"""Words for powers of ten, which a unit may be ("million") and which may stand before one."""

_UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("B", "byte", "bytes", "字节"), ("bytes", 1.0)),
    **{f"{letter}B": ("bytes", 10.0 ** (3 * at)) for at, letter in enumerate("KMGTP", 1)},
    **{f"{letter}iB": ("bytes", 1024.0**at) for at, letter in enumerate("KMGTP", 1)},
    "kB": ("bytes", 1e3),
    **dict.fromkeys(("FLOP", "FLOPs"), ("operations", 1.0)),
    **{
        f"{letter}FLOP{s}": ("operations", 10.0 ** (3 * at)) for at, letter in enumerate("KMGTPE", 1) for s in ("", "s")
    },
    **dict.fromkeys(("s", "sec", "second", "seconds", "秒"), ("seconds", 1.0)),
    **dict.fromkeys(("ms", "millisecond", "milliseconds", "毫秒"), ("seconds", 1e-3)),
    **dict.fromkeys(("μs", "us", "microsecond", "microseconds", "微秒"), ("seconds", 1e-6)),
    **dict.fromkeys(("ns", "纳秒"), ("seconds", 1e-9)),
    **dict.fromkeys(("min", "minute", "minutes", "分钟"), ("seconds", 60.0)),
    **dict.fromkeys(("h", "hour", "hours", "小时"), ("seconds", 3600.0)),
    **dict.fromkeys(("day", "days", "天"), ("seconds", 86400.0)),
}
_BY_SMALL = {name.lower(): name for name in _UNITS}
"""`gb` is GB for somebody in a hurry; `Gb` is not, because it says that it means bits."""

_HOW = Bilingual(
    "write a number such as 8192, 8,192, 1.5e9, 2^13, 3/4 or 12 %",
    "请输入数值，例如 8192、8,192、1.5e9、2^13、3/4 或 12 %",
)


class Unread(NamedTuple):
    """Why what was typed is no answer yet, and what to type instead."""

    what: Bilingual
    todo: Bilingual

    @property
    def told(self) -> Bilingual:
        """Both in one sentence."""
        return Bilingual(f"{self.what.en}: {self.todo.en}", f"{self.what.zh}：{self.todo.zh}")


_TOO_LONG = Unread(Bilingual("that is too long for a number", "输入太长，不像是数值"), _HOW)
_NO_NUMBER = Bilingual("`{text}` is no number", "`{text}` 不是数值")
_COMMA = Bilingual("`{text}` can be read in two ways", "`{text}` 有两种读法")
_NO_COMMA = Bilingual(
    "a comma parts groups of three digits (1,024), and decimals follow a point (1.5)",
    "逗号只用来分隔三位一组的数字（1,024），小数请用小数点（1.5）",
)
_TOO_LARGE = Bilingual("`{text}` is not finite", "`{text}` 不是有限的数")
_NO_UNIT = Bilingual("`{given}` is a unit, and this answer has none", "`{given}` 是单位，而这道题的答案没有单位")
_OTHER_UNIT = Bilingual("`{given}` is not the unit that is asked for", "`{given}` 不是题目所要的单位")
_USE_UNIT = Bilingual("answer in {unit}, or write the number alone", "请用题目的单位（{unit}），或只写数值")
_ALONE = Bilingual("write the number alone", "请只写数值")


def read_number(text: str, unit: Bilingual) -> float | Unread:
    """The number that was typed, in the unit that is asked for; or why it cannot be read. Never raises."""
    shown = " ".join(text.split())
    if len(shown) > _LONGEST:
        return _TOO_LONG
    plain = _plain(shown)
    found = _TYPED.fullmatch(plain)
    shown = "".join(letter if letter.isprintable() else "�" for letter in shown)
    if found is None:
        if _DECIMAL_COMMA.fullmatch(plain):
            return Unread(_COMMA.format(text=shown), _NO_COMMA)
        return Unread(_NO_NUMBER.format(text=shown), _HOW)
    try:
        value = _value(found)
    except (OverflowError, ZeroDivisionError):
        value = math.inf
    factor = _factor(found["unit"] or "", unit)
    if isinstance(factor, Unread):
        return factor
    if not math.isfinite(value * factor):
        return Unread(_TOO_LARGE.format(text=shown), _HOW)
    return value * factor


def _plain(text: str) -> str:
    """The text with one form of each sign: full-width ones as typed in Chinese, minus, raised digits, odd spaces."""
    text = _SUPERSCRIPTS.sub(lambda found: "^" + found[0].translate(_SUPERSCRIPT), text)
    if any(unicodedata.category(letter) == "No" for letter in text):
        return ""  # ½ and the like, which would run into the digits before them
    return " ".join(unicodedata.normalize("NFKC", text).replace("−", "-").split())  # a minus


def _value(found: re.Match[str]) -> float:
    """What the number comes to. Raises OverflowError and ZeroDivisionError."""
    if found["factor"]:
        return _float(found["factor"]) * 10.0 ** int(found["tens"])
    if found["base"]:
        return float(_float(found["base"]) ** int(found["power"]))
    if found["over"]:
        return _float(found["over"]) / _float(found["under"])
    return _float(found["number"])


def _float(text: str) -> float:
    return float(re.sub("[,_ ]", "", text))


# ---- units --------------------------------------------


def _factor(given: str, unit: Bilingual) -> float | Unread:
    """By what the typed number is multiplied, to be in the unit that is asked for."""
    given = given.strip()
    own = {_tight(one) for one in (unit.en, unit.zh) if one}
    if not given or _is_one_of(given, own):
        return 1.0
    if given == "%":
        return 0.01 if not own else _other(given, unit)
    kind, wanted = _known(unit)
    for scale, rest in _scaled(given):
        if rest and _is_one_of(rest, own):
            return scale
        found = _unit(rest)
        if rest and found is not None and found[0] == kind:
            return scale * found[1] / wanted
        if not rest and kind == "count":  # a scale asked for in another: 1.35 亿 of million
            return scale / wanted
    return _other(given, unit)


def _other(given: str, unit: Bilingual) -> Unread:
    if not unit.en:
        return Unread(_NO_UNIT.format(given=given), _ALONE)
    return Unread(_OTHER_UNIT.format(given=given), _USE_UNIT.format(unit=unit))


def _known(unit: Bilingual) -> tuple[str, float]:
    """What the unit measures, and how much of it one is; a count of tokens, layers … is 1 of them."""
    if unit.en in _SCALES:
        return "count", _SCALES[unit.en]
    return _UNITS.get(unit.en) or (("share", 1.0) if unit.en == "%" else ("count", 1.0))


def _unit(text: str) -> tuple[str, float] | None:
    name = text if text in _UNITS else _BY_SMALL.get(text) if text == text.lower() else None
    return _UNITS[name] if name else None


def _scaled(given: str) -> Iterator[tuple[float, str]]:
    """The ways to read a unit as a scale and the rest: `million tokens`, `亿`, and first of all no scale."""
    yield 1.0, given
    for word in sorted(_SCALES, key=len, reverse=True):
        if given.lower().startswith(word):
            rest = given[len(word) :]
            if not rest or not word.isascii() or not rest[0].isalnum():
                yield _SCALES[word], rest.strip()


def _is_one_of(given: str, own: set[str]) -> bool:
    """Whether it is the unit's own name, in either language, in the singular or plural."""
    tight = _tight(given)
    names = {*own, *(one.removesuffix("s") for one in own), *(one.removeprefix("个") for one in own)}
    return tight in names or (tight == tight.lower() and tight in {one.lower() for one in names})


def _tight(text: str) -> str:
    return re.sub(r"\s+", "", text)
