"""What recorded events prove: which diagnoses count, and which passes were clean. Rating, stats and readiness ask here.

A diagnosis counts when it is whole: one slip of the kata, or another of its variants, explains what failed.
The verdict's `diagnosis` holds nothing else since the release after 7dc3306. Earlier records also hold

- `recognised-…`: what the answer looked like. It never counts.
- the id of a slip that the kata no longer has: it says nothing that can be looked up today, and does not count.
- the id of a slip that explained only a part. The record does not say so; it counts, as it did when it was made.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.practice.moments import day_number
from llmdrills.practice.rating import NOT_A_RUN, Rating

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History

__all__ = ["BeforePass", "CleanPass", "before_pass", "clean_days", "clean_passes", "counts"]

_RECOGNISED = "recognised-"
_READ: dict[Path, frozenset[str]] = {}


class BeforePass(NamedTuple):
    """What happened in a repetition up to its first passing attempt; so far, where none passed."""

    passed_at: int | None  # microseconds since 1970
    runs: int  # attempts that ran, the passing one included
    diagnosed: bool
    hints: int
    solutions: int


class CleanPass(NamedTuple):
    """A rated pass without help, on a day of the learner's counted from 1970."""

    day: int
    variant: str


def counts(diagnosis: str | None, kata: Kata | None) -> bool:
    """Whether a recorded diagnosis is evidence of a slip. `kata`: as it is today; None: it is gone.

    Raises ContentError when the kata's slips cannot be read.
    """
    if not diagnosis or diagnosis.startswith(_RECOGNISED) or kata is None:
        return False
    return diagnosis in _known(kata)


def _known(kata: Kata) -> set[str]:
    """The ids of the kata's slips, and `variant-…` for each of its variants: what a verdict may name."""
    variants = {f"variant-{variant.id}" for variant in kata.variants}
    return {slip.id for slip in kata.slips} | variants | _left_out(kata)


def _left_out(kata: Kata) -> frozenset[str]:
    """The ids of the slips of a kata from the catalogue, which leaves them out: read once in a process."""
    from llmdrills.content.catalogue import with_slips

    if kata.slips:
        return frozenset()
    if kata.folder not in _READ:
        _READ[kata.folder] = frozenset(slip.id for slip in with_slips(kata).slips)
    return _READ[kata.folder]


def before_pass(history: History, session: str, kata: Kata) -> BeforePass:
    """All that the rating of a repetition depends on, but for the time: nothing that came after the pass matters."""
    attempts = history.rows("SELECT at, outcome, diagnosis FROM attempts WHERE session = ? ORDER BY at, seq", session)
    passed_at = next((row["at"] for row in attempts if row["outcome"] == "passed"), None)
    end = passed_at if passed_at is not None else 2**62
    before = [row for row in attempts if row["at"] <= end]

    def count(table: str) -> int:
        rows = history.rows(f"SELECT count(*) AS n FROM {table} WHERE session = ? AND at <= ?", session, end)
        return int(rows[0]["n"])

    return BeforePass(
        passed_at=passed_at,
        runs=sum(row["outcome"] not in NOT_A_RUN for row in before),
        diagnosed=any(counts(row["diagnosis"], kata) for row in before),
        hints=count("hints"),
        solutions=count("solutions"),
    )


def clean_passes(history: History, kata: Kata, after: int = -1) -> list[CleanPass]:
    """The passes of a kata rated Good or better, neither lowered nor undone, later than `after` (microseconds).

    One that was rated Hard for nothing but a diagnosis that does not count is among them.
    """
    rows = history.rows(
        "SELECT at, zone, variant FROM reviews WHERE kata = ? AND at > ? AND rating > 2 AND derived > 2 "
        "AND id NOT IN (SELECT review FROM undos)",
        kata.id,
        after,
    )
    found = [CleanPass(day_number(row["at"], row["zone"]), row["variant"]) for row in rows]
    return found + _passes_rated_too_low(history, kata, after)


def clean_days(history: History, kata: Kata, known: int) -> int:
    """Days with a clean pass. `known`: those that the replay counted, by the ratings alone."""
    if not _passes_rated_too_low(history, kata):
        return known
    return len({one.day for one in clean_passes(history, kata)})


def _passes_rated_too_low(history: History, kata: Kata, after: int = -1) -> list[CleanPass]:
    """The passes that were rated Hard, not by the learner's choice, for a diagnosis that would not count today."""
    rows = history.rows(
        "SELECT session, at, zone, variant FROM reviews AS r WHERE kata = ? AND at > ? AND rating = ? AND derived = ? "
        "AND id NOT IN (SELECT review FROM undos) "
        "AND EXISTS (SELECT 1 FROM attempts WHERE session = r.session AND diagnosis IS NOT NULL)",
        kata.id,
        after,
        int(Rating.HARD),
        int(Rating.HARD),
    )
    found = []
    for row in rows:
        before = before_pass(history, row["session"], kata)
        if before.passed_at is not None and not (before.diagnosed or before.hints or before.solutions):
            found.append(CleanPass(day_number(row["at"], row["zone"]), row["variant"]))
    return found
