"""The backward pass of RMSNorm: what a Triton kernel is held against."""

from __future__ import annotations

import torch


def rms_norm_backward(
    grad_output: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of x (M, D) and weight (D,), from that of y = weight · x / sqrt(mean(x²) + eps)."""
    kind = torch.promote_types(x.dtype, torch.float32)
    dy, wide = grad_output.to(kind), x.to(kind)  # (M, D)
    inverse_root = torch.rsqrt(wide.pow(2).mean(dim=1, keepdim=True) + eps)  # (M, 1)
    normal = wide * inverse_root  # (M, D), what the weight multiplied
    scaled = dy * weight.to(kind)  # (M, D), the gradient of `normal`
    along = (scaled * normal).mean(dim=1, keepdim=True)  # (M, 1), the part that the root takes back
    grad_x = inverse_root * (scaled - normal * along)  # (M, D)
    return grad_x.to(x.dtype), (dy * normal).sum(dim=0)  # (D,), over all rows
