"""One boolean mask from padding, causality and a sliding window.

What is not covered: packed sequences, prefix language models, global tokens, additive masks.
"""

from __future__ import annotations

import torch


def attention_mask(padding_mask, query_length, causal=True, window=None):
    """Which keys each query may see.

    `padding_mask` is (B, S), 1 = token; the queries stand at the last `query_length` = L of the S positions.
    Returns bool (B, 1, L, S), True = attend. Raises ValueError for a window without `causal`.
    """
    if window is not None and not causal:
        raise ValueError("a window counts back from each query: it needs causal=True")
    B, S = padding_mask.shape
    L = query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]  # (L, 1): where each query stands
    key = torch.arange(S, device=padding_mask.device)  # (S,)

    seen = torch.ones(L, S, dtype=torch.bool, device=padding_mask.device)
    if causal:
        seen = seen & (key <= query)
    if window is not None:
        seen = seen & (query - key < window)  # itself is at distance 0

    tokens = (padding_mask != 0)[:, None, None, :]  # (B, 1, 1, S)
    return tokens & seen  # (B, 1, L, S)
