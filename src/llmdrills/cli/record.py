"""What commands outside of the daily loop add to the history: a hint, a look at the solution, an attempt.

They count towards the repetition that is open for the kata, if there is one; without one they are looked at freely.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from llmdrills.cli.console import note
from llmdrills.errors import HistoryError
from llmdrills.language import Bilingual
from llmdrills.practice import backups
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from llmdrills.practice.rotation import stronger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.practice.repetition import Repetition

__all__ = ["EASIER", "open_history", "open_repetition", "record_attempt", "repetition_seed"]

EASIER = Bilingual(
    "{variant} is an easier form of {stronger}: it is graded, but not rated, and the schedule of {kata} stays "
    "as it is. `llmdrills start {kata}` practises {stronger}.",
    "{variant} 是 {stronger} 的较容易形式：会判题，但不评级，也不改变 {kata} 的复习安排。"
    "运行 `llmdrills start {kata}` 练习 {stronger}。",
)

_NO_BACKUP = Bilingual("No backup of the history was made today: {why}", "今天没有备份历史记录：{why}")


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
            note(_NO_BACKUP.format(why=error)[here.language])
        yield history


@contextlib.contextmanager
def open_repetition(here: Place, kata: Kata) -> Iterator[Repetition | None]:
    """The kata's unfinished repetition; None when there is none (then no history is made either)."""
    if not here.locations.history_file.exists():
        yield None
        return
    with open_history(here) as history:
        yield repetitions.resume(history, kata)


def repetition_seed(here: Place, kata: Kata, path: Path, variant: str) -> int | None:
    """The seed under which this file is graded as long as its repetition is open; None where it belongs to none."""
    with open_repetition(here, kata) as repetition:
        own = repetition is not None and repetition.file.absolute() == path.absolute()
        return repetition.seed if repetition is not None and own and repetition.variant == variant else None


def record_attempt(here: Place, kata: Kata, path: Path, code: bytes, verdict: Verdict) -> None:
    """Record a graded file when it is the one of the kata's open repetition."""
    if verdict.outcome == "error":
        return
    with open_repetition(here, kata) as repetition:
        same = repetition is not None and repetition.file.absolute() == path.absolute()
        if repetition is None or not same or repetition.variant != verdict.variant:
            return
        repetition.attempt(code, verdict.to_json())
        if repetition.state == "passed":
            words = EASIER.format(kata=kata.id, variant=verdict.variant, stronger=stronger(kata, verdict.variant))
            note(words[here.language])
