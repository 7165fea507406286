"""The two languages of everything that a learner reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["LANGUAGES", "Bilingual", "Language", "counted"]

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
        """Fill `{name}` fields in both languages."""
        return Bilingual(self.en.format(**values), self.zh.format(**values))


def counted(count: int, one: str, chinese: str, many: str = "") -> Bilingual:
    """A number with what it counts: `1 day`, `2 days`. `many`: the plural, where it is not `one` with an s.

    `chinese` is the measure word with its noun.
    """
    return Bilingual(f"{count} {one if count == 1 else many or one + 's'}", f"{count} {chinese}")
