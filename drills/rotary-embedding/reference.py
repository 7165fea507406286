"""Rotary position embedding with neighbouring pairs, as in Su et al. 2021, §3.2.2.

What is not covered: other positions than 0, 1, 2 …, another base, partial rotation (see the kata rope-pairing).
"""

from __future__ import annotations

import torch


def apply_rotary_embedding(x, seq_len, dim):
    """Turn each pair of neighbours in x's last axis by its position times the pair's frequency.

    x is (B, H, T, D), floating point, with `seq_len` = T and `dim` = D (even). Returns (B, H, T, D) in the dtype of x.
    """
    angle_dtype = torch.promote_types(x.dtype, torch.float32)  # bfloat16 cannot count past 256
    exponents = torch.arange(0, dim, 2, dtype=angle_dtype, device=x.device) / dim  # (D/2,): 0, 2/D, 4/D …
    theta = 10000.0**-exponents  # (D/2,)
    positions = torch.arange(seq_len, dtype=angle_dtype, device=x.device)  # (T,)
    angles = positions[:, None] * theta  # (T, D/2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)

    a, b = x[..., 0::2], x[..., 1::2]  # (B, H, T, D/2): the two members of every pair
    turned_a = a * cos - b * sin
    turned_b = a * sin + b * cos
    return torch.stack((turned_a, turned_b), dim=-1).flatten(-2)  # (B, H, T, D): woven back as neighbours
