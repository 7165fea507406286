"""The loss of Direct Preference Optimization, over summed and over averaged log-ratios."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def dpo_loss_summed(
    policy_logps: torch.Tensor,
    reference_logps: torch.Tensor,
    mask: torch.Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """DPO loss of B pairs and the rewards of their chosen and rejected responses, from token log-probabilities."""
    log_ratio = _log_ratio(policy_logps, reference_logps, mask)  # (2B, T)
    return _compare(log_ratio.sum(dim=-1), beta, label_smoothing)


def dpo_loss_averaged(
    policy_logps: torch.Tensor,
    reference_logps: torch.Tensor,
    mask: torch.Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """DPO loss of B pairs and the rewards of their chosen and rejected responses, from token log-probabilities."""
    log_ratio = _log_ratio(policy_logps, reference_logps, mask)  # (2B, T)
    lengths = (mask != 0).sum(dim=-1)  # (2B,)
    return _compare(log_ratio.sum(dim=-1) / lengths.clamp(min=1), beta, label_smoothing)  # no token: 0 / 1


def _log_ratio(policy_logps: torch.Tensor, reference_logps: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    kind = torch.promote_types(policy_logps.dtype, torch.float32)
    hidden = mask == 0  # selected, not multiplied: NaN · 0 is NaN
    policy = policy_logps.to(kind).masked_fill(hidden, 0.0)
    reference = reference_logps.detach().to(kind).masked_fill(hidden, 0.0)  # frozen
    return policy - reference


def _compare(
    log_ratios: torch.Tensor, beta: float, label_smoothing: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    chosen, rejected = (beta * log_ratios).chunk(2)  # (B,) each
    margins = chosen - rejected
    # log σ(x) by logsigmoid: σ(−200) underflows to 0, and its logarithm is −∞.
    losses = -(1 - label_smoothing) * F.logsigmoid(margins) - label_smoothing * F.logsigmoid(-margins)
    return losses.mean(), chosen.detach(), rejected.detach()
