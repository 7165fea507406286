"""A verdict in a notebook: what the terminal says, in the words of the magics, with the rest folded below."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.rating_view import choice_lines, choices_json
from llmdrills.cli.verdict_view import left_out, verdict_text
from llmdrills.language import Bilingual
from llmdrills.notebook.shown import Part, Shown
from llmdrills.practice.rating import Rating, derive, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.language import Language
    from llmdrills.practice.rating import Facts
    from llmdrills.practice.repetition import Choice

__all__ = ["Outcome", "verdict_shown"]

_REST = Bilingual("`%%kata {kata} --why` shows {what}.", "`%%kata {kata} --why` 可以查看{what}。")
_EARNED = Bilingual(
    "You earned {rating} ({reason}). It comes back on:", "本次应得评级：{rating}（{reason}）。下次复习日期："
)
_UNTIMED = Bilingual(
    "You earned {rating} ({reason}; at most Good, because nobody saw when you began: `%kata {kata}` begins the next "
    "one). It comes back on:",
    "本次应得评级：{rating}（{reason}；没有起始时间，最高为“良好”：下次请用 `%kata {kata}` 开始）。下次复习日期：",
)
_RECORD = Bilingual(
    "`%kata_rate` records {rating}; `%kata_rate {lower}` a lower one.",
    "运行 `%kata_rate` 记录“{rating}”；`%kata_rate {lower}` 记录更低的评级。",
)
_RECORD_ONLY = Bilingual("`%kata_rate` records it.", "运行 `%kata_rate` 记录评级。")


class Outcome(NamedTuple):
    """What became of a graded cell: whether it is recorded, what to say of that, and what it earned."""

    done: bool = False
    notes: tuple[Bilingual, ...] = ()
    choices: tuple[Choice, ...] = ()
    facts: Facts | None = None


def verdict_shown(verdict: Verdict, outcome: Outcome, language: Language, *, why: bool) -> Shown:
    """The verdict, what was earned, and how to see the rest."""
    from llmdrills.grading.judging.report import why_text

    head, _, message = verdict_text(verdict, language, colour=False).rstrip("\n").partition("\n")
    message = message.replace(f"`llmdrills hint {verdict.kata}`", "`%kata_hint`")
    rest, what = why_text(verdict, language), left_out(verdict)
    parts = [Part(message)] if message else []
    if rest and what is not None:
        told = _REST.format(kata=verdict.kata, what=what)[language]
        parts += [Part(rest)] if why else [Part(told, only_plain=True), Part(rest, _heading(what[language]))]
    if outcome.facts is not None and outcome.choices:
        parts.append(Part(_earned_text(verdict.kata, outcome.choices, outcome.facts, language)))
    parts += [Part(one[language]) for one in outcome.notes]
    kind = "good" if verdict.passed else "open" if verdict.outcome == "unimplemented" else "bad"
    data = {**verdict.to_json(), "recorded": outcome.done, "ratings": choices_json(outcome.choices)}
    return Shown(head, parts, language, kind=kind, data=data)


def _heading(text: str) -> str:
    return text[:1].upper() + text[1:]


def _earned_text(kata: str, choices: Sequence[Choice], facts: Facts, language: Language) -> str:
    """What was earned and why, when the kata comes back for each rating, and the magic that records it."""
    best = choices[-1].rating
    capped = best == Rating.GOOD and derive(facts) == Rating.EASY
    words = {"rating": best.label, "reason": reason(facts), "kata": kata}
    lines = [(_UNTIMED if capped else _EARNED).format(**words)[language], *choice_lines(choices, language)]
    lower = "|".join(choice.rating.name.lower() for choice in choices[:-1])
    lines.append((_RECORD.format(**words, lower=lower) if lower else _RECORD_ONLY)[language])
    return "\n".join(lines)
