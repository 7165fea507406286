"""RMSNorm: what a Triton kernel is held against."""

from __future__ import annotations

import torch


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Divide each row of x (M, D) by its root mean square, then scale its channels by weight (D,)."""
    kind = torch.promote_types(x.dtype, torch.float32)
    wide = x.to(kind)  # (M, D)
    mean_square = wide.pow(2).mean(dim=1, keepdim=True)  # (M, 1)
    normal = wide * torch.rsqrt(mean_square + eps)  # (M, D)
    return (normal * weight.to(kind)).to(x.dtype)  # rounded once
