"""The attention katas: their kernels against PyTorch and transformers, and every wrong kernel against every case."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.helpers.plain_harness import KataUnderTest, Matrix, failed_cases, prove

KATAS = ["scaled-dot-product-attention", "attention-mask", "grouped-query-attention"]


@pytest.fixture(scope="module")
def attention_matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    kata = KataUnderTest("scaled-dot-product-attention")
    return prove(kata, "standard", tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", KATAS)
def test_should_kill_every_wrong_kernel_and_tell_each_apart(name: str, seed: int, tmp_path: Path) -> None:
    kata = KataUnderTest(name)
    for variant in kata.variants:
        prove(kata, variant, tmp_path, seed)


@pytest.mark.parametrize(
    ("wrong", "killer"),
    [
        ("no-scale", "base"),
        ("scaled-by-value-width", "base"),
        ("softmax-over-queries", "base"),
        ("mask-inverted", "ragged-padding"),
        ("mask-added", "ragged-padding"),
        ("mask-multiplied", "ragged-padding"),
        ("mask-after-softmax", "ragged-padding"),
        ("empty-row-nan", "empty-row"),
        ("empty-row-nan", "very-low-in-bfloat16"),
        ("minus-1e9", "half-precision"),
        ("minus-100", "very-low-scores"),
        ("minus-10000", "very-low-scores"),
        ("minus-10000-filled", "very-low-in-bfloat16"),
        ("minus-10000-filled", "very-low-in-float16"),
        ("two-axes-taken-for-padding", "two-axes"),
        ("mask-lost-a-dimension", "as-many-heads-as-rows"),
        ("mask-lost-a-dimension", "ragged-padding"),
        ("query-scaled-in-place", "base"),
    ],
)
def test_should_kill_the_catalogue_of_attention_by_the_case_named_for_it(
    wrong: str, killer: str, attention_matrix: Matrix
) -> None:
    assert killer in attention_matrix.kills[wrong]


def test_should_find_the_courses_answer_enough_for_the_textbook_alone(tmp_path: Path) -> None:
    kata = KataUnderTest("scaled-dot-product-attention")
    [answers] = [one.kernel for one in kata.registered.equivalents if one.id == "course-answer"]
    assert failed_cases(kata, "textbook", answers, tmp_path) == set()
    assert failed_cases(kata, "standard", answers, tmp_path) >= {"empty-row", "very-low-in-bfloat16"}


def test_should_keep_a_hidden_key_out_beside_low_scores_in_every_dtype() -> None:
    kernel = KataUnderTest("scaled-dot-product-attention").kernel("standard")
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        Q, K = torch.full((1, 1, 1, 16), 40.0, dtype=dtype), torch.full((1, 1, 3, 16), -1250.0, dtype=dtype)
        K[:, :, 2] = 0.0  # scores −200000, −200000 and 0
        _, weights = kernel(Q, K, torch.ones(1, 1, 3, 2, dtype=dtype), torch.tensor([1, 1, 0])[None, None, None, :])
        assert weights.tolist() == [[[[0.5, 0.5, 0.0]]]]


def test_should_agree_with_pytorch_and_its_multi_head_module() -> None:
    kernel = KataUnderTest("scaled-dot-product-attention").kernel("standard")
    torch.manual_seed(0)
    module = torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True).eval()
    x, padding = torch.randn(2, 5, 12), torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)
    want, want_weights = module(x, x, x, key_padding_mask=~padding, average_attn_weights=False)
    Q, K, V = (part.view(2, 5, 3, 4).transpose(1, 2) for part in (x @ module.in_proj_weight.T).chunk(3, dim=-1))
    output, weights = kernel(Q, K, V, padding[:, None, None, :])
    torch.testing.assert_close(module.out_proj(output.transpose(1, 2).reshape(2, 5, 12)), want)
    torch.testing.assert_close(weights, want_weights)
    torch.testing.assert_close(output, functional.scaled_dot_product_attention(Q, K, V, padding[:, None, None, :]))


def test_should_kill_the_catalogue_of_masks_by_the_case_named_for_it(tmp_path: Path) -> None:
    kills = prove(KataUnderTest("attention-mask"), "standard", tmp_path).kills
    catalogue = {
        "upper-left": "with-a-cache",
        "strict-triangle": "square",
        "loose-triangle": "square",
        "padding-inverted": "right-padding",
        "padding-hides-queries-too": "right-padding",
        "window-one-too-wide": "sliding-window",
        "window-without-causal-accepted": "window-needs-causal",
    }
    assert {wrong for wrong, killer in catalogue.items() if killer not in kills[wrong]} == set()


@pytest.mark.parametrize(("L", "S"), [(4, 4), (2, 5), (1, 6)])
def test_should_make_the_causal_mask_that_is_torchs_lower_right_bias(L: int, S: int) -> None:
    from torch.nn.attention.bias import causal_lower_right

    mask = KataUnderTest("attention-mask").kernel("standard")(torch.ones(2, S), L)
    Q, K, V = (torch.randn(2, 3, n, 4, generator=torch.Generator().manual_seed(n)) for n in (L, S, S))
    theirs = functional.scaled_dot_product_attention(Q, K, V, attn_mask=causal_lower_right(L, S))
    torch.testing.assert_close(functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask), theirs)


def test_should_make_padding_invisible_to_the_attention_kata_by_the_mask() -> None:
    attend = KataUnderTest("scaled-dot-product-attention").kernel("standard")
    mask = KataUnderTest("attention-mask").kernel("standard")(torch.tensor([[0, 0, 1, 1, 1]]), 5)
    Q, K, V = torch.randn(3, 1, 2, 5, 4, generator=torch.Generator().manual_seed(1))
    output, weights = attend(Q, K, V, mask)
    alone, _ = attend(Q[:, :, 2:], K[:, :, 2:], V[:, :, 2:], torch.ones(3, 3).tril())
    torch.testing.assert_close(output[:, :, 2:], alone)
    assert torch.equal(weights[:, :, :2], torch.zeros(1, 2, 2, 5))


def test_should_agree_in_grouped_queries_with_the_repeated_heads_of_transformers() -> None:
    from transformers.models.llama.modeling_llama import repeat_kv

    Q, K, V = (torch.randn(2, h, n, 8, generator=torch.Generator().manual_seed(n)) for h, n in ((6, 3), (2, 5), (2, 5)))
    attend = KataUnderTest("scaled-dot-product-attention").kernel("standard")
    want, _ = attend(Q, repeat_kv(K, 3), repeat_kv(V, 3))
    torch.testing.assert_close(KataUnderTest("grouped-query-attention").kernel("standard")(Q, K, V), want)
