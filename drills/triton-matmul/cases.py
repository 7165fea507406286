"""Cases, equivalents and peer of the kata triton-matmul; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="every size differs, and none is a multiple of a block", clauses=("input", "result", "always"))
def base(make: Inputs) -> Call:
    return call(make.normal(5, 19), make.normal(19, 7))


@case(why="two tiles each way, the last of each not full", clauses=("input", "result"))
def ragged_tiles(make: Inputs) -> Call:
    return call(make.normal(35, 21), make.normal(21, 66))


@case(why="three tiles side by side: each begins where the one before ends", clauses=("result",))
def wide(make: Inputs) -> Call:
    return call(make.normal(2, 3), make.normal(3, 140))


@case(why="65 numbers along K: one is left for the last block", clauses=("input", "result"))
def one_beyond_the_block(make: Inputs) -> Call:
    return call(make.normal(3, 65), make.normal(65, 4))


@case(why="blocks of 32 fit exactly: nothing is masked", clauses=("input", "result"))
def full_blocks(make: Inputs) -> Call:
    return call(make.normal(32, 64), make.normal(64, 32))


@case(why="the same a twice, with another b", clauses=("result", "always"))
def other_weights(make: Inputs) -> tuple[Call, ...]:
    a = make.normal(2, 5)
    return call(a, make.normal(5, 3)), call(a, make.normal(5, 3))


@case(why="b is a transposed weight, as in a linear layer", clauses=("input",))
def transposed(make: Inputs) -> Call:
    return call(make.normal(6, 10), make.normal(9, 10).T)


@case(why="slices of wider matrices, the first of them transposed", clauses=("input",))
def slices(make: Inputs) -> Call:
    return call(make.normal(20, 9)[1:18, 2:7].T, make.normal(17, 12)[:, 3:11])


@case(why="one number times one number", clauses=("input", "result"))
def ones(make: Inputs) -> Call:
    return call(make.normal(1, 1), make.normal(1, 1))


@case(why="one row times a matrix, as in decoding", clauses=("input", "result"))
def one_row(make: Inputs) -> Call:
    return call(make.normal(1, 40), make.normal(40, 35))


@case(why="whole numbers beyond the 11 bits of TF32: their products are exact in float32", clauses=("full-float32",))
def whole_numbers(make: Inputs) -> Call:
    return call(make.integers(2049, 4096, 4, 3).float(), make.integers(-3, 4, 3, 5).float())


@case(why="float16: 2048 + 1 is 2048 there, so the sum must be kept in float32", clauses=("accumulator",))
def long_sum(make: Inputs) -> Call:
    a = make.uniform(2, 700, low=0.5, high=1.5, dtype=torch.float16)
    return call(a, make.uniform(700, 3, low=0.5, high=1.5, dtype=torch.float16))


@case(why="float16 partial sums beyond 65504, whose total is small", clauses=("accumulator",))
def large_partial_sums(make: Inputs) -> Call:
    a = make.uniform(2, 128, low=200.0, high=210.0, dtype=torch.float16)
    b = make.integers(100, 110, 64, 3).to(torch.float16)
    return call(torch.cat((a[:, :64], a[:, :64]), dim=1), torch.cat((b, 1 - b)))


@case(why="bfloat16 in, bfloat16 out", clauses=("accumulator", "input"))
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(4, 90, dtype=torch.bfloat16), make.normal(90, 6, dtype=torch.bfloat16))


@case(why="96 × 96 × 96: bytes and tiles are counted", clauses=("tiles",))
def counted(make: Inputs) -> Call:
    return call(make.normal(96, 96), make.normal(96, 96))


@case(why="K is 0: the sum of nothing is 0", clauses=("result", "always"))
def empty_sum(make: Inputs) -> Call:
    return call(make.normal(3, 0), make.normal(0, 2))


@case(why="no rows, and no columns: empty results", clauses=("always",))
def no_rows(make: Inputs) -> tuple[Call, ...]:
    return call(make.normal(0, 4), make.normal(4, 3)), call(make.normal(2, 4), make.normal(4, 0))


@case(why="sizes of its own", fresh=True, clauses=("input", "result"))
def fresh(make: Inputs) -> Call:
    m, k, n = make.size(2, 40), make.size(33, 80), make.size(2, 40)
    return call(make.normal(m, k), make.normal(k, n))


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def walking_kernel(
    A, B, C, M, N, K, am, ak, bk, bn, cm, cn, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr
):
    # Programs of one axis, ordered so that neighbours share columns of B, as in the official tutorial.
    pid = tl.program_id(0)
    tiles_m, tiles_n = tl.cdiv(M, BM), tl.cdiv(N, BN)
    in_group = GROUP * tiles_n
    first = pid // in_group * GROUP
    size = min(tiles_m - first, GROUP)
    pid_m, pid_n = first + pid % in_group % size, pid % in_group // size
    om, on, ok = pid_m * BM + tl.arange(0, BM), pid_n * BN + tl.arange(0, BN), tl.arange(0, BK)
    # Rows beyond M are read again from the start: their results are not stored.
    a_at = A + (om % M)[:, None] * am + ok[None, :] * ak
    b_at = B + ok[:, None] * bk + (on % N)[None, :] * bn
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for step in range(tl.cdiv(K, BK)):
        a = tl.load(a_at, mask=ok[None, :] < K - step * BK, other=0.0)
        b = tl.load(b_at, mask=ok[:, None] < K - step * BK, other=0.0)
        acc = tl.dot(a, b, acc, input_precision="ieee")
        a_at += BK * ak
        b_at += BK * bk
    c_at = C + om[:, None] * cm + on[None, :] * cn
    tl.store(c_at, acc.to(C.dtype.element_ty), mask=(om[:, None] < M) & (on[None, :] < N))


@equivalent("pointers-that-walk", why="the official tutorial's: grouped programs, pointers that advance, rows modulo M")
def pointers_that_walk(a, b):
    (M, K), N = a.shape, b.shape[1]
    c = torch.empty((M, N), device=a.device, dtype=a.dtype)
    grid = lambda META: (triton.cdiv(M, META["BM"]) * triton.cdiv(N, META["BN"]),)  # noqa: E731  # as the tutorial has it
    walking_kernel[grid](a, b, c, M, N, K, *a.stride(), *b.stride(), *c.stride(), BM=16, BN=64, BK=16, GROUP=2)
    return c


@triton.jit
def transposing_kernel(a, b, c, M, N, K, a_m, a_k, b_k, b_n, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    n = tl.program_id(0) * BN + tl.arange(0, BN)
    m = tl.program_id(1) * BM + tl.arange(0, BM)
    acc = tl.zeros((BN, BM), tl.float32)
    for k0 in range(0, K, BK):
        k = k0 + tl.arange(0, BK)
        u = tl.load(a + m[None, :] * a_m + k[:, None] * a_k, (m[None, :] < M) & (k[:, None] < K), 0.0)
        v = tl.load(b + k[None, :] * b_k + n[:, None] * b_n, (n[:, None] < N) & (k[None, :] < K), 0.0)
        acc += tl.dot(v.to(tl.float32), u.to(tl.float32), input_precision="ieee")
    result = tl.trans(acc).to(c.dtype.element_ty)
    tl.store(c + m[:, None] * N + n[None, :], result, (m[:, None] < M) & (n[None, :] < N))


@equivalent("transposed-tiles", why="computes the transposed tile from float32 numbers, columns on the first axis")
def transposed_tiles(a, b):
    c = a.new_zeros(a.shape[0], b.shape[1])
    grid = (triton.cdiv(b.shape[1], 32), triton.cdiv(a.shape[0], 16))
    transposing_kernel[grid](a, b, c, *c.shape, a.shape[1], *a.stride(), *b.stride(), 16, 32, 64)
    return c


@peer("torch")
def by_torch(a, b):
    return torch.einsum("mk,kn->mn", a.float(), b.float()).to(a.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    m, n = draw.pick(0, 1, 2, 5, 16, 31, 33, 40), draw.pick(0, 1, 2, 5, 16, 33, 64, 70)
    k = draw.pick(0, 1, 3, 8, 16, 17, 20, 33, 40) if m != 5 else draw.pick(5, n)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    mean = draw.pick(0.0, 0.0, 1.0)
    return call(placed(draw, draw.normal(m, k, mean=mean).to(dtype)), placed(draw, draw.normal(k, n).to(dtype)))


def placed(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """The matrix as it may lie in memory: packed, transposed, with gaps between its rows or its columns."""
    kind = draw.pick(
        "packed", "packed", "transposed", "columns of a wider one", "every other row", "every other column"
    )
    draw.mark("layout", kind)
    if kind == "transposed":
        return x.T.contiguous().T
    if kind == "columns of a wider one":
        wide = torch.full((x.shape[0], x.shape[1] + 5), 77.0, dtype=x.dtype)
        wide[:, 2:-3] = x
        return wide[:, 2:-3]
    if kind == "every other row":
        return torch.stack((x, x + 7), dim=1).flatten(0, 1)[::2]
    if kind == "every other column":
        return torch.stack((x, x + 7), dim=2).flatten(1, 2)[:, ::2]
    return x
