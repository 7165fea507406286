"""Several calls in a row: what a kernel keeps between them, and how the findings name the call."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from llmdrills.grading.judging.compare import compare, returned_again
from llmdrills.grading.judging.wording import describe
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.expectations import prepare
from llmdrills.grading.kernels.registry import load
from tests.helpers.small_kata import CASES, REFERENCE, make_kata


def keeps(key):
    kept = {}

    def kernel(x, scale=1.0):
        if key(x) not in kept:
            kept[key(x)] = right(x, scale)
        return kept[key(x)]

    return kernel


def right(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError("x must be (T, D)")
    return (x - x.mean(dim=1, keepdim=True)) * scale


def into_one_buffer():
    buffers = {}

    def kernel(x, scale=1.0):
        result = right(x, scale)
        return buffers.setdefault(result.shape, torch.empty_like(result)).copy_(result)

    return kernel


@pytest.fixture
def again(tmp_path):
    """What is wrong with a kernel in the case that calls three times."""
    loaded = load(make_kata(tmp_path))
    questions, expectations = prepare(loaded, "rows", 5, tmp_path, slips=False)
    pairs = {question.name: (question, due) for question, due in zip(questions, expectations, strict=True)}
    question, due = pairs["base-again"]
    return lambda kernel, judge=compare: judge(due, ask(loaded, Caller(), kernel, question))


def test_should_pass_a_kernel_that_keeps_nothing(again):
    assert again(right) == []


@pytest.mark.parametrize(
    ("key", "call"), [(lambda x: x.shape, "call 2"), (id, "call 3")], ids=["by shape", "by identity"]
)
def test_should_find_what_is_kept_from_an_earlier_call(again, key, call):
    (finding, *_) = again(keeps(key))
    assert finding.path == f"{call} "
    assert describe(finding).en.startswith(f"{call}: result at [0, 0]")
    assert describe(finding).zh.startswith(f"第 {call[-1]} 次调用的 result")


@pytest.mark.parametrize(("key", "call"), [(lambda x: x.shape, 2), (id, 3)], ids=["by shape", "by identity"])
def test_should_know_a_call_that_returns_the_result_of_the_one_before(again, key, call):
    assert again(keeps(key), returned_again) == call


def test_should_not_take_a_wrong_result_for_that_of_an_earlier_call(again):
    assert again(right, returned_again) == 0
    assert again(lambda x, scale=1.0: 2 * right(x, scale), returned_again) == 0
    ones = torch.ones(3, 4)
    assert again(lambda x, scale=1.0: ones, returned_again) == 0


def test_should_not_take_two_results_that_hardly_differ_for_one_another(again):
    # found in a router in float16, whose two results lay within what is allowed of each other
    def judged(due, answer):
        one, two, three = due.answer.value
        near = np.frombuffer(one.data, "<f8") * (1 + 5e-5)
        due_two = dataclasses.replace(two, data=near.tobytes(), shape=one.shape)
        close = dataclasses.replace(due, answer=dataclasses.replace(due.answer, value=[one, due_two, three]))
        first = answer.value[0]
        assert compare(close, dataclasses.replace(answer, value=[first, first, first]))
        return returned_again(close, dataclasses.replace(answer, value=[first, first, first]))

    assert again(right, judged) == 0


def test_should_not_call_whole_numbers_the_result_of_an_earlier_call(tmp_path):
    # A result of few values comes about by chance: it shows nothing of earlier calls.
    signs = REFERENCE.replace("(x - x.mean(dim=1", "torch.sign(x - x.mean(dim=1")
    loaded = load(make_kata(tmp_path, reference=signs))
    questions, expectations = prepare(loaded, "rows", 5, tmp_path, slips=False)
    pairs = {question.name: (question, due) for question, due in zip(questions, expectations, strict=True)}
    question, due = pairs["base-again"]
    kept = {}
    answer = ask(loaded, Caller(), lambda x, scale=1.0: kept.setdefault(x.shape, torch.sign(right(x))), question)
    assert compare(due, answer)
    assert returned_again(due, answer) == 0


def test_should_find_a_result_that_a_later_call_overwrites(again):
    (finding,) = again(into_one_buffer())
    assert finding.kind == "earlier-result-changed"


def test_should_let_an_author_write_calls_in_a_row(tmp_path):
    one = "    return call(make.normal(3, 4, mean=1.0))\n"
    cases = CASES.replace(one, "    x = make.normal(3, 4, mean=1.0)\n    return call(x), call(x, scale=2.0)\n")
    loaded = load(make_kata(tmp_path, cases=cases))
    questions, expectations = prepare(loaded, "rows", 5, tmp_path, slips=False)
    due = next(due for due in expectations if due.case == "base")
    question = next(question for question in questions if question.name == "base")
    assert due.calls == 2
    (finding,) = compare(due, ask(loaded, Caller(), lambda x, scale=1.0: right(x), question))
    assert finding.path == "call 2 "
