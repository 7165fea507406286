"""RMSNorm in the two orders that checkpoints are trained with."""

from __future__ import annotations

import torch


def rms_norm_cast_first(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Divide each vector of x (..., D) by its root mean square, then scale its channels by weight (D,)."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # half types overflow or drown when squared
    mean_square = wide.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
    normal = wide * torch.rsqrt(mean_square + eps)  # (..., D)
    return weight * normal.to(x.dtype)  # a float32 weight lifts the product to float32 again


def rms_norm_cast_last(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Divide each vector of x (..., D) by its root mean square, then scale its channels by weight (D,)."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # half types overflow or drown when squared
    mean_square = wide.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
    normal = wide * torch.rsqrt(mean_square + eps)  # (..., D)
    return (weight * normal).to(x.dtype)  # rounded once
