"""Is the scheduling worth it? Simulated learners: their minutes and recall, compared with simpler rules.

    python -m benchmarks.schedule --learners 3   # the tables of docs/practice.md (some minutes)
    python -m benchmarks.schedule                # one learner of each kind: quicker, noisier

The bar: as much recall as practice by chance, in at most 0.7 of its minutes.

A simulated learner's memory follows FSRS-6, with parameters of their own (a named set, each parameter off by up to
25 %), which no scheduler knows: ours uses the published defaults. They miss days, are away for a month in the first
year, and their ratings are noisy. Every rule gets the same days, the same budget of minutes and at most two new katas a
day, one of them before anything else. `llmdrills` is the product's own planner and replay, not a re-implementation.
"""

# ruff: noqa: ARG002  # simple rules ignore what better ones use

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsrs
from fsrs.scheduler import LOWER_BOUNDS_PARAMETERS, UPPER_BOUNDS_PARAMETERS

from llmdrills.content.model import TOPICS, Kata, Position, Variant
from llmdrills.language import Bilingual
from llmdrills.practice import plan, replay
from llmdrills.practice.memory import retrievability
from llmdrills.practice.moments import Moment
from llmdrills.practice.schedule import Schedule
from llmdrills.settings import Scheduling

DAYS = 540
AWAY = range(150, 180)
MISSED = 0.15  # of the other days
MINUTES = {1: 15.0, 2: 12.0, 3: 9.0, 4: 6.0}  # a repetition takes so long, by how it went
FIRST = (0.30, 0.30, 0.35, 0.05)  # how the first repetition of a kata goes: Again … Easy
LATER = (0.20, 0.65, 0.15)  # how a recalled one goes: Hard, Good, Easy
NOISE = 0.12  # ratings that are one off
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

# The published defaults, and learners who differ from them where learners do: how long the first memory lasts (w0 …
# w3), how hard the material is (w4), how much a repetition strengthens (w8), what is left after forgetting (w11), decay
# (w20). As factors.
SETS: dict[str, dict[int, float]] = {
    "as published": {},
    "forgets fast": {0: 0.4, 1: 0.4, 2: 0.4, 3: 0.4, 8: 0.85, 20: 1.4},
    "forgets slowly": {0: 2.0, 1: 2.0, 2: 2.5, 3: 2.5, 8: 1.1, 20: 0.8},
    "finds it hard": {4: 1.3, 6: 1.2, 8: 0.8, 11: 0.7, 15: 0.7},
}


@dataclass(frozen=True)
class Setting:
    """How much there is to learn, in how little time."""

    name: str
    katas: int
    budget: float


SETTINGS = (Setting("20 katas, 20 minutes a day", 20, 20), Setting("60 katas, 10 minutes a day", 60, 10))


@dataclass
class Mind:
    """The learner's true memory of every kata. Only `practise` and `recall` look inside."""

    seed: int
    changes: dict[int, float]
    cards: dict[str, fsrs.Card] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        factors = [self.changes.get(i, 1.0) * self.random.uniform(0.75, 1.25) for i in range(21)]
        bounds = zip(
            fsrs.Scheduler().parameters, factors, LOWER_BOUNDS_PARAMETERS, UPPER_BOUNDS_PARAMETERS, strict=True
        )
        weights = [min(max(w * factor, low), high) for w, factor, low, high in bounds]
        self.engine = fsrs.Scheduler(weights, learning_steps=(), relearning_steps=(), enable_fuzzing=False)
        self.decay = weights[20]

    def recall(self, kata: str, day: int) -> float:
        """The true chance of recall on a day; 0 for a kata never met."""
        card = self.cards.get(kata)
        if card is None or card.stability is None or card.last_review is None:
            return 0.0
        return retrievability(card.stability, day - (card.last_review - EPOCH).days, self.decay)

    def practise(self, kata: str, day: int) -> tuple[int, float]:
        """Do the kata: the rating that is recorded (noisy), and the minutes that it took."""
        card = self.cards.get(kata)
        if card is None:
            truth = self.random.choices((1, 2, 3, 4), FIRST)[0]
            card = fsrs.Card(0, due=EPOCH)
        elif self.random.random() > self.recall(kata, day):
            truth = 1
        else:
            truth = self.random.choices((2, 3, 4), LATER)[0]
        self.cards[kata], _ = self.engine.review_card(card, fsrs.Rating(truth), EPOCH + timedelta(days=day))
        said = truth
        if self.random.random() < NOISE:
            said = min(max(truth + self.random.choice((-1, 1)), 1), 4)
        return said, MINUTES[truth] * self.random.uniform(0.8, 1.25)


class Rule:
    """Which katas a day holds. Simple rules give each kata an interval; the longest overdue goes first."""

    def __init__(self, katas: Sequence[Kata], budget: float, seed: int) -> None:
        self.names = [kata.id for kata in katas]
        self.budget = budget
        self.random = random.Random(seed)
        self.due: dict[str, int] = {}
        self.gap: dict[str, float] = {}

    def day(self, day: int, do: Callable[[str], tuple[int, float]]) -> float:
        """Live through a day: `do` practises a kata and gives (rating, minutes). Returns the minutes spent."""
        spent, cost = 0.0, 10.0
        waiting = sorted(
            (name for name in self.due if self.due[name] <= day), key=lambda n: self.due[n] - self.gap[n] / 100
        )
        new = [name for name in self.names if name not in self.due][:2]
        for name in self.queue(waiting, new):
            if spent and spent + cost > self.budget:
                break
            rating, minutes = do(name)
            spent += minutes
            self.gap[name] = max(1.0, self.interval(name, rating))
            self.due[name] = day + round(self.gap[name])
        return spent

    def queue(self, waiting: list[str], new: list[str]) -> list[str]:
        """The order of the day: what is due, `waiting`, and what was never met, `new`."""
        return [*new[:1], *waiting, *new[1:]]

    def interval(self, name: str, rating: int) -> float:
        """Days until the kata is due again."""
        raise NotImplementedError


class Fixed(Rule):
    """Every kata again after so many days."""

    length = 7

    def interval(self, name: str, rating: int) -> float:
        """Days until the kata is due again."""
        return self.length


class Monthly(Fixed):
    """Every kata again after a month."""

    length = 30


class Leitner(Rule):
    """Boxes of 1, 2, 4 … 64 days: one up when recalled, back to the first when not."""

    def interval(self, name: str, rating: int) -> float:
        """Days until the kata is due again."""
        return 1 if rating == 1 else min(2 * self.gap.get(name, 0.5), 64)


class Sm2(Rule):
    """SuperMemo 2, its quality taken from the rating (Again 2, Hard 3, Good 4, Easy 5)."""

    def __init__(self, katas: Sequence[Kata], budget: float, seed: int) -> None:
        super().__init__(katas, budget, seed)
        self.ease: dict[str, float] = {}
        self.count: dict[str, int] = {}

    def interval(self, name: str, rating: int) -> float:
        """Days until the kata is due again."""
        short = 5 - (rating + 1)
        ease = self.ease.get(name, 2.5) + 0.1 - short * (0.08 + short * 0.02)
        self.ease[name] = max(1.3, ease)
        self.count[name] = 0 if rating == 1 else self.count.get(name, 0) + 1
        if self.count[name] <= 1:
            return 1
        return 6 if self.count[name] == 2 else self.gap[name] * self.ease[name]


class Random(Rule):
    """Any kata met so far, by chance, until the minutes are spent; new ones first."""

    def queue(self, waiting: list[str], new: list[str]) -> list[str]:
        """Everything met so far, shuffled."""
        known = list(self.due)
        self.random.shuffle(known)
        return [*new, *known]

    def interval(self, name: str, rating: int) -> float:
        """Days until the kata is due again."""
        return 1


class Ours(Rule):
    """The product's planner over its own replay; only the database is left out."""

    scheduling = Scheduling()

    def __init__(self, katas: Sequence[Kata], budget: float, seed: int) -> None:
        super().__init__(katas, budget, seed)
        self.katas, self.seed = tuple(katas), seed
        self.memories: dict[str, replay.Memory] = {}
        self.days: dict[int, tuple[int, float]] = {}
        self.engine = replay.scheduler()

    def day(self, day: int, do: Callable[[str], tuple[int, float]]) -> float:
        """As `Rule.day`, by the plan that `llmdrills today` would print."""
        now = Moment((day * 86400 + 12 * 3600) * 1_000_000)
        schedule = Schedule(self.memories, self.days, self.scheduling)
        spent = 0.0
        options = plan.PlanOptions(minutes=round(self.budget), seed=self.seed)
        for item in plan.make(schedule, self.katas, now, options).items:
            if spent and spent + item.minutes > self.budget:
                break
            rating, minutes = do(item.kata)
            spent += minutes
            row = {"at": now.at + len(self.memories), "zone": 0, "id": "", "kata": item.kata, "variant": "v"}
            row |= {"rating": rating, "derived": rating, "seconds": minutes * 60}
            self.days[day] = (1, spent * 60)
            self.memories = replay.fold(self.memories, [row], self.engine)  # type: ignore[list-item]  # a dict reads like a row
        return spent


def ours(retention: float, longest: int = 365) -> type[Ours]:
    """The product with other settings."""
    return type("Ours", (Ours,), {"scheduling": Scheduling(retention, longest)})


RULES: dict[str, type[Rule]] = {
    "llmdrills, retention 0.80": ours(0.80),
    "llmdrills, retention 0.85": ours(0.85),
    "llmdrills, retention 0.90": ours(0.90),
    "llmdrills, retention 0.95": ours(0.95),
    "llmdrills, 0.90, interval up to 60 days": ours(0.90, 60),
    "llmdrills, 0.90, interval up to 3650 days": ours(0.90, 3650),
    "SM-2": Sm2,
    "Leitner, 1 … 64 days": Leitner,
    "every 7 days": Fixed,
    "every 30 days": Monthly,
    "random": Random,
}


@dataclass(frozen=True)
class Outcome:
    """One learner under one rule: minutes a day; the share of all katas recalled, on average and on the last day."""

    minutes: float
    held: float
    last: float


def simulate(rule: type[Rule], setting: Setting, changes: dict[int, float], seed: int) -> Outcome:
    """One learner's days under one rule."""
    katas = [_kata(number) for number in range(setting.katas)]
    mind = Mind(seed, changes)
    days = random.Random(seed + 1)
    absent = {day for day in range(DAYS) if days.random() < MISSED or day in AWAY}
    planner = rule(katas, setting.budget, seed)
    spent, held = 0.0, []
    for day in range(DAYS):
        if day not in absent:
            spent += planner.day(day, lambda name, day=day: mind.practise(name, day))
        held.append(sum(mind.recall(kata.id, day) for kata in katas) / setting.katas)
    return Outcome(spent / DAYS, statistics.mean(held), held[-1])


def _kata(number: int) -> Kata:
    name = f"kata-{number:03}"
    text = Bilingual(name, name)
    return Kata(
        id=name, title=text, topic=TOPICS[number % len(TOPICS)], minutes=10, entry="f", prompt=text, hints=(),
        variants=(Variant("v", text, (), "f", None),), folder=Path(name), position=Position(Path(name), 1, 1),
    )  # fmt: skip


def table(setting: Setting, learners: int) -> tuple[list[str], dict[str, Outcome]]:
    """The setting's table as lines of Markdown, and the means in it by rule."""
    lines = [
        f"**{setting.name}** ({learners} learners of each of {len(SETS)} kinds, {DAYS} days)",
        "",
        "| rule | minutes a day | recall held | on the last day | recall per minute a day |",
        "|---|---:|---:|---:|---:|",
    ]
    means = {}
    for name, rule in RULES.items():
        runs = [
            simulate(rule, setting, changes, 1000 * kind + number)
            for kind, changes in enumerate(SETS.values())
            for number in range(learners)
        ]
        minutes, held, last = (
            statistics.mean(getattr(run, key) for run in runs) for key in ("minutes", "held", "last")
        )
        means[name] = Outcome(minutes, held, last)
        lines.append(f"| {name} | {minutes:.1f} | {held:.1%} | {last:.1%} | {100 * held / minutes:.1f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines, means


def main(arguments: Sequence[str] = ()) -> int:
    """Print the tables as Markdown; 1 when ours is not worth it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.schedule", description="What the scheduling is worth.")
    parser.add_argument("--learners", type=int, default=1, help="simulated learners of each kind")
    options = parser.parse_args(list(arguments))
    tables = [table(setting, options.learners) for setting in SETTINGS]
    for lines, _ in tables:
        print("\n".join([*lines, ""]))
    means = tables[0][1]
    ours, random_ = means["llmdrills, retention 0.90"], means["random"]
    worth = ours.minutes <= 0.7 * random_.minutes and ours.held >= random_.held - 0.02
    verdict = "holds" if worth else "BROKEN"
    print(f"{verdict:6} as much recall as practice by chance, in at most 0.7 of its minutes")
    return 0 if worth else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
