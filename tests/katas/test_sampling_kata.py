"""The sampling kata: against transformers' own filters, and every wrong kernel against every case."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import pytest
import torch

from tests.helpers.plain_harness import KataUnderTest, Matrix, prove


@functools.cache
def kata() -> KataUnderTest:
    return KataUnderTest("sampling-parameters")


@pytest.fixture(scope="module")
def kill_matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return prove(kata(), "standard", tmp_path_factory.mktemp("inputs"))


def test_should_kill_the_same_wrong_kernels_under_other_seeds(tmp_path: Path) -> None:
    for seed in (1, 2):
        prove(kata(), "standard", tmp_path, seed)


@pytest.mark.parametrize(
    ("wrong", "killer"),
    [
        ("crossing-token-dropped", "nucleus"),
        ("one-token-too-many", "nucleus"),
        ("ascending-sort", "nucleus"),
        ("masked-by-rank", "nucleus"),
        ("nothing-left", "tiny-p"),
        ("temperature-after-the-filters", "temperature-comes-first"),
        ("top-p-before-top-k", "renormalised-between-filters"),
        ("filtered-logits-zero", "top-three"),
        ("not-renormalised", "nucleus"),
        ("temperature-multiplied", "hot"),
        ("divided-by-zero", "greedy"),
        ("zero-made-tiny", "greedy-tie"),
        ("k-not-clamped", "more-than-the-vocabulary"),
        ("one-more-than-k", "top-one"),
        ("exactly-k", "tie-at-k"),
        ("floor-ignored", "floor-under-p"),
    ],
)
def test_should_kill_the_catalogue_of_sampling_by_the_case_named_for_it(
    wrong: str, killer: str, kill_matrix: Matrix
) -> None:
    assert killer in kill_matrix.kills[wrong]


def test_should_agree_with_transformers_over_a_grid_of_parameters() -> None:
    warpers = kata().registered.peers[0].kernel
    logits = torch.randn(3, 11, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 2
    grid = itertools.product((0.3, 1.0, 1.7), (0, 1, 4, 30), (0.05, 0.5, 0.9, 1.0), (1, 3))
    for temperature, k, p, floor in grid:
        torch.testing.assert_close(
            kata().kernel("standard")(logits, temperature, k, p, floor), warpers(logits, temperature, k, p, floor)
        )


def test_should_support_what_transformers_generate_draws() -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=17, n_positions=8, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=None)
    model = GPT2LMHeadModel(config).eval()
    model.lm_head.weight.data.mul_(6)
    prompt = torch.tensor([[3, 5, 7]])
    torch.manual_seed(1)
    drawn = model.generate(
        prompt.expand(300, 3),
        attention_mask=torch.ones(300, 3, dtype=torch.long),
        max_new_tokens=1,
        do_sample=True,
        temperature=0.8,
        top_k=6,
        top_p=0.9,
        pad_token_id=0,
    )[:, -1]
    with torch.no_grad():
        law = kata().kernel("standard")(model(prompt).logits[0, -1], 0.8, 6, 0.9)
    assert 2 <= (law > 0).sum() <= 6
    assert set(drawn.tolist()) <= set(law.nonzero().flatten().tolist())
    frequencies = torch.bincount(drawn, minlength=17) / 300
    torch.testing.assert_close(frequencies, law, rtol=0, atol=0.1)


def test_should_not_overflow_in_float16_where_the_temperature_is_low() -> None:
    logits = torch.tensor([40000.0, 39000.0, 40000.0], dtype=torch.float16)
    law = kata().kernel("standard")(logits, temperature=0.5)
    assert law.dtype == torch.float16
    assert law.tolist() == [0.5, 0.0, 0.5]
