"""Multi-head attention from its projections: self-attention and cross-attention."""

from __future__ import annotations

import math

import torch


def multi_head_attention(
    x: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    w_o: torch.Tensor,
    num_heads: int,
    context: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attend from x (B, L, C) to context (B, S, C_s), or to x itself; return (B, L, C_o)."""
    source = x if context is None else context  # (B, S, C_s)
    q = _split(x @ w_q, num_heads)  # (B, H, L, D)
    k = _split(source @ w_k, num_heads)  # (B, H, S, D)
    v = _split(source @ w_v, num_heads)  # (B, H, S, D_v)

    scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))  # (B, H, L, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    heads = scores.softmax(dim=-1) @ v  # (B, H, L, D_v)

    joined = heads.transpose(1, 2).flatten(2)  # (B, L, H·D_v): tokens first, then the heads side by side
    return joined @ w_o


def _split(states: torch.Tensor, num_heads: int) -> torch.Tensor:
    """(B, T, H·D) to (B, H, T, D): the last axis is split, then the heads move before the tokens."""
    return states.unflatten(-1, (num_heads, -1)).transpose(1, 2)
