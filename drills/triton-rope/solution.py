"""Rotary embedding as one Triton kernel: a program turns one head of one token."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def rope_kernel(x, position, cos, sin, y, x_t, x_h, x_d, p_t, cos_p, cos_i, sin_p, sin_i, H, HALF, BLOCK: tl.constexpr):
    t = tl.program_id(0)
    h = tl.program_id(1)
    i = tl.arange(0, BLOCK)  # (BLOCK,), covers the D/2 pairs
    inside = i < HALF
    p = tl.load(position + t * p_t)  # one number: the row of the tables
    c = tl.load(cos + p * cos_p + i * cos_i, mask=inside)
    s = tl.load(sin + p * sin_p + i * sin_i, mask=inside)
    first = x + t * x_t + h * x_h + i * x_d
    # Both halves are read before either is written.
    a = tl.load(first, mask=inside).to(tl.float32)
    b = tl.load(first + HALF * x_d, mask=inside).to(tl.float32)
    out = y + (t * H + h) * 2 * HALF + i
    tl.store(out, a * c - b * s, mask=inside)
    tl.store(out + HALF, b * c + a * s, mask=inside)


def apply_rope(x: torch.Tensor, positions: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn the pairs (x[i], x[i + D/2]) of x (T, H, D) by the angles whose cos and sin (P, D/2) are given."""
    T, H, D = x.shape
    y = torch.empty((T, H, D), dtype=x.dtype, device=x.device)
    block = triton.next_power_of_2(D // 2)
    strides = (*x.stride(), *positions.stride(), *cos.stride(), *sin.stride())
    rope_kernel[(T, H)](x, positions, cos, sin, y, *strides, H, D // 2, BLOCK=block)
    return y
