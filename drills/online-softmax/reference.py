"""Exact softmax attention over blocks of keys, with a running maximum, sum and weighted sum."""

from __future__ import annotations

import math

import torch


def blockwise_attention(
    Q: torch.Tensor,
    K: torch.Tensor,
    V: torch.Tensor,
    key_mask: torch.Tensor | None = None,
    block_size: int = 64,
) -> torch.Tensor:
    """Attention of Q (B, L, d) over K (B, S, d) and V (B, S, d_v), block_size keys at a time; returns (B, L, d_v)."""
    wide = torch.promote_types(Q.dtype, torch.float32)
    batch, length, width = Q.shape
    q = Q.to(wide) / math.sqrt(width)  # (B, L, d)
    peak = q.new_full((batch, length, 1), -math.inf)  # the highest score so far
    total = q.new_zeros(batch, length, 1)  # sum of exp(score − peak) so far
    mixed = q.new_zeros(batch, length, V.size(-1))  # sum of exp(score − peak) · v so far
    for start in range(0, K.size(1), block_size):
        block = slice(start, start + block_size)  # the last one may be shorter
        scores = q @ K[:, block].to(wide).transpose(-2, -1)  # (B, L, block)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(dim=-1, keepdim=True))  # (B, L, 1)
        # Where all keys so far are masked the maximum is −inf, and −inf − (−inf) would be NaN.
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink = torch.exp(peak - shift)  # what was summed against the old maximum, against the new one
        weights = torch.exp(scores - shift)  # (B, L, block)
        total = total * shrink + weights.sum(dim=-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].to(wide)
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)
