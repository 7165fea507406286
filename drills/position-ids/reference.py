"""The position that each token of a padded batch would have in a batch of one."""

from __future__ import annotations

import torch


def position_ids(attention_mask: torch.Tensor, query_length: int | None = None) -> torch.Tensor:
    """Positions (B, L) of the last query_length = L columns of attention_mask (B, S), 1 = token."""
    tokens = attention_mask != 0  # (B, S)
    counted = tokens.cumsum(dim=1)  # (B, S), int64, with the token itself
    positions = torch.where(tokens, counted - 1, 0)  # (B, S)
    return positions if query_length is None else positions[:, -query_length:]  # counted first, then cut
