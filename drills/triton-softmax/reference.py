"""The softmax of each row: what a Triton kernel is held against."""

from __future__ import annotations

import torch


def softmax(x: torch.Tensor) -> torch.Tensor:
    """Turn each row of x (M, N) into probabilities."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))  # (M, N)
    power = (wide - wide.amax(dim=1, keepdim=True)).exp()  # the largest of a row is 1
    return (power / power.sum(dim=1, keepdim=True)).to(x.dtype)  # rounded once
