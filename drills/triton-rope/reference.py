"""Rotary embedding from tables: what a Triton kernel is held against."""

from __future__ import annotations

import torch


def apply_rope(x: torch.Tensor, positions: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn the pairs (x[i], x[i + D/2]) of x (T, H, D) by the angles whose cos and sin (P, D/2) are given."""
    kind = torch.promote_types(x.dtype, torch.float32)
    a, b = x.to(kind).chunk(2, dim=-1)  # (T, H, D/2) each
    c = cos[positions].unsqueeze(1).to(kind)  # (T, 1, D/2): every head of a token turns alike
    s = sin[positions].unsqueeze(1).to(kind)
    return torch.cat((a * c - b * s, b * c + a * s), dim=-1).to(x.dtype)
