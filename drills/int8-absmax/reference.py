"""Quantising a weight to int8 row by row, symmetrically or with a zero point."""

from __future__ import annotations

import torch


def quantize_absmax(weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Quantise each row of weight (N, K) to int8; return the numbers, what restores them, and the weight restored."""
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))  # half types miss the step
    absmax = wide.abs().amax(dim=1)  # (N,)
    scale = torch.where(absmax > 0, absmax / 127, 1.0)  # (N,), a row of zeros divides by 1
    q = (wide / scale[:, None]).round().to(torch.int8)  # (N, K), a cast alone would cut the fraction off
    restored = (q * scale[:, None]).to(weight.dtype)  # (N, K)
    return q, scale, restored


def quantize_with_zero_point(weight: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Quantise each row of weight (N, K) to int8; return the numbers, what restores them, and the weight restored."""
    wide = weight.to(torch.promote_types(weight.dtype, torch.float32))  # half types miss the step
    lo = wide.amin(dim=1).clamp(max=0)  # (N,), 0 lies within the range, so that it has a whole number of its own
    hi = wide.amax(dim=1).clamp(min=0)  # (N,)
    scale = torch.where(hi > lo, (hi - lo) / 255, 1.0)  # (N,), a row of zeros divides by 1
    zero = (-128 - lo / scale).round()  # (N,), what 0 becomes
    steps = (wide / scale[:, None]).round() + zero[:, None]
    q = steps.clamp(-128, 127).to(torch.int8)  # (N, K), two halves may round up and make 128
    zero_point = zero.to(torch.int8)
    difference = q.int() - zero_point[:, None]  # up to 255: not in int8
    restored = (difference * scale[:, None]).to(weight.dtype)
    return q, scale, zero_point, restored
