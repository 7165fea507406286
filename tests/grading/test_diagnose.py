"""Which misconception explains an attempt, and what is recognised without any."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.diagnosis import Judged, diagnose
from llmdrills.grading.judging.recognition import recognitions
from llmdrills.grading.protocol.answer import Answer
from tests.helpers.small_kata import expect, raised, tensor

RIGHT = np.arange(24, dtype=np.float64).reshape(2, 3, 4) ** 1.5 - 20


def judged(value, misconceptions, name="base", want=1.0, dtype="float32"):
    """A case whose right answer is `want`, with the wrong kernels' answers and the attempt's."""
    due = expect(tensor(want, "float64"), dtype, case=name)
    wrong = {key: x if isinstance(x, Answer) else Answer(tensor(x, dtype)) for key, x in misconceptions.items()}
    answer = value if isinstance(value, Answer) else Answer(tensor(value, dtype))
    return Judged(dataclasses.replace(due, misconceptions=wrong), answer, tuple(compare(due, answer)))


def test_a_misconception_that_gives_the_attempt_s_answer_everywhere_is_the_diagnosis():
    cases = [judged(2.0, {"a": 3.0, "b": 2.0}), judged(5.0, {"a": 5.0, "b": 5.0}), judged(1.0, {"a": 1.0, "b": 1.0})]
    found = diagnose(cases)
    assert (found.id, found.explains, found.failing, found.whole) == ("b", 2, 2, True)


def test_a_right_attempt_has_no_diagnosis():
    assert diagnose([judged(1.0, {"a": 2.0})]) is None


def test_a_misconception_that_fails_where_the_attempt_is_right_does_not_fit():
    cases = [judged(2.0, {"a": 2.0}), judged(1.0, {"a": 9.0})]
    found = diagnose(cases)
    assert (found.id, found.whole, found.contradicts) == ("a", False, 1)


def test_the_same_exception_matches_whatever_its_message():
    cases = [judged(raised("ValueError", message="x"), {"a": raised("TypeError"), "b": raised("ValueError")})]
    assert diagnose(cases).id == "b"


def test_nan_in_other_places_does_not_match():
    got, other = [1.0, np.nan, 3.0], [np.nan, 2.0, 3.0]
    cases = [judged(got, {"a": other, "b": got}, want=[1.0, 2.0, 3.0])]
    assert diagnose(cases).id == "b"


def test_the_best_partial_says_how_much_it_explains():
    cases = [judged(2.0, {"a": 2.0, "b": 7.0}) for _ in range(3)] + [judged(9.0, {"a": 4.0, "b": 9.0})]
    found = diagnose(cases)
    assert (found.id, found.explains, found.failing, found.whole) == ("a", 3, 4, False)


def test_one_case_of_many_is_no_explanation():
    cases = [judged(2.0, {"a": 2.0})] + [judged(9.0, {"a": 4.0}) for _ in range(4)]
    assert diagnose(cases) is None


def test_two_that_fit_are_told_apart_by_another_input():
    cases = [judged(2.0, {"a": 2.0, "b": 2.0})]
    undecided = diagnose(cases)
    assert (undecided.id, undecided.undecided) == ("a", ("b",))
    decided = diagnose(cases, [[judged(5.0, {"a": 4.0, "b": 5.0})]])
    assert (decided.id, decided.undecided) == ("b", ())


def one(got, dtype="float32", due="float32"):
    expected = expect(tensor(RIGHT, "float64"), due)
    return [(r.id, r.key) for r in recognitions(expected, Answer(tensor(got, dtype)))]


@pytest.mark.parametrize(
    ("got", "found"),
    [
        (RIGHT.reshape(6, 4), ("shape", ())),
        (RIGHT[None], ("shape", ())),
        (RIGHT.transpose(0, 2, 1), ("transposed", (-3, -1, -2))),
        (RIGHT * 2.5, ("scaled", ())),
        (-RIGHT, ("negated", ())),
        (RIGHT + 3, ("offset", ())),
        (RIGHT[:, ::-1], ("reversed", (-2,))),
        (np.roll(RIGHT, 1, axis=2), ("shifted", (-1, 1))),
        (np.roll(RIGHT, -1, axis=2), ("shifted", (-1, -1))),
        (RIGHT[:, :, [2, 0, 3, 1]], ("order", (-1,))),
        (np.random.default_rng(0).permutation(RIGHT.reshape(-1)).reshape(RIGHT.shape), ("order", ())),
        (np.where(np.arange(3)[:, None] == 2, 7.0, RIGHT), ("one-index", (-2, -1))),
    ],
)
def test_right_numbers_in_a_wrong_place_are_recognised(got, found):
    assert found in one(np.ascontiguousarray(got))


def test_right_values_in_another_dtype_are_recognised():
    assert one(RIGHT, "float64") == [("dtype", ())]
    assert one(RIGHT, "float16", "float32") == [("dtype", ())]


def test_what_is_simply_wrong_is_recognised_as_nothing():
    assert one(np.random.default_rng(1).normal(size=RIGHT.shape)) == []


def test_masked_rows_and_entries_are_recognised():
    want = np.tril(RIGHT[0, :3, :3] + 50)
    want[0] = 0
    rows, entries = want.copy(), want.copy()
    rows[0] = 1 / 3
    entries[1, 2] = 0.25
    expected = expect(tensor(want, "float64"))
    assert recognitions(expected, Answer(tensor(rows)))[0].id == "masked-rows"
    assert recognitions(expected, Answer(tensor(entries)))[0].id == "masked-entries"


@pytest.mark.parametrize(
    ("want", "got", "found"),
    [
        ("a", ("a",), "wrapped"),
        (("a", "b"), "b", "part-only"),
        (("a", "b"), ["a", "b"], "container"),
        (("a", "b"), ("b", "a"), "swapped-items"),
    ],
)
def test_another_wrapping_is_recognised(want, got, found):
    known = {"a": tensor(RIGHT, "float64"), "b": tensor(RIGHT * 2 + 1, "float64")}

    def build(value, dtype):
        if isinstance(value, str):
            return dataclasses.replace(
                known[value], **vars(tensor(np.frombuffer(known[value].data).reshape(2, 3, 4), dtype))
            )
        return type(value)(build(item, dtype) for item in value)

    expected = expect(build(want, "float64"))
    assert recognitions(expected, Answer(build(got, "float32")))[0].id == found


def test_three_numbers_at_least_are_needed_to_call_something_a_multiple():
    expected = expect(tensor([2.0, 4.0], "float64"))
    assert recognitions(expected, Answer(tensor([3.0, 6.0]))) == []


def test_what_is_recognised_must_hold_in_every_failing_case():
    def case(factor, shift):
        due = expect(tensor(RIGHT, "float64"))
        answer = Answer(tensor(RIGHT * factor + shift))
        return Judged(due, answer, tuple(compare(due, answer)))

    found = diagnose([case(2.0, 0.0), case(3.0, 0.0)])
    assert (found.id, found.whole) == ("recognised-scaled", True)
    mixed = diagnose([case(2.0, 0.0), case(3.0, 0.0), case(1.0, 4.0)])
    assert (mixed.id, mixed.explains, mixed.failing) == ("recognised-scaled", 2, 3)
