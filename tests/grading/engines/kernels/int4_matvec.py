"""A matrix of 4-bit numbers, two in a byte, times a vector: dequantised in registers, a scale for each group."""

import torch
import triton
import triton.language as tl


@triton.jit
def rows_times_vector(packed, scale, x, y, N, K, G, ROWS: tl.constexpr, BYTES: tl.constexpr):
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    total = tl.zeros((ROWS,), tl.float32)
    for start in range(0, K // 2, BYTES):
        j = start + tl.arange(0, BYTES)
        here = (n[:, None] < N) & (j[None, :] < K // 2)
        byte = tl.load(packed + n[:, None] * (K // 2) + j[None, :], mask=here, other=0)
        low = (byte & 15).to(tl.float32) - 8
        high = (byte >> 4).to(tl.float32) - 8
        s = tl.load(scale + n[:, None] * (K // G) + (2 * j[None, :]) // G, mask=here, other=0.0)
        even = tl.load(x + 2 * j, mask=j < K // 2, other=0.0)
        odd = tl.load(x + 2 * j + 1, mask=j < K // 2, other=0.0)
        total += tl.sum(s * (low * even[None, :] + high * odd[None, :]), 1)
    tl.store(y + n, total, mask=n < N)


def entry(packed, scale, x, group):
    N, half = packed.shape
    y = torch.empty(N, dtype=x.dtype)
    rows_times_vector[(triton.cdiv(N, 16),)](packed, scale, x, y, N, 2 * half, group, ROWS=16, BYTES=32)
    return y
