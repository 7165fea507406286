"""Causal attention of one head, keys block by block, with the running maximum and sum: queries end where keys end."""

import torch
import triton
import triton.language as tl


@triton.jit
def attend(q, k, v, out, L, S, scale, D: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    d = tl.arange(0, D)
    query = tl.load(q + row[:, None] * D + d[None, :], mask=row[:, None] < L, other=0.0)
    top = tl.full((ROWS,), float("-inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    acc = tl.zeros((ROWS, D), tl.float32)
    last = tl.minimum(S, (tl.program_id(0) + 1) * ROWS + S - L)
    for start in range(0, last, KEYS):
        key = start + tl.arange(0, KEYS)
        kk = tl.load(k + key[:, None] * D + d[None, :], mask=key[:, None] < S, other=0.0)
        vv = tl.load(v + key[:, None] * D + d[None, :], mask=key[:, None] < S, other=0.0)
        score = tl.dot(query, tl.trans(kk), input_precision="ieee") * scale
        score = tl.where((key[None, :] < S) & (key[None, :] <= row[:, None] + S - L), score, float("-inf"))
        higher = tl.maximum(top, tl.max(score, 1))
        weight = tl.exp(score - higher[:, None])
        shrink = tl.exp(top - higher)
        total = total * shrink + tl.sum(weight, 1)
        acc = acc * shrink[:, None] + tl.dot(weight, vv, input_precision="ieee")
        top = higher
    tl.store(out + row[:, None] * D + d[None, :], acc / total[:, None], mask=row[:, None] < L)


def entry(q, k, v):
    (L, D), S = q.shape, k.shape[0]
    out = torch.empty_like(q)
    attend[(triton.cdiv(L, 32),)](q, k, v, out, L, S, D**-0.5, D, ROWS=32, KEYS=32)
    return out
