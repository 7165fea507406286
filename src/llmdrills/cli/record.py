"""What commands outside of the daily loop add to the history: a hint, a look at the solution, an attempt.

They count towards the repetition that is open for the kata, if there is one; without one they are looked at freely.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.console import note
from llmdrills.cli.repair import Mistake, mistake_of
from llmdrills.errors import HistoryError, LLMDrillsError
from llmdrills.language import Bilingual
from llmdrills.lines import whole
from llmdrills.practice import backups, schedule
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from llmdrills.practice.rotation import stronger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.practice.rating import Facts
    from llmdrills.practice.repetition import Choice, Repetition
    from llmdrills.practice.unfinished import Begun

__all__ = [
    "EASIER",
    "Earned",
    "Recorded",
    "belongs",
    "earned",
    "open_history",
    "open_repetition",
    "own_file",
    "practice_file",
    "record_attempt",
    "tell_place",
]

EASIER = Bilingual(
    "{variant} is an easier form of {stronger}: it is graded, but not rated, and the schedule of {kata} stays "
    "as it is. `llmdrills start {kata}` practises {stronger}.",
    "{variant} 是 {stronger} 的较容易形式：会评分，但不评级，也不改变 {kata} 的复习安排。"
    "运行 `llmdrills start {kata}` 练习 {stronger}。",
)
_ELSEWHERE = Bilingual(
    "This repetition of {kata} began in {folder}, and goes on there.",
    "这次 {kata} 练习开始于 {folder}，将在那里继续。",
)
_NO_BACKUP = Bilingual("No backup of the history was made today: {why}", "今天没有备份历史记录：{why}")


class Earned(NamedTuple):
    """What a repetition earned: the ratings that may be given, the last one derived, and what it follows from."""

    choices: tuple[Choice, ...]
    facts: Facts


class Recorded(NamedTuple):
    """Whether an attempt was recorded, where the kata is written if it is open, and what it earned if it passed.

    `variant`: the one of the repetition that is open; `mistake`: what a passed repair began from.
    """

    done: bool
    file: Path | None = None
    variant: str = ""
    earned: Earned | None = None
    mistake: Mistake | None = None


@contextlib.contextmanager
def open_history(here: Place, *, check: bool = False) -> Iterator[History]:
    """The history; one that was damaged and rebuilt says so once, on stderr. `check` looks at every page first.

    The first command of a day makes the day's backup.
    """
    with History.open(here.locations.history_file, check=check) as history:
        recovery = history.recovery
        if recovery is not None:
            note(recovery.message[here.language])
            history.told()
        try:
            backups.keep(history)
        except HistoryError as error:
            note(_NO_BACKUP.format(why=error.in_both)[here.language])
        yield history


def practice_file(here: Place, kata: Kata, *, repair: bool = False) -> Path:
    """Where a repetition of the kata, or a repair, is written that begins now."""
    return here.practice / repetitions.file_name(kata.id, repair=repair)


@contextlib.contextmanager
def open_repetition(
    here: Place, kata: Kata, path: Path | None = None, begun: Begun = "any"
) -> Iterator[Repetition | None]:
    """The kata's unfinished repetition; None when there is none (then no history is made either).

    Of a repetition from a blank and a repair, the one that is written in `path`, else the one begun last.
    """
    if not here.locations.history_file.exists():
        yield None
        return
    own = practice_file(here, kata)
    with open_history(here) as history:
        found = repetitions.resume(history, kata, file=own, begun=begun)
        if found is not None and path is not None and found.file.absolute() != path.absolute():
            other = repetitions.resume(history, kata, file=own, begun="blank" if found.repair else "repair")
            found = other if other is not None and other.file.absolute() == path.absolute() else found
        yield found


def own_file(here: Place, kata: Kata, path: Path | None = None) -> Path:
    """The file in which the kata is written: where its open repetition began, else where one would begin.

    `path`: which of two open repetitions is meant, as in `open_repetition`.
    A history that cannot be read keeps nobody from grading: recording the attempt tells what is wrong with it.
    """
    with contextlib.suppress(LLMDrillsError), open_repetition(here, kata, path) as repetition:
        if repetition is not None:
            return repetition.file
    return practice_file(here, kata)


def tell_place(here: Place, repetition: Repetition) -> None:
    """Say where a repetition goes on that began in another folder than the one for practice today."""
    if repetition.file != practice_file(here, repetition.kata, repair=repetition.repair):
        words = _ELSEWHERE.format(kata=repetition.kata.id, folder=whole(repetition.file.parent))
        note(words[here.language])


def belongs(repetition: Repetition | None, path: Path, variant: str) -> bool:
    """Whether that file is the one of the repetition, and written for its variant."""
    own = repetition is not None and repetition.file.absolute() == path.absolute()
    return repetition is not None and own and repetition.variant == variant


def record_attempt(here: Place, kata: Kata, path: Path, code: bytes, verdict: Verdict) -> Recorded:
    """Record a graded file when it is the one of the kata's open repetition."""
    if verdict.outcome == "error":
        return Recorded(False)
    with open_repetition(here, kata, path) as repetition:
        if repetition is None or not belongs(repetition, path, verdict.variant):
            return Recorded(False) if repetition is None else Recorded(False, repetition.file, repetition.variant)
        repetition.attempt(code, verdict.to_json())
        if repetition.state == "passed" and repetition.repair:
            return Recorded(True, repetition.file, repetition.variant, mistake=mistake_of(repetition))
        if repetition.state == "passed":
            words = EASIER.format(kata=kata.id, variant=verdict.variant, stronger=stronger(kata, verdict.variant))
            note(words[here.language])
        found = earned(here, repetition) if verdict.passed else None
        return Recorded(True, repetition.file, repetition.variant, found)


def earned(here: Place, repetition: Repetition) -> Earned | None:
    """The ratings that may be given now; None while there is none to give."""
    remembered = schedule.load(repetition.history, here.settings.scheduling)
    choices = repetition.offer(remembered)
    return Earned(choices, repetition.facts()) if choices else None
