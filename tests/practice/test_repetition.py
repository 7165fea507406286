"""One repetition, from the blank starter to the rating."""

from __future__ import annotations

from datetime import timedelta

import pytest

from llmdrills.errors import UsageError
from llmdrills.practice import attempt_file
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History, decode
from llmdrills.practice.rating import Rating
from llmdrills.practice.schedule import load
from tests.helpers.kata_learner import STARTER, KataLearner, make_kata, verdict

KATA = make_kata("rope", minutes=10, variants=("interleaved", "half-split"))


def test_should_blank_the_file_at_the_start_and_archive_what_it_held(learner: KataLearner) -> None:
    file = learner.folder / "rope.py"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"my old code\xff\x00")
    learner.begin(KATA)
    assert file.read_text() == STARTER
    rows = learner.history.rows("SELECT code, encoding FROM archives")
    assert [decode(row["code"], row["encoding"]) for row in rows] == [b"my old code\xff\x00"]


def test_should_not_archive_the_starter_itself(learner: KataLearner) -> None:
    learner.begin(KATA)
    learner.begin(KATA)
    assert not learner.history.rows("SELECT 1 FROM archives")


def test_should_rate_a_plain_pass_good(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    assert repetition.derived() == Rating.GOOD


def test_should_rate_a_fast_first_run_easy(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict("unimplemented"), learner.tick(1))
    repetition.attempt("code", verdict(), learner.tick(3))
    assert repetition.derived() == Rating.EASY


def test_should_measure_fast_against_ones_own_times(learner: KataLearner) -> None:
    for day in range(0, 40, 10):
        learner.on(day).passes(KATA, Rating.GOOD, minutes=4)
    repetition = learner.on(60).begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(4))
    assert repetition.derived() == Rating.GOOD
    repetition = learner.on(61).begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(2.5))
    assert repetition.derived() == Rating.EASY


@pytest.mark.parametrize("help", ["hint", "diagnosis"])
def test_should_rate_a_pass_with_help_hard(learner: KataLearner, help: str) -> None:  # noqa: A002  # reads well in the test's name
    repetition = learner.begin(KATA)
    if help == "hint":
        repetition.hint(1, learner.tick())
    else:
        repetition.attempt("code", verdict("wrong", "no-scale"), learner.tick())
    repetition.attempt("code", verdict(), learner.tick())
    assert repetition.derived() == Rating.HARD


def test_should_rate_a_failure_that_nothing_explains_good_never_easy(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict("wrong"), learner.tick(0.2))
    repetition.attempt("code", verdict(), learner.tick(0.2))
    assert repetition.derived() == Rating.GOOD


def test_should_rate_again_for_the_solution_even_if_it_is_passed_afterwards(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.solution("diff", learner.tick())
    assert repetition.rateable
    repetition.attempt("code", verdict(), learner.tick())
    assert repetition.derived() == Rating.AGAIN


def test_should_change_nothing_by_what_is_looked_at_after_the_pass(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    repetition.solution("diff", learner.tick())
    repetition.hint(1, learner.tick())
    repetition.attempt("code", verdict("wrong", "no-scale"), learner.tick())
    assert repetition.derived() == Rating.GOOD


def test_should_let_the_rating_be_lowered_and_record_that(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    review = repetition.rate(Rating.HARD, learner.tick())
    assert (review.derived, review.rating, review.override) == (Rating.GOOD, Rating.HARD, True)
    row = learner.history.rows("SELECT derived, rating, override FROM reviews")[0]
    assert tuple(row) == (3, 2, 1)


def test_should_not_let_the_rating_be_raised(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    with pytest.raises(UsageError, match="only be lowered"):
        repetition.rate(Rating.EASY)


def test_should_not_rate_what_is_not_passed(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict("wrong"), learner.tick())
    with pytest.raises(UsageError, match="not passed"):
        repetition.rate()


def test_should_not_rate_one_repetition_twice_in_two_windows(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    other = repetitions.resume(learner.history, KATA)
    assert other is not None
    repetition.rate(now=learner.tick())
    with pytest.raises(UsageError, match="rated already"):
        other.rate(now=learner.tick())


def test_should_open_the_repetition_again_by_undo(learner: KataLearner) -> None:
    learner.passes(KATA, Rating.GOOD)
    assert repetitions.resume(learner.history, KATA) is None
    assert repetitions.undo(learner.history, learner.tick()) == "rope"
    assert "rope" not in load(learner.history).memories
    again = repetitions.resume(learner.history, KATA)
    assert again is not None
    again.rate(Rating.HARD, learner.tick())
    assert load(learner.history).memories["rope"].rating == Rating.HARD
    assert len(learner.history.rows("SELECT 1 FROM reviews")) == 2


def test_should_undo_nothing_where_there_is_nothing(history: History) -> None:
    assert repetitions.undo(history) is None


def test_should_close_a_skipped_kata_and_leave_it_out_today(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.skip("tired", learner.tick())
    assert repetitions.resume(learner.history, KATA) is None
    assert repetitions.skipped_on(learner.history, learner.clock.day_number) == {"rope"}
    assert repetitions.skipped_on(learner.history, learner.clock.day_number + 1) == set()


def test_should_not_leave_out_a_kata_begun_again_after_a_skip(learner: KataLearner) -> None:
    learner.begin(KATA).skip(now=learner.tick())
    learner.begin(KATA)
    assert repetitions.skipped_on(learner.history, learner.clock.day_number) == set()


def test_should_find_an_unfinished_repetition_again_with_all_that_happened(learner: KataLearner) -> None:
    repetition = learner.begin(KATA, "half-split")
    repetition.hint(1, learner.tick())
    repetition.hint(2, learner.tick())
    repetition.attempt("my code", verdict("wrong"), learner.tick())
    found = repetitions.resume(learner.history, KATA, STARTER)
    assert found is not None
    assert (found.id, found.variant, found.hints_shown) == (repetition.id, "half-split", 2)
    assert found.last_code() == b"my code"
    assert repetitions.unfinished(learner.history) == [("rope", "half-split")]


def test_should_not_go_back_to_an_older_unfinished_repetition(learner: KataLearner) -> None:
    learner.begin(KATA)
    learner.passes(KATA)
    assert repetitions.unfinished(learner.history) == []
    assert repetitions.resume(learner.history, KATA) is None


def test_should_bring_a_deleted_file_back_on_resuming(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("my code", verdict("wrong"), learner.tick())
    repetition.file.unlink()
    repetitions.resume(learner.history, KATA, STARTER)
    assert repetition.file.read_text() == "my code"


def test_should_never_touch_what_the_learner_wrote_on_resuming(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.file.write_text("half written")
    repetitions.resume(learner.history, KATA, STARTER)
    assert repetition.file.read_text() == "half written"


def test_should_recover_from_a_crash_before_the_starter_was_written(
    learner: KataLearner, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = learner.folder / "rope.py"
    file.parent.mkdir(parents=True)
    file.write_text("yesterday's code")
    with monkeypatch.context() as patch:
        patch.setattr(attempt_file, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            learner.begin(KATA)
    assert file.read_text() == "yesterday's code"
    repetitions.resume(learner.history, KATA, STARTER)
    assert file.read_text() == STARTER
    assert learner.history.rows("SELECT code FROM archives")[0]["code"] == "yesterday's code"


def test_should_follow_a_repetition_to_where_it_began_or_to_where_it_was_moved(learner: KataLearner) -> None:
    begun = learner.begin(KATA)
    elsewhere = learner.folder / "elsewhere" / "rope.py"
    found = repetitions.resume(learner.history, KATA, None, elsewhere)
    assert found is not None
    assert found.file == begun.file
    begun.file.unlink()
    found = repetitions.resume(learner.history, KATA, STARTER, elsewhere)
    assert found is not None
    assert found.file == elsewhere
    assert elsewhere.read_text() == STARTER


@pytest.mark.parametrize("path", ["/" + "x" * 5000, "/dev/null/nothing", "x\nr"])
def test_should_write_elsewhere_where_the_path_of_another_machine_is_no_path_here(learner: KataLearner, path) -> None:
    learner.history.append("sessions", learner.tick(), kata="rope", variant="interleaved", file=path, seed=1)
    here = learner.folder / "rope.py"
    found = repetitions.resume(learner.history, KATA, STARTER, here)
    assert found is not None
    assert found.file == here


def test_should_come_back_to_an_undone_repetition_before_one_that_was_begun_since(learner: KataLearner) -> None:
    first = learner.begin(KATA)
    first.attempt("first", verdict(), learner.tick())
    first.rate(now=learner.tick())
    second = learner.begin(KATA)
    assert repetitions.undo(learner.history, learner.tick()) == "rope"
    found = repetitions.resume(learner.history, KATA)
    assert found is not None
    assert found.id == first.id
    assert found.unrated_pass
    found.rate(now=learner.tick())
    assert repetitions.resume(learner.history, KATA) is None  # the second began before that rating
    assert second.id != first.id


def test_should_undo_a_skip_and_find_the_repetition_open(learner: KataLearner) -> None:
    begun = learner.begin(KATA)
    begun.skip(now=learner.tick())
    assert repetitions.resume(learner.history, KATA) is None
    day = learner.clock.day_number
    assert repetitions.skipped_on(learner.history, day) == {"rope"}
    assert repetitions.undo(learner.history, learner.tick()) == "rope"
    assert repetitions.skipped_on(learner.history, day) == set()
    assert repetitions.unfinished(learner.history) == [("rope", "interleaved")]
    assert repetitions.undo(learner.history, learner.tick()) is None


def test_should_not_count_a_long_pause_as_work(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict("wrong"), learner.tick(5))
    repetition.attempt("code", verdict(), learner.tick(600))
    assert repetition.facts().seconds == pytest.approx(5 * 60 + 2 * 10 * 60)


def test_should_not_reorder_a_repetition_by_a_clock_set_back(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    repetition.solution(now=learner.clock.plus(-3_600_000_000))
    assert repetition.derived() == Rating.GOOD


def test_should_show_the_next_date_of_each_rating_in_the_choices(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    choices = repetition.offer(load(learner.history), learner.clock)
    assert [choice.rating for choice in choices] == [Rating.AGAIN, Rating.HARD, Rating.GOOD]
    assert [choice.days for choice in choices] == [1, 1, 2]
    assert all(choice.due - timedelta(days=choice.days) == learner.clock.day for choice in choices)
    repetition.rate(now=learner.clock)
    due = load(learner.history).due_day("rope")
    assert due is not None
    assert due - learner.clock.day_number == 2


def test_should_refuse_an_unknown_variant(learner: KataLearner) -> None:
    with pytest.raises(UsageError, match="interleaved, half-split"):
        learner.begin(KATA, "quarter")


# ---- its states, which the loop and a page share ----------------------------------------------------


def test_should_stand_at_writing_until_ratings_are_offered_and_at_rated_after_one(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    assert (repetition.state, repetition.may("offer"), repetition.may("rate")) == ("writing", True, False)
    assert repetition.offer(load(learner.history), learner.clock) == ()
    assert repetition.state == "writing"
    repetition.attempt("code", verdict(), learner.tick(8))
    assert repetition.state == "writing"
    offered = repetition.offer(load(learner.history), learner.clock)
    assert (repetition.state, repetition.choices, repetition.may("rate")) == ("rating", offered, True)
    repetition.rate(now=learner.tick())
    assert (repetition.state, repetition.may("next")) == ("rated", True)
    assert not any(map(repetition.may, ("offer", "rate", "skip")))


def test_should_be_rated_here_once_another_window_has_rated_it(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    repetition.offer(load(learner.history), learner.clock)
    other = repetitions.resume(learner.history, KATA)
    assert other is not None
    other.rate(now=learner.tick())
    assert repetition.state == "rated"


def test_should_show_the_reference_before_a_pass_only_when_asked_twice_for_the_same(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    assert repetition.reveal("solution", learner.tick()) == "ask"
    assert repetition.reveal("diff", learner.tick()) == "ask"
    repetition.withdraw()
    assert repetition.reveal("diff", learner.tick()) == "ask"
    assert not learner.history.rows("SELECT 1 FROM solutions")
    assert repetition.reveal("diff", learner.tick()) == "costly"
    assert repetition.reveal("solution", learner.tick()) == "free"
    assert [row["how"] for row in learner.history.rows("SELECT how FROM solutions ORDER BY seq")] == [
        "diff",
        "solution",
    ]
    assert repetition.derived() == Rating.AGAIN


def test_should_show_the_reference_freely_after_a_pass(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    repetition.attempt("code", verdict(), learner.tick(8))
    assert repetition.reveal("beside", learner.tick()) == "free"
    assert repetition.derived() == Rating.GOOD


def test_should_count_hints_up_to_the_last(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    assert [repetition.next_hint(learner.tick()) for _ in range(4)] == [1, 2, 3, None]
    assert len(learner.history.rows("SELECT 1 FROM hints")) == 3


def test_should_take_the_blank_starter_and_a_save_seen_before_as_nothing_new(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    assert not repetition.is_new(STARTER.encode())
    assert repetition.is_new(b"mine")
    assert not repetition.is_new(b"mine")
    assert repetition.is_new(STARTER.encode())


def test_should_take_what_was_graded_before_a_restart_as_nothing_new(learner: KataLearner) -> None:
    learner.begin(KATA).attempt("mine", verdict("wrong"), learner.tick())
    again = repetitions.resume(learner.history, KATA, STARTER)
    assert again is not None
    assert not again.is_new(b"mine")
    assert again.is_new(STARTER.encode())


def test_should_write_a_deleted_file_back_and_know_what_it_holds(learner: KataLearner) -> None:
    repetition = learner.begin(KATA)
    assert not repetition.write_back()
    repetition.attempt("mine", verdict("wrong"), learner.tick())
    repetition.file.unlink()
    assert repetition.write_back()
    assert repetition.file.read_bytes() == b"mine"
    assert not repetition.is_new(b"mine")
