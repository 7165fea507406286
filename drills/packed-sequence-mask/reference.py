"""The attention mask and the position ids of rows that hold several documents each."""

from __future__ import annotations

import torch


def packed_sequence_mask(document_ids: torch.Tensor, causal: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Keep the documents of each row of document_ids (B, T) apart; return (mask (B, 1, T, T), position_ids (B, T))."""
    steps = torch.arange(document_ids.size(1), device=document_ids.device)  # (T,)
    tokens = document_ids != 0  # (B, T)

    same = document_ids[:, :, None] == document_ids[:, None, :]  # (B, T, T): queries down, keys across
    mask = same & tokens[:, None, :]  # padding has the id 0 in common
    if causal:
        mask = mask & (steps <= steps[:, None])

    # Where the id differs from the one before, a document begins; each token takes the latest such place, or 0.
    begins = document_ids.diff(prepend=document_ids[:, :1]) != 0  # (B, T)
    first = torch.where(begins, steps, 0).cummax(dim=1).values  # (B, T)
    position_ids = torch.where(tokens, steps - first, 0)
    return mask[:, None], position_ids
