"""The two languages of everything that a learner reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LANGUAGES", "Bilingual", "Language", "chinese", "counted", "listed"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True)
class Bilingual:
    """The same text in English and in Chinese."""

    en: str
    zh: str

    def __getitem__(self, language: Language) -> str:
        return self.en if language == "en" else self.zh

    def format(self, **values: object) -> Bilingual:
        """Fill `{name}` fields in both languages; a value that is `Bilingual` itself gives to each its own."""
        return Bilingual(*(one.format(**{k: _told(v, name) for k, v in values.items()}) for name, one in self._both()))

    def _both(self) -> tuple[tuple[Language, str], ...]:
        return ("en", self.en), ("zh", self.zh)


def _told(value: object, language: Language) -> object:
    return value[language] if isinstance(value, Bilingual) else value


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


def listed(names: Iterable[str]) -> Bilingual:
    """Names in a row: `en, zh`."""
    found = list(names)
    return Bilingual(", ".join(found), "、".join(found))


def counted(count: int, one: str, chinese: str, many: str = "") -> Bilingual:
    """A number with what it counts: `1 day`, `2 days`. `many`: the plural, where it is not `one` with an s.

    `chinese` is the measure word with its noun.
    """
    return Bilingual(f"{count} {one if count == 1 else many or one + 's'}", f"{count} {chinese}")
