"""A matrix product: what a Triton kernel is held against."""

from __future__ import annotations

import torch


def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The product of a (M, K) and b (K, N)."""
    wide = torch.promote_types(a.dtype, torch.float32)
    return (a.to(wide) @ b.to(wide)).to(a.dtype)  # summed in float32, rounded once
