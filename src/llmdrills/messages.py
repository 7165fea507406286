"""What errors and problems say, in Chinese.

The code says it in English, where it is read with the code. messages.zh.txt holds the Chinese of each message, with its
fields in the order of the English; a message is looked up when it is printed, so that one which came from another
process or from a cache is told in Chinese too. What is not found stays in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from llmdrills.language import Bilingual

__all__ = ["in_both", "in_chinese"]

_FIELD = re.compile(r"\{([a-z])\}")
_NAMES = re.compile(r"[\w.'`-]+(?:(?:, | and )[\w.'`-]+)+")  # `en, zh`
_PLACE = re.compile(r"(\S+:\d+): (.*)", re.DOTALL)
_MOST_NESTED = 3


def in_chinese(text: str) -> str:
    """The Chinese of a message, or of a phrase that fills one; the text itself where there is none."""
    return _told(text, _MOST_NESTED)


def in_both(text: object) -> Bilingual:
    """A message, or a phrase that fills one, in both languages: what the system says of an error, too."""
    return Bilingual(str(text), in_chinese(str(text)))


def _told(text: str, depth: int) -> str:
    whole = _whole().get(text)
    if whole is not None or depth == 0:
        return whole if whole is not None else text
    rank, pattern = _fitting(text)
    place = _PLACE.fullmatch(text)
    # `{a} has {b}` would take a place with what follows it for its first field: what says more itself is taken.
    if place is not None and (place[2] in _whole() or _fitting(place[2])[0] < rank):
        return f"{place[1]}: {_told(place[2], depth - 1)}"
    if pattern is not None:
        found, chinese = pattern
        fields = {name: _told(value, depth - 1) for name, value in found.groupdict().items()}
        return _tidy(_filled(chinese, fields))
    if _NAMES.fullmatch(text):
        return re.sub(", | and ", "、", text)
    parts = text.split("; ")
    if len(parts) > 1:
        told = [_told(part, depth - 1) for part in parts]
        if told != parts:
            return "；".join(told)
    return text


def _fitting(text: str) -> tuple[int, tuple[re.Match[str], str] | None]:
    """The first message that the text fits, with its rank: the lower, the more text of its own it has."""
    for rank, (pattern, chinese) in enumerate(_patterns()):
        if (found := pattern.fullmatch(text)) is not None:
            return rank, (found, chinese)
    return len(_patterns()), None


def _filled(text: str, fields: dict[str, str]) -> str:
    return _FIELD.sub(lambda one: fields.get(one[1], one[0]), text)


def _tidy(text: str) -> str:
    """No space between two Chinese characters, where a field was said in Chinese too; one beside letters."""
    text = re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff，。；：？！（）])", "", text)
    return re.sub(r"(?<=[\u3400-\u9fff])(?=[A-Za-z0-9`'])|(?<=[A-Za-z0-9`'])(?=[\u3400-\u9fff])", " ", text)


@lru_cache(maxsize=1)
def _whole() -> dict[str, str]:
    return {en: zh for en, zh in _pairs() if not _FIELD.search(en)}


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Each message with fields as an expression, those with the most text of their own first."""
    fielded = [(en, zh) for en, zh in _pairs() if _FIELD.search(en)]
    fielded.sort(key=lambda pair: -len(_FIELD.sub("", pair[0])))
    return tuple((re.compile(_expression(en), re.DOTALL), zh) for en, zh in fielded)


def _expression(english: str) -> str:
    parts = _FIELD.split(english)  # text, field, text, field, …, text
    return "".join(
        re.escape(part) if at % 2 == 0 else f"(?P<{part}>.*?)" if at < len(parts) - 2 else f"(?P<{part}>.*)"
        for at, part in enumerate(parts)
    )


def _pairs() -> Iterator[tuple[str, str]]:
    from importlib import resources  # here, because most commands have no message to tell

    text = resources.files("llmdrills").joinpath("messages.zh.txt").read_text("utf-8")
    english = ""
    for line in text.splitlines():
        if line.startswith("    "):
            yield english, line.strip()
        elif not line.startswith("#"):
            english = line
