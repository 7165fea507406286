"""Go on with what is open of a kata, or begin: for the daily loop, and for whatever else shows a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.record import practice_file
from llmdrills.cli.repair import begin_repair, starter_of
from llmdrills.content.repair import first_text
from llmdrills.practice import repetition as repetitions

if TYPE_CHECKING:
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History

__all__ = ["Begun", "begin", "repair"]


class Begun(NamedTuple):
    """A repetition, and whether it goes on instead of having begun just now."""

    repetition: repetitions.Repetition
    resumed: bool


def begin(
    here: Place, history: History, kata: Kata, variant: str, *, planned: bool = True, anew: bool = False
) -> Begun:
    """Go on with the kata's unfinished repetition, or begin one from a blank starter in this variant.

    `planned`: an easier form that is open is not gone back to; `anew`: nothing is. Raises HistoryError.
    """
    file = practice_file(here, kata)
    found = None if anew else repetitions.resume(history, kata, None, file, planned=planned, begun="blank")
    if found is not None:
        # Its own variant and seed say what it began from.
        starter = starter_of(here, found)
        going_on = repetitions.resume(history, kata, starter, file, planned=planned, begun="blank")
        return Begun(going_on or found, resumed=True)
    chosen = kata.variant(variant) or kata.variants[0]
    seed = repetitions.new_seed()
    starter = first_text(kata, chosen, here.language, seed)
    begun = repetitions.start(history, kata, chosen.id, file, starter, seed=seed)
    return Begun(begun, resumed=False)


def repair(here: Place, history: History, kata: Kata) -> Begun:
    """Go on with the repair of the kata that is open, or begin one. Raises UsageError where it has no mistake."""
    file = practice_file(here, kata, repair=True)
    found = repetitions.resume(history, kata, None, file, begun="repair")
    if found is None:
        return Begun(begin_repair(here, history, kata, None, file), resumed=False)
    going_on = repetitions.resume(history, kata, starter_of(here, found), file, begun="repair")
    return Begun(going_on or found, resumed=True)
