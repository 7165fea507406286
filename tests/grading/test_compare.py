"""The order of checks, tolerances, NaN, structure: pure functions of values."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.compare import compare, same_answer
from llmdrills.grading.judging.wording import describe
from llmdrills.grading.protocol.answer import Answer, CostLimit, Counts, GradientRules, Tolerance
from llmdrills.grading.protocol.wire import DtypeValue, Opaque
from tests.helpers.small_kata import expect, raised, tensor

WANT = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def kinds(expected, value, **answer):
    found = compare(expected, Answer(value, **answer))
    assert bool(compare(expected, Answer(value, **answer), only_whether=True)) == bool(found)
    for finding in found:  # whatever is found can be said in both languages, and be written as strict JSON
        assert describe(finding).en
        assert describe(finding).zh
        json.dumps(finding.to_json(), allow_nan=False)
    return [finding.kind for finding in found]


def test_should_pass_the_right_values_in_the_due_dtype():
    assert kinds(expect(tensor(WANT, "float64")), tensor(WANT)) == []


@pytest.mark.parametrize(
    ("got", "kind"),
    [
        (None, "wrong-type"),
        (WANT, "wrong-type"),
        (Opaque("numpy.ndarray"), "wrong-type"),
        (DtypeValue("float32"), "wrong-type"),
        (tensor(WANT, subclass="attempt.Sneaky"), "wrong-type"),
        (tensor([WANT]), "wrong-shape"),
        (tensor([1.0, 2.0, 3.0]), "wrong-shape"),  # would broadcast
        (tensor(WANT, "float64"), "wrong-dtype"),
        (dataclasses.replace(tensor(WANT), data=b"", missing="meta"), "unreadable"),
        (dataclasses.replace(tensor(WANT), layout="sparse_coo"), "unreadable"),
        (tensor([[1.0, 2.0, math.nan], [4.0, 5.0, 6.0]]), "not-finite"),
        (tensor([[1.0, 2.0, math.inf], [4.0, 5.0, 6.0]]), "not-finite"),
        (tensor([[1.0, 2.0, 3.001], [4.0, 5.0, 6.0]]), "wrong-values"),
    ],
)
def test_should_find_only_the_first_thing_wrong(got, kind):
    assert kinds(expect(tensor(WANT, "float64")), got) == [kind]


def test_should_look_at_shape_before_dtype_and_at_dtype_before_values():
    assert kinds(expect(tensor(WANT, "float64")), tensor([0.0], "float16")) == ["wrong-shape"]
    assert kinds(expect(tensor(WANT, "float64")), tensor([[math.nan] * 3] * 2, "float16")) == ["wrong-dtype"]


def test_should_refuse_a_tensor_on_another_device_only_where_a_device_is_asked_for():
    expected, answer = expect(tensor(WANT, "float64")), Answer(tensor(WANT, device="cpu"))
    assert [found.kind for found in compare(expected, answer, "cuda")] == ["wrong-device"]
    assert compare(expected, answer, "cpu") == []


@pytest.mark.parametrize(("dtype", "passes", "fails"), [("float32", 1e-5, 3e-5), ("float64", 2e-7, 5e-7)])
def test_should_take_the_tolerance_of_the_dtype(dtype, passes, fails):
    expected = expect(tensor([1.0, -2.0], "float64"), dtype)
    assert kinds(expected, tensor([1.0 + passes, -2.0], dtype)) == []
    assert kinds(expected, tensor([1.0 + fails, -2.0], dtype)) == ["wrong-values"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_should_let_half_types_err_twice_as_much_as_the_reference_in_the_same_precision(dtype):
    want = tensor([1.0, 2.0], "float64")
    off = tensor([1.0, 2.0625], dtype)
    assert kinds(expect(want, dtype, tolerance=Tolerance(baselines=(0.032,))), off) == []
    assert kinds(expect(want, dtype, tolerance=Tolerance(baselines=(0.01,))), off) == ["wrong-values"]


def test_should_let_a_cases_own_tolerance_replace_the_dtypes():
    want = tensor([1.0, 2.0], "float64")
    assert kinds(expect(want, tolerance=Tolerance(rtol=0.1, atol=0.0)), tensor([1.05, 2.0])) == []
    assert kinds(expect(want, tolerance=Tolerance(rtol=0.0, atol=0.0, baselines=(9.0,))), tensor([1.00001, 2.0])) == [
        "wrong-values"
    ]


def test_should_find_nan_equal_to_nothing_unless_the_case_says_so():
    both = tensor([1.0, math.nan], "float64")
    assert kinds(expect(both), tensor([1.0, math.nan])) == ["not-finite"]
    assert kinds(expect(both, nan_ok=True), tensor([1.0, math.nan])) == []
    assert kinds(expect(both, nan_ok=True), tensor([math.nan, 1.0])) == ["not-finite"]


def test_should_ask_for_the_sign_of_infinity():
    want = tensor([1.0, -math.inf], "float64")
    assert kinds(expect(want), tensor([1.0, -math.inf])) == []
    assert kinds(expect(want), tensor([1.0, math.inf])) == ["not-finite"]
    assert kinds(expect(want), tensor([1.0, -3e38])) == ["not-finite"]


def test_should_compare_whole_numbers_and_bools_exactly():
    assert kinds(expect(tensor([1, 2**53 + 1], "int64"), "int64"), tensor([1, 2**53], "int64")) == ["wrong-values"]
    assert kinds(expect(tensor([True, False], "bool"), "bool"), tensor([True, True], "bool")) == ["wrong-values"]
    assert kinds(expect(tensor([1, 2], "int64"), "int64", tolerance=Tolerance(atol=5.0)), tensor([1, 3], "int64")) == [
        "wrong-values"
    ]


def test_should_compare_empty_tensors_by_shape_and_dtype():
    assert kinds(expect(tensor([[]], "float64")), tensor([[]])) == []
    assert kinds(expect(tensor([[]], "float64")), tensor([])) == ["wrong-shape"]


@pytest.mark.parametrize(
    ("want", "got", "found"),
    [
        ((1, 2), [1, 2], ["wrong-type"]),
        ((1, 2), (1, 2, 3), ["wrong-structure"]),
        ({"a": 1}, {"b": 1}, ["wrong-structure"]),
        ({"a": (1, "x")}, {"a": (1, "y")}, ["wrong-text"]),
        (True, 1, ["wrong-type"]),
        (1, True, ["wrong-type"]),
        (1, 1.0, ["wrong-type"]),
        (1.0, 1.0 + 1e-7, []),
        (1.0, 1.1, ["wrong-scalar"]),
        (None, 0, ["wrong-type"]),
        ("abc", "abd", ["wrong-text"]),
        ([1, 2, 3], [1, 5, 4], ["wrong-scalar", "wrong-scalar"]),
        (math.nan, math.nan, ["wrong-scalar"]),
    ],
)
def test_should_ask_for_exact_types_of_structure_and_scalars(want, got, found):
    assert kinds(expect(want), got) == found


def test_should_find_every_wrong_leaf_with_its_path():
    expected = expect((tensor(WANT, "float64"), {"k": tensor([1.0], "float64")}))
    found = compare(expected, Answer((tensor([[0.0] * 3] * 2), {"k": tensor([2.0])})))
    assert [finding.path for finding in found] == ["[0]", "[1]['k']"]


def test_should_say_where_and_what_is_wrong_and_how_much_is_allowed():
    got = tensor([[1.0, 2.0, 3.5], [4.0, 5.0, 9.0]])
    (finding,) = compare(expect(tensor(WANT, "float64")), Answer(got))
    assert isinstance(finding, f.WrongValues)
    assert (finding.index, finding.expected, finding.got) == ((0, 2), 3.0, 3.5)
    assert (finding.greatest, finding.greatest_index) == (3.0, (1, 2))
    assert finding.greatest_allowed == pytest.approx(1e-5 + 1.3e-6 * 6)
    assert (finding.wrong, finding.total) == (2, 6)
    assert finding.expected_around == (1.0, 2.0, 3.0)
    assert finding.got_around == (1.0, 2.0, 3.5)


def test_should_name_a_changed_input():
    (finding,) = compare(expect(tensor(WANT, "float64")), Answer(tensor(WANT), inputs_changed=(1,)))
    assert finding == f.InputChanged("y")


def test_should_find_changed_settings_of_torch():
    assert kinds(expect(1), 1, globals_changed=("default dtype", "grad mode")) == ["globals-changed"]


def test_should_pass_the_due_exception_with_its_subclasses_and_nothing_else():
    expected = expect(raised("ValueError").value, raises="ValueError")
    assert compare(expected, raised("ValueError")) == []
    assert compare(expected, raised("UnicodeError", "ValueError")) == []
    assert [x.kind for x in compare(expected, raised("TypeError", message="no", line=3))] == ["raises-other"]
    assert [x.kind for x in compare(expected, Answer(1))] == ["did-not-raise"]


def test_should_not_pass_a_starter_where_a_runtime_error_is_due():
    expected = expect(raised("RuntimeError").value, raises="RuntimeError")
    assert compare(expected, raised("NotImplementedError", "RuntimeError"))


def test_should_compare_gradients_each_by_itself():
    grads = (tensor([1.0, 2.0], "float64"), tensor([3.0], "float64"))
    expected = expect(tensor([1.0], "float64"), gradients=GradientRules(names=("Q", "K"), dtypes=("float32",) * 2))
    expected = dataclasses.replace(expected, answer=dataclasses.replace(expected.answer, grads=grads))
    right = Answer(tensor([1.0]), grads=(tensor([1.0, 2.0]), tensor([3.0])))
    assert compare(expected, right) == []
    wrong = dataclasses.replace(right, grads=(None, tensor([math.nan])))
    assert [(x.kind, x.path) for x in compare(expected, wrong)] == [
        ("no-gradient", "gradient of Q"),
        ("not-finite", "gradient of K"),
    ]
    broken = dataclasses.replace(right, grads=(raised("RuntimeError", message="no graph").value,) * 2)
    assert [x.kind for x in compare(expected, broken)] == ["raises"]


def test_should_refuse_a_gradient_where_the_reference_detaches():
    expected = expect(tensor([1.0], "float64"), gradients=GradientRules(names=("Q",), dtypes=("",)))
    expected = dataclasses.replace(expected, answer=dataclasses.replace(expected.answer, grads=(None,)))
    for right in (None, tensor([0.0, 0.0])):
        assert compare(expected, Answer(tensor([1.0]), grads=(right,))) == []
    for stray in ([0.0, 2.0], [math.nan, 0.0]):
        (finding,) = compare(expected, Answer(tensor([1.0]), grads=(tensor(stray),)))
        assert finding == f.StrayGradient("gradient of Q")


def test_should_compare_draws_as_sets():
    expected = expect(["a", "b", "a"], draws=3)
    assert compare(expected, Answer(["b", "a", "b"])) == []
    (finding,) = compare(expected, Answer(["b", "c", "b"]))
    assert finding == f.WrongDraws("", 3, ("'a'",), ("'c'",))


LAW = (("a", 0.5), ("b", 0.5 - 1e-11), ("c", 1e-11))


def test_should_refuse_by_a_law_what_may_not_come_or_comes_too_rarely():
    expected = expect("a", laws=(LAW,))
    assert compare(expected, Answer("a")) == compare(expected, Answer("b")) == []
    assert compare(expected, Answer("d")) == [f.WrongDraws("", 1, (), ("'d'",), ())]
    assert [x.kind for x in compare(expected, Answer("c"))] == ["wrong-draws"]
    assert [x.kind for x in compare(expected, Answer(["a"]))] == ["wrong-type"]


def test_should_judge_by_a_law_how_often_each_result_comes():
    expected = expect(["a"], laws=(LAW,), draws=40)
    assert compare(expected, Answer(["a"] * 25 + ["b"] * 15)) == []
    (finding,) = compare(expected, Answer(["a"] * 40))
    assert finding == f.WrongDraws("", 40, ("'b'",), (), ("'a' (40, not 20.0)",))
    assert "never came what must come: 'b' and some came far too often" in describe(finding).en
    assert "次数明显不对" in describe(finding).zh


def test_should_tell_what_is_due_where_a_law_leaves_no_choice():
    expected = expect("abc", laws=((("abc", 1 - 1e-11), ("a", 1e-11)),))
    (finding,) = compare(expected, Answer("abd"))
    assert finding == f.WrongText("", "abc", "abd", 2)


def test_should_judge_each_of_several_calls_by_its_own_law():
    expected = expect(["a", "x"], laws=(LAW, (("x", 1.0),)), calls=2)
    assert compare(expected, Answer(["b", "x"])) == []
    assert [x.path for x in compare(expected, Answer(["b", "a"]))] == ["call 2 "]
    assert [x.kind for x in compare(expected, Answer(["b"]))] == ["wrong-structure"]


def test_should_find_over_budget_only_where_the_values_are_right():
    expected = expect(1, budgets=(CostLimit("flops", 150, 100),))
    assert compare(expected, Answer(1, counts=Counts(150, 0))) == []
    (finding,) = compare(expected, Answer(1, counts=Counts(300, 0)))
    assert finding == f.OverBudget("", "flops", 300, 150, 100)
    assert "2 times" in describe(finding).en
    assert kinds(expected, 2, counts=Counts(300, 0)) == ["wrong-scalar"]


def test_should_say_how_much_was_alive_at_once_and_where():
    expected = expect(1, budgets=(CostLimit("alive", 200, 100),))
    spent = Counts(150, 90, alive=500, alive_line=7)
    assert compare(expected, Answer(1, counts=dataclasses.replace(spent, alive=200))) == []
    (finding,) = compare(expected, Answer(1, counts=spent))
    assert (finding.what, finding.got, finding.allowed, finding.line) == ("alive", 500, 200, 7)
    told = describe(finding)
    assert "500 elements in all are alive at once at line 7; 200 are allowed: 2.5 times the limit" in told.en
    assert "第 7 行同时存活的张量共有 500 个元素；允许 200 个：是上限的 2.5 倍" in told.zh


def test_should_compare_two_answers_by_the_cases_tolerance_with_nan_in_the_same_places():
    expected = expect(tensor([1.0, 2.0], "float64"))
    one = Answer(tensor([5.0, math.nan]))
    assert same_answer(expected, one, Answer(tensor([5.000001, math.nan])))
    assert not same_answer(expected, one, Answer(tensor([5.0, 7.0])))
    assert not same_answer(expected, one, Answer(tensor([5.1, math.nan])))
    assert not same_answer(expected, one, Answer(tensor([5.0, math.nan]), inputs_changed=(0,)))


PRODUCT = {"message": "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", "operation": "matmul"}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (raised("RuntimeError", **PRODUCT), True),
        (raised("RuntimeError", **{**PRODUCT, "message": PRODUCT["message"].replace("2x3", "9x70")}), True),
        (raised("ValueError", **PRODUCT), False),
        (raised("RuntimeError", **{**PRODUCT, "message": "stack expects a non-empty TensorList"}), False),
        (raised("RuntimeError", **{**PRODUCT, "operation": "linear"}), False),
        (raised("RuntimeError", **PRODUCT, operands=("float32 (2, 3)", "float32 (4, 5)")), True),
        (Answer(1), False),
    ],
)
def test_should_take_two_crashes_for_one_only_when_type_message_and_operation_agree(other, same):
    assert same_answer(expect(1), raised("RuntimeError", **PRODUCT), other) is same


def test_should_tell_two_crashes_apart_by_the_shapes_of_their_operands():
    crashes = [
        raised("RuntimeError", **PRODUCT, operands=(first, "float32 (4, 5)"))
        for first in ("float32 (2, 3)", "float64 (2, 3)", "float32 (2, 6)")
    ]
    assert same_answer(expect(1), crashes[0], crashes[1])
    assert not same_answer(expect(1), crashes[0], crashes[2])


def test_should_take_two_messages_of_a_wrong_exception_for_one_where_an_exception_is_due():
    one, other = (raised("TypeError", message=text, operation="raise") for text in ("D is odd", "odd head"))
    assert same_answer(expect(1, raises="ValueError"), one, other)
    assert not same_answer(expect(1), one, other)


@pytest.mark.parametrize(
    ("want", "got", "shown"),
    [
        (["ab", "c"], ["a", "b", "c"], ("['ab', 'c']", "['a', 'b', 'c']")),
        ((1, 2, 3), (1, 2), ("(1, 2, 3)", "(1, 2)")),
        ([*range(9)], [*range(5), 6, 7, 8], ("[…, 2, 3, 4, 5, 6, 7, 8]", "[…, 2, 3, 4, 6, 7, 8]")),
        ([*range(9)], [0, *range(2, 9)], ("[0, 1, 2, 3, 4, …]", "[0, 2, 3, 4, 5, …]")),
        ([tensor([1.0], "float64")], [], ("", "")),
    ],
)  # fmt: skip
def test_should_show_lists_of_another_length_about_the_first_item_that_differs(want, got, shown):
    (finding,) = compare(expect(want), Answer(got))
    assert (finding.expected, finding.got) == (f"{len(want)} items", f"{len(got)} items")
    assert (finding.expected_items, finding.got_items) == shown


def test_should_word_a_list_of_another_length_with_both_lists():
    said = describe(compare(expect(["ab", "c"]), Answer(["a", "b", "c"]))[0])
    for text in (said.en, said.zh):
        assert "['ab', 'c']" in text
        assert "['a', 'b', 'c']" in text
        assert "result[0]" in text


def test_should_name_a_place_in_a_text_as_python_does():
    said = describe(compare(expect("abcd"), Answer("abxd"))[0])
    assert said.en == "the result: expected 'abcd', got 'abxd'"
    assert said.zh == "返回值：应为 'abcd'，得到 'abxd'"
    said = describe(compare(expect(["a" * 50 + "b"]), Answer(["a" * 50 + "c"]))[0])
    assert said.en.endswith("aab', got …'aaaaaaaaaaaaaaaaaaaac'; they differ from result[0][50:] on")
    assert said.zh.endswith("从 result[0][50:] 起不同")
