"""Verifying drafted tokens so that the output keeps the law of the large model."""

from __future__ import annotations

import torch


def verify_draft(
    target: torch.Tensor, draft: torch.Tensor, drafted: torch.Tensor, uniforms: torch.Tensor
) -> tuple[int, torch.Tensor]:
    """Count how many of the drafted tokens (G,) are kept; return it with the distribution (V,) of the next token."""
    for i, token in enumerate(drafted.tolist()):
        p, q = target[i, token], draft[i, token]
        if uniforms[i] < p / q:  # with probability min(1, p / q)
            continue
        # Where q > p, acceptance has given p in full; the rest is owed where p > q.
        owed = (target[i] - draft[i]).clamp(min=0)  # (V,)
        if not owed.any():  # p fell short of q by rounding alone: nothing is owed
            owed = target[i]
        return i, owed / owed.sum()
    return len(drafted), target[-1].clone()  # a token for free: the large model has scored one place more
