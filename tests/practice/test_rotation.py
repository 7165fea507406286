"""Easier forms: practised when they are asked for by name, never planned, and they move no schedule."""

from __future__ import annotations

import pytest

from llmdrills.content.model import Workspace
from llmdrills.errors import UsageError
from llmdrills.practice import plan, replay, rotation, stats
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.plan import PlanOptions
from llmdrills.practice.rating import Rating
from llmdrills.practice.schedule import load
from llmdrills.readiness import assess
from tests.helpers.kata_learner import STARTER, KataLearner, make_kata, verdict

KATA = make_kata(
    "attention", variants=("standard", "textbook"), proves=("ready-attention",), easier={"textbook": "standard"}
)


def passes_textbook(learner: KataLearner) -> repetitions.Repetition:
    repetition = learner.begin(KATA, "textbook")
    repetition.attempt("code", verdict(), learner.tick(8))
    return repetition


def planned(learner: KataLearner) -> list[tuple[str, str, str]]:
    made = plan.today(learner.history, (KATA,), learner.clock, PlanOptions(minutes=60))
    return [(item.kata, item.variant, item.reason) for item in made.items]


def test_should_know_which_variant_is_an_easier_form() -> None:
    assert [variant.id for variant in rotation.in_rotation(KATA)] == ["standard"]
    assert rotation.is_easier(KATA, "textbook")
    assert not rotation.is_easier(KATA, "standard")
    assert rotation.stronger(KATA, "textbook") == "standard"
    assert rotation.stronger(KATA, "an-unknown-one") == "an-unknown-one"


def test_should_never_give_an_easier_form_its_turn(learner: KataLearner) -> None:
    for day in (0, 3, 12):
        learner.on(day).passes(KATA, Rating.GOOD)
        assert load(learner.history).next_variant(KATA) == "standard"


def test_should_plan_the_kata_as_before_while_an_easier_form_is_open(learner: KataLearner) -> None:
    learner.begin(KATA, "textbook")
    assert planned(learner) == [("attention", "standard", "new")]


def test_should_not_rate_an_easier_form_and_say_why(learner: KataLearner) -> None:
    repetition = passes_textbook(learner)
    assert repetition.offer(load(learner.history), learner.clock) == ()
    with pytest.raises(UsageError, match=r"easier form and is not rated.*--variant standard"):
        repetition.rate(now=learner.tick())
    assert not learner.history.rows("SELECT 1 FROM reviews")


def test_should_move_no_schedule_by_an_easier_form(learner: KataLearner) -> None:
    learner.on(0).passes(KATA, Rating.GOOD)
    before = replay.load(learner.history), load(learner.history).due_day("attention")
    repetition = learner.on(1).begin(KATA, "textbook")
    repetition.hint(1, learner.tick())
    repetition.solution(now=learner.tick())
    repetition.attempt("code", verdict(), learner.tick(8))
    assert (replay.load(learner.history), load(learner.history).due_day("attention")) == before


def test_should_leave_a_kata_new_whose_easier_form_was_passed(learner: KataLearner) -> None:
    passes_textbook(learner)
    assert planned(learner) == [("attention", "standard", "new")]
    found = assess(Workspace(learner.folder, (), (KATA,), ("ready-attention",)), learner.history, learner.clock)
    assert [(item.state, item.katas[0].clean_days) for item in found.items] == [("not-shown", 0)]


def test_should_be_over_once_an_easier_form_is_passed(learner: KataLearner) -> None:
    repetition = passes_textbook(learner)
    assert repetition.state == "passed"
    assert repetition.may("next")
    assert not repetition.may("skip")
    assert repetitions.resume(learner.history, KATA) is None


def test_should_go_back_to_an_easier_form_only_when_it_is_asked_for(learner: KataLearner) -> None:
    begun = learner.begin(KATA, "textbook")
    found = repetitions.resume(learner.history, KATA, STARTER)
    assert found is not None
    assert found.id == begun.id
    assert repetitions.resume(learner.history, KATA, planned=True) is None


def test_should_not_go_back_to_what_the_easier_form_has_replaced_in_the_file(learner: KataLearner) -> None:
    learner.begin(KATA, "standard")
    learner.begin(KATA, "textbook")
    assert repetitions.resume(learner.history, KATA, planned=True) is None


def test_should_beat_a_slip_of_an_easier_form_by_the_form_that_asks_for_more(learner: KataLearner) -> None:
    repetition = learner.on(0).begin(KATA, "textbook")
    repetition.attempt("code", verdict("wrong", "no-scale"), learner.tick())

    def beaten() -> list[bool]:
        return [one.beaten for one in stats.gather(learner.history, (KATA,), learner.clock).slips]

    assert beaten() == [False]
    learner.on(4).passes(KATA, Rating.GOOD, variant="standard")
    assert beaten() == [True]
