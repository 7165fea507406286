"""The distribution of the next token, with the filters in the order of transformers: temperature, top-k, top-p.

What is not covered: min-p, typical and epsilon sampling, repetition penalties, drawing itself.
"""

from __future__ import annotations

import torch


def sampling_distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    """The probabilities from which the next token is drawn.

    `logits` is (..., V), floating point; the result has its shape and dtype, and sums to 1 along the last axis.
    Temperature 0 is greedy; top_k 0 and top_p ≥ 1 are off.
    """
    V = logits.size(-1)
    if temperature == 0:
        best = logits.argmax(dim=-1, keepdim=True)  # (..., 1), the first of several
        return torch.zeros_like(logits).scatter(-1, best, 1.0)

    # In float32, for float16 ends at 65504; with the maximum taken off, no quotient that matters overflows.
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
    scores = (scores - scores.amax(dim=-1, keepdim=True)) / temperature  # (..., V), 0 at the largest

    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), V)
        kth = scores.topk(k, dim=-1).values[..., -1:]  # (..., 1), the smallest score that stays
        scores = scores.masked_fill(scores < kth, float("-inf"))

    if top_p < 1:
        probabilities = torch.softmax(scores, dim=-1)  # renormalised over what top-k left
        ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)  # (..., V), by rank
        before = ranked.cumsum(dim=-1) - ranked  # the mass in front of each rank
        drop = before >= top_p  # the token that crosses p has less than p in front of it: it stays
        drop[..., :min_tokens_to_keep] = False
        drop = torch.zeros_like(drop).scatter(-1, order, drop)  # (..., V), by token id again
        scores = scores.masked_fill(drop, float("-inf"))

    return torch.softmax(scores, dim=-1).to(logits.dtype)
