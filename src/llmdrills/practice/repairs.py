"""What the history knows of repairs: repetitions that began from a wrong kernel instead of a blank.

They stand apart from everything that is scheduled: no rating, no memory, no rotation of variants, no readiness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.practice.moments import day_number
from llmdrills.practice.unfinished import open_session

if TYPE_CHECKING:
    from llmdrills.practice.history import History

__all__ = ["REMEMBERED", "Latest", "Repairs", "count", "lately", "latest", "was_last"]

REMEMBERED = 3  # repairs of a kata whose mistakes do not come again


class Latest(NamedTuple):
    """The last repair of a kata: the day of the learner's (from 1970) on which it began, and whether it is open."""

    variant: str
    day: int
    open: bool


class Repairs(NamedTuple):
    """How many repairs were begun and passed, and their graded attempts."""

    begun: int = 0
    passed: int = 0
    attempts: int = 0


def latest(history: History) -> dict[str, Latest]:
    """The last repair of each kata that has had one. Raises HistoryError."""
    rows = history.rows("SELECT kata, variant, max(at) AS at, zone FROM sessions WHERE mode IS NOT NULL GROUP BY kata")
    found = {}
    for row in rows:
        going_on = open_session(history, row["kata"], "repair")
        variant = row["variant"] if going_on is None else going_on["variant"]
        found[row["kata"]] = Latest(variant, day_number(row["at"], row["zone"]), going_on is not None)
    return found


def lately(history: History, kata: str) -> tuple[str, ...]:
    """The ids of the mistakes in the last repairs of the kata, newest first. Raises HistoryError."""
    rows = history.rows(
        "SELECT slip FROM sessions WHERE mode IS NOT NULL AND kata = ? ORDER BY at DESC, id DESC LIMIT ?",
        kata,
        REMEMBERED,
    )
    return tuple(row["slip"] for row in rows if row["slip"])


def was_last(history: History, kata: str) -> bool:
    """Whether what was begun or graded last of the kata is a repair. Raises HistoryError."""
    rows = history.rows(
        "SELECT mode FROM sessions WHERE id = (SELECT session FROM ("
        "SELECT id AS session, at FROM sessions WHERE kata = ?1 UNION ALL "
        "SELECT session, at FROM attempts WHERE kata = ?1) ORDER BY at DESC LIMIT 1)",
        kata,
    )
    return bool(rows) and rows[0]["mode"] is not None


def count(history: History) -> Repairs:
    """The figures of all repairs. Raises HistoryError."""
    row = history.rows(
        "SELECT (SELECT count(*) FROM sessions WHERE mode IS NOT NULL) AS begun, count(*) AS attempts, "
        "count(DISTINCT CASE WHEN outcome = 'passed' THEN session END) AS passed "
        "FROM attempts WHERE session IN (SELECT id FROM sessions WHERE mode IS NOT NULL)"
    )[0]
    return Repairs(row["begun"], row["passed"], row["attempts"])
