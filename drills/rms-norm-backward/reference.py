"""The backward pass of RMSNorm, by hand."""

from __future__ import annotations

import torch


def rms_norm_backward(
    grad_output: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn the gradient of y = weight · x / sqrt(mean(x²) + eps) into the gradients of x (*N, D) and weight (D,)."""
    kind = torch.promote_types(x.dtype, torch.float32)
    dy, wide = grad_output.to(kind), x.to(kind)  # (*N, D)
    inverse_root = torch.rsqrt(wide.pow(2).mean(dim=-1, keepdim=True) + eps)  # (*N, 1)
    normal = wide * inverse_root  # (*N, D), what the weight multiplied
    scaled = dy * weight.to(kind)  # (*N, D), the gradient of `normal`
    # Moving x along itself changes next to no output: the root takes the move back. So that part is subtracted.
    along = (scaled * normal).mean(dim=-1, keepdim=True)  # (*N, 1)
    grad_x = inverse_root * (scaled - normal * along)  # (*N, D)
    grad_weight = (dy * normal).reshape(-1, x.size(-1)).sum(dim=0)  # (D,), over all vectors of the batch
    return grad_x.to(x.dtype), grad_weight.to(weight.dtype)
