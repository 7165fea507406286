"""The kata cross-entropy: proven here without the grader, and its references against torch and transformers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("cross-entropy")
shifted, aligned = KATA.reference.cross_entropy_shifted, KATA.reference.cross_entropy_aligned


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("variant", KATA.variants)
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(variant: str, seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, variant, tmp_path, seed)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    labels = torch.randint(0, 11, (3, 7))
    labels[0, 5:] = labels[2, :3] = -100
    return torch.randn(3, 7, 11) * 3, labels


def test_should_compute_in_shifted_the_loss_of_a_causal_model_in_transformers(
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    losses = pytest.importorskip("transformers.loss.loss_utils")
    logits, labels = batch
    torch.testing.assert_close(shifted(logits, labels), losses.ForCausalLMLoss(logits, labels, vocab_size=11))


def test_should_compute_in_aligned_torchs_cross_entropy(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    torch.testing.assert_close(
        aligned(logits, labels), torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    )


def test_should_give_an_ignored_batch_a_gradient_of_zero_and_not_nan() -> None:
    logits = torch.randn(2, 3, 4, requires_grad=True)
    loss = shifted(logits, torch.full((2, 3), -100))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0.0
    assert not gradient.any()
