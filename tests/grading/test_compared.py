"""Answers are compared once, as they come, and the first wrong one is told once."""

from __future__ import annotations

import dataclasses

import pytest

from llmdrills.grading.judging.compared import Compared
from llmdrills.grading.protocol.answer import Answer
from tests.helpers.small_kata import expect, tensor

DUE = expect(tensor([1.0, 2.0], "float64"))
RIGHT, WRONG = Answer(tensor([1.0, 2.0])), Answer(tensor([1.0, 3.0]))


def test_should_tell_of_the_first_wrong_answer_once():
    told = []
    compared = Compared("", on_failure=lambda: told.append(len(told)))
    assert compared(DUE, RIGHT) == ()
    assert told == []
    first = compared(DUE, WRONG)
    assert [finding.kind for finding in first] == ["wrong-values"]
    assert told == [0]
    assert compared(DUE, dataclasses.replace(WRONG)) == first
    assert told == [0]
    assert compared(DUE, WRONG) is first  # kept, and not compared again


def test_should_not_tell_of_a_draw_that_is_left_out():
    told = []
    compared = Compared("", on_failure=lambda: told.append(1))
    assert compared(dataclasses.replace(DUE, left_out=True), WRONG)
    assert told == []


@pytest.mark.parametrize(("answer", "is_wrong"), [(RIGHT, False), (WRONG, True)])
def test_should_find_briefly_what_it_finds_in_full(answer, is_wrong):
    assert bool(Compared("", only_whether=True)(DUE, answer)) is is_wrong
