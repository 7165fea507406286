"""The kata rms-norm: proven here without the grader, and its references against the layers of real models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("rms-norm")


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("variant", KATA.variants)
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(variant: str, seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, variant, tmp_path, seed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_should_compute_in_cast_first_the_layer_of_llama(dtype: torch.dtype) -> None:
    modeling = pytest.importorskip("transformers.models.llama.modeling_llama")
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 8).to(dtype), torch.randn(8)
    layer = modeling.LlamaRMSNorm(8, eps=1e-3)
    with torch.no_grad():
        layer.weight.copy_(weight)
        torch.testing.assert_close(KATA.reference.rms_norm_cast_first(x, weight, 1e-3), layer(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_should_compute_in_cast_last_the_order_of_gemma_whose_checkpoints_store_weight_minus_one(
    dtype: torch.dtype,
) -> None:
    modeling = pytest.importorskip("transformers.models.gemma.modeling_gemma")
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 8).to(dtype), torch.randn(8)
    layer = modeling.GemmaRMSNorm(8, eps=1e-3)
    with torch.no_grad():
        layer.weight.copy_(weight - 1)
        torch.testing.assert_close(KATA.reference.rms_norm_cast_last(x, weight, 1e-3), layer(x))


def test_should_repeat_in_llama_the_promotion_that_the_contract_names() -> None:
    x, weight = torch.randn(2, 4).bfloat16(), torch.randn(4)
    assert KATA.reference.rms_norm_cast_first(x, weight).dtype == torch.float32
    assert KATA.reference.rms_norm_cast_last(x, weight).dtype == torch.bfloat16
