"""One step of a causal attention head with a KV cache."""

from __future__ import annotations

import math

import torch


def kv_cache_step(
    x: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    cache: tuple[torch.Tensor, torch.Tensor] | None = None,
    base: float = 10000.0,
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Attend for the tokens of x (B, N, C) that the cache lacks; return their outputs and the grown cache."""
    past = 0 if cache is None else cache[0].size(1)
    new = x[:, past:]  # (B, T, C), the tokens of this step
    positions = torch.arange(past, x.size(1), device=x.device)  # (T,), counted over the whole sequence
    q = _rotate(new @ w_q, positions, base)  # (B, T, D)
    k = _rotate(new @ w_k, positions, base)  # (B, T, D)
    v = new @ w_v  # (B, T, D_v)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)  # (B, N, D): the old ones are rotated already
    values = v if cache is None else torch.cat((cache[1], v), dim=1)  # (B, N, D_v)
    scores = q @ keys.transpose(-2, -1) / math.sqrt(q.size(-1))  # (B, T, N)
    later = torch.arange(x.size(1), device=x.device) > positions[:, None]  # (T, N)
    weights = scores.masked_fill(later, -math.inf).softmax(dim=-1)
    return weights @ values, (keys, values)


def _rotate(x: torch.Tensor, positions: torch.Tensor, base: float) -> torch.Tensor:
    """RoPE on x (B, T, D) with the pairs (i, i + D/2)."""
    half = x.size(-1) // 2
    steps = torch.arange(half, device=x.device, dtype=x.dtype)
    angles = positions[:, None].to(x.dtype) * base ** (-steps / half)  # (T, D/2)
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
