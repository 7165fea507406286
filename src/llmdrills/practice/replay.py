"""Compute what is remembered of each kata: its reviews are folded in the order of (time, UUID).

The result is kept in derived tables: `memories` (one row a kata), `days`, and `marks` (how far the fold has come). A
new review later than what a snapshot holds is folded in; anything else (an import, an undo) replays that kata from the
beginning; new FSRS parameters replay them all. So the state depends on the events alone, never on how they arrived.
The derived tables are not trusted: whatever cannot be read in them, or is not what was written, has them made anew.

FSRS is given whole days of the learner (they turn at four), not hours: two evenings in a row are one day apart.
"""

# ruff: noqa: S608  # the queries are put together from the names in schema.py, never from data

from __future__ import annotations

import json
import math
import zlib
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from llmdrills.practice.memory import DEFAULT_DECAY
from llmdrills.practice.moments import DAY_TURNS, LAST, day_number

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from fsrs import Scheduler

    from llmdrills.practice.history import History

__all__ = [
    "KEPT_TIMES",
    "Memory",
    "Remembered",
    "days",
    "decay_of",
    "fold",
    "forget",
    "fresh",
    "load",
    "scheduler",
    "weights_of",
]

_T = TypeVar("_T")
KEPT_TIMES = 9  # the last so many durations make a median
_VOID = "id NOT IN (SELECT review FROM undos)"
_MANY_DAYS = 400  # beyond so many changed days, all are counted anew
# What reading a derived table raises when it holds something else than was written.
_GARBAGE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class Memory:
    """What is remembered of one kata after its last review. Days count from 1970, seconds are of work."""

    kata: str
    stability: float = 0.0  # days after which the chance of recall has fallen to 0.9
    difficulty: float = 0.0  # 1 … 10
    first_day: int = 0
    last_day: int = 0
    last_at: int = 0
    last_id: str = ""
    reviews: int = 0
    lapses: int = 0  # Again after having been passed
    failures: int = 0  # Again in a row, up to now
    passes: int = 0
    clean: int = 0  # days with a pass without hint or diagnosis, rated Good or better
    clean_day: int = -1  # the last of them
    rating: int = 0  # the last one
    times: tuple[float, ...] = ()
    clean_times: tuple[float, ...] = ()
    variants: dict[str, int] = field(default_factory=dict)  # variant → when it was last reviewed
    bins: dict[str, tuple[int, float, int]] = field(
        default_factory=dict
    )  # predicted recall in twentieths → n, Σ predicted, recalled


class Remembered(NamedTuple):
    """The memory of every kata ever reviewed, and FSRS's decay for this learner."""

    memories: dict[str, Memory]
    decay: float


def load(history: History) -> Remembered:
    """What is remembered; brought up to date first if events have come in. Raises HistoryError."""
    return _trusting(history, lambda: _load(history))


def days(history: History, latest: int | None = None) -> list[tuple[int, int, float]]:
    """The days of practice (from 1970) with their reviews and seconds, oldest first; only so many of the latest."""
    return _trusting(history, lambda: _days(history, latest))


def forget(history: History) -> None:
    """Empty the derived tables: the next `load` makes them anew. Raises HistoryError."""

    def work() -> None:
        history.execute("DELETE FROM memories")
        history.execute("DELETE FROM days")
        history.execute("DELETE FROM marks WHERE name != 'recovery'")

    history.transaction(work)


def _trusting(history: History, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except _GARBAGE:
        # They hold nothing that does not follow from the events: whatever they say is thrown away.
        forget(history)
        return read()


def _load(history: History) -> Remembered:
    if not _current(history):
        history.transaction(lambda: _refresh(history))
    marks = _marks(history)
    rows = history.rows("SELECT kata, body FROM memories ORDER BY kata")
    if marks.get("seal", _seal([])) != _seal(rows):
        raise ValueError("the memories are not those that were written")
    decay = float(marks.get("decay", DEFAULT_DECAY))
    if not 0 < decay < 10:
        raise ValueError(decay)
    return Remembered({row["kata"]: _read(row["body"]) for row in rows}, decay)


def _days(history: History, latest: int | None) -> list[tuple[int, int, float]]:
    if not _current(history):
        history.transaction(lambda: _refresh(history))
    query = "SELECT day, reviews, seconds FROM days ORDER BY day DESC LIMIT ?"
    found = [(row["day"], row["reviews"], row["seconds"]) for row in history.rows(query, latest or -1)]
    last = day_number(LAST, 86400)
    for day, reviews, seconds in found:
        if not (-2 <= day <= last and reviews > 0 and 0 <= seconds < math.inf):
            raise ValueError(f"day {day}: {reviews} reviews, {seconds} s")
    return found[::-1]


def _seal(rows: Iterable[sqlite3.Row]) -> str:
    """A checksum of all memories, in the order of their katas."""
    return str(zlib.crc32("".join(f"{row['kata']} {row['body']}" for row in rows).encode()))


def weights_of(history: History) -> tuple[float, ...] | None:
    """The newest parameters fitted to this learner that FSRS accepts; None where there are none."""
    for row in history.rows("SELECT weights FROM parameters ORDER BY at DESC, id DESC"):
        try:
            weights = tuple(float(weight) for weight in json.loads(row["weights"]))
            scheduler(weights)
        except _GARBAGE:
            continue  # of another version of FSRS, or no weights at all
        return weights
    return None


def scheduler(weights: tuple[float, ...] | None = None, retention: float = 0.9, longest: int = 36500) -> Scheduler:
    """FSRS as used here: no learning steps, no fuzz. Raises ValueError on weights out of bounds."""
    import fsrs  # 25 ms, and the plan does without

    given = {} if weights is None else {"parameters": weights}
    return fsrs.Scheduler(
        **given,
        desired_retention=retention,
        learning_steps=(),
        relearning_steps=(),
        maximum_interval=longest,
        enable_fuzzing=False,
    )


def decay_of(history: History) -> float:
    """FSRS's decay for this learner."""
    return load(history).decay


def fresh(history: History) -> dict[str, Memory]:
    """Replay every memory from the first event, without the snapshots. `load` must return the same."""
    engine = scheduler(weights_of(history))
    rows = history.each(f"SELECT * FROM reviews WHERE {_VOID} ORDER BY at, id")
    return fold({}, rows, engine)


def fold(memories: dict[str, Memory], rows: Iterable[sqlite3.Row], engine: Scheduler) -> dict[str, Memory]:
    """Fold reviews, in order, into memories, and return the new ones (the given ones stay as they are)."""
    from datetime import UTC, datetime, timedelta

    from fsrs import Card, Rating, State

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    ratings = {rating.value: rating for rating in Rating}
    result = dict(memories)
    for row in rows:
        kata = row["kata"]
        before = result.get(kata) or Memory(kata)
        day = day_number(row["at"], row["zone"])
        time = epoch + timedelta(days=day)
        card = Card(card_id=0, due=time)
        if before.reviews:
            last = epoch + timedelta(days=before.last_day)
            card = Card(
                card_id=0,
                state=State.Review,
                stability=before.stability,
                difficulty=before.difficulty,
                due=time,
                last_review=last,
            )
        predicted = engine.get_card_retrievability(card, time)
        rating = ratings.get(row["rating"], Rating.Again)
        card, _ = engine.review_card(card, rating, time)
        remembered = (card.stability or 0.0, card.difficulty or 0.0)
        result[kata] = _after(before, row, _Outcome(day, predicted, int(rating), *remembered))
    return result


class _Outcome(NamedTuple):
    """One review as FSRS sees it: the recall that it predicted, and what is remembered afterwards."""

    day: int
    predicted: float
    rating: int
    stability: float
    difficulty: float


def _after(before: Memory, row: sqlite3.Row, outcome: _Outcome) -> Memory:
    day, rating = outcome.day, outcome.rating
    passed = rating > 1
    clean = rating > 2 and row["derived"] > 2
    bins = before.bins
    if before.reviews and day > before.last_day:
        name = str(min(int(outcome.predicted * 20), 19))
        count, total, recalled = bins.get(name, (0, 0.0, 0))
        bins = {**bins, name: (count + 1, total + outcome.predicted, recalled + passed)}
    seconds = float(row["seconds"])
    return replace(
        before,
        stability=outcome.stability,
        difficulty=outcome.difficulty,
        first_day=before.first_day if before.reviews else day,
        last_day=day,
        last_at=row["at"],
        last_id=row["id"],
        reviews=before.reviews + 1,
        lapses=before.lapses + (not passed and before.passes > 0),
        failures=0 if passed else before.failures + 1,
        passes=before.passes + passed,
        clean=before.clean + (clean and before.clean_day != day),
        clean_day=day if clean else before.clean_day,
        rating=rating,
        times=(*before.times, seconds)[-KEPT_TIMES:],
        clean_times=(*before.clean_times, seconds)[-KEPT_TIMES:] if clean else before.clean_times,
        variants={**before.variants, row["variant"]: row["at"]},
        bins=bins,
    )


# ---- snapshots ----------------------------------------


def _marks(history: History) -> dict[str, str]:
    return {row["name"]: row["value"] for row in history.rows("SELECT name, value FROM marks")}


def _heads(history: History) -> dict[str, str]:
    # Of the tables, not of what is seen of them: a view has no highest number without a walk through all of it.
    row = history.rows(
        "SELECT coalesce((SELECT max(seq) FROM main.reviews), 0) AS reviews, "
        "coalesce((SELECT max(seq) FROM main.undos), 0) AS undos, "
        "coalesce((SELECT id FROM parameters ORDER BY at DESC, id DESC LIMIT 1), '') AS parameters"
    )[0]
    return {name: str(row[name]) for name in ("reviews", "undos", "parameters")}


def _current(history: History) -> bool:
    return _heads(history).items() <= {"reviews": "0", "undos": "0", "parameters": "", **_marks(history)}.items()


def _refresh(history: History) -> None:
    marks, heads = _marks(history), _heads(history)
    engine = scheduler(weights_of(history))
    weights = json.dumps([float(weight) for weight in engine.parameters])
    sealed = marks.get("seal") == _seal(history.rows("SELECT kata, body FROM memories ORDER BY kata"))
    if not sealed or marks.get("weights") != weights:  # fitted anew, or a newer fsrs has other defaults
        marks = {}
        history.execute("DELETE FROM memories")
        history.execute("DELETE FROM days")
    reviews, undos = int(marks.get("reviews", 0)), int(marks.get("undos", 0))
    if reviews > int(heads["reviews"]) or undos > int(heads["undos"]):
        raise ValueError("more was folded than there is")
    known = {row["kata"]: _read(row["body"]) for row in history.rows("SELECT kata, body FROM memories")}
    for memory in _changed(history, known, reviews, undos, engine):
        if memory.reviews:
            history.execute("INSERT OR REPLACE INTO memories VALUES (?, ?)", memory.kata, json.dumps(asdict(memory)))
        else:
            history.execute("DELETE FROM memories WHERE kata = ?", memory.kata)
    _count_days(history, reviews, undos)
    seal = _seal(history.rows("SELECT kata, body FROM memories ORDER BY kata"))
    written = {**heads, "weights": weights, "decay": repr(float(engine.parameters[20])), "seal": seal}
    for name, value in written.items():
        history.execute("INSERT OR REPLACE INTO marks VALUES (?, ?)", name, value)


def _changed(
    history: History, known: dict[str, Memory], reviews: int, undos: int, engine: Scheduler
) -> Iterable[Memory]:
    undone = history.rows(
        "SELECT DISTINCT kata FROM reviews WHERE id IN (SELECT review FROM undos WHERE seq > ?)", undos
    )
    again = {row["kata"] for row in undone}
    firsts = history.rows(
        "SELECT kata, min(at) AS at FROM reviews WHERE seq > ? GROUP BY kata",
        reviews,
    )
    for row in firsts:
        memory = known.get(row["kata"])
        # Equal times are left to the replay, which compares UUIDs.
        if memory and row["at"] <= memory.last_at:
            again.add(row["kata"])
    later = [row["kata"] for row in firsts if row["kata"] not in again]
    for kata in again:
        rows = history.each(f"SELECT * FROM reviews WHERE kata = ? AND {_VOID} ORDER BY at, id", kata)
        yield fold({}, rows, engine).get(kata, Memory(kata))
    for kata in later:
        query = f"SELECT * FROM reviews WHERE kata = ? AND seq > ? AND {_VOID} ORDER BY at, id"
        start = {kata: known[kata]} if kata in known else {}
        yield fold(start, history.each(query, kata, reviews), engine).get(kata, Memory(kata))


_DAY = f"(at / 1000000 + zone - {DAY_TURNS * 3600}) / 86400"


def _count_days(history: History, reviews: int, undos: int) -> None:
    touched = history.rows(
        f"SELECT DISTINCT {_DAY} AS day FROM reviews WHERE seq > ? OR id IN (SELECT review FROM undos WHERE seq > ?)",
        reviews,
        undos,
    )
    days = [int(row["day"]) for row in touched]
    select = f"SELECT {_DAY} AS day, count(*), sum(seconds) FROM reviews WHERE {_VOID}"
    if len(days) > _MANY_DAYS:
        history.execute("DELETE FROM days")
        history.execute(f"INSERT INTO days {select} GROUP BY day")
        return
    for day in days:
        history.execute("DELETE FROM days WHERE day = ?", day)
        # A day, in any time zone, lies within two days of UTC: the index on `at` finds it.
        low, high = (day - 1) * 86400 * 1_000_000, (day + 3) * 86400 * 1_000_000
        history.execute(f"INSERT INTO days {select} AND at BETWEEN ? AND ? GROUP BY day HAVING day = ?", low, high, day)


def _read(body: str) -> Memory:
    values: dict[str, Any] = json.loads(body)
    for name in ("times", "clean_times"):
        values[name] = tuple(values[name])
    values["bins"] = {name: tuple(value) for name, value in values["bins"].items()}
    return Memory(**values)
