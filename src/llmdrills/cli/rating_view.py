"""The ratings that a repetition earned, as a learner reads them: in the daily loop, after `grade`, and from `rate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmdrills.language import Bilingual, counted
from llmdrills.lines import columns
from llmdrills.practice.rating import Rating, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.language import Language
    from llmdrills.practice.rating import Facts
    from llmdrills.practice.repetition import Choice

__all__ = ["NAMES", "RATED", "choice_lines", "choices_json", "days_of", "earned_text"]

NAMES: dict[str, Rating] = {rating.name.lower(): rating for rating in Rating}
"""The words for a rating on the command line and in JSON."""

RATED = Bilingual("{kata}: {rating}; due again on {due} (in {days})", "{kata}：{rating}；{due} 到期（{days}后）")
_DUE = Bilingual("{due} (in {days})", "{due}（{days}后）")
_EARNED = Bilingual(
    "You earned {rating} ({reason}). It comes back on:", "本次应得评级：{rating}（{reason}）。下次复习日期："
)
_RECORD = Bilingual(
    "`llmdrills rate {kata}` records {rating}; `llmdrills rate {kata} {lower}` a lower one.",
    "运行 `llmdrills rate {kata}` 记录“{rating}”；`llmdrills rate {kata} {lower}` 记录更低的评级。",
)
_RECORD_ONLY = Bilingual("`llmdrills rate {kata}` records it.", "运行 `llmdrills rate {kata}` 记录评级。")


def choice_lines(choices: Sequence[Choice], language: Language, *, mark: str = "") -> list[str]:
    """A line for each rating that may be given, with the day on which the kata comes back; `mark` ends the last."""
    lines = []
    for choice in choices:
        due = _DUE.format(due=choice.due, days=days_of(choice))[language]
        label = choice.rating.label[language]
        line = f"  {int(choice.rating)} {label}{' ' * (6 - columns(label))} {due}"
        lines.append(f"{line}  {mark}" if mark and choice is choices[-1] else line)
    return lines


def earned_text(kata: str, choices: Sequence[Choice], facts: Facts, language: Language) -> str:
    """What was earned and why, when the kata comes back for each rating, and the command that records it."""
    derived = choices[-1].rating
    words = {"kata": kata, "rating": derived.label[language]}
    lines = [_EARNED.format(rating=derived.label[language], reason=reason(facts)[language])[language]]
    lines += choice_lines(choices, language)
    lower = "|".join(choice.rating.name.lower() for choice in choices[:-1])
    lines.append((_RECORD.format(**words, lower=lower) if lower else _RECORD_ONLY.format(**words))[language])
    return "\n".join(lines)


def days_of(choice: Choice) -> Bilingual:
    """In how many days the kata comes back."""
    return counted(choice.days, "day", "天")


def choices_json(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """The same for programs, lowest first; the last one is what was earned."""
    return [
        {"rating": choice.rating.name.lower(), "due": choice.due.isoformat(), "days": choice.days} for choice in choices
    ]
