"""The loss of Group Relative Policy Optimization, with sequences or with tokens as the denominator."""

from __future__ import annotations

import torch


def grpo_loss_by_sequence(
    logps: torch.Tensor,
    old_logps: torch.Tensor,
    ref_logps: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    group_size: int,
    epsilon: float = 0.2,
    beta: float = 0.04,
) -> torch.Tensor:
    """GRPO loss of N responses, in groups of group_size, from token log-probabilities (N, T) and rewards (N,)."""
    keep = mask != 0  # (N, T)
    advantages = _advantages(rewards, group_size)  # (N, 1)
    losses = _token_losses((logps, old_logps, ref_logps), keep, advantages, epsilon, beta)  # (N, T)
    lengths = keep.sum(dim=-1).clamp(min=1)  # (N,)
    return (losses.sum(dim=-1) / lengths).mean()


def grpo_loss_by_token(
    logps: torch.Tensor,
    old_logps: torch.Tensor,
    ref_logps: torch.Tensor,
    rewards: torch.Tensor,
    mask: torch.Tensor,
    group_size: int,
    epsilon: float = 0.2,
    beta: float = 0.04,
) -> torch.Tensor:
    """GRPO loss of N responses, in groups of group_size, from token log-probabilities (N, T) and rewards (N,)."""
    keep = mask != 0  # (N, T)
    advantages = _advantages(rewards, group_size)  # (N, 1)
    losses = _token_losses((logps, old_logps, ref_logps), keep, advantages, epsilon, beta)  # (N, T)
    return losses.sum() / keep.sum().clamp(min=1)


def _advantages(rewards: torch.Tensor, group_size: int) -> torch.Tensor:
    groups = rewards.detach().reshape(-1, group_size)  # a group in each row
    centred = groups - groups.mean(dim=1, keepdim=True)
    return (centred / (groups.std(dim=1, keepdim=True) + 1e-4)).reshape(-1, 1)


def _token_losses(
    logps: tuple[torch.Tensor, ...], keep: torch.Tensor, advantages: torch.Tensor, epsilon: float, beta: float
) -> torch.Tensor:
    kind = torch.promote_types(logps[0].dtype, torch.float32)
    # Padding goes before the exponential: behind a later `where`, 0 · NaN would still reach the gradient.
    new, old, ref = (part.to(kind).masked_fill(~keep, 0.0) for part in logps)
    old, ref = old.detach(), ref.detach()
    ratio = (new - old).exp()
    # The smaller of the two: a move that went too far gains nothing more, but one in the wrong direction is not hidden.
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages)
    kl = (ref - new).exp() - (ref - new) - 1  # never negative, and on average the KL divergence of new from ref
    return (beta * kl - surrogate).masked_fill(~keep, 0.0)
