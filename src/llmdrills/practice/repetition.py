"""One repetition of one kata: from a blank starter to a rating. No terminal, no grading: the caller brings both.

The order of calls:

    repetition = repetitions.resume(history, kata, starter)   # None: nothing unfinished
    repetition = repetitions.start(history, kata, variant, file, starter)   # archives what the file held, blanks it
    repetition.hint(1)                   # whenever a hint is shown
    repetition.solution()                # whenever the reference or a diff is looked at, or the kata given up
    repetition.attempt(code, verdict)    # every graded save; verdict: the JSON of `llmdrills grade`
    repetition.rateable                  # passed, or given up
    repetition.choices(schedule)         # the ratings allowed, each with its next date; the last is the derived one
    repetition.rate()                    # takes the derived rating; rate(Rating.HARD) lowers it
    repetitions.undo(history)                # makes the last review void; its repetition is open again
    repetition.skip("not today")         # instead of a rating: closes it, schedules nothing

Every call is one transaction, on the disk when it returns; nothing is held back. After a crash at any point `resume`
finds the repetition as it was: it writes the starter if the crash came before that, and otherwise never touches the
learner's file. All raise HistoryError when nothing could be recorded, and UsageError when a call makes no sense.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmdrills.errors import HistoryError, UsageError
from llmdrills.files import write_atomically
from llmdrills.practice import replay
from llmdrills.practice.history import decode, encode, new_id
from llmdrills.practice.moments import DAY_TURNS, Moment
from llmdrills.practice.rating import NOT_A_RUN, Facts, Rating, derive, quick_limit
from llmdrills.practice.unfinished import OPEN, skipped_on, superseded, unfinished

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History
    from llmdrills.practice.schedule import Schedule

__all__ = ["Choice", "Repetition", "Review", "resume", "skipped_on", "start", "undo", "unfinished"]

_LONGEST_PAUSE = 2.0  # in a gap between two events, at most so many times the kata's minutes count as work


@dataclass(frozen=True)
class Choice:
    """A rating that may be given, and the day on which the kata would come back."""

    rating: Rating
    due: date
    days: int


@dataclass(frozen=True)
class Review:
    """A recorded rating."""

    id: str
    kata: str
    derived: Rating
    rating: Rating

    @property
    def override(self) -> bool:
        """Whether the learner lowered it."""
        return self.rating != self.derived


def start(
    history: History, kata: Kata, variant: str, file: Path, starter: str, *, seed: int = 0, now: Moment | None = None
) -> Repetition:
    """Begin a repetition with a blank starter in `file`; what the file held is archived first, whatever it was."""
    if kata.variant(variant) is None:
        known = ", ".join(v.id for v in kata.variants)
        raise UsageError(f"{kata.id} has no variant {variant!r}", f"use one of {known}")
    moment = now or Moment.now()
    identity = new_id()
    begun = {"id": identity, "kata": kata.id, "variant": variant, "file": _text(file), "seed": seed}
    earlier = _read(file)
    events: list[tuple[str, Mapping[str, Any]]] = [("sessions", begun)]
    if earlier is not None and earlier.strip() and earlier != starter.encode():
        events.append(("archives", {"session": identity, "kata": kata.id, "file": _text(file), **encode(earlier)}))
    history.write(events, moment)
    repetition = Repetition(history, kata, identity, variant, file, seed)
    repetition._blank(starter, earlier)
    return repetition


def resume(history: History, kata: Kata, starter: str | None = None, file: Path | None = None) -> Repetition | None:
    """The unfinished repetition of a kata, newest first; None where there is none.

    With `starter`, the learner's file is put right after a crash: written if the crash came before that, or brought
    back from the last attempt if it is gone. `file`: where it lies now, if not where the repetition began.
    """
    rows = history.rows(f"{OPEN} AND kata = ? ORDER BY at DESC, id DESC LIMIT 1", kata.id)
    if not rows or kata.variant(rows[0]["variant"]) is None or superseded(history, kata.id, rows[0]["at"]):
        return None
    row = rows[0]
    found = Repetition(history, kata, row["id"], row["variant"], file or Path(row["file"]), row["seed"])
    if starter is not None:
        found._restore(starter)
    return found


def undo(history: History, now: Moment | None = None) -> str | None:
    """Make the last review void and return its kata, whose repetition is open again; None where there is none."""
    rows = history.rows(
        "SELECT id, kata, at, zone FROM reviews WHERE id NOT IN (SELECT review FROM undos) "
        "ORDER BY at DESC, id DESC LIMIT 1"
    )
    if not rows:
        return None
    moment = now or Moment.now()
    history.append("undos", Moment(max(moment.at, rows[0]["at"] + 1), moment.zone), review=rows[0]["id"])
    replay.load(history)
    return str(rows[0]["kata"])


@dataclass(frozen=True)
class Repetition:
    """A repetition that has begun. It holds nothing but its identity: what happened is read from the history."""

    history: History
    kata: Kata
    id: str
    variant: str
    file: Path
    seed: int = 0

    # ---- what the caller reports ----------------------------------------

    def attempt(self, code: str | bytes, verdict: Mapping[str, Any], now: Moment | None = None) -> str:
        """Record a graded save, whole, and return its UUID. `verdict`: what `llmdrills grade --json` prints."""
        moment = self._moment(now)
        diagnosis = verdict.get("diagnosis")
        cases = [{"name": case["name"], "outcome": case["outcome"]} for case in verdict.get("cases", ())]
        return self._record(
            "attempts",
            moment,
            variant=self.variant,
            outcome=str(verdict["outcome"]),
            diagnosis=str(diagnosis["id"]) if diagnosis else None,
            seconds=self._seconds(moment),
            seed=int(verdict.get("seed", self.seed)),
            device=str(verdict.get("device", "cpu")),
            cases=json.dumps(cases, ensure_ascii=False),
            **encode(code),
        )

    def hint(self, number: int, now: Moment | None = None) -> str:
        """Record that hint `number` (from 1) was shown."""
        return self._record("hints", self._moment(now), number=number)

    def solution(self, how: str = "solution", now: Moment | None = None) -> str:
        """Record that the reference was looked at (`how`: solution, diff) or the kata given up (gave-up)."""
        return self._record("solutions", self._moment(now), how=how)

    def skip(self, reason: str = "", now: Moment | None = None) -> str:
        """Close the repetition without a rating; today's plan leaves the kata out."""
        return self._record("skips", self._moment(now), reason=reason)

    def rate(self, rating: Rating | None = None, now: Moment | None = None) -> Review:
        """Record the rating: the derived one, or a lower one of the learner's choice. Raises UsageError."""
        moment = self._moment(now)
        facts = self.facts(moment)
        derived = derive(facts)
        if derived is None:
            raise UsageError(f"{self.kata.id} is not passed yet", "pass it, look at the solution, or skip it")
        chosen = derived if rating is None else Rating(rating)
        if chosen > derived:
            raise UsageError(
                f"{chosen.label.en} is more than this repetition earned ({derived.label.en})",
                "a rating can only be lowered",
            )
        values = {"derived": int(derived), "rating": int(chosen), "override": int(chosen != derived)}
        identity = self._review(moment, {"variant": self.variant, "seconds": facts.seconds, **values})
        replay.load(self.history)  # folded in now, so that the next plan need not import fsrs
        return Review(identity, self.kata.id, derived, chosen)

    # ---- what follows from it ----------------------------------------

    @property
    def passed(self) -> bool:
        """Whether an attempt passed."""
        return bool(self._rows("SELECT 1 FROM attempts WHERE session = ? AND outcome = 'passed' LIMIT 1"))

    @property
    def rateable(self) -> bool:
        """Whether it was passed, or given up."""
        return derive(self.facts()) is not None

    @property
    def rated(self) -> bool:
        """Whether a rating stands."""
        return bool(self._rows("SELECT 1 FROM reviews WHERE session = ? AND id NOT IN (SELECT review FROM undos)"))

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

    def facts(self, now: Moment | None = None) -> Facts:
        """What happened up to the first pass: the rating depends on nothing that came after it."""
        attempts = self._rows("SELECT at, outcome, diagnosis FROM attempts WHERE session = ? ORDER BY at, seq")
        first = next((row["at"] for row in attempts if row["outcome"] == "passed"), None)
        end = first if first is not None else 2**62
        before = [row for row in attempts if row["at"] <= end]
        memories, _ = replay.load(self.history)
        memory = memories.get(self.kata.id)
        times = memory.clean_times if memory else ()
        return Facts(
            runs=sum(row["outcome"] not in NOT_A_RUN for row in before),
            passed=first is not None,
            diagnosed=any(row["diagnosis"] for row in before),
            hints=self._count("hints", end),
            solution=self._count("solutions", end) > 0,
            seconds=self._seconds(self._moment(now) if first is None else Moment(first)),
            quick=quick_limit(times, self.kata.minutes * 60.0),
        )

    def derived(self) -> Rating | None:
        """The rating that the facts imply; None while it is neither passed nor given up."""
        return derive(self.facts())

    def choices(self, schedule: Schedule, now: Moment | None = None) -> list[Choice]:
        """The ratings that may be given, lowest first, each with its next date; the last one is the derived one."""
        derived = self.derived()
        if derived is None:
            return []
        today = (now or Moment.now()).day_number
        dates = schedule.next_dates(self.history, self.kata.id, today)
        from_today = Moment(today * 86400 * 1_000_000 + DAY_TURNS * 3600 * 1_000_000).day
        return [
            Choice(rating, dates[rating], (dates[rating] - from_today).days) for rating in Rating if rating <= derived
        ]

    def last_code(self) -> bytes | None:
        """The code of the last attempt; None before the first."""
        rows = self._rows("SELECT code, encoding FROM attempts WHERE session = ? ORDER BY at DESC, seq DESC LIMIT 1")
        return decode(rows[0]["code"], rows[0]["encoding"]) if rows else None

    # ---- inside ----------------------------------------

    def _rows(self, query: str) -> list[Any]:
        return self.history.rows(query, self.id)

    def _count(self, table: str, end: int) -> int:
        rows = self.history.rows(f"SELECT count(*) AS n FROM {table} WHERE session = ? AND at <= ?", self.id, end)
        return int(rows[0]["n"])

    def _times(self) -> list[int]:
        """When something happened in this repetition, in order."""
        union = " UNION ALL ".join(
            f"SELECT at FROM {table} WHERE session = ?1"
            for table in ("attempts", "hints", "solutions", "reviews", "skips")
        )
        rows = self._rows(f"SELECT at FROM sessions WHERE id = ?1 UNION ALL {union} ORDER BY at")
        return [row["at"] for row in rows]

    def _moment(self, now: Moment | None) -> Moment:
        """`now`, but after all that happened in this repetition: a clock that was set back must not reorder it."""
        moment = now or Moment.now()
        return Moment(max(moment.at, self._times()[-1] + 1), moment.zone)

    def _seconds(self, until: Moment) -> float:
        """Seconds of work up to then: of a long pause between two events only a part counts."""
        longest = _LONGEST_PAUSE * self.kata.minutes * 60
        times = [time for time in self._times() if time < until.at] + [until.at]
        gaps = (min((later - earlier) / 1e6, longest) for earlier, later in pairwise(times))
        return round(sum(gaps), 3)

    def _record(self, kind: str, moment: Moment, **fields: Any) -> str:
        return self.history.append(kind, moment, session=self.id, kata=self.kata.id, **fields)

    def _review(self, moment: Moment, values: dict[str, Any]) -> str:
        """Append the review, unless another window has rated this repetition meanwhile."""

        def work() -> str:
            if self.rated:
                raise UsageError(f"{self.kata.id} is rated already", "undo that rating first, or start it anew")
            return self._record("reviews", moment, **values)

        return self.history.transaction(work)

    def _blank(self, starter: str, archived: bytes | None) -> None:
        """Put the starter into the file; what an editor saved in the meantime is archived too."""
        found = _read(self.file)
        if found is not None and found != archived and found.strip() and found != starter.encode():
            self._record("archives", self._moment(None), file=_text(self.file), **encode(found))
        _write(self.file, starter.encode())

    def _restore(self, starter: str) -> None:
        found = _read(self.file)
        last = self.last_code()
        if found is None:
            _write(self.file, starter.encode() if last is None else last)
            return
        if last is not None:
            return
        rows = self._rows("SELECT code, encoding FROM archives WHERE session = ? ORDER BY seq")
        # Still what the file held before: the crash came between the archive and the starter.
        if any(decode(row["code"], row["encoding"]) == found for row in rows) or not found.strip():
            _write(self.file, starter.encode())


def _text(file: Path) -> str:
    """The path as text that SQLite takes: a name need not be UTF-8."""
    return str(file).encode("utf-8", "replace").decode("utf-8")


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HistoryError(
            f"cannot read {file} ({error.strerror})", "mend that, then start again: nothing was changed"
        ) from error


def _write(file: Path, content: bytes) -> None:
    """Replace the file at once: nobody ever sees half of it."""
    try:
        write_atomically(file, content)
    except OSError as error:
        raise HistoryError(
            f"cannot write {file} ({error.strerror})",
            "make room or make the folder writable, then run `llmdrills today` again",
        ) from error
