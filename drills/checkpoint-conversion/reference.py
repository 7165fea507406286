"""Weights carried between two layouts of rotary heads, and norms that store w − 1 unfolded on the way.

What is not covered: renaming, fused or sharded projections, quantised tensors, partial rotary dimensions.
"""

from __future__ import annotations

import torch


def convert_to_neighbours(
    weights: dict[str, torch.Tensor], n_heads: int, n_kv_heads: int, zero_centred: bool = False
) -> dict[str, torch.Tensor]:
    """The same weights for a model that rotates other pairs of channels, and multiplies by its norm weights as they are."""
    result = {}
    for name, w in weights.items():
        heads = _rotated_heads(name, n_heads, n_kv_heads)
        if heads:
            halves = w.reshape(heads, 2, -1, *w.shape[1:])  # (H, 2, D/2, …)
            w = halves.transpose(1, 2).reshape(w.shape)  # row i beside row i + D/2
        result[name] = _shifted(w) if zero_centred and name.endswith("norm.weight") else w
    return result


def convert_to_halves(
    weights: dict[str, torch.Tensor], n_heads: int, n_kv_heads: int, zero_centred: bool = False
) -> dict[str, torch.Tensor]:
    """The same weights for a model that rotates other pairs of channels, and multiplies by its norm weights as they are."""
    result = {}
    for name, w in weights.items():
        heads = _rotated_heads(name, n_heads, n_kv_heads)
        if heads:
            pairs = w.reshape(heads, -1, 2, *w.shape[1:])  # (H, D/2, 2, …)
            w = pairs.transpose(1, 2).reshape(w.shape)  # even rows before odd ones
        result[name] = _shifted(w) if zero_centred and name.endswith("norm.weight") else w
    return result


def _rotated_heads(name: str, n_heads: int, n_kv_heads: int) -> int | None:
    heads = {"q_proj": n_heads, "k_proj": n_kv_heads, "q_norm": 1, "k_norm": 1}  # what is rotated, or scales it
    return heads.get(name.split(".")[-2])


def _shifted(w: torch.Tensor) -> torch.Tensor:
    return w.to(torch.promote_types(w.dtype, torch.float32)) + 1  # a half type would round the sum
