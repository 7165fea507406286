"""A matrix of packed four-bit numbers times a vector: what a Triton kernel is held against."""

from __future__ import annotations

import torch


def int4_matvec(packed: torch.Tensor, scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The product of the weight (N, K) held by packed (N, K/2) and scale (N, G) with x (K,); returns (N,)."""
    kind = torch.promote_types(x.dtype, torch.float32)
    n, groups = scale.shape
    size = 2 * packed.shape[1] // groups  # columns of a group, K/G
    halves = torch.stack((packed & 15, packed >> 4), dim=2)  # (N, K/2, 2), 0 … 15
    q = (halves.to(kind) - 8).reshape(n, groups, size)  # (N, G, K/G), −8 … 7
    weight = (q * scale.to(kind)[:, :, None]).reshape(n, groups * size)  # (N, K)
    return (weight @ x.to(kind)).to(x.dtype)
