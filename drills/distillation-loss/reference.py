"""The KL divergence between a student's and a teacher's softened distributions, in both directions."""

from __future__ import annotations

import torch


def distillation_forward(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    mask: torch.Tensor,
    temperature: float = 2.0,
) -> torch.Tensor:
    """Mean KL divergence over the tokens of mask (B, T) between softened distributions from logits (B, T, V)."""
    wide = torch.promote_types(student_logits.dtype, torch.float32)
    counted = mask != 0  # (B, T)
    # Selected before anything is computed: NaN · 0 is NaN, in the gradient too.
    student = student_logits[counted].to(wide)  # (N, V)
    teacher = teacher_logits.detach()[counted].to(wide)  # (N, V), frozen
    log_q = (student / temperature).log_softmax(dim=-1)
    log_p = (teacher / temperature).log_softmax(dim=-1)
    each = (log_p.exp() * (log_p - log_q)).sum(dim=-1)  # (N,)
    total = temperature**2 * each.sum()  # gradients of softened logits shrink by 1/T²
    return total / counted.sum().clamp(min=1)  # no token: 0 / 1


def distillation_reverse(
    student_logits: torch.Tensor,
    teacher_logits: torch.Tensor,
    mask: torch.Tensor,
    temperature: float = 2.0,
) -> torch.Tensor:
    """Mean KL divergence over the tokens of mask (B, T) between softened distributions from logits (B, T, V)."""
    wide = torch.promote_types(student_logits.dtype, torch.float32)
    counted = mask != 0  # (B, T)
    # Selected before anything is computed: NaN · 0 is NaN, in the gradient too.
    student = student_logits[counted].to(wide)  # (N, V)
    teacher = teacher_logits.detach()[counted].to(wide)  # (N, V), frozen
    log_q = (student / temperature).log_softmax(dim=-1)
    log_p = (teacher / temperature).log_softmax(dim=-1)
    each = (log_q.exp() * (log_q - log_p)).sum(dim=-1)  # (N,)
    total = temperature**2 * each.sum()  # gradients of softened logits shrink by 1/T²
    return total / counted.sum().clamp(min=1)  # no token: 0 / 1
