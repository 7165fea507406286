"""The loss of a causal language model, for labels that are shifted here and for labels that come shifted."""

from __future__ import annotations

import torch


def cross_entropy_shifted(logits: torch.Tensor, labels: torch.Tensor, ignore_index: int = -100) -> torch.Tensor:
    """Mean negative log-likelihood of labels (B, T) under logits (B, T, V), leaving out ignore_index."""
    return _mean_loss(logits[:, :-1], labels[:, 1:], ignore_index)  # position t predicts token t + 1


def cross_entropy_aligned(logits: torch.Tensor, labels: torch.Tensor, ignore_index: int = -100) -> torch.Tensor:
    """Mean negative log-likelihood of labels (B, T) under logits (B, T, V), leaving out ignore_index."""
    return _mean_loss(logits, labels, ignore_index)


def _mean_loss(logits: torch.Tensor, labels: torch.Tensor, ignore_index: int) -> torch.Tensor:
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))  # (B, T, V)
    counted = labels != ignore_index  # (B, T)
    # −100 cannot be looked up: look up token 0 there, and drop what comes of it.
    safe = labels.masked_fill(~counted, 0).unsqueeze(-1)  # (B, T, 1)
    # log softmax(x)[label] = x[label] − logsumexp(x), which never takes the logarithm of an underflown 0.
    log_likelihood = wide.gather(-1, safe).squeeze(-1) - wide.logsumexp(-1)  # (B, T)
    total = -log_likelihood.masked_fill(~counted, 0.0).sum()
    return total / counted.sum().clamp(min=1)  # no token: 0 / 1
