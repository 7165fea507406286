"""Repetitions begun and not brought to an end. Every plan asks for them, so this imports less than `repetition`.

Repairs stand apart: one neither supersedes a repetition from a blank nor leaves its kata out of a day, and it ends with
its first pass, because it is never rated.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from llmdrills.practice.moments import DAY_TURNS, day_number

if TYPE_CHECKING:
    import sqlite3

    from llmdrills.practice.history import History

__all__ = ["Begun", "Unfinished", "open_session", "skipped_on", "superseded", "unfinished"]

Begun = Literal["any", "blank", "repair"]

# Neither skipped nor rated, unless that was undone. `since`: when it began, or was last opened again by an undo.
_OPEN = """
SELECT id, kata, variant, file, seed, at, zone, max(at, coalesce((
    SELECT max(u.at) FROM undos AS u WHERE u.review IN (
        SELECT id FROM reviews WHERE session = s.id UNION ALL SELECT id FROM skips WHERE session = s.id)), 0)) AS since
FROM sessions AS s
WHERE mode IS NULL
  AND NOT EXISTS (SELECT 1 FROM skips AS k WHERE session = s.id AND k.id NOT IN (SELECT review FROM undos))
  AND NOT EXISTS (SELECT 1 FROM reviews AS r WHERE session = s.id AND r.id NOT IN (SELECT review FROM undos))
"""
# Few: those that an undo has opened again, however long ago they began.
_REOPENED = """ AND s.id IN (
    SELECT session FROM reviews WHERE id IN (SELECT review FROM undos)
    UNION ALL SELECT session FROM skips WHERE id IN (SELECT review FROM undos))
"""
# Neither skipped nor passed, and the last repair of its kata unless it was opened again.
_OPEN_REPAIR = """
SELECT * FROM (
    SELECT id, kata, variant, file, seed, at, zone, max(at, coalesce((SELECT max(u.at) FROM undos AS u
        WHERE u.review IN (SELECT id FROM skips WHERE session = s.id)), 0)) AS since
    FROM sessions AS s
    WHERE mode IS NOT NULL AND kata = ?
      AND NOT EXISTS (SELECT 1 FROM skips AS k WHERE session = s.id AND k.id NOT IN (SELECT review FROM undos))
      AND NOT EXISTS (SELECT 1 FROM attempts WHERE session = s.id AND outcome = 'passed')
) AS o
WHERE NOT EXISTS (SELECT 1 FROM sessions AS t WHERE t.mode IS NOT NULL AND t.kata = o.kata AND t.at > o.since)
ORDER BY since DESC, id DESC LIMIT 1
"""
_OF_BLANKS = "session NOT IN (SELECT id FROM sessions WHERE mode IS NOT NULL)"
_LAST_END = f"""max(
    coalesce((SELECT at FROM reviews WHERE kata = ?1 AND id NOT IN (SELECT review FROM undos)
              ORDER BY at DESC LIMIT 1), 0),
    coalesce((SELECT max(at) FROM skips WHERE kata = ?1 AND {_OF_BLANKS}
              AND id NOT IN (SELECT review FROM undos)), 0))"""
_RECENT = 200  # a repetition followed by so many others is not gone back to, unless it was opened again


class Unfinished(NamedTuple):
    """A repetition that was begun, by the ids of its kata and variant."""

    kata: str
    variant: str


def unfinished(history: History) -> list[Unfinished]:
    """The repetitions begun and neither rated nor skipped, the last begun or opened again first, one a kata."""
    # Sorted here: ordered by the index on `at`, SQLite would walk all sessions, 90 ms in a million.
    recent = history.rows(f"{_OPEN} AND s.seq > (SELECT coalesce(max(seq), 0) FROM main.sessions) - {_RECENT}")
    found: dict[str, str] = {}
    for row in _newest_first([*recent, *history.rows(_OPEN + _REOPENED)]):
        if not superseded(history, row["kata"], row["since"]):
            found.setdefault(row["kata"], row["variant"])
    return [Unfinished(kata, variant) for kata, variant in found.items()]


def open_session(history: History, kata: str, begun: Begun = "any") -> sqlite3.Row | None:
    """The row of the kata's unfinished repetition, the last begun or opened again; None where there is none.

    `begun`: only one that began from a blank, or only a repair.
    """
    found = [] if begun == "repair" else _open_blank(history, kata)
    if begun != "blank":
        found = [*found, *history.rows(_OPEN_REPAIR, kata)]
    return next(iter(_newest_first(found)), None)


def _open_blank(history: History, kata: str) -> list[sqlite3.Row]:
    # What began before the last rating or skip is superseded: asking each of many thousands whether it is open is slow.
    newest = history.rows(f"{_OPEN} AND kata = ?1 AND at >= {_LAST_END} ORDER BY at DESC, id DESC LIMIT 1", kata)
    again = history.rows(f"{_OPEN + _REOPENED} AND kata = ?", kata)
    rows = _newest_first([*newest, *again])[:1]
    return [row for row in rows if not superseded(history, kata, row["since"])]


def _newest_first(rows: list[sqlite3.Row]) -> list[sqlite3.Row]:
    return sorted(rows, key=lambda row: (row["since"], row["id"]), reverse=True)


def skipped_on(history: History, day: int) -> set[str]:
    """The katas skipped on a day of the learner's, and not begun again after that."""
    low = (day * 86400 + (DAY_TURNS - 15) * 3600) * 1_000_000  # no time zone is further than 15 hours from UTC
    rows = history.rows(
        f"SELECT kata, at, zone FROM skips WHERE at >= ? AND {_OF_BLANKS} "
        "AND id NOT IN (SELECT review FROM undos) ORDER BY at",
        low,
    )
    skipped = {row["kata"]: row["at"] for row in rows if day_number(row["at"], row["zone"]) == day}
    again = "SELECT 1 FROM sessions WHERE kata = ? AND at > ? AND mode IS NULL LIMIT 1"
    return {kata for kata, at in skipped.items() if not history.rows(again, kata, at)}


def superseded(history: History, kata: str, at: int) -> bool:
    """Whether the kata was rated or skipped after that: then nobody goes back to it."""
    query = (
        "SELECT 1 FROM reviews WHERE kata = ? AND at > ? AND id NOT IN (SELECT review FROM undos) "
        f"UNION ALL SELECT 1 FROM skips WHERE kata = ? AND at > ? AND {_OF_BLANKS} "
        "AND id NOT IN (SELECT review FROM undos) LIMIT 1"
    )
    return bool(history.rows(query, kata, at, kata, at))
