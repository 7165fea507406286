"""A whole Llama-style decoder that goes on from a KV cache, and the same without one."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def step(tokens: torch.Tensor, weights: dict, cache: list | None = None) -> tuple[torch.Tensor, list]:
    """Next-token logits (B, T, V) for the new tokens (B, T), which follow those in the cache; and the grown cache."""
    past = cache or [None] * len(weights["layers"])
    grown = []
    x = weights["embedding"][tokens]  # (B, T, C)
    for layer, seen in zip(weights["layers"], past, strict=True):
        mixed, held = attention(rms_norm(x, layer["attention_norm"]), layer, seen)
        x = x + mixed  # (B, T, C)
        x = x + swiglu(rms_norm(x, layer["mlp_norm"]), layer)  # (B, T, C)
        grown.append(held)
    x = rms_norm(x, weights["final_norm"])
    return x @ weights["head"], grown  # (B, T, V), and keys and values (B, H_kv, P + T, D) of each layer


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """x (..., C) over the root of its mean square, times weight (C,)."""
    mean_square = x.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
    return x * torch.rsqrt(mean_square + eps) * weight


def attention(x: torch.Tensor, layer: dict, seen: tuple | None) -> tuple[torch.Tensor, tuple]:
    """Causal grouped-query attention of x (B, T, C) on the P tokens seen and on itself; H query heads on H_kv."""
    heads, kv_heads, width = layer["w_q"].size(1), layer["w_k"].size(1), layer["w_q"].size(2)
    past = 0 if seen is None else seen[0].size(2)
    q = rotate(torch.einsum("btc,chd->bhtd", x, layer["w_q"]), past)  # (B, H, T, D)
    k = rotate(torch.einsum("btc,chd->bhtd", x, layer["w_k"]), past)  # (B, H_kv, T, D)
    v = torch.einsum("btc,chd->bhtd", x, layer["w_v"])  # (B, H_kv, T, D)
    if seen is not None:
        k, v = torch.cat((seen[0], k), dim=2), torch.cat((seen[1], v), dim=2)  # (B, H_kv, P + T, D)
    scores = q @ k.repeat_interleave(heads // kv_heads, dim=1).transpose(-2, -1) / math.sqrt(width)  # (B, H, T, P + T)
    later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(diagonal=past + 1)  # (T, P + T)
    weights = scores.masked_fill(later, -math.inf).softmax(dim=-1)  # (B, H, T, P + T)
    mixed = weights @ v.repeat_interleave(heads // kv_heads, dim=1)  # (B, H, T, D)
    return torch.einsum("bhtd,hdc->btc", mixed, layer["w_o"]), (k, v)


def rotate(x: torch.Tensor, past: int = 0, base: float = 10000.0) -> torch.Tensor:
    """RoPE on x (B, H, T, D) at positions P…P + T − 1, with the pairs (i, i + D/2)."""
    half = x.size(-1) // 2
    positions = torch.arange(past, past + x.size(2), device=x.device, dtype=x.dtype)  # (T,)
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


def without_cache(tokens: torch.Tensor, weights: dict, cache: list | None = None) -> tuple[torch.Tensor, list | None]:
    """Next-token logits (B, T, V) for tokens (B, T): right where no token comes before them."""
    x = weights["embedding"][tokens]  # (B, T, C)
    for layer in weights["layers"]:
        x = x + plain_attention(rms_norm(x, layer["attention_norm"]), layer)  # (B, T, C)
        x = x + swiglu(rms_norm(x, layer["mlp_norm"]), layer)  # (B, T, C)
    x = rms_norm(x, weights["final_norm"])
    return x @ weights["head"], cache  # (B, T, V), and what was given


def plain_attention(x: torch.Tensor, layer: dict) -> torch.Tensor:
    """Causal grouped-query attention on x (B, T, C): H query heads on H_kv key and value heads of width D."""
    heads, kv_heads, width = layer["w_q"].size(1), layer["w_k"].size(1), layer["w_q"].size(2)
    q = rotate(torch.einsum("btc,chd->bhtd", x, layer["w_q"]))  # (B, H, T, D)
    k = rotate(torch.einsum("btc,chd->bhtd", x, layer["w_k"]))  # (B, H_kv, T, D)
    v = torch.einsum("btc,chd->bhtd", x, layer["w_v"])  # (B, H_kv, T, D)
    k = k.repeat_interleave(heads // kv_heads, dim=1)  # (B, H, T, D)
    v = v.repeat_interleave(heads // kv_heads, dim=1)  # (B, H, T, D)
    scores = q @ k.transpose(-2, -1) / math.sqrt(width)  # (B, H, T, T)
    later = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(diagonal=1)  # (T, T)
    weights = scores.masked_fill(later, -math.inf).softmax(dim=-1)  # (B, H, T, T)
    return torch.einsum("bhtd,hdc->btc", weights @ v, layer["w_o"])  # (B, T, C)
