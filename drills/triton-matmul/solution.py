"""A matrix product as one Triton kernel: each program owns one tile of the result."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def matmul_kernel(a, b, c, M, N, K, a_m, a_k, b_k, b_n, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    m = tl.program_id(0) * BM + tl.arange(0, BM)  # (BM,) rows of a and c
    n = tl.program_id(1) * BN + tl.arange(0, BN)  # (BN,) columns of b and c
    rows, columns = m[:, None] < M, n[None, :] < N  # (BM, 1), (1, BN)
    acc = tl.zeros((BM, BN), tl.float32)
    for start in range(0, K, BK):
        k = start + tl.arange(0, BK)  # (BK,); the last block may reach beyond K
        a_at = a + m[:, None] * a_m + k[None, :] * a_k  # (BM, BK)
        b_at = b + k[:, None] * b_k + n[None, :] * b_n  # (BK, BN)
        # 0 beyond K on both sides: 0 · garbage may be NaN.
        u = tl.load(a_at, mask=rows & (k[None, :] < K), other=0.0)
        v = tl.load(b_at, mask=columns & (k[:, None] < K), other=0.0)
        acc += tl.dot(u, v, input_precision="ieee")  # float32 is not cut to tf32
    c_at = c + m[:, None] * N + n[None, :]
    tl.store(c_at, acc, mask=rows & columns)  # rounded to c's dtype here, once


def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The product of a (M, K) and b (K, N)."""
    M, K = a.shape
    N = b.shape[1]
    c = torch.empty((M, N), dtype=a.dtype, device=a.device)
    grid = (triton.cdiv(M, 32), triton.cdiv(N, 64))
    matmul_kernel[grid](a, b, c, M, N, K, *a.stride(), *b.stride(), BM=32, BN=64, BK=16)
    return c
