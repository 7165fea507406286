"""The backward pass of scaled dot-product attention, from its inputs alone."""

from __future__ import annotations

import math

import torch


def attention_backward(
    grad_output: torch.Tensor, Q: torch.Tensor, K: torch.Tensor, V: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Turn the gradient of softmax(Q Kᵀ / √d) V, (B, H, L, d_v), into the gradients of Q, K and V."""
    kind = torch.promote_types(Q.dtype, torch.float32)
    grad_output, queries, keys, values = (part.to(kind) for part in (grad_output, Q, K, V))
    scale = 1 / math.sqrt(Q.size(-1))
    # Forward again: the weights were not saved.
    scores = queries @ keys.transpose(-2, -1) * scale  # (B, H, L, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)  # a row of −inf is 0/0 = NaN: its output was zeros
    # Backward: each product sends to one factor the gradient times the other, transposed.
    grad_values = weights.transpose(-2, -1) @ grad_output  # (B, H, S, d_v)
    grad_weights = grad_output @ values.transpose(-2, -1)  # (B, H, L, S)
    row = (grad_weights * weights).sum(dim=-1, keepdim=True)  # (B, H, L, 1), equal to the sum of grad_output · output
    grad_scores = weights * (grad_weights - row)  # (B, H, L, S), the softmax's backward pass
    grad_queries = grad_scores @ keys * scale  # (B, H, L, d)
    grad_keys = grad_scores.transpose(-2, -1) @ queries * scale  # (B, H, S, d)
    return grad_queries.to(Q.dtype), grad_keys.to(K.dtype), grad_values.to(V.dtype)
