"""A learner whose days can be written down in a line or two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llmdrills.content.model import Kata, Position, Slip, Variant
from llmdrills.language import Bilingual
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History, encode
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating

STARTER = "def f(x):\n    raise NotImplementedError\n"
SLIPS = ("no-scale", "wrong-pairs", "<b>&pairs")  # of every kata made here
START = Moment.of(datetime(2026, 3, 2, 18, 0, tzinfo=UTC))


def make_kata(
    name: str,
    topic: str = "transformer",
    minutes: int = 10,
    requires: tuple[str, ...] = (),
    variants: tuple[str, ...] = ("plain",),
    proves: tuple[str, ...] = (),
    easier: Mapping[str, str] | None = None,
) -> Kata:
    """`easier`: variant → the variant that it asks for less than. Its slips are SLIPS."""
    text = Bilingual(name, name)
    position = Position(Path("drills") / name / "kata.yaml", 1, 1)
    return Kata(
        id=name,
        title=text,
        topic=topic,
        minutes=minutes,
        entry="f",
        prompt=text,
        hints=(text, text, text),
        variants=tuple(_variant(variant, (easier or {}).get(variant, "")) for variant in variants),
        folder=Path("drills") / name,
        position=position,
        requires=requires,
        proves=proves,
        slips=tuple(Slip(slip, Bilingual(slip, slip), "", position) for slip in SLIPS),
    )


def _variant(name: str, weaker_than: str) -> Variant:
    return Variant(name, Bilingual(name, name), (), "f", weaker_than=weaker_than)


def verdict(outcome: str = "passed", diagnosis: str | None = None) -> dict[str, Any]:
    return {
        "schema": 1,
        "outcome": outcome,
        "seed": 0,
        "device": "cpu",
        "cases": [{"name": "base", "outcome": outcome, "message": ""}],
        "diagnosis": {"id": diagnosis, "message": "…"} if diagnosis else None,
    }


def review(history: History, number: int, kata: str = "rope", rating: int = 3, code: str = "") -> str:
    """Record a repetition of day `number`: its attempt if there is code, and its rating. Returns the review's id."""
    moment = START.plus(number * 86_400_000_000)
    if code:
        history.append(
            "attempts", moment, session="s", kata=kata, variant="v", outcome="passed", diagnosis=None, seconds=1.0,
            seed=0, device="cpu", cases="[]", **encode(code),
        )  # fmt: skip
    return history.append(
        "reviews", moment.plus(1), session=f"s{number}", kata=kata, variant="v", derived=rating, rating=rating,
        override=0, seconds=60.0,
    )  # fmt: skip


@dataclass
class KataLearner:
    """Practises on made-up days: `day` counts from the first; every repetition takes `minutes` on the clock."""

    history: History
    folder: Path
    day: int = 0
    clock: Moment = field(default=START)

    def on(self, day: int, hour: int = 18) -> KataLearner:
        self.day = day
        time = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day, hours=hour)
        self.clock = Moment.of(time)
        return self

    def tick(self, minutes: float = 1.0) -> Moment:
        self.clock = self.clock.plus(int(minutes * 60e6))
        return self.clock

    def begin(self, kata: Kata, variant: str | None = None) -> repetitions.Repetition:
        file = self.folder / f"{kata.id}.py"
        return repetitions.start(self.history, kata, variant or kata.variants[0].id, file, STARTER, now=self.tick(0.1))

    def passes(self, kata: Kata, rating: int | None = None, minutes: float = 8.0, variant: str | None = None) -> None:
        """A repetition passed at the first run, or failed for good where the rating is Again."""
        repetition = self.begin(kata, variant)
        if rating == Rating.AGAIN:
            repetition.solution(now=self.tick(minutes))
            repetition.rate(now=self.tick(0.1))
            return
        repetition.attempt("code", verdict(), self.tick(minutes))
        derived = repetition.derived()
        assert derived is not None
        repetition.rate(Rating(min(rating, derived)) if rating else None, self.tick(0.1))

    def fails(self, kata: Kata) -> None:
        self.passes(kata, Rating.AGAIN)
