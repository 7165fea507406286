"""Cross entropy with label smoothing, spread over all classes and over the others only."""

from __future__ import annotations

import torch


def label_smoothing_uniform(
    logits: torch.Tensor,
    labels: torch.Tensor,
    smoothing: float = 0.1,
    ignore_index: int = -100,
) -> torch.Tensor:
    """Mean cross entropy of logits (B, T, V) with smoothed labels (B, T), leaving out ignore_index."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))  # (B, T, V)
    counted = labels != ignore_index  # (B, T)
    # −100 cannot be looked up: look up class 0 there, and select only what counts afterwards.
    safe = labels.masked_fill(~counted, 0).unsqueeze(-1)  # (B, T, 1)
    losses = -wide.log_softmax(dim=-1)  # (B, T, V), what each class would cost as the label
    of_label = losses.gather(-1, safe).squeeze(-1)  # (B, T)
    of_rest = losses.mean(dim=-1)  # (B, T)
    total = (1 - smoothing) * of_label[counted].sum()
    total = total + smoothing * of_rest[counted].sum()
    return total / counted.sum().clamp(min=1)  # no token: 0 / 1


def label_smoothing_others(
    logits: torch.Tensor,
    labels: torch.Tensor,
    smoothing: float = 0.1,
    ignore_index: int = -100,
) -> torch.Tensor:
    """Mean cross entropy of logits (B, T, V) with smoothed labels (B, T), leaving out ignore_index."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))  # (B, T, V)
    counted = labels != ignore_index  # (B, T)
    # −100 cannot be looked up: look up class 0 there, and select only what counts afterwards.
    safe = labels.masked_fill(~counted, 0).unsqueeze(-1)  # (B, T, 1)
    losses = -wide.log_softmax(dim=-1)  # (B, T, V), what each class would cost as the label
    of_label = losses.gather(-1, safe).squeeze(-1)  # (B, T)
    others = losses.scatter(-1, safe, 0.0)  # (B, T, V), the label's own set to 0
    of_rest = others.sum(dim=-1) / (logits.size(-1) - 1)  # (B, T)
    total = (1 - smoothing) * of_label[counted].sum()
    total = total + smoothing * of_rest[counted].sum()
    return total / counted.sum().clamp(min=1)  # no token: 0 / 1
