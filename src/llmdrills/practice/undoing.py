"""Take back the last thing that ended a repetition: a rating, or a skip.

Nothing is deleted. An event of kind `undos` names the review or the skip that is void from then on; its repetition is
open again, and comes before any that was begun in the meantime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from llmdrills.practice import replay
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating

if TYPE_CHECKING:
    from llmdrills.practice.history import History

__all__ = ["Step", "last_step", "take_back"]

_LAST = """
SELECT 'rating' AS step, id, kata, session, at, zone, rating, NULL AS mode
FROM reviews WHERE id NOT IN (SELECT review FROM undos)
UNION ALL
SELECT 'skip' AS step, id, kata, session, at, zone, 0, (SELECT mode FROM sessions AS s WHERE s.id = k.session)
FROM skips AS k WHERE id NOT IN (SELECT review FROM undos)
ORDER BY at DESC, id DESC LIMIT 1
"""


class Step(NamedTuple):
    """A rating or a skip that stands. `session` is empty for a skip of a kata that was not begun.

    `repair`: what was skipped is a repair of the kata.
    """

    kind: Literal["rating", "skip"]
    id: str
    kata: str
    session: str
    at: Moment
    rating: Rating | None
    repair: bool = False


def last_step(history: History) -> Step | None:
    """The last rating or skip that stands; None where there is none. Raises HistoryError."""
    rows = history.rows(_LAST)
    if not rows:
        return None
    row = rows[0]
    return Step(
        kind=row["step"],
        id=row["id"],
        kata=row["kata"],
        session=row["session"],
        at=Moment(row["at"], row["zone"]),
        rating=Rating(row["rating"]) if row["step"] == "rating" else None,
        repair=row["mode"] is not None,
    )


def take_back(history: History, now: Moment | None = None) -> Step | None:
    """Make the last rating or skip void, and return it; None where there is none. Raises HistoryError."""

    def work() -> Step | None:
        step = last_step(history)
        if step is not None:
            moment = now or Moment.now()
            history.append("undos", Moment(max(moment.at, step.at.at + 1), moment.zone), review=step.id)
        return step

    step = history.transaction(work)
    if step is not None:
        replay.load(history)
    return step
