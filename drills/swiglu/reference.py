"""The gated feed-forward network, from a fused projection in the three layouts that checkpoints have.

What is not covered: biases, clamping and the shifted gate of gpt-oss, experts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def swiglu_gate_first(x: torch.Tensor, w_gate_up: torch.Tensor, w_down: torch.Tensor) -> torch.Tensor:
    """The feed-forward network of x (..., C), with w_gate_up (2F, C) and w_down (C, F) as nn.Linear stores them."""
    both = x @ w_gate_up.mT  # (..., 2F)
    gate, up = both.chunk(2, dim=-1)  # (..., F) each
    return (F.silu(gate) * up) @ w_down.mT  # (..., C)


def swiglu_up_first(x: torch.Tensor, w_gate_up: torch.Tensor, w_down: torch.Tensor) -> torch.Tensor:
    """The feed-forward network of x (..., C), with w_gate_up (2F, C) and w_down (C, F) as nn.Linear stores them."""
    both = x @ w_gate_up.mT  # (..., 2F)
    up, gate = both.chunk(2, dim=-1)  # (..., F) each
    return (F.silu(gate) * up) @ w_down.mT  # (..., C)


def swiglu_interleaved(x: torch.Tensor, w_gate_up: torch.Tensor, w_down: torch.Tensor) -> torch.Tensor:
    """The feed-forward network of x (..., C), with w_gate_up (2F, C) and w_down (C, F) as nn.Linear stores them."""
    both = x @ w_gate_up.mT  # (..., 2F)
    gate, up = both[..., 0::2], both[..., 1::2]  # (..., F) each
    return (F.silu(gate) * up) @ w_down.mT  # (..., C)
