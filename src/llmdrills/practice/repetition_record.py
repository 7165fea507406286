"""Append and read the events of one repetition in the history. Nothing is kept in memory."""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from llmdrills.practice import replay
from llmdrills.practice.evidence import before_pass
from llmdrills.practice.history import decode
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Facts, quick_limit

if TYPE_CHECKING:
    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History

__all__ = ["RepetitionRecord"]

_LONGEST_PAUSE = 2.0  # in a gap between two events, at most so many times the kata's minutes count as work


@dataclass(frozen=True)
class RepetitionRecord:
    """The events of the repetition with that id, which the tables call a session."""

    history: History
    kata: Kata
    id: str
    variant: str

    def append(self, kind: str, moment: Moment, **fields: Any) -> str:
        """Record one event of this repetition and return its UUID. Raises HistoryError."""
        return self.history.append(kind, moment, session=self.id, kata=self.kata.id, **fields)

    @property
    def passed(self) -> bool:
        """Whether an attempt passed."""
        return bool(self._rows("SELECT 1 FROM attempts WHERE session = ? AND outcome = 'passed' LIMIT 1"))

    @property
    def rated(self) -> bool:
        """Whether a rating stands."""
        return bool(self._rows("SELECT 1 FROM reviews WHERE session = ? AND id NOT IN (SELECT review FROM undos)"))

    @property
    def slip(self) -> str | None:
        """The id of the mistake that a repair began from; None for a repetition that began from a blank."""
        row = self._rows("SELECT mode, slip FROM sessions WHERE id = ?")[0]
        return None if row["mode"] is None else row["slip"] or ""

    @property
    def hints_shown(self) -> int:
        """The number of the last hint shown; 0: none."""
        rows = self._rows("SELECT coalesce(max(number), 0) AS number FROM hints WHERE session = ?")
        return int(rows[0]["number"])

    @property
    def begun(self) -> Moment:
        """When it began."""
        row = self._rows("SELECT at, zone FROM sessions WHERE id = ?")[0]
        return Moment(row["at"], row["zone"])

    @property
    def last_code(self) -> bytes | None:
        """The code of the last attempt; None before the first."""
        rows = self._rows("SELECT code, encoding FROM attempts WHERE session = ? ORDER BY at DESC, seq DESC LIMIT 1")
        return decode(rows[0]["code"], rows[0]["encoding"]) if rows else None

    @property
    def archived(self) -> list[bytes]:
        """What the learner's file held before the starter was put there."""
        rows = self._rows("SELECT code, encoding FROM archives WHERE session = ? ORDER BY seq")
        return [decode(row["code"], row["encoding"]) for row in rows]

    @property
    def left_behind(self) -> bytes | None:
        """What its file held when the next repetition in that file put its starter there; None: there was none.

        A blank file is not archived: then the last attempt, or nothing, is what was left.
        """
        later = self.history.rows(
            "SELECT id FROM sessions WHERE kata = ? AND at > ? "
            "AND mode IS (SELECT mode FROM sessions WHERE id = ?) ORDER BY at LIMIT 1",
            self.kata.id,
            self._times()[-1],
            self.id,
        )
        if not later:
            return None
        rows = self.history.rows(
            "SELECT code, encoding FROM archives WHERE kata = ? AND session = ? ORDER BY seq LIMIT 1",
            self.kata.id,
            later[0]["id"],
        )
        return decode(rows[0]["code"], rows[0]["encoding"]) if rows else self.last_code or b""

    def facts(self, now: Moment | None = None) -> Facts:
        """What happened up to the first pass: the rating depends on nothing that came after it."""
        before = before_pass(self.history, self.id, self.kata)
        memory = replay.load(self.history).memories.get(self.kata.id)
        times = memory.clean_times if memory else ()
        return Facts(
            runs=before.runs,
            passed=before.passed_at is not None,
            diagnosed=before.diagnosed,
            hints=before.hints,
            solution=before.solutions > 0,
            seconds=self.seconds(self.moment(now) if before.passed_at is None else Moment(before.passed_at)),
            quick=quick_limit(times, self.kata.minutes * 60.0),
        )

    def moment(self, now: Moment | None) -> Moment:
        """`now`, but after all that happened in this repetition: a clock that was set back must not reorder it."""
        moment = now or Moment.now()
        return Moment(max(moment.at, self._times()[-1] + 1), moment.zone)

    def seconds(self, until: Moment) -> float:
        """Seconds of work up to then: of a long pause between two events only a part counts."""
        longest = _LONGEST_PAUSE * self.kata.minutes * 60
        times = [time for time in self._times() if time < until.at] + [until.at]
        gaps = (min((later - earlier) / 1e6, longest) for earlier, later in pairwise(times))
        return round(sum(gaps), 3)

    def _rows(self, query: str) -> list[Any]:
        return self.history.rows(query, self.id)

    def _times(self) -> list[int]:
        """When something happened in this repetition, in order."""
        union = " UNION ALL ".join(
            f"SELECT at FROM {table} WHERE session = ?1"
            for table in ("attempts", "hints", "solutions", "reviews", "skips")
        )
        rows = self._rows(f"SELECT at FROM sessions WHERE id = ?1 UNION ALL {union} ORDER BY at")
        return [row["at"] for row in rows]
