"""Softmax attention: what a Triton kernel is held against."""

from __future__ import annotations

import math

import torch


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool = False) -> torch.Tensor:
    """Softmax attention of q (H, L, D) over k and v (H, S, D); causal: query i sees the keys up to i + S − L."""
    wide = torch.promote_types(q.dtype, torch.float32)
    length, keys = q.shape[1], k.shape[1]
    scores = q.to(wide) @ k.to(wide).transpose(1, 2) / math.sqrt(q.shape[2])  # (H, L, S)
    if causal:
        seen = torch.ones(length, keys, dtype=torch.bool, device=q.device).tril(keys - length)
        scores = scores.masked_fill(~seen, -math.inf)
    return (scores.softmax(dim=-1) @ v.to(wide)).to(q.dtype)
