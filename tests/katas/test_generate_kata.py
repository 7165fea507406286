"""The generation kata: tiny models with designed probabilities, and every wrong kernel against every case."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from llmdrills.content.drawslock import read_lock
from llmdrills.grading.authoring import Call, Case, Inputs
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.laws import RARE
from llmdrills.grading.kernels.draws import draw_case
from llmdrills.grading.protocol.answer import Answer, Expected
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
    cases = [case for case in kata().registered.cases if not kata().inputs(case, tmp_path).draws]
    assert len(cases) == len(kata().registered.cases) - 1
    assert [case.name for case in cases if len(answers(case, tmp_path, 40)) != 1] == []


def test_should_call_a_random_case_often_enough_to_see_that_nothing_fixes_the_random_numbers(tmp_path: Path) -> None:
    case = next(case for case in kata().registered.cases if case.name == "five-texts")
    made = kata().inputs(case, tmp_path)
    due = expected(case, tmp_path)
    texts = list(made.law)
    assert len(texts) == 256
    assert compare(due, Answer(texts[: made.draws])) == []
    for same in texts:
        (finding,) = compare(due, Answer([same] * made.draws))
        assert finding.kind == "wrong-draws"


def expected(case: Case, folder: Path) -> Expected:
    made = kata().inputs(case, folder)
    law = tuple(made.law.items())
    return Expected(case.name, case.why, Answer(law[0][0]), draws=made.draws, laws=(law,))


MOST_CALLS = 128
"""More than one grade makes: each named case once, the one in a row three times, 32 draws of at most three calls."""


def test_should_fail_a_right_attempt_by_chance_in_less_than_a_millionth_of_the_grades(tmp_path: Path) -> None:
    assert len(kata().registered.cases) + 3 + 32 * 3 <= MOST_CALLS
    chances = [chance_of_failing(law, draws) for law, draws in laws(tmp_path)]
    assert MOST_CALLS * max(chances) < 1e-6


def chance_of_failing(law: dict[str, float], draws: int) -> float:
    """The chance that results of the law itself are refused: exact for one call, a bound for several."""
    left_out = max(0.0, 1 - sum(law.values()))
    if draws:
        return draws * left_out + RARE
    due = Expected("x", "", Answer(""), laws=(tuple(law.items()),))
    return left_out + sum(chance for text, chance in law.items() if compare(due, Answer(text)))


def laws(folder: Path) -> Iterator[tuple[dict[str, float], int]]:
    """The laws of the named cases, and of every draw of the lock."""
    for case in kata().registered.cases:
        for made in as_tuple(kata().inputs(case, folder)):
            yield dict(made.law), made.draws
    lock = read_lock(kata().folder)
    assert lock is not None
    seeds = lock.seeds("standard")
    assert len(seeds) >= 64
    for seed in seeds:
        for made in draw_case(kata().registered.domains[0], seed, folder).calls:
            yield dict(made.law), made.draws


def as_tuple(made: Call | tuple[Call, ...]) -> tuple[Call, ...]:
    return (made,) if isinstance(made, Call) else made


def test_should_know_the_law_of_a_text_in_which_an_unseen_token_is_waited_out(tmp_path: Path) -> None:
    cases = kata().cases_module
    half = {cases.WAIT: 0.0, "b": 0.0}
    table = {"a": half, cases.WAIT: half, "b": {cases.END: 9.0}}
    name = cases.model(Inputs(0, "x", tmp_path), table)
    law = cases.law("a", name, max_length=4, temperature=1.0, top_p=1.0)
    assert law == pytest.approx({"a": 1 / 8, "ab": 7 / 8})
    greedy = cases.law("a", name, max_length=4, temperature=1.0, top_p=0.4)
    assert list(greedy.values()) == [1.0]


def test_should_refuse_a_call_whose_answer_rounding_decides(tmp_path: Path) -> None:
    cases = kata().cases_module
    name = cases.model(Inputs(0, "x", tmp_path), {"a": {"b": 0.0, "c": 0.0}})
    for options in ({"top_p": 0.5}, {"top_k": 1}):
        with pytest.raises(ValueError, match="rounding"):
            cases.law("a", name, max_length=2, temperature=1.0, **options)


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
