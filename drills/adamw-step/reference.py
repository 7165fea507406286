"""One step of AdamW, as torch.optim takes it and as transformers' own optimizer took it."""

from __future__ import annotations

import math

import torch


def adamw_step_torch(
    param: torch.Tensor,
    grad: torch.Tensor,
    state: tuple[torch.Tensor, torch.Tensor, int],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor, int]]:
    """The parameter after one step, and the state (m, v, steps taken) after it."""
    m, v, step = _moments(grad, state, betas)
    wide = param.to(m.dtype)
    decayed = wide * (1 - lr * weight_decay)  # of the parameter as it was; grad, m and v know nothing of it
    m_hat = m / (1 - betas[0] ** step)
    v_hat = v / (1 - betas[1] ** step)
    updated = decayed - lr * m_hat / (v_hat.sqrt() + eps)
    return updated.to(param.dtype), (m, v, step)


def adamw_step_transformers(
    param: torch.Tensor,
    grad: torch.Tensor,
    state: tuple[torch.Tensor, torch.Tensor, int],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor, int]]:
    """The parameter after one step, and the state (m, v, steps taken) after it."""
    m, v, step = _moments(grad, state, betas)
    rate = lr * math.sqrt(1 - betas[1] ** step) / (1 - betas[0] ** step)  # both corrections, in the step's size
    moved = param.to(m.dtype) - rate * m / (v.sqrt() + eps)  # eps beside the root of v as it is
    updated = moved - lr * weight_decay * moved  # of the parameter after its move
    return updated.to(param.dtype), (m, v, step)


def _moments(
    grad: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor, int], betas: tuple[float, float]
) -> tuple[torch.Tensor, torch.Tensor, int]:
    m, v, step = state
    wide = grad.to(m.dtype)  # a half gradient is squared in float32
    m = betas[0] * m + (1 - betas[0]) * wide
    v = betas[1] * v + (1 - betas[1]) * wide.square()
    return m, v, step + 1
