"""The two languages of everything that a learner reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LANGUAGES", "LANGUAGE_TAG", "Bilingual", "Language", "chinese", "counted", "listed", "many_languages"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-[a-z0-9]{5,8})*")
"""A language that a deck may be written in, by its tag of BCP 47: `de`, `pt-BR`, `zh-Hant-TW`."""


@dataclass(frozen=True)
class Bilingual:
    """The same text in English and in Chinese; a deck's also in further languages, by their tags."""

    en: str
    zh: str
    more: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, language: str) -> str:
        """The text in a language; without one, that of the main language, and else the English."""
        for name, text in self.more:
            if name == language:
                return text
        if language == "en":  # the commonest first: a build asks a hundred thousand times
            return self.en
        return self.zh if language.partition("-")[0] == "zh" else self.en

    def format(self, **values: object) -> Bilingual:
        """Fill `{name}` fields in both languages; a value that is `Bilingual` itself gives to each its own."""
        en = self.en.format(**{name: _told(value, "en") for name, value in values.items()})
        return Bilingual(en, self.zh.format(**{name: _told(value, "zh") for name, value in values.items()}))


def _told(value: object, language: Language) -> object:
    return value[language] if isinstance(value, Bilingual) else value


def many_languages(texts: Mapping[str, str]) -> Bilingual:
    """One text in the languages of the mapping; in those that are not among them it is the first of them."""
    first = next(iter(texts.values()), "")
    more = tuple((name, text) for name, text in texts.items() if name not in LANGUAGES)
    return Bilingual(texts.get("en", first), texts.get("zh", texts.get("en", first)), more)


def chinese(*parts: str) -> str:
    """The pieces of a Chinese sentence as one: a space where a Chinese character meets a letter, a digit or code."""
    text = ""
    for part in parts:
        if text and part and _meet(text[-1], part[0]):
            text += " "
        text += part
    return text


def _meet(one: str, other: str) -> bool:
    if one.isspace() or other.isspace():
        return False
    return (_is_chinese(one) and other.isascii()) or (one.isascii() and _is_chinese(other))


def _is_chinese(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff"


def listed(words: Iterable[str]) -> Bilingual:
    """Names one after another, with the comma of each language."""
    names = list(words)
    return Bilingual(", ".join(names), "、".join(names))


def counted(count: int, one: str, chinese: str, many: str = "") -> Bilingual:
    """A number with what it counts: `1 day`, `2 days`. `many`: the plural, where it is not `one` with an s.

    `chinese` is the measure word with its noun.
    """
    return Bilingual(f"{count} {one if count == 1 else many or one + 's'}", f"{count} {chinese}")
