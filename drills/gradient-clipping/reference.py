"""Gradient clipping by the global norm, as torch does it and as optax and TensorFlow do."""

from __future__ import annotations

import torch


def clip_grad_norm_torch(
    grads: list[torch.Tensor | None], max_norm: float, norm_type: float = 2.0
) -> tuple[list[torch.Tensor | None], torch.Tensor]:
    """Gradients scaled down to a global norm of at most max_norm, and the norm that they had."""
    norm = _global_norm(grads, norm_type)
    return _scaled(grads, (max_norm / (norm + 1e-6)).clamp(max=1.0)), norm


def clip_grad_norm_exact(
    grads: list[torch.Tensor | None], max_norm: float, norm_type: float = 2.0
) -> tuple[list[torch.Tensor | None], torch.Tensor]:
    """Gradients scaled down to a global norm of at most max_norm, and the norm that they had."""
    norm = _global_norm(grads, norm_type)
    coefficient = torch.where(norm > max_norm, max_norm / norm, 1.0)
    return _scaled(grads, coefficient), norm


def _global_norm(grads: list[torch.Tensor | None], norm_type: float) -> torch.Tensor:
    norms = []
    for grad in grads:
        if grad is not None:
            wide = grad.to(torch.promote_types(grad.dtype, torch.float32))  # half types overflow when squared
            norms.append(torch.linalg.vector_norm(wide, norm_type))
    # The norm of the norms is the norm of all numbers together, for each of these types.
    return torch.linalg.vector_norm(torch.stack(norms), norm_type) if norms else torch.zeros(())


def _scaled(grads: list[torch.Tensor | None], coefficient: torch.Tensor) -> list[torch.Tensor | None]:
    clipped: list[torch.Tensor | None] = []
    for grad in grads:
        if grad is None:
            clipped.append(None)
        else:
            wide = grad.to(torch.promote_types(grad.dtype, torch.float32))
            # One coefficient for all, so the direction of the step stays; rounded once.
            clipped.append((wide * coefficient).to(grad.dtype))
    return clipped
