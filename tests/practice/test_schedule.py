"""What FSRS makes of the history, and that our shortcuts agree with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import fsrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdrills.practice import memory, replay
from llmdrills.practice.rating import Rating
from llmdrills.practice.schedule import Schedule, draw, load, median
from llmdrills.settings import Scheduling
from tests.helpers.kata_learner import KataLearner, make_kata

KATA = make_kata("rope")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.floats(0.001, 36500), st.integers(0, 4000), st.floats(0.1, 0.8))
def test_should_have_the_forgetting_curve_of_the_fsrs_package(stability: float, days: int, decay: float) -> None:
    engine = fsrs.Scheduler(parameters=(*fsrs.Scheduler().parameters[:20], decay))
    card = fsrs.Card(0, fsrs.State.Review, None, stability, 5.0, EPOCH, EPOCH)
    expected = engine.get_card_retrievability(card, EPOCH + timedelta(days=days))
    assert memory.retrievability(stability, days, decay) == pytest.approx(expected, rel=1e-12)


@given(st.floats(0.001, 36500), st.floats(0.7, 0.97), st.integers(1, 36500), st.floats(0.1, 0.8))
def test_should_have_the_interval_of_the_fsrs_package(
    stability: float, retention: float, longest: int, decay: float
) -> None:
    parameters = (*fsrs.Scheduler().parameters[:20], decay)
    engine = fsrs.Scheduler(parameters=parameters, desired_retention=retention, maximum_interval=longest)
    assert memory.interval(stability, retention, longest, decay) == engine._next_interval(stability=stability)


def test_should_have_the_default_decay_of_the_fsrs_package() -> None:
    assert fsrs.Scheduler().parameters[20] == memory.DEFAULT_DECAY


def test_should_let_intervals_grow_as_fsrs_says(learner: KataLearner) -> None:
    day, gaps = 0, []
    for _ in range(7):
        learner.on(day).passes(KATA, Rating.GOOD)
        due = load(learner.history, Scheduling(longest=36500)).due_day("rope")
        assert due is not None
        gaps.append(due - learner.clock.day_number)
        day += gaps[-1]
    assert gaps == fsrs_gaps(7)
    assert gaps[:4] == [2, 11, 46, 163]


def fsrs_gaps(count: int) -> list[int]:
    engine = fsrs.Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    card, time, gaps = fsrs.Card(0), EPOCH, []
    for _ in range(count):
        card, _ = engine.review_card(card, fsrs.Rating.Good, time)
        gaps.append((card.due - time).days)
        time = card.due
    return gaps


def test_should_count_two_evenings_in_a_row_one_day_apart(learner: KataLearner) -> None:
    learner.on(0, 22).passes(KATA, Rating.GOOD)
    learner.on(1, 19).passes(KATA, Rating.GOOD)
    here = load(learner.history).memories["rope"]
    engine = replay.scheduler()
    card, _ = engine.review_card(fsrs.Card(0), fsrs.Rating.Good, EPOCH)
    card, _ = engine.review_card(card, fsrs.Rating.Good, EPOCH + timedelta(days=1))
    assert here.stability == card.stability


def test_should_keep_to_the_interval_cap_and_the_retention(learner: KataLearner) -> None:
    for day in (0, 2, 13, 60):
        learner.on(day).passes(KATA, Rating.GOOD)

    def days(**options: Any) -> int:
        schedule = load(learner.history, Scheduling(**options))
        due = schedule.due_day("rope")
        assert due is not None
        return due - learner.clock.day_number

    assert days(longest=30) == 30
    assert days(retention=0.95) < days(retention=0.9) < days(retention=0.8)


def test_should_say_the_next_dates_that_the_schedule_then_says(learner: KataLearner) -> None:
    for day in (0, 2, 13):
        learner.on(day).passes(KATA, Rating.GOOD)
    learner.on(60)
    schedule = load(learner.history)
    promised = schedule.next_dates(learner.history, "rope", learner.clock.day_number)
    assert list(promised.values()) == sorted(promised.values())
    learner.passes(KATA, Rating.HARD)
    due = load(learner.history).due_day("rope")
    assert due is not None
    assert promised[Rating.HARD] == learner.clock.day + timedelta(days=due - learner.clock.day_number)


def test_should_use_snapshots_that_equal_a_replay_from_the_beginning(
    learner: KataLearner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(5):
        learner.on(3 * day).passes(KATA, Rating.GOOD if day != 3 else Rating.AGAIN)
    folded: list[int] = []
    original = replay.fold
    monkeypatch.setattr(
        replay, "fold", lambda known, rows, engine: original(known, (folded.append(1) or row for row in rows), engine)
    )
    learner.on(30).passes(KATA, Rating.GOOD)
    assert len(folded) == 1, "only the new review is folded"
    here = load(learner.history).memories
    assert len(folded) == 1
    assert here == replay.fresh(learner.history)


def test_should_change_nothing_by_throwing_the_derived_tables_away(learner: KataLearner) -> None:
    for day in range(5):
        learner.on(3 * day).passes(KATA)
    before = load(learner.history)
    for table in ("memories", "days", "marks"):
        learner.history.rows(f"DELETE FROM {table}")
    assert load(learner.history) == before


def test_should_replay_everything_with_fitted_parameters(learner: KataLearner) -> None:
    learner.on(0).passes(KATA, Rating.GOOD)
    before = load(learner.history).memories["rope"].stability
    weights = list(fsrs.Scheduler().parameters)
    weights[2], weights[20] = 5.0, 0.3
    learner.history.append("parameters", learner.tick(), weights=json.dumps(weights), reviews=1, loss=0.1)
    after = load(learner.history)
    assert (before, after.memories["rope"].stability, after.decay) == (2.3065, 5.0, 0.3)


@pytest.mark.parametrize("weights", ["[]", "nonsense", "[1, 2, 3]", "{}", "[" + "99, " * 20 + "99]"])
def test_should_leave_aside_parameters_that_fsrs_refuses(learner: KataLearner, weights: str) -> None:
    learner.on(0).passes(KATA, Rating.GOOD)
    learner.history.append("parameters", learner.tick(), weights=weights, reviews=1, loss=0.1)
    assert load(learner.history).memories["rope"].stability == 2.3065


def test_should_have_no_recall_and_no_due_day_for_an_unknown_kata() -> None:
    empty = Schedule({}, {})
    assert empty.retrievability("rope", 0) == 0.0
    assert empty.due_day("rope") is None


def test_should_compare_the_learners_pace_with_the_katas_minutes(learner: KataLearner) -> None:
    learner.on(0).passes(KATA, minutes=20)
    schedule = load(learner.history)
    assert schedule.pace([KATA]) == pytest.approx(2.0, rel=0.01)
    assert schedule.expected_seconds(make_kata("other", minutes=5), schedule.pace([KATA])) == pytest.approx(
        600, rel=0.01
    )
    assert Schedule({}, {}).pace([KATA]) == 1.0


def test_should_keep_small_helpers_right() -> None:
    assert median((3.0, 1.0, 2.0)) == 2.0
    assert median((4.0, 1.0)) == 2.5
    assert draw("a", 1) == draw("a", 1) != draw("a", 2)
