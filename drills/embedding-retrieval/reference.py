"""Cosine retrieval over pooled token states, by mean or by last token."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F


def retrieve_by_mean(
    queries: torch.Tensor, query_mask: torch.Tensor, documents: torch.Tensor, document_mask: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rank documents (N, T, D) for each of queries (M, T_q, D); return the k best scores and indices, (M, min(k, N))."""
    return _search(_mean, queries, query_mask, documents, document_mask, k)


def retrieve_by_last_token(
    queries: torch.Tensor, query_mask: torch.Tensor, documents: torch.Tensor, document_mask: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rank documents (N, T, D) for each of queries (M, T_q, D); return the k best scores and indices, (M, min(k, N))."""
    return _search(_last_token, queries, query_mask, documents, document_mask, k)


def _mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.to(states.dtype).unsqueeze(-1)  # (N, T, 1)
    # The divisor is for whoever looks at the embedding: the norm takes it out again.
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)  # (N, D)


def _last_token(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    kept = mask != 0  # (N, T)
    last = kept.size(1) - 1 - kept.int().flip(1).argmax(dim=1)  # (N,), argmax finds the first 1 from the right
    picked = states[torch.arange(states.size(0), device=states.device), last]  # (N, D)
    return picked.masked_fill(~kept.any(dim=1, keepdim=True), 0.0)


def _search(
    pool: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    queries: torch.Tensor,
    query_mask: torch.Tensor,
    documents: torch.Tensor,
    document_mask: torch.Tensor,
    k: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    wide = torch.promote_types(queries.dtype, torch.float32)
    left = F.normalize(pool(queries.to(wide), query_mask), dim=-1)  # (M, D), a zero vector stays zero
    right = F.normalize(pool(documents.to(wide), document_mask), dim=-1)  # (N, D)
    scores, indices = (left @ right.T).topk(min(k, right.size(0)), dim=1)  # (M, min(k, N)) both, best first
    return scores, indices
