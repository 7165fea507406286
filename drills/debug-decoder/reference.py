"""A whole Llama-style decoder, small enough to read in one sitting."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def decoder_logits(tokens: torch.Tensor, weights: dict) -> torch.Tensor:
    """Next-token logits (B, T, V) for tokens (B, T) of int64."""
    x = weights["embedding"][tokens]  # (B, T, C)
    for layer in weights["layers"]:
        x = x + attention(rms_norm(x, layer["attention_norm"]), layer)  # (B, T, C)
        x = x + swiglu(rms_norm(x, layer["mlp_norm"]), layer)  # (B, T, C)
    x = rms_norm(x, weights["final_norm"])
    return x @ weights["head"]  # (B, T, V)


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """x (..., C) over the root of its mean square, times weight (C,)."""
    mean_square = x.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
    return x * torch.rsqrt(mean_square + eps) * weight


def attention(x: torch.Tensor, layer: dict) -> torch.Tensor:
    """Causal grouped-query attention on x (B, T, C): H query heads on H_kv key and value heads of width D."""
    heads, kv_heads, width = layer["w_q"].size(1), layer["w_k"].size(1), layer["w_q"].size(2)
    q = torch.einsum("btc,chd->bhtd", x, layer["w_q"])  # (B, H, T, D)
    k = torch.einsum("btc,chd->bhtd", x, layer["w_k"])  # (B, H_kv, T, D)
    v = torch.einsum("btc,chd->bhtd", x, layer["w_v"])  # (B, H_kv, T, D)
    q = rotate(q)
    k = rotate(k)
    k = k.repeat_interleave(heads // kv_heads, dim=1)  # (B, H, T, D)
    v = v.repeat_interleave(heads // kv_heads, dim=1)  # (B, H, T, D)
    scores = q @ k.transpose(-2, -1) / math.sqrt(width)  # (B, H, T, T)
    later = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(diagonal=1)  # (T, T)
    weights = scores.masked_fill(later, -math.inf).softmax(dim=-1)  # (B, H, T, T)
    mixed = weights @ v  # (B, H, T, D)
    return torch.einsum("bhtd,hdc->btc", mixed, layer["w_o"])  # (B, T, C)


def rotate(x: torch.Tensor, base: float = 10000.0) -> torch.Tensor:
    """RoPE on x (B, H, T, D) at positions 0…T−1, with the pairs (i, i + D/2)."""
    half = x.size(-1) // 2
    positions = torch.arange(x.size(2), device=x.device, dtype=x.dtype)  # (T,)
    rates = base ** (-torch.arange(half, device=x.device, dtype=x.dtype) / half)  # (D/2,)
    angles = positions[:, None] * rates  # (T, D/2)
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]  # (B, H, T, D/2) each
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


def swiglu(x: torch.Tensor, layer: dict) -> torch.Tensor:
    """A gated MLP on x (B, T, C) with F hidden units."""
    gate = F.silu(x @ layer["w_gate"])  # (B, T, F)
    up = x @ layer["w_up"]  # (B, T, F)
    return (gate * up) @ layer["w_down"]  # (B, T, C)
