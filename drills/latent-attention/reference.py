"""Multi-head latent attention as it decodes: the up-projection absorbed into query and output."""

from __future__ import annotations

import math

import torch


def latent_attention(
    q: torch.Tensor,
    latent: torch.Tensor,
    k_rope: torch.Tensor,
    kv_up: torch.Tensor,
) -> torch.Tensor:
    """Attend from queries q (B, H, L, d_n + d_r) to cached latents, without making keys or values of them."""
    plain = q.size(-1) - k_rope.size(-1)  # d_n
    up = kv_up.unflatten(0, (q.size(1), -1))  # (H, d_n + d_v, d_c)
    up_keys, up_values = up[:, :plain], up[:, plain:]
    q_plain, q_rope = q[..., :plain], q[..., plain:]

    # q · (W c) = (Wᵀ q) · c: the query takes the matrix, once, instead of every cached token.
    q_latent = torch.einsum("bhld,hdc->bhlc", q_plain, up_keys)
    scores = torch.einsum("bhlc,bsc->bhls", q_latent, latent)
    rotated = torch.einsum("bhlr,bsr->bhls", q_rope, k_rope)
    scores = (scores + rotated) / math.sqrt(q.size(-1))  # the width of the key that is never made

    length, total = scores.shape[-2:]
    visible = torch.ones(length, total, dtype=torch.bool).tril(total - length)
    weights = scores.masked_fill(~visible, -math.inf).softmax(dim=-1)
    mixed = torch.einsum("bhls,bsc->bhlc", weights, latent)  # one latent for each query and head
    return torch.einsum("bhlc,hdc->bhld", mixed, up_values)
