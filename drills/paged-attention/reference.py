"""One decoding step of attention over a paged KV cache: gathered by block table, masked by length.

What is not covered: writing the new token into the cache, several query tokens a sequence, the split over a long one.
"""

from __future__ import annotations

import torch


def paged_attention(
    query: torch.Tensor,
    key_cache: torch.Tensor,
    value_cache: torch.Tensor,
    block_tables: torch.Tensor,
    seq_lens: torch.Tensor,
    scale: float | None = None,
) -> torch.Tensor:
    """Attend for one new token a sequence, query (B, H, D), over its tokens in the caches (N, P, H_kv, D or D_v)."""
    B, H, D = query.shape
    P, H_kv = key_cache.shape[1:3]
    scale = D**-0.5 if scale is None else scale

    # Logical places 0 … M·P − 1 of every sequence; those from its length on hold nothing of it.
    places = torch.arange(block_tables.size(1) * P, device=query.device)  # (M·P,)
    filled = places < seq_lens[:, None]  # (B, M·P)
    needed = filled[:, ::P]  # (B, M): a block is needed if its first place is filled
    blocks = block_tables.masked_fill(~needed, 0)  # (B, M): a padding entry may name no block at all

    keys = key_cache[blocks].flatten(1, 2)  # (B, M·P, H_kv, D)
    # What was never written may be NaN, and 0 · NaN = NaN: a weight of 0 does not hide it.
    unwritten = ~filled[:, :, None, None]  # (B, M·P, 1, 1)
    values = value_cache[blocks].flatten(1, 2).masked_fill(unwritten, 0.0)  # (B, M·P, H_kv, D_v)

    groups = query.reshape(B, H_kv, H // H_kv, D)  # (B, H_kv, G, D): neighbours share a KV head
    scores = torch.einsum("bhgd,bshd->bhgs", groups, keys) * scale  # (B, H_kv, G, M·P)
    hidden = ~filled[:, None, None]  # (B, 1, 1, M·P)
    weights = scores.masked_fill(hidden, float("-inf")).softmax(dim=-1)
    weights = weights.masked_fill(hidden, 0.0)  # an empty slot has 0/0 everywhere
    return torch.einsum("bhgs,bshd->bhgd", weights, values).flatten(1, 2)  # (B, H, D_v)
