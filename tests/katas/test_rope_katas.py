"""The RoPE katas: against transformers' own rotations, and every wrong kernel against every case."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

from tests.helpers.plain_harness import KataUnderTest, Matrix, failed_cases, prove

KATAS = ["rope-pairing", "rotary-embedding"]


@functools.cache
def kata(name: str = "rope-pairing") -> KataUnderTest:
    return KataUnderTest(name)


@pytest.fixture(scope="module", params=["interleaved", "half-split"])
def kill_matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    return prove(kata(), request.param, tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("name", KATAS)
def test_should_kill_the_same_wrong_kernels_under_another_seed(name: str, tmp_path: Path) -> None:
    for variant in kata(name).variants:
        prove(kata(name), variant, tmp_path, seed=1)


def test_should_kill_the_catalogue_of_rope_by_the_case_named_for_it(kill_matrix: Matrix) -> None:
    catalogue = {
        "not-turned": "base",
        "turned-backwards": "base",
        "no-minus": "base",
        "positions-from-one": "position-zero",
        "exponent-halved": "base",
        "exponent-doubled": "base",
        "exponent-stretched": "base",
        "positions-ignored": "decode-at-seven",
        "base-hard-coded": "long-context-base",
        "whole-head-turned": "half-of-the-head",
        "angles-in-the-inputs-dtype": "far-in-bfloat16",
        "odd-accepted": "odd-width",
        "written-into-x": "base",
    }
    assert {wrong for wrong, killer in catalogue.items() if killer not in kill_matrix.kills[wrong]} == set()
    [other] = [killers for wrong, killers in kill_matrix.kills.items() if wrong.startswith("variant-")]
    assert "base" in other


def test_should_kill_the_catalogue_of_rope_in_the_first_kata_too(tmp_path: Path) -> None:
    kills = prove(kata("rotary-embedding"), "standard", tmp_path).kills
    catalogue = {
        "halves-paired": "base",
        "not-turned": "base",
        "turned-backwards": "base",
        "no-minus": "base",
        "positions-from-one": "one-token",
        "exponent-halved": "base",
        "exponent-doubled": "base",
        "exponent-stretched": "base",
        "angles-in-the-inputs-dtype": "long-in-bfloat16",
        "positions-in-the-inputs-dtype": "long-in-bfloat16",
        "frequencies-in-the-inputs-dtype": "long-in-bfloat16",
        "written-into-x": "base",
    }
    assert {wrong for wrong, killer in catalogue.items() if killer not in kills[wrong]} == set()


def test_should_find_the_courses_answer_enough_for_the_textbook_alone(tmp_path: Path) -> None:
    rotary = kata("rotary-embedding")
    [answers] = [one.kernel for one in rotary.registered.equivalents if one.id == "course-answer"]
    assert failed_cases(rotary, "textbook", answers, tmp_path) == set()
    assert failed_cases(rotary, "standard", answers, tmp_path) >= {"long-in-bfloat16", "float16-stays"}


def test_should_teach_the_same_rotation_in_both_rope_katas() -> None:
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(6))
    simple, general = kata("rotary-embedding").kernel("standard"), kata().kernel("interleaved")
    torch.testing.assert_close(simple(x, 5, 8), general(x, torch.arange(5)), rtol=0, atol=0)


@pytest.mark.parametrize("variant", ["interleaved", "half-split"])
def test_should_make_scores_depend_on_the_distance_alone(variant: str) -> None:
    rope = kata().kernel(variant)
    q, k = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def score(i: int, j: int) -> torch.Tensor:
        return (rope(q, torch.tensor([i])) * rope(k, torch.tensor([j]))).sum()

    torch.testing.assert_close(score(9, 4), score(1005, 1000))
    assert not torch.isclose(score(9, 4), score(9, 5))


def test_should_find_in_the_two_pairings_one_rotation_of_permuted_numbers() -> None:
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(4))
    positions = torch.arange(5)
    order = torch.tensor([0, 4, 1, 5, 2, 6, 3, 7])  # halves → neighbours
    by_halves = kata().kernel("half-split")(x, positions)
    torch.testing.assert_close(kata().kernel("interleaved")(x[..., order], positions), by_halves[..., order])


@pytest.mark.parametrize(("variant", "module"), [("interleaved", "gptj"), ("half-split", "gpt_neox")])
def test_should_agree_in_partial_rotation_with_the_models_that_use_it(variant: str, module: str) -> None:
    x = torch.randn(2, 3, 5, 10, generator=torch.Generator().manual_seed(4))
    positions = torch.arange(5)
    ours = kata().kernel(variant)(x, positions, rotary_dim=6)
    angles = positions[:, None] / 10000 ** (torch.arange(0, 6, 2) / 6)
    if module == "gptj":
        from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb

        sin, cos = angles.sin().expand(2, 5, 3), angles.cos().expand(2, 5, 3)
        turned = apply_rotary_pos_emb(x[..., :6].transpose(1, 2), sin, cos).transpose(1, 2)
        theirs = torch.cat((turned, x[..., 6:]), dim=-1)
    else:
        from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb

        doubled = torch.cat((angles, angles), dim=-1).expand(2, 5, 6)
        theirs, _ = apply_rotary_pos_emb(x, x, doubled.cos(), doubled.sin())
    torch.testing.assert_close(ours, theirs)
