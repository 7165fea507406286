"""Scaled dot-product attention, as in Vaswani et al. 2017, §3.2.1.

What is not covered: dropout, causal masks by a flag, additive masks, grouped heads.
"""

from __future__ import annotations

import math

import torch


def scaled_dot_product_attention(Q, K, V, mask=None):
    """Attend to the values by how well each query matches each key.

    Q is (B, H, L, d), K is (B, H, S, d), V is (B, H, S, d_v); `mask` broadcasts to (B, H, L, S), 1/True = attend.
    Returns the output (B, H, L, d_v) and the weights (B, H, L, S), both in the inputs' dtype.
    """
    kind = torch.promote_types(Q.dtype, torch.float32)  # float16 ends at 65504: a score of −2e5 would be −inf there
    scores = Q.to(kind) @ K.to(kind).transpose(-2, -1)  # (B, H, L, S)
    scores = scores / math.sqrt(Q.size(-1))
    if mask is None:
        weights = torch.softmax(scores, dim=-1)  # (B, H, L, S), each row sums to 1
    else:
        hidden = mask == 0  # bool, whatever the mask's dtype
        scores = scores.masked_fill(hidden, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        weights = weights.masked_fill(hidden, 0.0)  # a row of −inf is 0/0 = NaN: all of it is hidden, so all of it is 0
    output = weights @ V.to(kind)  # (B, H, L, d_v)
    return output.to(Q.dtype), weights.to(Q.dtype)
