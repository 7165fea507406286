"""LayerNorm over the last dimension, with an optional weight and bias.

What is not covered: several normalised dimensions, running statistics, norms without centring (see the kata rms-norm).
"""

from __future__ import annotations

import torch


def layer_norm(
    x: torch.Tensor, weight: torch.Tensor | None = None, bias: torch.Tensor | None = None, eps: float = 1e-5
) -> torch.Tensor:
    """Give each vector of x (..., D) mean 0 and variance 1, then scale and shift its channels by weight and bias (D,)."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # half types overflow or drown when squared
    centred = wide - wide.mean(dim=-1, keepdim=True)  # (..., D)
    variance = centred.pow(2).mean(dim=-1, keepdim=True)  # (..., 1), divided by D, not by D − 1
    result = centred * torch.rsqrt(variance + eps)  # (..., D)
    if weight is not None:
        result = result * weight
    if bias is not None:
        result = result + bias
    return result.to(x.dtype)  # rounded once
