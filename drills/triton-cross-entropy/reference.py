"""Cross entropy, a loss a row: what a Triton kernel is held against."""

from __future__ import annotations

import torch


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, ignore_index: int = -100) -> torch.Tensor:
    """The loss of each row of logits (T, V) on its target (T,), 0 where it is ignore_index; (T,)."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))  # (T, V)
    counted = targets != ignore_index  # (T,)
    safe = targets.masked_fill(~counted, 0).unsqueeze(1)  # −100 cannot be looked up
    losses = wide.logsumexp(dim=1) - wide.gather(1, safe).squeeze(1)  # (T,)
    return losses.masked_fill(~counted, 0.0)
