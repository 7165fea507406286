"""Figures that a learner wants to look at. Only counts and dates: `report` draws them, the command prints them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills.content.mistakes import mistakes
from llmdrills.language import Bilingual
from llmdrills.practice import repairs, replay
from llmdrills.practice.evidence import clean_passes, counts
from llmdrills.practice.moments import Moment, from_day_number
from llmdrills.practice.note_memory import note_memories
from llmdrills.practice.repairs import Repairs
from llmdrills.practice.rotation import stronger
from llmdrills.practice.schedule import Schedule, load, median
from llmdrills.settings import Scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History
    from llmdrills.practice.replay import Memory

__all__ = ["FORECAST_DAYS", "Bin", "Day", "Due", "Hard", "Met", "NotesInAnki", "Stats", "gather"]

FORECAST_DAYS = 30
_YEAR = 371  # 53 whole weeks, so that the heat map is a rectangle
_HARDEST = 10
_RECALLED = 0.9  # the chance of recall at which a note counts as recalled, as for readiness
_DEFAULT = Scheduling()
_NO_REPAIRS = Repairs()


@dataclass(frozen=True)
class Day:
    """One day of the heat map."""

    day: date
    reviews: int
    minutes: int


@dataclass(frozen=True)
class Due:
    """How much falls due on a day; the first day holds what is overdue too."""

    day: date
    katas: int
    minutes: int


@dataclass(frozen=True)
class Bin:
    """Reviews with a predicted chance of recall in [low, high): how many, the mean prediction, the share recalled."""

    low: float
    high: float
    reviews: int
    predicted: float
    measured: float


@dataclass(frozen=True)
class Hard:
    """A kata that costs effort: how often it was failed, its difficulty (1 … 10), its chance of recall now."""

    kata: str
    reviews: int
    lapses: int
    difficulty: float
    retrievability: float
    minutes: int


@dataclass(frozen=True)
class Met:
    """A slip that an attempt ran into; beaten once the kata was passed without help on a later day."""

    kata: str
    slip: str
    times: int
    last: date
    beaten: bool
    text: Bilingual  # what it is, in words; its id where there are none


class NotesInAnki(NamedTuple):
    """What was reviewed in Anki: answers, notes, how many of these would be recalled at 0.9 or better, and the mean.

    `estimated`: notes whose recall is an estimate, because FSRS is off.
    """

    answers: int
    notes: int
    recalled: int
    recall: float
    estimated: int


@dataclass(frozen=True)
class Stats:
    """Everything on one page. Shares are in [0, 1]; None where there is nothing to measure yet."""

    day: date
    streak: int
    longest_streak: int
    reviews: int
    attempts: int
    minutes: int
    days_practised: int
    katas_met: int
    katas_known: int  # expected: the sum of the chances of recall
    heat: tuple[Day, ...]
    forecast: tuple[Due, ...]
    bins: tuple[Bin, ...]
    predicted: float | None
    measured: float | None
    hardest: tuple[Hard, ...]
    slips: tuple[Met, ...]
    ratings: dict[str, int]
    overrides: int
    repairs: Repairs = _NO_REPAIRS  # counted apart: nothing else here knows of them
    notes: NotesInAnki | None = None  # None: nothing was imported from Anki

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        notes = self.notes._asdict() if self.notes else None
        data = {**asdict(self), "repairs": self.repairs._asdict(), "notes": notes}
        slips = [
            {"misconception" if key == "slip" else key: one[key] for key in one if key != "text"}
            for one in data.pop("slips")
        ]
        return {"schema": 1, **_plain(data), "misconceptions": _plain(slips)}


def gather(history: History, katas: Sequence[Kata], now: Moment, scheduling: Scheduling = _DEFAULT) -> Stats:
    """The figures of a history as of `now`. Raises HistoryError."""
    schedule = load(history, scheduling)
    today = now.day_number
    days = replay.days(history)
    bins = _bins(schedule)
    total = sum(entry.reviews for entry in bins)
    repaired = repairs.count(history)
    attempts = history.rows("SELECT count(*) AS n FROM attempts")[0]["n"] - repaired.attempts
    return Stats(
        day=now.day,
        streak=schedule.streak(today),
        longest_streak=_longest([day for day, _, _ in days]),
        reviews=sum(reviews for _, reviews, _ in days),
        attempts=attempts,
        minutes=round(sum(seconds for _, _, seconds in days) / 60),
        days_practised=len(days),
        katas_met=sum(kata.id in schedule.memories for kata in katas),
        katas_known=round(sum(schedule.retrievability(kata.id, today) for kata in katas)),
        heat=_heat(days, today),
        forecast=_forecast(schedule, katas, today),
        bins=bins,
        predicted=sum(entry.predicted * entry.reviews for entry in bins) / total if total else None,
        measured=sum(entry.measured * entry.reviews for entry in bins) / total if total else None,
        hardest=_hardest(schedule, today),
        slips=_slips(history, {kata.id: kata for kata in katas}),
        repairs=repaired,
        notes=_notes(history, now),
        **_ratings(history),
    )


def _notes(history: History, now: Moment) -> NotesInAnki | None:
    found = note_memories(history, now)
    if found is None:
        return None
    known = found.values()
    return NotesInAnki(
        answers=sum(one.reviews for one in known),
        notes=len(known),
        recalled=sum(one.recall >= _RECALLED and not one.failing for one in known),
        recall=sum(one.recall for one in known) / len(known),
        estimated=sum(one.estimated for one in known),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 4)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _longest(days: list[int]) -> int:
    best = length = 0
    for position, day in enumerate(days):
        length = length + 1 if position and days[position - 1] == day - 1 else 1
        best = max(best, length)
    return best


def _heat(days: list[tuple[int, int, float]], today: int) -> tuple[Day, ...]:
    known = {day: (reviews, seconds) for day, reviews, seconds in days}
    last = today + (6 - from_day_number(today).weekday())  # the running week to its Sunday
    shown = range(last - _YEAR + 1, today + 1)
    return tuple(Day(from_day_number(day), *_day(known.get(day, (0, 0.0)))) for day in shown)


def _day(found: tuple[int, float]) -> tuple[int, int]:
    return found[0], round(found[1] / 60)


def _forecast(schedule: Schedule, katas: Sequence[Kata], today: int) -> tuple[Due, ...]:
    pace = schedule.pace(katas)
    due: dict[int, list[float]] = {}
    for kata in katas:
        day = schedule.due_day(kata.id)
        if day is not None:
            due.setdefault(max(day, today), []).append(schedule.expected_seconds(kata, pace))
    return tuple(
        Due(from_day_number(day), len(due.get(day, ())), round(sum(due.get(day, ())) / 60))
        for day in range(today, today + FORECAST_DAYS)
    )


def _bins(schedule: Schedule) -> tuple[Bin, ...]:
    merged: dict[int, tuple[int, float, int]] = {}
    for memory in schedule.memories.values():
        for name, (count, total, recalled) in memory.bins.items():
            n, predicted, right = merged.get(int(name), (0, 0.0, 0))
            merged[int(name)] = (n + count, predicted + total, right + recalled)
    return tuple(
        Bin(number / 20, (number + 1) / 20, n, predicted / n, right / n)
        for number, (n, predicted, right) in sorted(merged.items())
    )


def _hardest(schedule: Schedule, today: int) -> tuple[Hard, ...]:
    def effort(memory: Memory) -> tuple[float, float, str]:
        return -(memory.reviews - memory.passes) / (memory.reviews + 1), -memory.difficulty, memory.kata

    failed = [memory for memory in schedule.memories.values() if memory.reviews > memory.passes]
    return tuple(
        Hard(
            kata=memory.kata,
            reviews=memory.reviews,
            lapses=memory.reviews - memory.passes,
            difficulty=memory.difficulty,
            retrievability=schedule.retrievability(memory.kata, today),
            minutes=round(median(memory.times) / 60),
        )
        for memory in sorted(failed, key=effort)[:_HARDEST]
    )


def _slips(history: History, katas: Mapping[str, Kata]) -> tuple[Met, ...]:
    """The slips that were met. One is beaten when its kata and variant is passed without help on a later day.

    One that was met in an easier form is beaten in the form that asks for more: an easier one is never rated.
    """
    rows = history.rows(
        "SELECT kata, diagnosis, count(*) AS times, max(at) AS last, zone, group_concat(DISTINCT variant) AS variants "
        # The mistake of a repair was there before the learner was.
        "FROM attempts WHERE diagnosis IS NOT NULL AND session NOT IN (SELECT id FROM sessions WHERE mode IS NOT NULL) "
        "GROUP BY kata, diagnosis ORDER BY last DESC"
    )
    found, words = [], dict[str, dict[str, Bilingual]]()
    for row in rows:
        kata = katas.get(row["kata"])
        if kata is None or not counts(row["diagnosis"], kata):
            continue
        last = Moment(row["last"], row["zone"]).day_number
        variants = {stronger(kata, variant) for variant in row["variants"].split(",")}
        passes = clean_passes(history, kata, after=row["last"])
        beaten = any(one.variant in variants and one.day > last for one in passes)
        slip = row["diagnosis"]
        if kata.id not in words:
            words[kata.id] = mistakes(kata)
        found.append(
            Met(
                kata=kata.id,
                slip=slip,
                times=row["times"],
                last=from_day_number(last),
                beaten=beaten,
                text=words[kata.id].get(slip, Bilingual(slip, slip)),
            )
        )
    return tuple(found)


def _ratings(history: History) -> dict[str, Any]:
    rows = history.rows(
        "SELECT rating, count(*) AS n, sum(override) AS lowered FROM reviews "
        "WHERE id NOT IN (SELECT review FROM undos) GROUP BY rating ORDER BY rating"
    )
    names = {1: "again", 2: "hard", 3: "good", 4: "easy"}
    counts = {row["rating"]: row["n"] for row in rows}
    return {
        "ratings": {name: counts.get(number, 0) for number, name in names.items()},
        "overrides": sum(row["lowered"] for row in rows),
    }
