"""What a day holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from llmdrills.practice import plan
from llmdrills.practice.moments import Moment
from llmdrills.practice.plan import LEECH_FAILURES, LEECH_REST, Plan, PlanOptions
from llmdrills.practice.rating import Rating
from llmdrills.settings import Scheduling, load_settings
from tests.helpers.kata_learner import KataLearner, make_kata

ATTENTION = make_kata("attention", "transformer")
MASK = make_kata("mask", "transformer", requires=("attention",))
ROTARY = make_kata("rotary", "position")
PAIRING = make_kata("pairing", "position", requires=("rotary",), variants=("interleaved", "half-split"))
SAMPLING = make_kata("sampling", "generation")
ALL = (ATTENTION, MASK, ROTARY, PAIRING, SAMPLING)

Today = Callable[..., Plan]


@pytest.fixture
def today(learner: KataLearner) -> Today:
    def make(day: int, hour: int = 18, katas: tuple = ALL, **options: object) -> Plan:
        learner.on(day, hour)
        return plan.today(learner.history, katas, learner.clock, PlanOptions(**{"minutes": 60, **options}))

    return make


def ids(made: Plan) -> list[str]:
    return [item.kata for item in made.items]


def test_should_bring_new_katas_that_build_on_nothing_on_the_first_day(today: Today) -> None:
    made = today(0)
    assert ids(made) == ["attention", "rotary"]
    assert {item.reason for item in made.items} == {"new"}
    assert today(0, new=9, minutes=300).waiting == 0
    assert set(ids(today(0, new=9, minutes=300))) == {"attention", "rotary", "sampling"}


def test_should_bring_new_katas_in_the_order_of_their_turns(today: Today) -> None:
    turns = {"sampling": 1, "rotary": 2}
    katas = [replace(kata, turn=turns.get(kata.id)) for kata in ALL]
    first = [ids(today(0, katas=katas, new=count, minutes=300)) for count in (1, 2, 3)]
    assert [set(found) for found in first] == [
        {"sampling"},
        {"sampling", "rotary"},
        {"sampling", "rotary", "attention"},
    ]


def test_should_cap_new_katas_over_the_whole_day(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(ATTENTION)
    assert len(ids(today(0, new=2))) == 1
    assert ids(today(0, new=0)) == []


def test_should_bring_a_kata_once_those_it_builds_on_were_passed(learner: KataLearner, today: Today) -> None:
    learner.on(0).fails(ATTENTION)
    assert "mask" not in ids(today(0, new=9, minutes=300))
    learner.passes(ATTENTION)
    assert "mask" in ids(today(0, new=9, minutes=300))


def test_should_put_the_most_forgotten_first(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    learner.on(0).passes(SAMPLING, Rating.HARD)
    learner.on(5).passes(ROTARY, Rating.GOOD)
    made = today(20, new=0)
    assert ids(made) == ["sampling", "attention", "rotary"]
    recalls = [item.retrievability for item in made.items]
    assert recalls == sorted(recalls)


def test_should_alternate_topics_and_put_prerequisites_first(learner: KataLearner, today: Today) -> None:
    for kata in (ATTENTION, MASK, ROTARY, PAIRING):
        learner.on(0).passes(kata, Rating.GOOD)
    learner.on(0).passes(MASK, Rating.HARD)
    made = today(30, new=0)
    order = ids(made)
    assert order.index("attention") < order.index("mask")
    assert order.index("rotary") < order.index("pairing")
    topics = [item.topic for item in made.items]
    assert all(one != other for one, other in pairwise(topics))


def test_should_keep_the_day_to_its_minutes_by_the_learners_own_times(learner: KataLearner, today: Today) -> None:
    for kata in (ATTENTION, ROTARY, SAMPLING):
        learner.on(0).passes(kata, Rating.GOOD, minutes=14)
    made = today(30, new=0, minutes=30)
    assert [item.minutes for item in made.items] == [14, 14]
    assert made.waiting == 1
    assert made.catch_up_days == 1


def test_should_take_off_minutes_spent_today(learner: KataLearner, today: Today) -> None:
    for kata in (ATTENTION, ROTARY, SAMPLING):
        learner.on(0).passes(kata, Rating.GOOD, minutes=10)
    learner.on(30, 9).passes(SAMPLING, Rating.GOOD, minutes=10)
    made = today(30, new=0, minutes=22)
    assert len(made.items) == 1
    assert made.spent == 10


def test_should_not_bury_the_learner_after_a_month_away(learner: KataLearner, today: Today) -> None:
    many = tuple(make_kata(f"kata-{number}", "transformer" if number % 2 else "position") for number in range(30))
    for number, kata in enumerate(many):
        learner.on(number // 3).passes(kata, Rating.GOOD)
    made = today(45, katas=(*many, SAMPLING), minutes=20)
    assert 1 <= len(made.items) <= 2
    assert made.minutes <= 20
    assert "sampling" not in ids(made), "nothing new in the first days after a long break"
    assert made.waiting == 30 - len(made.items)
    assert made.catch_up_days >= 14
    assert str(made.waiting) in made.note.en
    assert str(made.waiting) in made.note.zh


def test_should_not_starve_new_katas_by_what_is_due(learner: KataLearner, today: Today) -> None:
    many = tuple(make_kata(f"kata-{number}") for number in range(12))
    for number, kata in enumerate(many):
        learner.on(number).passes(kata, Rating.HARD)
    made = today(12, katas=(*many, SAMPLING, ROTARY), minutes=20)
    assert made.waiting > 0
    assert [item.kata for item in made.items if item.reason == "new"] == ["rotary"]
    assert {item.reason for item in made.items} == {"new", "due"}


def test_should_bring_new_katas_back_some_days_after_a_break(learner: KataLearner, today: Today) -> None:
    many = tuple(make_kata(f"kata-{number}") for number in range(12))
    for kata in many:
        learner.on(0).passes(kata, Rating.GOOD)
    reasons = []
    for day in range(40, 45):
        made = today(day, katas=(*many, SAMPLING), minutes=20)
        assert made.waiting > 0
        reasons.append("new" in {item.reason for item in made.items})
        learner.passes(next(kata for kata in many if kata.id == made.items[-1].kata), Rating.GOOD)
    assert reasons == [False, False, False, True, True]


def test_should_end_catching_up(learner: KataLearner, today: Today) -> None:
    many = tuple(make_kata(f"kata-{number}", "transformer" if number % 2 else "position") for number in range(12))
    for kata in many:
        learner.on(0).passes(kata, Rating.GOOD)
    day, waiting = 40, []
    for _ in range(12):
        made = today(day, katas=many, minutes=25, new=0)
        waiting.append(made.waiting)
        for item in made.items:
            learner.passes(next(kata for kata in many if kata.id == item.kata), Rating.GOOD)
        day += 1
    assert waiting[0] > 8
    assert waiting[-1] == 0


def test_should_set_a_leech_aside_with_advice_and_bring_it_back(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    for day in range(1, LEECH_FAILURES + 1):
        learner.on(day).fails(MASK)
    made = today(LEECH_FAILURES + 2, new=0)
    assert "mask" not in ids(made)
    (leech,) = made.set_aside
    assert leech.kata == "mask"
    assert "llmdrills start attention" in leech.advice.en
    assert "llmdrills start attention" in leech.advice.zh
    assert "tag:llmdrills::kata::mask" in leech.advice.en
    back = today(LEECH_FAILURES + LEECH_REST, new=0)
    assert "mask" in ids(back)
    assert back.set_aside == ()


def test_should_end_a_leech_by_a_pass(learner: KataLearner, today: Today) -> None:
    for day in range(LEECH_FAILURES):
        learner.on(day).fails(ATTENTION)
    learner.on(LEECH_FAILURES).passes(ATTENTION)
    assert today(LEECH_FAILURES + 1).set_aside == ()


def test_should_audit_a_mastered_kata_now_and_then(learner: KataLearner, today: Today) -> None:
    for day in (0, 3, 14, 60):
        learner.on(day).passes(ATTENTION, Rating.GOOD)
    audited = [day for day in range(68, 108) if today(day, new=0, katas=(ATTENTION,)).items]
    assert 3 <= len(audited) <= 14, "about one day in five"
    made = today(audited[0], new=0, katas=(ATTENTION,))
    assert [item.reason for item in made.items] == ["audit"]


def test_should_put_what_was_begun_first(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    learner.on(29).begin(PAIRING, "half-split")
    made = today(30)
    assert (made.items[0].kata, made.items[0].variant, made.items[0].reason) == ("pairing", "half-split", "unfinished")


def test_should_fill_no_more_than_the_day_when_many_are_begun_at_once(learner: KataLearner, today: Today) -> None:
    learner.on(0)
    for kata in ALL:
        learner.begin(kata)
    made = today(0, minutes=22)
    assert [item.reason for item in made.items] == ["unfinished", "unfinished"]
    assert made.items[0].kata == ALL[-1].id, "the newest first"


def test_should_leave_out_what_was_begun_in_another_topic(learner: KataLearner, today: Today) -> None:
    learner.on(0).begin(SAMPLING)
    assert "sampling" not in ids(today(0, topic="position"))


def test_should_leave_out_what_was_skipped_today_until_tomorrow(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    learner.on(30, 10).begin(ATTENTION).skip(now=learner.tick())
    assert "attention" not in ids(today(30))
    assert "attention" in ids(today(31))


def test_should_let_variants_take_turns(learner: KataLearner, today: Today) -> None:
    kata = make_kata("pairing", variants=("a", "b", "c"))
    seen = []
    for day in (0, 5, 25, 125):
        (item,) = today(day, katas=(kata,)).items
        seen.append(item.variant)
        learner.passes(kata, variant=item.variant)
    assert seen == ["a", "b", "c", "a"]


def test_should_bring_along_what_a_topic_builds_on(today: Today) -> None:
    other = make_kata("rope", "generation", requires=("attention",))
    made = today(0, katas=(ATTENTION, ROTARY, other, SAMPLING), topic="generation", new=9)
    assert set(ids(made)) == {"attention", "sampling"}


def test_should_give_the_same_plan_for_the_same_history_day_and_seed(learner: KataLearner, today: Today) -> None:
    many = tuple(make_kata(f"kata-{number}") for number in range(12))
    for kata in many:
        learner.on(0).passes(kata, Rating.GOOD)
    one = today(9, katas=many)
    assert today(9, katas=many) == one
    assert today(9, katas=tuple(reversed(many))) == one
    assert today(9, katas=many, seed=7) != one


def test_should_turn_the_day_at_four_in_the_morning(learner: KataLearner, today: Today) -> None:
    learner.on(0, 20).passes(ATTENTION, Rating.GOOD)
    assert ids(today(2, 3, katas=(ATTENTION,), new=0)) == [], "three in the morning is still the day before"
    assert ids(today(2, 4, katas=(ATTENTION,), new=0)) == ["attention"]


def test_should_count_days_of_a_streak_that_survives_until_today_is_over(learner: KataLearner, today: Today) -> None:
    for day in (0, 1, 3, 4, 5):
        learner.on(day).passes(SAMPLING)
    assert today(5).streak == 3
    assert today(6).streak == 3
    assert today(7).streak == 0


def test_should_count_a_long_streak_to_its_beginning(learner: KataLearner, today: Today) -> None:
    def year() -> None:
        for day in range(200):
            moment = learner.on(day).clock
            values = {
                "session": "s",
                "kata": "k",
                "variant": "v",
                "derived": 3,
                "rating": 3,
                "override": 0,
                "seconds": 1.0,
            }
            learner.history.append("reviews", moment, **values)

    learner.history.transaction(year)
    assert today(199).streak == 200
    assert today(200).streak == 200
    assert today(201).streak == 0


def test_should_count_midnight_practice_for_the_day_before(learner: KataLearner, today: Today) -> None:
    learner.on(0, 20).passes(SAMPLING)
    learner.on(1, 26).passes(ATTENTION)
    assert today(1, 27).streak == 2


def test_should_tell_every_reason_in_both_languages(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    (item,) = today(9, katas=(ATTENTION,)).items
    assert item.why.en == "7 days overdue: recall is down to 78%"
    assert item.why.zh == "逾期 7 天：记忆保持率降到 78%"


def test_should_version_and_complete_the_json(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    said = json.loads(json.dumps(today(5).to_json()))
    assert said["schema"] == 1
    assert set(said) == {
        "schema", "day", "items", "minutes", "budget", "spent", "streak", "waiting", "catch_up_days", "set_aside",
        "next_due", "note", "repair",
    }  # fmt: skip
    assert set(said["items"][0]) == {
        "kata", "title", "topic", "variant", "reason", "why", "minutes", "retrievability", "due", "notes",
    }  # fmt: skip
    assert said["day"] == "2026-03-07"


def test_should_plan_without_a_heavy_import(learner: KataLearner) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    program = (
        "import sys; from pathlib import Path\n"
        "from llmdrills.practice import plan\n"
        "from llmdrills.practice.history import History\n"
        "from llmdrills.practice.moments import Moment\n"
        "h = History.open(Path(sys.argv[1]))\n"
        "plan.today(h, (), Moment.now()); h.close()\n"
        "print(sorted({'torch', 'fsrs', 'uuid', 'asyncio', 'pandas'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(learner.history.path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_should_ignore_a_kata_that_left_the_workspace(learner: KataLearner, today: Today) -> None:
    learner.on(0).passes(make_kata("gone"))
    learner.on(0).begin(make_kata("gone-too"))
    assert "gone" not in ids(today(9))
    assert "gone-too" not in ids(today(9))


def test_should_say_when_the_next_one_is_where_nothing_is_due(learner: KataLearner, today: Today) -> None:
    learner.on(0, 9).passes(ATTENTION, Rating.GOOD)
    made = today(0, katas=(ATTENTION,), new=0)
    assert made.items == ()
    assert "2026-03-04" in made.note.en
    assert "2026-03-04" in made.note.zh


def test_should_know_the_learners_day_of_a_moment() -> None:
    assert str(Moment.parse("2026-03-02T03:59:00+08:00").day) == "2026-03-01"
    assert str(Moment.parse("2026-03-02T04:00:00+08:00").day) == "2026-03-02"
    text = "2026-03-02T04:00:00.123456+05:30"
    assert str(Moment.parse(text)) == text


def test_should_take_the_plans_options_from_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("minutes = 35\nnew = 4\nretention = 0.85\ninterval = 90\n")
    settings = load_settings(file)
    assert settings.scheduling == Scheduling(retention=0.85, longest=90)
    assert PlanOptions.from_settings(settings, topic="position", seed=3) == PlanOptions(
        minutes=35, new=4, topic="position", scheduling=Scheduling(0.85, 90), seed=3
    )


def test_should_assume_what_the_settings_assume(tmp_path: Path) -> None:
    assert PlanOptions.from_settings(load_settings(tmp_path / "none.toml")) == PlanOptions()
