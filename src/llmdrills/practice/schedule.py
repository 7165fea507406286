"""Chance of recall now, due days, next dates for each rating: FSRS, per kata."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from llmdrills.practice import replay
from llmdrills.practice.memory import DEFAULT_DECAY, interval, retrievability
from llmdrills.practice.moments import from_day_number
from llmdrills.practice.rating import Rating
from llmdrills.practice.rotation import in_rotation
from llmdrills.settings import Scheduling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History
    from llmdrills.practice.replay import Memory

__all__ = ["Schedule", "draw", "load", "median"]

_RECENT_DAYS = 60  # days of practice that are read first
_DEFAULT = Scheduling()


def load(history: History, scheduling: Scheduling = _DEFAULT) -> Schedule:
    """The schedule that follows from the history and the settings `retention` and `interval`. Raises HistoryError."""
    memories, decay = replay.load(history)
    found = replay.days(history, _RECENT_DAYS)
    if len(found) == _RECENT_DAYS and found[-1][0] - found[0][0] == _RECENT_DAYS - 1:
        found = replay.days(history)  # a streak longer than that: count it to its beginning
    days = {day: (reviews, seconds) for day, reviews, seconds in found}
    return Schedule(memories, days, scheduling, decay)


@dataclass(frozen=True)
class Schedule:
    """What is remembered, and what follows for today. Days count from 1970 (`Moment.day_number`)."""

    memories: Mapping[str, Memory]
    days: Mapping[int, tuple[int, float]]  # the latest days of practice → reviews, seconds of work
    scheduling: Scheduling = _DEFAULT
    decay: float = DEFAULT_DECAY

    def retrievability(self, kata: str, day: int) -> float:
        """The chance, in [0, 1], that the kata is recalled on that day; 0 if it was never reviewed."""
        memory = self.memories.get(kata)
        return retrievability(memory.stability, day - memory.last_day, self.decay) if memory else 0.0

    def due_day(self, kata: str) -> int | None:
        """The day on which the kata is due; None if it was never reviewed."""
        memory = self.memories.get(kata)
        return memory.last_day + interval(memory.stability, *self.scheduling, self.decay) if memory else None

    def expected_seconds(self, kata: Kata, pace: float = 1.0) -> float:
        """Seconds that a repetition takes: the median of the learner's own times, else its minutes at their pace."""
        memory = self.memories.get(kata.id)
        return median(memory.times) if memory and memory.times else kata.minutes * 60.0 * pace

    def pace(self, katas: Iterable[Kata]) -> float:
        """How this learner's times compare with the katas' minutes: 2.0 is twice as long; kept within ⅓ … 3."""
        known = [(kata, self.memories.get(kata.id)) for kata in katas]
        ratios = [median(memory.times) / (kata.minutes * 60.0) for kata, memory in known if memory and memory.times]
        return min(max(median(tuple(ratios)), 1 / 3), 3.0) if ratios else 1.0

    def next_variant(self, kata: Kata) -> str:
        """The variant whose turn it is: one never practised, in the order written, else the one longest ago.

        An easier form of another variant never has its turn.
        """
        memory = self.memories.get(kata.id)
        seen = memory.variants if memory else {}
        return min(in_rotation(kata), key=lambda variant: seen.get(variant.id, -1)).id

    def streak(self, today: int) -> int:
        """Days in a row with a rated review, up to today, or to yesterday while today is still open."""
        day = today if today in self.days else today - 1
        length = 0
        while day - length in self.days:
            length += 1
        return length

    def next_dates(self, history: History, kata: str, day: int) -> dict[Rating, date]:
        """For each rating, the day on which the kata would be due if it were given now. Imports fsrs."""
        from datetime import UTC, datetime

        from fsrs import Card, State
        from fsrs import Rating as Given

        engine = replay.scheduler(replay.weights_of(history), *self.scheduling)
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        now = epoch + timedelta(days=day)
        memory = self.memories.get(kata)
        card = Card(card_id=0, due=now)
        if memory:
            last = epoch + timedelta(days=memory.last_day)
            card = Card(
                card_id=0,
                state=State.Review,
                stability=memory.stability,
                difficulty=memory.difficulty,
                due=now,
                last_review=last,
            )
        after = {rating: engine.review_card(card, Given(int(rating)), now)[0] for rating in Rating}
        return {rating: from_day_number((card.due - epoch).days) for rating, card in after.items()}


def median(values: tuple[float, ...]) -> float:
    """The middle value; of an even number, the mean of the middle two."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def draw(*parts: object) -> int:
    """A number that looks random and is the same on every machine for the same parts: 0 … 2³² − 1."""
    return zlib.crc32("/".join(map(str, parts)).encode())
