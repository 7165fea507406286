"""The values that an event may have: what an import takes, and what every query sees of the events that are there.

A type is not enough: a rating of 99, a pass of 1e308 seconds or a clock in 1969 are of the right type, and stop every
figure that is computed from them. Such an event is never deleted, because the record is append-only: an import sets it
aside, and one that an earlier release let in is left out of every query (`sound`), exported, and named by `doctor`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmdrills.language import LANGUAGE_TAG, Bilingual
from llmdrills.practice import schema
from llmdrills.practice.moments import LAST, Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Fault", "fault", "sound"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_YEAR = 31_536_000  # seconds: no repetition is worked at for longer
_LONGEST_CODE = 32 * 1024 * 1024  # characters; a rebuild reads no row of more than twice that
_SHOWN = 60  # characters of a value that a message repeats


@dataclass(frozen=True)
class _Domain:
    """The values that a column may have: in words, as a test, and as a condition where a query can ask it cheaply."""

    allowed: Bilingual
    holds: Callable[[Any], bool]
    sql: str = ""


def _numbers(low: int, high: int) -> _Domain:
    return _Domain(
        Bilingual(f"it must lie in {low} … {high}", f"应在 {low} 到 {high} 之间"),
        lambda value: low <= value <= high,
        f"{{column}} BETWEEN {low} AND {high}",
    )


def _text(longest: int, pattern: re.Pattern[str] | None = None) -> _Domain:
    """Text of at most so many characters that can be printed; of the whole pattern where one is given."""

    def holds(value: str) -> bool:
        whole = bool(pattern.fullmatch(value)) if pattern else not _CONTROL.search(value)
        return whole and len(value) <= longest

    return _Domain(
        Bilingual(f"it must have at most {longest} characters that can be printed", f"应为至多 {longest} 个可见字符"),
        holds,
    )


def _any_text(longest: int) -> _Domain:
    return _Domain(
        Bilingual(f"it must have at most {longest} characters", f"不应超过 {longest} 个字符"),
        lambda value: len(value) <= longest,
    )


def _is_list(text: str, longest: int = 1 << 20) -> bool:
    """Whether it is a list in JSON."""
    try:
        return len(text) <= longest and isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _are_weights(text: str) -> bool:
    """Whether it is a flat list of numbers in JSON. Which of them FSRS accepts is asked when they are used."""
    if not _is_list(text, 10_000):
        return False
    return all(type(weight) in {int, float} and abs(weight) < 1e9 for weight in json.loads(text))


_KATA = _Domain(
    Bilingual("it must be the id of a kata: lower-case words joined by hyphens", "应为练习的 id：小写单词加连字符"),
    lambda value: len(value) <= 100 and bool(_SLUG.fullmatch(value)),
    "{column} NOT GLOB '*[^a-z0-9-]*'",
)
_PATH = _Domain(
    Bilingual("it must be a path of at most 4000 characters", "应为不超过 4000 个字符的路径"),
    lambda value: "\0" not in value and len(value) <= 4000,
    "instr({column}, char(0)) = 0",
)
_LIST = _Domain(Bilingual("it must be a list in JSON", "应为 JSON 列表"), _is_list)
_WEIGHTS = _Domain(Bilingual("it must be a list of numbers in JSON", "应为 JSON 数字列表"), _are_weights)


def _one_of(*words: str) -> _Domain:
    *first, last = words
    return _Domain(
        Bilingual(f"it must be {', '.join(first)} or {last}", f"应为 {'、'.join(first)} 或 {last}"),
        lambda value: value in words,
        f"{{column}} IN ({', '.join(map(repr, words))})",
    )


_NAME, _COUNT = _text(200), _numbers(0, 10**9)

_COLUMNS: dict[str, _Domain] = {
    "id": _text(100),
    "session": _text(100),
    "review": _text(100),
    "kata": _KATA,
    "variant": _NAME,
    "file": _PATH,
    "outcome": _NAME,
    "diagnosis": _text(500),
    "device": _NAME,
    "how": _NAME,
    "reason": _any_text(10_000),
    "cases": _LIST,
    "code": _any_text(_LONGEST_CODE),
    "encoding": _one_of("utf-8", "base64"),
    "seconds": _numbers(0, _YEAR),
    "number": _numbers(1, 1000),
    "derived": _numbers(1, 4),
    "rating": _numbers(1, 4),
    "override": _numbers(0, 1),
    "weights": _WEIGHTS,
    "reviews": _COUNT,
    "loss": _numbers(0, 1000),
    "note": _NAME,
    "language": _text(35, LANGUAGE_TAG),
    "source": _one_of("self", "anki"),
    "origin": _text(500),
    "seed": _numbers(-(2**63), 2**63 - 1),
    "mode": _Domain(Bilingual("it must be repair, or nothing", "应为 repair，或留空"), lambda value: value == "repair"),
    "slip": _NAME,
    "card": _numbers(0, 1000),
    "stability": _numbers(0, 10**6),
    "difficulty": _numbers(0, 100),
    "decay": _numbers(0, 100),
    "method": _one_of("fsrs", "interval", "forgotten"),
    "as_of": _numbers(0, LAST // 1000),
    "item": _NAME,
    "katas": _any_text(10_000),
}


@dataclass(frozen=True)
class Fault:
    """A value that no event can have."""

    column: str
    value: Any
    allowed: Bilingual

    @property
    def message(self) -> Bilingual:
        """What is wrong with it."""
        shown = ascii(self.value) if not isinstance(self.value, str) or _CONTROL.search(self.value) else self.value
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        return Bilingual(
            f"{self.column} is {shown}; {self.allowed.en}", f"{self.column} 的值为 {shown}，{self.allowed.zh}"
        )


_TIME = Bilingual(
    "it must be a time between 1970 and 2200, less than a day off UTC",
    "应为 1970 到 2200 年之间的时间，时区不超过一天",
)


def fault(kind: str, row: Mapping[str, Any]) -> Fault | None:
    """The first value of an event that is out of its domain; None for a sound event. The types are right already."""
    moment = Moment(row["at"], row["zone"])
    if not moment.plausible:
        return Fault("at", moment.text, _TIME)
    for column in ("id", *schema.EVENTS[kind]):
        value = row[column]
        wrong = isinstance(value, float) and not math.isfinite(value)
        if value is not None and (wrong or not _COLUMNS[column].holds(value)):
            return Fault(column, value, _COLUMNS[column].allowed)
    if "encoding" in row and row["encoding"] == "base64" and not _is_base64(row["code"]):
        return Fault(
            "code", row["code"], Bilingual("it must be base64, as its encoding says", "应与 encoding 一致，为 base64")
        )
    return None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def sound(kind: str) -> str:
    """The condition, for a query, that an event of this kind has values that everything can be computed from.

    What is not covered: texts, which are looked at where they are used.
    """
    asked = []
    for column, known in schema.EVENTS[kind].items():
        if _COLUMNS[column].sql and column != "seed":  # any integer is one
            holds = _COLUMNS[column].sql.format(column=column)
            asked.append(f"({column} IS NULL OR {holds})" if known.null else holds)
    return " AND ".join([f"at BETWEEN 0 AND {LAST - 1}", "zone BETWEEN -86399 AND 86399", *asked])
