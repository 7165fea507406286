"""Which slip explains an attempt, and what is recognised without any."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.diagnosis import Judged, answers_that_matter, diagnose, pairs, suspects
from llmdrills.grading.judging.recognition import recognitions
from llmdrills.grading.protocol.answer import Answer, Tolerance
from tests.helpers.small_kata import expect, raised, tensor

RIGHT = np.arange(24, dtype=np.float64).reshape(2, 3, 4) ** 1.5 - 20


def judged(value, slips, name="base", want=1.0, dtype="float32", **fields):
    """A case whose right answer is `want`, with the wrong kernels' answers and the attempt's."""
    due = expect(tensor(want, "float64"), dtype, case=name, **fields)
    wrong = {key: x if isinstance(x, Answer) else Answer(tensor(x, dtype)) for key, x in slips.items()}
    answer = value if isinstance(value, Answer) else Answer(tensor(value, dtype))
    return Judged(dataclasses.replace(due, slips=wrong), answer, tuple(compare(due, answer)))


def test_should_diagnose_a_slip_that_gives_the_attempts_answer_everywhere():
    cases = [judged(2.0, {"a": 3.0, "b": 2.0}), judged(5.0, {"a": 5.0, "b": 5.0}), judged(1.0, {"a": 1.0, "b": 1.0})]
    found = diagnose(cases)
    assert (found.id, found.explains, found.failing, found.whole) == ("b", 2, 2, True)


def test_should_not_diagnose_a_right_attempt():
    assert diagnose([judged(1.0, {"a": 2.0})]) is None


def test_should_say_nothing_of_a_slip_that_fails_where_the_attempt_is_right():
    assert diagnose([judged(2.0, {"a": 2.0}), judged(1.0, {"a": 9.0})]) is None
    assert diagnose([judged(2.0, {"a": 2.0}), judged(3.0, {"a": 3.0}), judged(1.0, {"a": 9.0})]) is None


def test_should_not_name_a_crash_after_another_of_the_same_type():
    product = raised("RuntimeError", message="mat1 and mat2 shapes cannot be multiplied", operation="matmul")
    view = raised("RuntimeError", message="view size is not compatible", operation="view")
    assert diagnose([judged(product, {"a": view}) for _ in range(3)]) is None
    assert diagnose([judged(product, {"a": view, "b": product}) for _ in range(3)]).id == "b"


def test_should_not_match_nan_in_other_places():
    got, other = [1.0, np.nan, 3.0], [np.nan, 2.0, 3.0]
    cases = [judged(got, {"a": other, "b": got}, want=[1.0, 2.0, 3.0])]
    assert diagnose(cases).id == "b"


def test_should_say_how_much_the_best_partial_explains():
    cases = [judged(2.0, {"a": 2.0, "b": 7.0}) for _ in range(3)] + [judged(9.0, {"a": 4.0, "b": 9.0})]
    found = diagnose(cases)
    assert (found.id, found.explains, found.failing, found.whole) == ("a", 3, 4, False)


@pytest.mark.parametrize(("explained", "others"), [(1, 4), (3, 4), (4, 4)])
def test_should_not_take_half_of_the_cases_for_an_explanation(explained, others):
    cases = [judged(2.0, {"a": 2.0})] * explained + [judged(9.0, {"a": 4.0})] * others
    assert diagnose(cases) is None


def asking(cases, names="abcd"):
    """What is asked of the wrong kernels of these cases, and the cases with those answers alone."""
    asked = []

    def ask(name, at):
        asked.append((name, at))
        return cases[at].expected.slips[name]

    found = answers_that_matter(cases, list(names), ask)
    pairs = zip(cases, found, strict=True)
    return asked, [dataclasses.replace(c, expected=dataclasses.replace(c.expected, slips=s)) for c, s in pairs]


def test_should_diagnose_the_same_from_the_answers_that_matter():
    draw = random.Random(1)
    saved = 0
    for _ in range(400):
        values = [float(draw.randint(1, 3)) for _ in range(draw.randint(1, 7))]  # 1.0 is right
        faults = {name: [v if draw.random() < 0.8 else float(draw.randint(1, 3)) for v in values] for name in "abcd"}
        cases = [judged(v, {n: row[at] for n, row in faults.items()}) for at, v in enumerate(values)]
        asked, told = asking(cases)
        assert diagnose(told) == diagnose(cases)
        assert len(set(asked)) == len(asked)
        saved += 4 * len(cases) - len(asked)
    assert saved > 400


def test_should_ask_a_wrong_kernel_no_more_once_another_explains_everything():
    cases = [judged(2.0, {"a": 3.0, "b": 2.0}) for _ in range(5)]
    asked, _ = asking(cases, "ab")
    assert [at for name, at in asked if name == "a"] == [0]
    assert [at for name, at in asked if name == "b"] == [0, 1, 2, 3, 4]


def test_should_not_diagnose_what_further_draws_refute_but_say_how_much_it_explains():
    cases = [judged(2.0, {"a": 2.0, "b": 2.0}), judged(3.0, {"a": 3.0, "b": 3.0})]
    found = diagnose(cases, [[judged(5.0, {"a": 4.0, "b": 6.0})]])
    assert (found.id, found.explains, found.failing, found.further, found.whole) == ("a", 2, 3, True, False)


def test_should_say_nothing_of_a_slip_that_fails_a_further_draw_where_the_attempt_is_right():
    assert diagnose([judged(2.0, {"a": 2.0})], [[judged(1.0, {"a": 4.0})]]) is None


def test_should_say_nothing_of_a_slip_that_explains_few_of_the_further_draws():
    assert diagnose([judged(2.0, {"a": 2.0})], [[judged(5.0, {"a": 4.0})] * 3]) is None


def test_should_count_a_part_over_further_draws_and_drop_it_where_they_refute_it():
    cases = [judged(2.0, {"a": 2.0}), judged(3.0, {"a": 3.0}), judged(9.0, {"a": 4.0})]
    assert suspects(cases) == ["a"]
    found = diagnose(cases, [[judged(5.0, {"a": 5.0})]])
    assert (found.id, found.explains, found.failing, found.further, found.whole) == ("a", 3, 4, True, False)
    assert diagnose(cases, [[judged(5.0, {"a": 6.0})] * 2]) is None  # no majority any more
    assert diagnose(cases, [[judged(1.0, {"a": 6.0})]]) is None  # the attempt is right there


def test_should_tell_two_that_fit_apart_by_another_input():
    cases = [judged(2.0, {"a": 2.0, "b": 2.0})]
    undecided = diagnose(cases)
    assert (undecided.id, undecided.undecided) == ("a", ("b",))
    decided = diagnose(cases, [[judged(5.0, {"a": 4.0, "b": 5.0})]])
    assert (decided.id, decided.undecided) == ("b", ())


# Two slips at once


def test_should_try_two_slips_that_share_the_failing_cases():
    slips = [({"a": 2.0, "b": 1.0}, 2.0), ({"a": 1.0, "b": 3.0}, 3.0), ({"a": 1.0, "b": 1.0}, 1.0)]
    assert pairs([judged(value, answers) for answers, value in slips]) == ["a+b"]
    found = diagnose([judged(value, {**answers, "a+b": value}) for answers, value in slips])
    assert (found.id, found.second, found.explains, found.failing, found.whole) == ("a", "b", 2, 2, True)


def test_should_put_the_slip_of_float32_before_that_of_another_type():
    half = {"dtype": "float16", "float32": False}
    cases = [judged(2.0, {"a": 2.0, "b": 1.0}, **half)] * 2 + [judged(3.0, {"a": 1.0, "b": 3.0})]
    assert pairs(cases) == ["b+a"]


def test_should_try_two_slips_where_neither_explains_a_case_that_one_of_them_fails():
    cases = [judged(2.0, {"a": 2.0, "b": 1.0}), judged(9.0, {"a": 1.0, "b": 3.0})]
    assert pairs(cases) == ["a+b"]
    joint = [
        dataclasses.replace(
            case, expected=dataclasses.replace(case.expected, slips={**case.expected.slips, "a+b": case.answer})
        )
        for case in cases
    ]
    assert (diagnose(joint).id, diagnose(joint).second) == ("a", "b")
    assert diagnose(cases) is None


def test_should_not_try_two_slips_where_both_are_right_and_the_attempt_is_not():
    assert pairs([judged(2.0, {"a": 2.0, "b": 1.0}), judged(9.0, {"a": 1.0, "b": 1.0})]) == []


def test_should_not_try_two_slips_where_one_explains_everything():
    assert pairs([judged(2.0, {"a": 2.0, "b": 1.0}), judged(3.0, {"a": 3.0, "b": 3.0})]) == []


def test_should_not_name_two_slips_that_a_further_draw_refutes():
    cases = [judged(2.0, {"a": 2.0, "b": 1.0, "a+b": 2.0}), judged(3.0, {"a": 1.0, "b": 3.0, "a+b": 3.0})]
    assert suspects(cases) == ["a+b"]
    assert diagnose(cases).second == "b"
    assert diagnose(cases, [[judged(7.0, {"a": 5.0, "b": 6.0, "a+b": 8.0})]]) is None
    assert diagnose(cases, [[judged(1.0, {"a": 1.0, "b": 6.0, "a+b": 6.0})]]) is None


def test_should_name_no_two_slips_where_others_fit_as_well():
    cases = [judged(2.0, {"a": 2.0, "a+b": 2.0, "a+c": 2.0}), judged(3.0, {"a": 1.0, "a+b": 3.0, "a+c": 3.0})]
    assert diagnose(cases) is None
    assert diagnose(cases, [[judged(5.0, {"a": 1.0, "a+b": 5.0, "a+c": 4.0})]]).second == "b"


def test_should_prefer_one_slip_to_two():
    cases = [judged(2.0, {"a": 2.0, "a+b": 2.0})] * 2
    assert (diagnose(cases).id, diagnose(cases).second, diagnose(cases).undecided) == ("a", "", ())


# A slip beside a fault of other types, or of empty tensors

HALF = {"dtype": "float16", "float32": False}
CLASH = raised("RuntimeError", message="expected m1 and m2 to have the same dtype, but got: c10::Half != float")
CRASH = raised("RuntimeError", message="shape '[0, 2]' is invalid", operation="view")


@pytest.mark.parametrize(
    ("case", "besides"),
    [
        (judged(5.0, {"a": 1.0}, **HALF), ("types",)),
        (judged(CLASH, {"a": 1.0}, **HALF), ("types",)),
        (judged(5.0, {"a": 1.0}, empty=True), ("empty",)),
        (judged(CRASH, {"a": 1.0}, empty=True), ("empty",)),
        (judged(1.0, {"a": CRASH}, empty=True), ()),  # how the slip is written: the attempt is right there
        (judged(CRASH, {"a": CLASH}), ()),  # both crash, each in its way
    ],
)
def test_should_name_the_slip_that_explains_every_ordinary_case(case, besides):
    cases = [judged(2.0, {"a": 2.0})] * 2
    found = diagnose(cases, [[case]])
    assert (found.id, found.besides, found.whole) == ("a", besides, True)


@pytest.mark.parametrize(
    "case",
    [
        judged(5.0, {"a": 4.0}),  # an ordinary case
        judged(CRASH, {"a": 1.0}, **HALF),  # a crash that is not about types
        judged(1.0, {"a": 2.0}, **HALF),  # the attempt is right, the slip is not
        judged(1.0, {"a": 2.0}, empty=True),
        judged(1.0, {"a": CRASH}),
        judged(5.0, {"a": 4.0}, raises="ValueError", **HALF),  # no exception came where one is due
    ],
)
def test_should_not_name_a_slip_that_another_case_speaks_against(case):
    cases = [judged(2.0, {"a": 2.0})] * 2
    found = diagnose(cases, [[case]])
    assert found is None or not found.whole


def test_should_not_name_a_slip_of_crashes_by_another_crash():
    cases = [judged(CRASH, {"a": CRASH})] * 2
    assert (
        diagnose(cases, [[judged(CRASH, {"a": CLASH})]]) is None
        or not diagnose(cases, [[judged(CRASH, {"a": CLASH})]]).whole
    )


def test_should_want_two_ordinary_cases_for_a_slip_that_leaves_others_unexplained():
    assert diagnose([judged(2.0, {"a": 2.0}), judged(5.0, {"a": 1.0}, **HALF)]) is None
    found = diagnose([judged(2.0, {"a": 2.0})] * 2 + [judged(5.0, {"a": 1.0}, **HALF)])
    assert (found.id, found.explains, found.failing, found.besides) == ("a", 2, 3, ("types",))


# What is recognised without any slip


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
    ],
)
def test_should_recognise_right_numbers_in_a_wrong_place(got, found):
    assert found in one(np.ascontiguousarray(got))


def test_should_recognise_right_values_in_another_dtype():
    assert one(RIGHT, "float64") == [("dtype", ("float64", "float32"))]
    assert one(RIGHT, "float16", "float32") == [("dtype", ("float16", "float32"))]


def test_should_recognise_nothing_in_what_is_simply_wrong():
    assert one(np.random.default_rng(1).normal(size=RIGHT.shape)) == []


def test_should_recognise_nothing_where_most_numbers_are_right():
    shifted = np.where(np.arange(3)[:, None] == 2, np.roll(RIGHT, 1, axis=2), RIGHT)
    assert one(shifted) == []


@pytest.mark.parametrize("step", [2e-3, 5e-3])
def test_should_not_take_rounding_for_a_constant_offset(step):
    expected = dataclasses.replace(
        expect(tensor(RIGHT, "float64"), "bfloat16"), tolerance=Tolerance(rtol=0.0, atol=1e-3)
    )
    assert recognitions(expected, Answer(tensor(RIGHT + step, "float32"))) == []


@pytest.mark.parametrize(
    ("want", "got", "found"),
    [
        ("a", ("a",), "wrapped"),
        (("a", "b"), "b", "part-only"),
        (("a", "b"), ["a", "b"], "container"),
        (("a", "b"), ("b", "a"), "swapped-items"),
    ],
)
def test_should_recognise_another_wrapping(want, got, found):
    known = {"a": tensor(RIGHT, "float64"), "b": tensor(RIGHT * 2 + 1, "float64")}

    def build(value, dtype):
        if isinstance(value, str):
            return dataclasses.replace(
                known[value], **vars(tensor(np.frombuffer(known[value].data).reshape(2, 3, 4), dtype))
            )
        return type(value)(build(item, dtype) for item in value)

    expected = expect(build(want, "float64"))
    assert recognitions(expected, Answer(build(got, "float32")))[0].id == found


def test_should_need_three_numbers_at_least_to_call_something_a_multiple():
    expected = expect(tensor([2.0, 4.0], "float64"))
    assert recognitions(expected, Answer(tensor([3.0, 6.0]))) == []


def test_should_recognise_only_what_holds_in_two_cases_and_in_most():
    def case(factor, shift):
        due = expect(tensor(RIGHT, "float64"))
        answer = Answer(tensor(RIGHT * factor + shift))
        return Judged(due, answer, tuple(compare(due, answer)))

    assert diagnose([case(2.0, 0.0)]) is None
    found = diagnose([case(2.0, 0.0), case(3.0, 0.0)])
    assert (found.id, found.explains, found.failing, found.whole) == ("recognised-scaled", 2, 2, False)
    mixed = diagnose([case(2.0, 0.0), case(3.0, 0.0), case(1.0, 4.0)])
    assert (mixed.id, mixed.explains, mixed.failing) == ("recognised-scaled", 2, 3)
    assert diagnose([case(2.0, 0.0), case(3.0, 0.0), case(1.0, 4.0), case(1.0, 5.0)]) is None


def test_should_say_of_which_item_of_the_result_it_holds():
    pair = (RIGHT, RIGHT * 2 + 1)
    due = expect(tuple(tensor(item, "float64") for item in pair))
    answer = Answer((tensor(pair[0]), tensor(-pair[1])))
    found = recognitions(due, answer)
    assert found[0].id == "negated"
    assert found[0].text.en.startswith("result[1]: ")
    assert found[0].text.zh.startswith("result[1]：")
