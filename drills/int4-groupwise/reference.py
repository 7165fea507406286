"""Adding an update to a weight of packed four-bit numbers, in two layouts."""

from __future__ import annotations

import torch


def merge_neighbours(
    packed: torch.Tensor, scale: torch.Tensor, delta: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add delta (N, K) to the int4 weight held by packed (N, K/2) and scale (N, G); return both for the sum."""
    n, k = delta.shape
    groups = (n, scale.shape[1], k // scale.shape[1])  # (N, G, S)
    bits = torch.stack((packed & 15, packed >> 4), dim=2)  # (N, K/2, 2), 0 … 15
    q = (bits.to(torch.int8) ^ 8) - 8  # two's complement: 8 … 15 are −8 … −1
    w = q.reshape(groups) * scale[:, :, None]
    w = w + delta.reshape(groups)  # float32, also for half types
    absmax = w.abs().amax(dim=2)  # (N, G)
    new_scale = torch.where(absmax > 0, absmax / 7, 1.0)
    new_q = (w / new_scale[:, :, None]).round()
    bits = new_q.to(torch.int8).reshape(n, k) & 15  # a negative number has ones above its four bits
    bits = bits.to(torch.uint8)
    return bits[:, ::2] | bits[:, 1::2] << 4, new_scale


def merge_halves(packed: torch.Tensor, scale: torch.Tensor, delta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Add delta (N, K) to the int4 weight held by packed (N, K/2) and scale (N, G); return both for the sum."""
    n, k = delta.shape
    groups = (n, scale.shape[1], k // scale.shape[1])  # (N, G, S)
    by_group = packed.reshape(n, scale.shape[1], -1)  # (N, G, S/2)
    bits = torch.cat((by_group & 15, by_group >> 4), dim=2)
    q = bits.to(torch.int8) - 8  # (N, G, S), in a type that has a sign
    w = q * scale[:, :, None] + delta.reshape(groups)  # float32, also for half types
    absmax = w.abs().amax(dim=2)  # (N, G)
    new_scale = torch.where(absmax > 0, absmax / 7, 1.0)
    new_q = (w / new_scale[:, :, None]).round()
    bits = (new_q + 8).to(torch.uint8)  # 1 … 15
    first, second = bits.chunk(2, dim=2)  # (N, G, S/2)
    return (first | second << 4).reshape(n, k // 2), new_scale
