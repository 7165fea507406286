"""The bias of attention with linear biases, for any number of heads and with a cache."""

from __future__ import annotations

import math

import torch


def alibi_bias(num_heads: int, query_length: int, key_length: int | None = None, causal: bool = True) -> torch.Tensor:
    """What is added to the scores of num_heads = H heads before the softmax: float32 (H, L, S)."""
    S = query_length if key_length is None else key_length
    query = torch.arange(S - query_length, S)[:, None]  # (L, 1): where each query stands
    key = torch.arange(S)  # (S,)

    slopes = torch.tensor(_slopes(num_heads))[:, None, None]  # (H, 1, 1)
    bias = slopes * -(query - key).abs()  # (H, L, S)
    if causal:
        bias = bias.masked_fill(key > query, -math.inf)
    return bias


def _slopes(num_heads: int) -> list[float]:
    """One slope for each head, as the authors' code has them."""
    n = 1 << (num_heads.bit_length() - 1)  # the largest power of two that is not above num_heads
    slopes = [2 ** (-8 * (h + 1) / n) for h in range(n)]
    # Of the slopes of 2n heads every second one is among these already: the others lie between them.
    between = [2 ** (-4 * (2 * h + 1) / n) for h in range(num_heads - n)]
    return slopes + between
