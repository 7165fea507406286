"""Repairs: recorded beside repetitions from a blank, counted apart, and moving nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmdrills.content.model import Kata
from llmdrills.errors import HistoryError, UsageError
from llmdrills.practice import exchange, plan, repairs, replay, schema, stats
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from llmdrills.practice.past import repetitions as past
from llmdrills.practice.rating import Rating
from llmdrills.practice.schedule import load
from tests.helpers.kata_learner import KataLearner, make_kata, verdict

FIXTURE = Path(__file__).parents[1] / "fixtures" / "version-2"
WRONG = "def f(x):\n    return 2 * x\n"


@pytest.fixture
def kata(tmp_path: Path) -> Kata:
    """With a slips.yaml, which says that there is something to repair."""
    made = replace(make_kata("rope", variants=("one", "two")), folder=tmp_path / "drills" / "rope")
    made.folder.mkdir(parents=True)
    made.slips_file.write_text("slips: []\n")
    return made


def begin(learner: KataLearner, kata: Kata, slip: str = "no-scale", variant: str = "one") -> repetitions.Repetition:
    file = learner.folder / repetitions.file_name(kata.id, repair=True)
    repair = repetitions.Repair(WRONG, slip, 7)
    return repetitions.start_repair(learner.history, kata, variant, file, repair, now=learner.tick(0.1))


def passes(learner: KataLearner, kata: Kata, slip: str = "no-scale") -> repetitions.Repetition:
    repair = begin(learner, kata, slip)
    repair.attempt(WRONG, verdict("wrong", "no-scale"), learner.tick(2))
    repair.attempt("right", verdict(), learner.tick(2))
    return repair


def open_id(learner: KataLearner, kata: Kata) -> int:
    """The repetition that is open now, by its id."""
    found = repetitions.resume(learner.history, kata)
    assert found is not None
    return found.id


# ---- what a repair moves ---------------------------------------------------------------------------


def test_should_move_no_memory_no_turn_of_a_variant_and_no_streak(learner: KataLearner, kata: Kata) -> None:
    learner.on(0).passes(kata, Rating.GOOD)
    before = replay.load(learner.history), load(learner.history).next_variant(kata), load(learner.history).days
    passes(learner.on(3), kata)
    assert (
        replay.load(learner.history),
        load(learner.history).next_variant(kata),
        load(learner.history).days,
    ) == before
    assert replay.fresh(learner.history) == before[0].memories


def test_should_never_be_rated_and_say_so(learner: KataLearner, kata: Kata) -> None:
    repair = passes(learner, kata)
    assert repair.state == "passed"
    assert not repair.rateable
    assert not repair.unrated_pass
    with pytest.raises(UsageError, match="a repair of rope is not rated"):
        repair.rate()
    assert repair.offer(load(learner.history)) == ()
    assert learner.history.rows("SELECT 1 FROM reviews") == []


def test_should_cost_nothing_to_look_at_hints_and_the_solution(learner: KataLearner, kata: Kata) -> None:
    repair = begin(learner, kata)
    assert not repair.next_look_costs
    assert repair.reveal("solution", learner.tick()) == "free"


def test_should_count_repairs_apart_in_stats(learner: KataLearner, kata: Kata) -> None:
    learner.on(0).passes(kata, Rating.GOOD)
    before = stats.gather(learner.history, (kata,), learner.clock)
    passes(learner, kata)
    begin(learner, kata)
    after = stats.gather(learner.history, (kata,), learner.clock)
    assert after.repairs == repairs.Repairs(begun=2, passed=1, attempts=2)
    assert replace(after, repairs=before.repairs) == before
    assert after.to_json()["repairs"] == {"begun": 2, "passed": 1, "attempts": 2}


# ---- beside a repetition from a blank ----------------------------------------------------------------


def test_should_stand_beside_a_repetition_from_a_blank(learner: KataLearner, kata: Kata) -> None:
    blank = learner.begin(kata)
    blank.attempt("mine", verdict("wrong"), learner.tick())
    repair = begin(learner, kata)
    for which, found in (("any", repair), ("repair", repair), ("blank", blank)):
        open_now = repetitions.resume(learner.history, kata, begun=which)
        assert open_now is not None
        assert (open_now.id, open_now.file) == (found.id, found.file)
    assert [one.kata for one in repetitions.unfinished(learner.history)] == ["rope"]
    repair.attempt("right", verdict(), learner.tick())
    left = repetitions.resume(learner.history, kata)
    assert left is not None
    assert left.id == blank.id


def test_should_be_no_unfinished_kata_of_the_day(learner: KataLearner, kata: Kata) -> None:
    begin(learner, kata)
    assert repetitions.unfinished(learner.history) == []


def test_should_leave_the_kata_in_the_day_when_a_repair_is_skipped_and_undo_that(
    learner: KataLearner, kata: Kata
) -> None:
    blank = learner.begin(kata)
    repair = begin(learner, kata)
    repetitions.skip(learner.history, kata, now=learner.tick())
    assert repetitions.skipped_on(learner.history, learner.clock.day_number) == set()
    assert open_id(learner, kata) == blank.id
    assert repetitions.undo(learner.history, learner.tick()) == kata.id
    assert open_id(learner, kata) == repair.id


def test_should_not_bring_a_skipped_kata_back_into_the_day_by_a_repair(learner: KataLearner, kata: Kata) -> None:
    repetitions.skip(learner.history, kata, now=learner.tick())
    begin(learner, kata)
    assert repetitions.skipped_on(learner.history, learner.clock.day_number) == {kata.id}


def test_should_remember_the_last_three_mistakes(learner: KataLearner, kata: Kata) -> None:
    for slip in ("a", "b", "c", "d"):
        begin(learner, kata, slip)
    assert repairs.lately(learner.history, kata.id) == ("d", "c", "b")


def test_should_keep_what_was_begun_before_out_of_the_way(learner: KataLearner, kata: Kata) -> None:
    """An abandoned repair does not come back after the next one is done."""
    begin(learner, kata)
    passes(learner, kata)
    assert repetitions.resume(learner.history, kata) is None


def test_should_tell_the_mistake_in_the_past_only_after_the_pass(learner: KataLearner, kata: Kata) -> None:
    passes(learner, kata, "wrong-pairs")
    begin(learner, kata)
    now, before = past(learner.history, kata.id)
    assert (now.repair, now.mistake) == (True, None)
    assert (before.repair, before.mistake) == (True, "wrong-pairs")
    assert before.to_json()["mode"] == "repair"


# ---- the day ---------------------------------------------------------------------------------------


Ask = Callable[[int], plan.RepairOffer | None]


@pytest.fixture
def offered(learner: KataLearner, kata: Kata) -> Ask:
    def ask(day: int) -> plan.RepairOffer | None:
        return plan.today(learner.history, (kata,), learner.on(day).clock).repair

    return ask


def test_should_offer_no_repair_of_a_kata_that_was_never_passed_or_is_done_today(
    learner: KataLearner, kata: Kata, offered: Ask
) -> None:
    assert offered(0) is None
    learner.fails(kata)
    assert offered(1) is None
    learner.passes(kata, Rating.GOOD)
    assert offered(1) is None


def test_should_offer_a_repair_of_a_passed_kata_that_is_not_due_and_never_in_place_of_a_due_one(
    learner: KataLearner, kata: Kata, offered: Ask
) -> None:
    learner.on(0).passes(kata, Rating.EASY)
    due = load(learner.history).due_day(kata.id)
    assert due is not None
    days = due - learner.clock.day_number
    offer = offered(1)
    assert offer is not None
    assert (offer.kata, offer.begun) == ("rope", False)
    late = plan.today(learner.history, (kata,), learner.on(days).clock)
    assert [item.kata for item in late.items] == ["rope"]
    assert late.repair is None


def test_should_offer_the_same_katas_with_and_without_a_repair(learner: KataLearner, kata: Kata) -> None:
    learner.on(0).passes(kata, Rating.EASY)
    others = (kata, make_kata("a"), make_kata("b", "position"))
    now = learner.on(1).clock
    without = plan.make(load(learner.history), others, now)
    offered = plan.today(learner.history, others, now)
    assert offered.repair is not None
    assert replace(offered, repair=None) == without


def test_should_offer_one_repair_a_day_and_none_of_the_kata_for_a_week(
    learner: KataLearner, kata: Kata, offered: Ask
) -> None:
    learner.on(0).passes(kata, Rating.EASY)
    repair = begin(learner.on(1), kata)
    again = offered(1)
    assert again is not None
    assert again.begun
    repair.attempt("right", verdict(), learner.tick())
    assert offered(1) is None
    learner.on(5).passes(kata, Rating.EASY)
    assert offered(7) is None
    assert offered(8) is not None


# ---- histories of version 2 --------------------------------------------------------------------------


def test_should_open_a_history_of_version_2_and_keep_a_copy_of_it(tmp_path: Path, kata: Kata) -> None:
    path = Path(shutil.copy(FIXTURE / "history.sqlite", tmp_path / "history.sqlite3"))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 2
        before = connection.execute("SELECT id, kata, variant, file, seed FROM sessions ORDER BY seq").fetchall()
    with History.open(path, check=True) as history:
        assert history.recovery is None
        assert history.rows("PRAGMA user_version")[0][0] == schema.version() >= 3
        rows = history.rows("SELECT * FROM sessions ORDER BY seq")
        assert [tuple(row)[-6:-2] for row in rows] == [row[1:] for row in before]
        assert {(row["mode"], row["slip"]) for row in rows} == {(None, None)}
        assert repetitions.unfinished(history) == [("rms-norm", "cast-first")]
        assert set(replay.load(history).memories) == {"rms-norm", "attention-mask"}
        passes(KataLearner(history, tmp_path / "practice"), kata)
        with pytest.raises(HistoryError, match="append-only"):
            history.rows("UPDATE main.sessions SET mode = NULL")
    assert path.with_name("history.sqlite3.version-2").exists()


def test_should_import_an_export_of_version_2_and_know_it_again(tmp_path: Path, history: History) -> None:
    done = exchange.import_file(history, FIXTURE / "export.jsonl")
    assert (done.new, done.known, done.set_aside) == (15, 0, ())
    assert exchange.import_file(history, FIXTURE / "export.jsonl").known == 15
    path = Path(shutil.copy(FIXTURE / "history.sqlite", tmp_path / "old.sqlite3"))
    with History.open(path) as old:  # brought to version 3 meanwhile: the same events
        assert list(exchange.export_lines(old)) == list(exchange.export_lines(history))


def test_should_rebuild_a_damaged_history_of_version_2(tmp_path: Path) -> None:
    path = Path(shutil.copy(FIXTURE / "history.sqlite", tmp_path / "history.sqlite3"))
    with path.open("r+b") as file:
        file.write(b"\0" * 100)
    with History.open(path, check=True) as history:
        assert history.recovery is not None
        assert sum(history.recovery.lost.values()) == 0
        assert len(history.rows("SELECT 1 FROM sessions WHERE mode IS NULL")) == 4


def test_should_carry_repairs_through_export_merge_and_rebuild(
    new_learner: Callable[[str], KataLearner], kata: Kata
) -> None:
    here, there = new_learner("here"), new_learner("there")
    passes(here, kata, "wrong-pairs")
    here.on(1).passes(kata)
    begin(there.on(2), kata)
    for one, other in ((here, there), (there, here)):
        exchange.import_lines(one.history, list(exchange.export_lines(other.history)))
    assert list(exchange.export_lines(here.history)) == list(exchange.export_lines(there.history))
    assert repairs.count(here.history) == repairs.count(there.history) == repairs.Repairs(2, 1, 2)
    path = here.history.path
    here.history.close()
    with path.open("r+b") as file:
        file.write(b"\0" * 100)
    with History.open(path, check=True) as rebuilt:
        assert repairs.lately(rebuilt, kata.id) == ("no-scale", "wrong-pairs")


def test_should_set_a_mode_aside_that_no_repetition_can_have(history: History) -> None:
    lines = (FIXTURE / "export.jsonl").read_text("utf-8").splitlines()
    event = {**json.loads(next(line for line in lines if '"sessions"' in line)), "mode": "exam"}
    done = exchange.import_lines(history, [lines[0], json.dumps(event)])
    assert [one.fault.column for one in done.set_aside] == ["mode"]


def test_should_begin_only_in_a_variant_that_there_is(learner: KataLearner, kata: Kata) -> None:
    with pytest.raises(UsageError, match="has no variant 'three'"):
        begin(learner, kata, variant="three")
