"""Attention as one Triton kernel: the scores exist a tile at a time, and never in memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def attention_kernel(
    q,
    k,
    v,
    o,
    q_h,
    q_l,
    q_d,
    k_h,
    k_s,
    k_d,
    v_h,
    v_s,
    v_d,
    L,
    S,
    D,
    scale,
    CAUSAL: tl.constexpr,
    BL: tl.constexpr,
    BS: tl.constexpr,
    BD: tl.constexpr,
):
    head = tl.program_id(1)
    i = tl.program_id(0) * BL + tl.arange(0, BL)  # (BL,) queries of this program
    d = tl.arange(0, BD)  # (BD,), a power of two that covers D
    wide = d[None, :] < D
    q_at = q + head * q_h + i[:, None] * q_l + d[None, :] * q_d
    query = tl.load(q_at, mask=(i[:, None] < L) & wide, other=0.0)  # (BL, BD)
    peak = tl.full((BL,), -float("inf"), tl.float32)  # the highest score so far
    total = tl.zeros((BL,), tl.float32)  # sum of exp(score − peak)
    acc = tl.zeros((BL, BD), tl.float32)  # sum of exp(score − peak) · value
    end = S
    if CAUSAL:  # no query of this program sees a key from here on
        end = tl.minimum(S, (tl.program_id(0) + 1) * BL + S - L)
    for start in range(0, end, BS):
        j = start + tl.arange(0, BS)  # (BS,) keys; the last block may reach beyond S
        inside = (j[:, None] < S) & wide
        k_at = k + head * k_h + j[:, None] * k_s + d[None, :] * k_d
        v_at = v + head * v_h + j[:, None] * v_s + d[None, :] * v_d
        key = tl.load(k_at, mask=inside, other=0.0)  # (BS, BD)
        value = tl.load(v_at, mask=inside, other=0.0)  # 0 beyond S: 0 · NaN is NaN
        score = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
        seen = j[None, :] < S
        if CAUSAL:
            seen = seen & (j[None, :] <= i[:, None] + S - L)
        score = tl.where(seen, score, -float("inf"))  # (BL, BS)
        higher = tl.maximum(peak, tl.max(score, axis=1))
        shrink = tl.exp(peak - higher)  # both sums were taken against the old peak
        weight = tl.exp(score - higher[:, None])  # (BL, BS)
        total = total * shrink + tl.sum(weight, axis=1)
        mixed = tl.dot(weight.to(value.dtype), value, input_precision="ieee")
        acc = acc * shrink[:, None] + mixed
        peak = higher
    o_at = o + (head * L + i[:, None]) * D + d[None, :]
    tl.store(o_at, acc / total[:, None], mask=(i[:, None] < L) & wide)  # divided once


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool = False) -> torch.Tensor:
    """Softmax attention of q (H, L, D) over k and v (H, S, D); causal: query i sees the keys up to i + S − L."""
    H, L, D = q.shape
    S = k.shape[1]
    o = torch.empty((H, L, D), dtype=q.dtype, device=q.device)
    strides = (*q.stride(), *k.stride(), *v.stride())
    width = max(16, triton.next_power_of_2(D))  # tl.dot takes 16 at least
    grid = (triton.cdiv(L, 32), H)
    attention_kernel[grid](q, k, v, o, *strides, L, S, D, D**-0.5, CAUSAL=causal, BL=32, BS=32, BD=width)
    return o
