"""The backward pass of RMSNorm as one Triton kernel: a gradient a row, and one that all rows share."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def backward_kernel(grad, x, w, dx, dw, g_m, g_d, x_m, x_d, w_d, d, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)  # one program a row
    c = tl.arange(0, BLOCK)  # (BLOCK,), covers the d channels
    inside = c < d
    g_at = grad + row * g_m + c * g_d
    x_at = x + row * x_m + c * x_d
    # Lanes beyond d hold 0 everywhere: they add nothing to either sum.
    g = tl.load(g_at, mask=inside, other=0.0).to(tl.float32)
    v = tl.load(x_at, mask=inside, other=0.0).to(tl.float32)
    scale = tl.load(w + c * w_d, mask=inside, other=0.0)
    root = tl.rsqrt(tl.sum(v * v, axis=0) / d + eps)
    normal = v * root
    scaled = g * scale.to(tl.float32)
    along = tl.sum(scaled * normal, axis=0) / d
    out = root * (scaled - normal * along)
    tl.store(dx + row * d + c, out, mask=inside)
    # Every row adds to the same d numbers, in no certain order: a load and a store would lose some of them.
    tl.atomic_add(dw + c, g * normal, mask=inside)


def rms_norm_backward(
    grad_output: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-6
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of x (M, D) and weight (D,), from that of y = weight · x / sqrt(mean(x²) + eps)."""
    m, d = x.shape
    dx = torch.empty((m, d), dtype=x.dtype, device=x.device)
    dw = torch.zeros(d, dtype=torch.float32, device=x.device)
    strides = (*grad_output.stride(), *x.stride(), *weight.stride())
    block = triton.next_power_of_2(d)
    backward_kernel[(m,)](grad_output, x, weight, dx, dw, *strides, d, eps, BLOCK=block)
    return dx, dw
