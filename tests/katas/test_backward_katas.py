"""The backward passes by hand, against finite differences: no formula of autograd's stands behind these answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.helpers import plain_harness as plain

SOFTMAX, RMS_NORM, CROSS_ENTROPY, ATTENTION = (
    plain.KataUnderTest(name).reference
    for name in ("softmax-backward", "rms-norm-backward", "cross-entropy-backward", "attention-backward")
)


def prove(forward: Callable[..., Any], backward: Callable[..., Any], *inputs: torch.Tensor) -> None:
    """Holds `backward(grad_output, *inputs)` against differences of `forward(*inputs)`, all in float64."""

    class ByHand(torch.autograd.Function):  # type: ignore[misc,unused-ignore]  # torch is not followed by mypy
        @staticmethod
        def forward(ctx: Any, *given: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(*given)
            return forward(*given)

        @staticmethod
        def backward(ctx: Any, grad_output: torch.Tensor) -> Any:
            return backward(grad_output, *ctx.saved_tensors)

    given = [value.double().requires_grad_() for value in inputs]
    assert torch.autograd.gradcheck(ByHand.apply, given)


def values(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("dim", [-1, 0, 1])
def test_should_differentiate_softmax(dim: int) -> None:
    def backward(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return SOFTMAX.softmax_backward(grad, x.softmax(dim), dim)

    prove(lambda x: x.softmax(dim), backward, values(3, 4, 2))


@pytest.mark.parametrize("eps", [0.0, 0.3])
def test_should_differentiate_rms_norm(eps: float) -> None:
    def forward(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return weight * x / (x.square().mean(-1, keepdim=True) + eps).sqrt()

    prove(forward, lambda *given: RMS_NORM.rms_norm_backward(*given, eps), values(2, 3, 4), values(4))


def test_should_differentiate_the_mean_cross_entropy_over_the_tokens_that_count() -> None:
    labels = torch.tensor([[2, 0, -100], [4, -100, 1]])

    def forward(logits: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.nll_loss(logits.log_softmax(-1).flatten(0, 1), labels.flatten())

    prove(forward, lambda *given: CROSS_ENTROPY.cross_entropy_backward(*given, labels), values(2, 3, 5))


@pytest.mark.parametrize("masked", [False, True])
def test_should_differentiate_attention_where_one_query_sees_nothing(masked: bool) -> None:
    mask = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4]) if masked else None

    def forward(Q: torch.Tensor, K: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
        scores = Q @ K.mT / Q.size(-1) ** 0.5
        powers = scores.exp() * (1.0 if mask is None else mask)
        return powers @ V / powers.sum(-1, keepdim=True).clamp(min=1e-300)

    def backward(*given: torch.Tensor) -> Any:
        return ATTENTION.attention_backward(*given, mask)

    prove(forward, backward, values(1, 2, 3, 5), values(1, 2, 4, 5), values(1, 2, 4, 2))
