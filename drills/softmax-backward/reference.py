"""The backward pass of softmax, from its saved output."""

from __future__ import annotations

import torch


def softmax_backward(grad_output: torch.Tensor, output: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """Turn the gradient of a softmax's output into the gradient of its input; all three have one shape."""
    wide = torch.promote_types(output.dtype, torch.float32)  # half types round every product, and overflow
    dy, y = grad_output.to(wide), output.to(wide)
    # ∂y_i/∂x_j = y_i (δ_ij − y_j). Summed over i with weights dy_i: y_j dy_j − y_j Σ_i dy_i y_i.
    shared = (dy * y).sum(dim=dim, keepdim=True)  # one number for each slice: what all of its inputs share
    return (y * (dy - shared)).to(output.dtype)
