"""The generation kata: tiny models with designed probabilities, and every wrong kernel against every case."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

from llmdrills.grading.authoring import Case, Inputs
from tests.helpers.plain_harness import KataUnderTest, prove


@functools.cache
def kata() -> KataUnderTest:
    return KataUnderTest("generate-text")


@pytest.mark.slow
def test_should_kill_the_catalogue_of_generation_by_the_case_named_for_it(tmp_path: Path) -> None:
    kills = prove(kata(), "standard", tmp_path, seed=2).kills
    catalogue = {
        "greedy": "two-tokens-at-high-temperature",
        "temperature-ignored": "one-token-at-low-temperature",
        "top-k-ignored": "top-k-of-one",
        "top-p-ignored": "tiny-p",
        "top-k-and-top-p-swapped": "tiny-p",
        "new-tokens-counted": "top-k-of-one",
        "prompt-cut-off": "early-end",
        "special-tokens-left": "early-end",
        "model-name-hard-coded": "defaults",
        "ids-returned": "defaults",
        "past-the-end": "early-end",
        "no-padding-token": "defaults",
    }
    assert {wrong for wrong, killer in catalogue.items() if killer not in kills[wrong]} == set()


def answers(case: Case, folder: Path, calls: int) -> set[str]:
    """What so many calls with seeds of their own give."""
    by_the_table = kata().registered.peers[0].kernel
    made = kata().inputs(case, folder)
    found = set()
    for seed in range(calls):
        torch.manual_seed(seed)
        found.add(by_the_table(*made.args, **made.kwargs))
    return found


def test_should_have_one_answer_for_every_case_whatever_the_random_stream(tmp_path: Path) -> None:
    one_call = [case for case in kata().registered.cases if not case.draws]
    assert [case.name for case in one_call if len(answers(case, tmp_path, 40)) != 1] == []


def test_should_draw_both_texts_where_two_are_even(tmp_path: Path) -> None:
    case = next(case for case in kata().registered.cases if case.name == "two-texts")
    assert answers(case, tmp_path, case.draws) == {"ab", "ac"}


def test_should_make_a_model_that_follows_its_table_and_a_tokenizer_that_keeps_every_space(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    cases = kata().cases_module
    folder = cases.model(Inputs(0, "x", tmp_path), {"a": {"b": 2.0, "c": 1.0}, "ab": {"Ġ": 3.0}}, start=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("ab  a ").input_ids
    assert [cases.VOCABULARY[i] for i in ids] == [cases.START, "ab", "Ġ", "Ġ", "a", "Ġ"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ab  a "
    assert tokenizer.pad_token is None
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([ids])).logits[0]
    place = cases.VOCABULARY.index
    torch.testing.assert_close(logits[1, place("Ġ")].item(), 3.0, rtol=0, atol=0.01)
    torch.testing.assert_close(logits[4, [place("b"), place("c")]], torch.tensor([2.0, 1.0]), rtol=0, atol=0.01)
    assert logits[4, place("d")] < -9000
