"""A matrix product by tiles, ragged on every side, with strides."""

import torch
import triton
import triton.language as tl


@triton.jit
def product_tile(a, b, c, M, N, K, am, ak, bk, bn, TM: tl.constexpr, TN: tl.constexpr, TK: tl.constexpr):
    m = tl.program_id(0) * TM + tl.arange(0, TM)[:, None]
    n = tl.program_id(1) * TN + tl.arange(0, TN)[None, :]
    total = tl.zeros((TM, TN), dtype=tl.float32)
    for start in range(0, K, TK):
        kr = start + tl.arange(0, TK)[None, :]
        kc = start + tl.arange(0, TK)[:, None]
        left = tl.load(a + m * am + kr * ak, mask=(m < M) & (kr < K), other=0.0)
        right = tl.load(b + kc * bk + n * bn, mask=(kc < K) & (n < N), other=0.0)
        total += tl.dot(left, right, input_precision="ieee")
    tl.store(c + m * N + n, total, mask=(m < M) & (n < N))


def entry(a, b):
    (M, K), N = a.shape, b.shape[1]
    c = torch.empty((M, N), dtype=a.dtype)
    grid = (triton.cdiv(M, 32), triton.cdiv(N, 32))
    product_tile[grid](a, b, c, M, N, K, *a.stride(), *b.stride(), TM=32, TN=32, TK=32)
    return c
