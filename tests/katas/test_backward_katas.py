"""The backward passes by hand, against finite differences: no formula of autograd's stands behind these answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.helpers import plain_harness as plain

SOFTMAX, RMS_NORM = (plain.KataUnderTest(name).reference for name in ("softmax-backward", "rms-norm-backward"))


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
