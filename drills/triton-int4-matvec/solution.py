"""A matrix of packed four-bit numbers times a vector as one Triton kernel: bytes go in, and no weight comes out."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def matvec_kernel(
    packed, scale, x, y, p_n, p_j, s_n, s_g, x_k, N, GROUPS, HALF, ROWS: tl.constexpr, BLOCK: tl.constexpr
):
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)  # (ROWS,) rows of this program
    j = tl.arange(0, BLOCK)  # (BLOCK,), covers the HALF bytes of a group
    acc = tl.zeros((ROWS,), tl.float32)
    for group in range(GROUPS):
        byte = group * HALF + j  # (BLOCK,), where they stand in the row
        p_at = packed + n[:, None] * p_n + byte[None, :] * p_j
        both = tl.load(p_at, mask=(n[:, None] < N) & (j[None, :] < HALF), other=0)
        low = (both & 15).to(tl.float32) - 8  # (ROWS, BLOCK), column 2 · byte
        high = (both >> 4).to(tl.float32) - 8  # column 2 · byte + 1
        # Lanes beyond the group hold −8: x is 0 there.
        even = tl.load(x + 2 * byte * x_k, mask=j < HALF, other=0.0)
        odd = tl.load(x + (2 * byte + 1) * x_k, mask=j < HALF, other=0.0)
        part = tl.sum(low * even.to(tl.float32)[None, :] + high * odd.to(tl.float32)[None, :], axis=1)
        acc += part * tl.load(scale + n * s_n + group * s_g, mask=n < N, other=0.0)  # once a group, not once a number
    tl.store(y + n, acc, mask=n < N)


def int4_matvec(packed: torch.Tensor, scale: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The product of the weight (N, K) held by packed (N, K/2) and scale (N, G) with x (K,); returns (N,)."""
    N, groups = scale.shape
    half = packed.shape[1] // groups  # bytes of a group
    y = torch.empty(N, dtype=x.dtype, device=x.device)
    strides = (*packed.stride(), *scale.stride(), *x.stride())
    block = triton.next_power_of_2(half)
    matvec_kernel[(triton.cdiv(N, 16),)](packed, scale, x, y, *strides, N, groups, half, ROWS=16, BLOCK=block)
    return y
