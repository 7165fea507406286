"""What was done with a kata before: its repetitions, newest first, each with its attempts, verdicts and code.

Whatever the history holds is shown, damaged values too: a row that says nothing sensible is left out, none is an error.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmdrills.practice.history import decode
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from llmdrills.practice.history import History

__all__ = ["PastAttempt", "PastRepetition", "code_of", "passed_code", "repetitions"]

_SHOWN = "number, id, session, at, zone, variant, outcome, diagnosis, seconds, seed, device, cases, code, encoding"


@dataclass(frozen=True, kw_only=True)
class PastAttempt:
    """One graded save. `number` counts the attempts at the kata from its first, 1; `cases`: each with its outcome."""

    number: int
    id: str
    at: Moment
    variant: str
    outcome: str
    diagnosis: str | None
    seconds: float  # of work in its repetition, up to then
    seed: int
    device: str
    cases: tuple[tuple[str, str], ...]
    code: bytes

    def to_json(self) -> dict[str, Any]:
        """The attempt as plain data; code that is no UTF-8 as its bytes in base64."""
        return {
            "number": self.number,
            "id": self.id,
            "at": str(self.at),
            "variant": self.variant,
            "outcome": self.outcome,
            "diagnosis": self.diagnosis,
            "cases": [{"name": name, "outcome": outcome} for name, outcome in self.cases],
            "seconds": self.seconds,
            "seed": self.seed,
            "device": self.device,
            **_code_json(self.code),
        }


@dataclass(frozen=True, kw_only=True)
class PastRepetition:
    """One repetition; `rating` is None while none stands, `derived` is what was earned when it was given."""

    session: str
    kata: str
    variant: str
    begun: Moment
    attempts: tuple[PastAttempt, ...]
    hints: int
    solution: bool
    skipped: bool
    rating: Rating | None
    derived: Rating | None
    repair: bool = False  # it began from a wrong kernel: never rated
    mistake: str | None = None  # the id of its mistake, once it is passed
    kept: tuple[bytes, ...] = ()  # what its file held when something else was put there

    def to_json(self) -> dict[str, Any]:
        """The repetition as plain data."""
        return {
            "session": self.session,
            "kata": self.kata,
            "variant": self.variant,
            "begun": str(self.begun),
            "day": self.begun.day.isoformat(),
            "hints": self.hints,
            "solution": self.solution,
            "skipped": self.skipped,
            "mode": "repair" if self.repair else None,
            "mistake": self.mistake,
            "rating": self.rating and self.rating.name.lower(),
            "earned": self.derived and self.derived.name.lower(),
            "kept": [_code_json(code) for code in self.kept],
            "attempts": [attempt.to_json() for attempt in self.attempts],
        }


def _code_json(code: bytes) -> dict[str, str]:
    try:
        return {"code": code.decode("utf-8")}
    except UnicodeDecodeError:
        import base64

        return {"code_base64": base64.b64encode(code).decode("ascii")}


def repetitions(history: History, kata: str | None = None, limit: int = 10) -> list[PastRepetition]:
    """The last `limit` repetitions, newest first; of one kata, or of all. Raises HistoryError."""
    query = "SELECT id, kata, variant, at, zone, mode, slip FROM sessions {} ORDER BY at DESC, id DESC LIMIT ?"
    if kata is None:
        rows = history.rows(query.format(""), limit)
    else:
        rows = history.rows(query.format("WHERE kata = ?"), kata, limit)
    return [_repetition(history, row) for row in rows if Moment(row["at"], row["zone"]).plausible]


def code_of(history: History, kata: str, number: int) -> bytes | None:
    """The code of that attempt at the kata, counted from 1; None where there is none. Raises HistoryError."""
    rows = history.rows(
        "SELECT code, encoding FROM attempts WHERE kata = ? ORDER BY at, seq LIMIT 1 OFFSET ?", kata, number - 1
    )
    return _code(rows[0]) if rows else None


def passed_code(history: History, kata: str, variant: str) -> bytes | None:
    """The code of the latest attempt that passed in that variant; None where none did. Raises HistoryError."""
    rows = history.rows(
        "SELECT code, encoding FROM attempts WHERE kata = ? AND variant = ? AND outcome = 'passed' "
        "ORDER BY at DESC, seq DESC LIMIT 1",
        kata,
        variant,
    )
    return _code(rows[0]) if rows else None


def _repetition(history: History, row: sqlite3.Row) -> PastRepetition:
    session = row["id"]
    earlier = (
        "SELECT count(*) FROM attempts AS b WHERE b.kata = a.kata AND (b.at < a.at OR (b.at = a.at AND b.seq <= a.seq))"
    )
    attempts = history.rows(
        f"SELECT {_SHOWN} FROM (SELECT *, ({earlier}) AS number FROM attempts AS a WHERE session = ?) ORDER BY at, seq",
        session,
    )
    review = history.rows(
        "SELECT rating, derived FROM reviews WHERE session = ? AND id NOT IN (SELECT review FROM undos) "
        "ORDER BY at DESC LIMIT 1",
        session,
    )
    other = history.rows(
        "SELECT (SELECT count(DISTINCT number) FROM hints WHERE session = ?1) AS hints, "
        "EXISTS (SELECT 1 FROM solutions WHERE session = ?1) AS solution, "
        "EXISTS (SELECT 1 FROM skips WHERE session = ?1 AND id NOT IN (SELECT review FROM undos)) AS skipped",
        session,
    )[0]
    kept = history.rows(
        "SELECT code, encoding FROM archives WHERE kata = ? AND session = ? ORDER BY seq", row["kata"], session
    )
    passed = any(attempt["outcome"] == "passed" for attempt in attempts)
    return PastRepetition(
        session=session,
        kata=row["kata"],
        variant=row["variant"],
        begun=Moment(row["at"], row["zone"]),
        attempts=tuple(_attempts(attempts)),
        hints=other["hints"],
        solution=bool(other["solution"]),
        skipped=bool(other["skipped"]),
        rating=_rating(review[0]["rating"]) if review else None,
        derived=_rating(review[0]["derived"]) if review else None,
        repair=row["mode"] is not None,
        mistake=row["slip"] if passed else None,
        kept=tuple(_code(row) for row in kept),
    )


def _attempts(rows: Iterable[sqlite3.Row]) -> Iterable[PastAttempt]:
    for row in rows:
        at = Moment(row["at"], row["zone"])
        if at.plausible:
            yield PastAttempt(
                number=row["number"],
                id=row["id"],
                at=at,
                variant=row["variant"],
                outcome=row["outcome"],
                diagnosis=row["diagnosis"],
                seconds=row["seconds"],
                seed=row["seed"],
                device=row["device"],
                cases=_cases(row["cases"]),
                code=_code(row),
            )


def _cases(text: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(case["name"]), str(case["outcome"])) for case in json.loads(text))
    except (ValueError, TypeError, KeyError):  # a damaged row: the rest of it is still worth showing
        return ()


def _code(row: sqlite3.Row) -> bytes:
    try:
        return decode(row["code"], row["encoding"])
    except ValueError:  # no base64 after all
        return str(row["code"]).encode("utf-8", "replace")


def _rating(value: int) -> Rating | None:
    return Rating(value) if value in list(Rating) else None
