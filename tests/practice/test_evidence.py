"""Which recorded diagnoses count, in rows that this release writes and in those of the release before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.practice import evidence
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.rating import Rating
from llmdrills.practice.schedule import load
from tests.helpers.kata_learner import KataLearner, make_kata, verdict
from tests.helpers.progress import ATTENTION, ROPE, gather, ready

KATA = make_kata("rope", variants=("interleaved", "half-split"))
UNCOUNTED = ("recognised-scaled", "recognised-no-scale", "a-slip-of-long-ago", "variant-of-long-ago", "half-split")


@pytest.mark.parametrize("diagnosis", ["no-scale", "variant-half-split"])
def test_should_count_a_slip_of_the_kata_and_another_of_its_variants(diagnosis: str) -> None:
    assert evidence.counts(diagnosis, KATA)


@pytest.mark.parametrize("diagnosis", [*UNCOUNTED, "", None])
def test_should_not_count_what_an_answer_looks_like_nor_what_is_no_slip_today(diagnosis: str | None) -> None:
    assert not evidence.counts(diagnosis, KATA)


def test_should_not_count_a_diagnosis_of_a_kata_that_is_gone() -> None:
    assert not evidence.counts("no-scale", None)


def test_should_know_the_slips_that_the_catalogue_leaves_out(root: Path) -> None:
    kata = next(kata for kata in load_katas(root) if kata.id == "rms-norm")
    bare = replace(kata, slips=())
    assert evidence.counts("no-eps", bare)
    assert not evidence.counts("no-scale", bare)


@pytest.mark.parametrize("diagnosis", UNCOUNTED)
def test_should_rate_by_whole_diagnoses_alone(learner: KataLearner, diagnosis: str) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict("wrong", diagnosis), learner.tick())
    repetition.attempt("code", verdict(), learner.tick(9))
    assert repetition.derived() == Rating.GOOD


def test_should_take_nothing_of_a_verdict_but_its_diagnosis(learner: KataLearner) -> None:
    said = {"note": {"kind": "part", "id": "no-scale", "message": "…"}, "behaviour": {"id": "no-scale"}}
    repetition = learner.begin(KATA)
    repetition.attempt("code", {**verdict("wrong"), **said}, learner.tick())
    assert [tuple(row) for row in learner.history.rows("SELECT diagnosis FROM attempts")] == [(None,)]


def test_should_list_only_slips_that_count(learner: KataLearner) -> None:
    repetition = learner.begin(ROPE)
    for diagnosis in ("no-scale", *UNCOUNTED):
        repetition.attempt("code", verdict("wrong", diagnosis), learner.tick())
    assert [one.slip for one in gather(learner).slips] == ["no-scale"]


def rated_by_the_release_before(learner: KataLearner, day: int, diagnosis: str, rating: int = 2) -> None:
    """A pass after a failure with that diagnosis, which was rated Hard for it; `rating`: what the learner took."""
    repetition = learner.on(day).begin(ATTENTION)
    repetition.attempt("code", verdict("wrong", diagnosis), learner.tick())
    repetition.attempt("code", verdict(), learner.tick(9))
    values = {"derived": 2, "rating": rating, "override": int(rating != 2)}
    learner.history.append(
        "reviews", learner.tick(), session=repetition.id, kata="attention", variant="plain", seconds=60.0, **values
    )


def clean_days_of_attention(learner: KataLearner) -> int:
    return ready(learner).items[0].katas[0].clean_days


@pytest.mark.parametrize("diagnosis", UNCOUNTED)
def test_should_count_a_day_rated_hard_for_nothing_that_counts_as_clean(learner: KataLearner, diagnosis: str) -> None:
    rated_by_the_release_before(learner, 0, diagnosis)
    learner.on(2).passes(ATTENTION, Rating.GOOD)
    learner.on(2, 20).passes(ATTENTION, Rating.GOOD)
    assert clean_days_of_attention(learner) == 2
    assert ready(learner).items[0].state == "ready"


def test_should_not_count_a_day_with_a_diagnosis_that_counts_as_clean(learner: KataLearner) -> None:
    rated_by_the_release_before(learner, 0, "no-scale")
    learner.on(2).passes(ATTENTION, Rating.GOOD)
    assert clean_days_of_attention(learner) == 1


def test_should_not_count_a_rating_that_the_learner_lowered_as_clean(learner: KataLearner) -> None:
    rated_by_the_release_before(learner, 0, "recognised-scaled", rating=1)
    assert clean_days_of_attention(learner) == 0


def test_should_not_count_a_pass_after_a_hint_as_clean(learner: KataLearner) -> None:
    repetition = learner.begin(ATTENTION)
    repetition.hint(1, learner.tick())
    repetition.attempt("code", verdict("wrong", "recognised-scaled"), learner.tick())
    repetition.attempt("code", verdict(), learner.tick(9))
    repetition.rate(now=learner.tick())
    assert clean_days_of_attention(learner) == 0


def test_should_not_count_an_undone_rating_as_clean(learner: KataLearner) -> None:
    learner.passes(ATTENTION, Rating.GOOD)
    rated_by_the_release_before(learner, 2, "recognised-scaled")
    repetitions.undo(learner.history, learner.tick())
    assert clean_days_of_attention(learner) == 1


def test_should_leave_the_due_date_of_an_earlier_rating_as_it_was(learner: KataLearner) -> None:
    rated_by_the_release_before(learner, 0, "recognised-scaled")
    assert load(learner.history).memories["attention"].rating == Rating.HARD


def test_should_take_a_slip_as_beaten_by_a_pass_rated_hard_for_nothing_that_counts(
    learner: KataLearner,
) -> None:
    repetition = learner.on(0).begin(ATTENTION)
    repetition.attempt("code", verdict("wrong", "no-scale"), learner.tick())
    assert [one.beaten for one in gather(learner).slips] == [False]
    rated_by_the_release_before(learner, 3, "recognised-scaled")
    assert [one.beaten for one in gather(learner).slips] == [True]
