"""The gradient of a language model's mean cross entropy with respect to its logits."""

from __future__ import annotations

import torch


def cross_entropy_backward(
    grad_output: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, ignore_index: int = -100
) -> torch.Tensor:
    """Gradient of the mean negative log-likelihood of labels (*N) with respect to logits (*N, V)."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))  # (*N, V)
    counted = (labels != ignore_index).unsqueeze(-1)  # (*N, 1)
    # −100 cannot be looked up: look up token 0 there, and drop what comes of it.
    safe = labels.unsqueeze(-1).masked_fill(~counted, 0)  # (*N, 1)
    # The loss of a token is logsumexp(x) − x[label]. The first has the probabilities as its gradient, the second a 1.
    probabilities = torch.softmax(wide, dim=-1)  # (*N, V)
    grad = probabilities - torch.zeros_like(wide).scatter(-1, safe, 1.0)
    grad = grad.masked_fill(~counted, 0.0)
    scale = grad_output / counted.sum().clamp(min=1)  # no token counts: 0 for all of them
    return (grad * scale).to(logits.dtype)  # scaled first: what float16 rounds away, no scale brings back
