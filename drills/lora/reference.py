"""A linear layer with a low-rank adapter: its output, and its weight with the adapter merged in or taken out again."""

from __future__ import annotations

import math

import torch


def lora_standard(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor | None,
    alpha: float,
    merged: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output (..., D_out) for x (..., D_in), and weight (D_out, D_in) merged, or unmerged where it was merged."""
    return _lora(x, weight, a, b, alpha / a.size(0), merged)


def lora_rank_stabilised(
    x: torch.Tensor,
    weight: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor | None,
    alpha: float,
    merged: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output (..., D_out) for x (..., D_in), and weight (D_out, D_in) merged, or unmerged where it was merged."""
    return _lora(x, weight, a, b, alpha / math.sqrt(a.size(0)), merged)


def _lora(
    x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor | None, scale: float, merged: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    wide = torch.promote_types(x.dtype, torch.float32)
    if b is None:  # fresh: B starts at zero, so the layer starts as the base
        b = torch.zeros(weight.size(0), a.size(0), dtype=wide, device=weight.device)
    down, up = a.to(wide), b.to(wide)  # (r, D_in), (D_out, r)
    output = x.to(wide) @ weight.to(wide).T  # (..., D_out)
    if not merged:  # a merged weight holds the adapter already
        output = output + x.to(wide) @ down.T @ up.T * scale  # two thin products: no (D_out, D_in) is made
    with torch.no_grad():
        delta = up @ down * scale  # (D_out, D_in)
        changed = weight.to(wide) - delta if merged else weight.to(wide) + delta
    return output.to(x.dtype), changed.to(weight.dtype)  # each rounded once
