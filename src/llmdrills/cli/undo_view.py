"""Take back the last rating or skip and put its file in place, for the command and for the key; and say what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.record import practice_file
from llmdrills.cli.repair import starter_of
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.undoing import last_step, take_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History
    from llmdrills.practice.repetition import Repetition
    from llmdrills.practice.undoing import Step
    from llmdrills.practice.unfinished import Begun

__all__ = ["Undone", "name_step", "undo_last"]

_RATING = Bilingual("the rating {rating} of {kata} ({day})", "{kata} 的评级“{rating}”（{day}）")
_SKIP = Bilingual("the skip of {kata} ({day})", "对 {kata} 的跳过（{day}）")
_REPAIR_SKIP = Bilingual("the skip of the repair of {kata} ({day})", "对 {kata} 修复练习的跳过（{day}）")
_UNRATED = Bilingual("{kata} is passed and not rated yet", "{kata} 已通过但尚未评级")
_FIRST = Bilingual(
    "`llmdrills rate {kata}` or `llmdrills skip {kata}` first: what would be undone is an earlier repetition of it",
    "请先运行 `llmdrills rate {kata}` 或 `llmdrills skip {kata}`：将要撤销的是它更早的一次练习",
)


class Undone(NamedTuple):
    """What was taken back, and the repetition that is open again; None where nothing had been begun.

    `put_back`: whether its file held something else, which is archived.
    """

    step: Step
    repetition: Repetition | None
    put_back: bool = False


def name_step(step: Step) -> Bilingual:
    """The rating or skip in a few words, with its day."""
    if step.rating is None:
        return (_REPAIR_SKIP if step.repair else _SKIP).format(kata=step.kata, day=step.at.day)
    label = step.rating.label
    words = {"kata": step.kata, "day": step.at.day}
    return Bilingual(_RATING.en.format(rating=label.en, **words), _RATING.zh.format(rating=label.zh, **words))


def undo_last(here: Place, history: History, katas: Mapping[str, Kata]) -> Undone | None:
    """Take back the last rating or skip; None where there is none.

    Raises UsageError where that would put an earlier repetition in the place of a pass that waits for its rating.
    """
    step = last_step(history)
    kata = katas.get(step.kata) if step is not None else None
    if step is not None and kata is not None and step.session and not step.repair:
        later = repetitions.resume(history, kata, begun="blank")
        if later is not None and later.unrated_pass:
            raise UsageError(_UNRATED.format(kata=kata.id), _FIRST.format(kata=kata.id))
    step = take_back(history)
    if step is None or kata is None or not step.session:
        return None if step is None else Undone(step, None)
    begun: Begun = "repair" if step.repair else "blank"
    found = repetitions.resume(history, kata, None, practice_file(here, kata), begun=begun)
    if found is None or found.id != step.session:
        return Undone(step, None)
    return Undone(step, found, found.put_back(starter_of(here, found)))
