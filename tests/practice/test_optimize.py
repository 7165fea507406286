"""Parameters fitted to the learner: only with enough reviews, only if they predict better."""

from __future__ import annotations

import random

import fsrs
import pytest

from llmdrills.errors import GraderError, MissingExtraError
from llmdrills.practice import fitting, optimize, replay
from llmdrills.practice.history import History
from llmdrills.practice.memory import retrievability
from tests.helpers.kata_learner import START


def lives(history: History, reviews: int, weights: list[float], seed: int = 1) -> None:
    """Reviews of a learner whose memory follows `weights`, written in one transaction."""
    engine = fsrs.Scheduler(weights, learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    rng = random.Random(seed)
    events = []
    for kata in range(reviews // 8):
        card, day = fsrs.Card(0), 0
        for number in range(9):
            known = (
                0.5
                if card.stability is None or card.last_review is None
                else retrievability(card.stability, day - (card.last_review - fitting._EPOCH).days, weights[20])
            )
            rating = 1 if rng.random() > known else rng.choice((2, 3, 3, 3, 4))
            card, _ = engine.review_card(card, fsrs.Rating(rating), fitting._EPOCH + fitting.timedelta(days=day))
            events.append((day, f"kata-{kata}", rating, number))
            day += rng.choice((1, 3, 7, 15, 30))

    def write() -> None:
        for day, kata, rating, number in sorted(events):
            moment = START.plus(day * 86_400_000_000 + number)
            values = {"session": "s", "variant": "v", "override": 0, "seconds": 60.0, "derived": rating}
            history.append("reviews", moment, kata=kata, rating=rating, **values)

    history.transaction(write)


def test_should_count_too_few_reviews_and_fit_nothing(history: History) -> None:
    lives(history, 80, list(fsrs.Scheduler().parameters))
    said = optimize.optimize(history)
    assert (said.reviews, said.missing, said.kept) == (80, optimize.ENOUGH - 80, False)
    assert str(said.missing) in said.message.en
    assert str(said.missing) in said.message.zh
    assert said.to_json()["schema"] == 1


@pytest.mark.slow
def test_should_fit_a_learner_unlike_the_default(history: History) -> None:
    """Forgets three times as fast: the fit must predict the latest reviews better, and the schedule must follow it."""
    weights = [w * 0.3 if i < 4 else w for i, w in enumerate(fsrs.Scheduler().parameters)]
    weights[8], weights[20] = 1.2, 0.4
    lives(history, optimize.ENOUGH, weights)
    before = replay.load(history)[0]
    said = optimize.optimize(history)
    assert said.fitted_loss is not None
    assert said.default_loss is not None
    assert said.kept
    assert said.fitted_loss < said.default_loss
    assert replay.weights_of(history) == said.weights
    after = replay.load(history)[0]
    assert after != before
    assert after == replay.fresh(history)


def test_should_change_nothing_by_a_fit_that_is_no_better(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    lives(history, 720, list(fsrs.Scheduler().parameters))
    monkeypatch.setattr(optimize, "_fit", lambda logs: {"weights": [1.0] * 21, "default": 0.3, "fitted": 0.3})
    said = optimize.optimize(history)
    assert not said.kept
    assert "nothing was changed" in said.message.en
    assert replay.weights_of(history) is None


@pytest.mark.parametrize(("code", "error"), [(3, MissingExtraError), (1, GraderError)])
def test_should_report_a_failing_fit(
    history: History, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, code: int, error: type
) -> None:
    lives(history, 720, list(fsrs.Scheduler().parameters))
    shadow = tmp_path_factory.mktemp("shadow")
    (shadow / "torch.py").write_text("raise ImportError('none')" if code == 3 else "raise RuntimeError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(shadow))
    with pytest.raises(error):
        optimize.optimize(history)
    assert replay.weights_of(history) is None


def test_should_take_the_log_loss_of_the_predictions() -> None:
    logs = [["a", 3, 0], ["a", 3, 5], ["a", 1, 20]]
    import math

    engine = replay.scheduler()
    card, _ = engine.review_card(fsrs.Card(0), fsrs.Rating.Good, fitting._EPOCH)
    first = retrievability(card.stability, 5)
    card, _ = engine.review_card(card, fsrs.Rating.Good, fitting._EPOCH + fitting.timedelta(days=5))
    second = retrievability(card.stability, 15)
    expected = -(math.log(first) + math.log(1 - second)) / 2
    assert fitting.log_loss(logs, None, 0) == pytest.approx(expected)
    assert fitting.log_loss(logs, None, 2) == pytest.approx(-math.log(1 - second))
