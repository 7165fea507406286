"""Grouped-query attention (Ainslie et al. 2023), without copying keys and values.

What is not covered: empty rows, causal masks by a flag, the weights.
"""

from __future__ import annotations

import math

import torch


def grouped_query_attention(Q, K, V, mask=None):
    """Attend with several query heads to each key/value head.

    Q is (B, H_q, L, d), K is (B, H_kv, S, d), V is (B, H_kv, S, d_v); `mask` is bool, (B, 1, L, S) or (B, 1, 1, S),
    True = attend. Returns (B, H_q, L, d_v) in the inputs' dtype. Raises ValueError when H_kv does not divide H_q.
    """
    B, H_q, L, d = Q.shape
    H_kv = K.size(1)
    if H_q % H_kv:
        raise ValueError(f"{H_q} query heads cannot share {H_kv} key/value heads evenly")
    kind = torch.promote_types(Q.dtype, torch.float32)  # float16 ends at 65504: a score of −2e5 would be −inf there
    groups = Q.to(kind).reshape(B, H_kv, H_q // H_kv, L, d)  # (B, H_kv, G, L, d): neighbours form a group
    scores = groups @ K.to(kind).unsqueeze(2).transpose(-2, -1)  # (B, H_kv, G, L, S)
    scores = scores / math.sqrt(d)
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(2), float("-inf"))  # (B, 1, 1, L, S): the same for every head
    weights = torch.softmax(scores, dim=-1)
    output = weights @ V.to(kind).unsqueeze(2)  # (B, H_kv, G, L, d_v)
    return output.flatten(1, 2).to(Q.dtype)  # (B, H_q, L, d_v)
