"""The mistakes that a learner made: for each slip, the newest attempt that it explains, and whether it is beaten."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.practice.evidence import clean_passes, counts
from llmdrills.practice.history import decode
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History

__all__ = ["BEATEN_DAYS", "Mistake", "mistakes"]

BEATEN_DAYS = 2  # days with a pass without help, later than the mistake, after which it is beaten


class Mistake(NamedTuple):
    """A slip as it was met last: in that variant, with that code. `case`: the first that failed; empty: unknown."""

    kata: str
    variant: str
    slip: str
    code: str
    moment: Moment
    case: str
    beaten: bool


def mistakes(history: History, katas: Sequence[Kata]) -> list[Mistake]:
    """The slips that attempts of the learner's own ran into, by kata and slip. Raises HistoryError, ContentError."""
    known = {kata.id: kata for kata in katas}
    rows = history.rows(
        "SELECT kata, variant, diagnosis, at, zone, cases, code, encoding FROM attempts WHERE diagnosis IS NOT NULL "
        # The mistake of a repair was there before the learner was.
        "AND session NOT IN (SELECT id FROM sessions WHERE mode IS NOT NULL) ORDER BY at, id"
    )
    newest = {(row["kata"], row["diagnosis"]): row for row in rows}
    found = []
    for (name, slip), row in sorted(newest.items()):
        kata = known.get(name)
        if kata is None or not counts(slip, kata) or slip not in {one.id for one in kata.slips}:
            continue
        days = {one.day for one in clean_passes(history, kata, after=row["at"])}
        found.append(
            Mistake(
                kata=name,
                variant=row["variant"],
                slip=slip,
                code=decode(row["code"], row["encoding"]).decode("utf-8", "replace"),
                moment=Moment(row["at"], row["zone"]),
                case=_first_failed(row["cases"]),
                beaten=len(days) >= BEATEN_DAYS,
            )
        )
    return found


def _first_failed(cases: str) -> str:
    """The name of the first case that did not pass, as the record holds it."""
    try:
        return next((str(one["name"]) for one in json.loads(cases) if one["outcome"] != "passed"), "")
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""  # a record of an odd shape shows no case, and everything else of it is good
