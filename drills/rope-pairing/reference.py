"""Rotary position embedding (Su et al. 2021) in its two pairings.

What is not covered: rescaled frequencies (position interpolation, NTK-aware, YaRN), caching of cos and sin.
"""

from __future__ import annotations

import torch


def apply_rope_interleaved(x, positions, base=10000.0, rotary_dim=None):
    """Turn each pair of x's last axis by an angle proportional to its position.

    x is (B, H, T, D); `positions` is int64, (T,) or (B, T); the first `rotary_dim` of D are turned (None: all of them).
    Returns (B, H, T, D) in the dtype of x. Raises ValueError when `rotary_dim` is odd.
    """
    cos, sin, r = _turns(x, positions, base, rotary_dim)
    a, b = x[..., 0:r:2], x[..., 1:r:2]  # (B, H, T, r/2): numbers 0, 2, 4 … and 1, 3, 5 …
    turned_a = a * cos - b * sin  # (B, H, T, r/2)
    turned_b = a * sin + b * cos
    turned = torch.stack((turned_a, turned_b), dim=-1).flatten(-2)  # (B, H, T, r): woven back as neighbours
    return torch.cat((turned, x[..., r:]), dim=-1)  # (B, H, T, D)


def apply_rope_half_split(x, positions, base=10000.0, rotary_dim=None):
    """Turn each pair of x's last axis by an angle proportional to its position.

    x is (B, H, T, D); `positions` is int64, (T,) or (B, T); the first `rotary_dim` of D are turned (None: all of them).
    Returns (B, H, T, D) in the dtype of x. Raises ValueError when `rotary_dim` is odd.
    """
    cos, sin, r = _turns(x, positions, base, rotary_dim)
    a, b = x[..., : r // 2], x[..., r // 2 : r]  # (B, H, T, r/2): the first half and the second half
    turned_a = a * cos - b * sin  # (B, H, T, r/2)
    turned_b = a * sin + b * cos
    return torch.cat((turned_a, turned_b, x[..., r:]), dim=-1)  # (B, H, T, D)


def _turns(x, positions, base, rotary_dim):
    """The cosines and sines of all angles, (T, r/2) or (B, 1, T, r/2), in the dtype of x; and r."""
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError(f"rotary_dim is {r}: pairs need an even number")
    angle_dtype = torch.promote_types(x.dtype, torch.float32)  # bfloat16 cannot count past 256
    exponents = torch.arange(0, r, 2, dtype=angle_dtype, device=x.device) / r  # (r/2,): 0, 2/r, 4/r …
    frequencies = base**-exponents  # (r/2,)
    angles = positions.to(angle_dtype).unsqueeze(-1) * frequencies  # (T, r/2) or (B, T, r/2)
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)  # (B, 1, T, r/2): all heads of a row turn alike
    return angles.cos().to(x.dtype), angles.sin().to(x.dtype), r
