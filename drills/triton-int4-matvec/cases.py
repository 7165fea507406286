"""Cases, equivalents and peer of the kata triton-int4-matvec; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def weight(make: Inputs, n: int, groups: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Any bytes, and scales that differ from row to row and from group to group."""
    packed = make.integers(0, 256, n, groups * size // 2, dtype=torch.uint8)
    return packed, make.uniform(n, groups, low=0.1, high=2.0)


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="five rows, two groups of six columns: three bytes in a block of four", clauses=("packed", "scale", "always"))
def base(make: Inputs) -> Call:
    return call(*weight(make, 5, 2, 6), make.normal(12))


@case(why="one row, one group, one byte", clauses=("packed", "result"))
def one_byte(make: Inputs) -> Call:
    return call(*weight(make, 1, 1, 2), make.normal(2))


@case(why="each half byte once, against a vector that picks the columns apart", clauses=("packed",))
def every_half(make: Inputs) -> Call:
    packed = torch.tensor([[0x10, 0x32, 0x54, 0x76], [0x98, 0xBA, 0xDC, 0xFE]], dtype=torch.uint8)
    return call(packed, torch.tensor([[1.0], [0.5]]), torch.tensor([1.0, 20.0, 3.0, 50.0, 7.0, 110.0, 13.0, 170.0]))


@case(why="groups of two columns: every byte has a scale of its own", clauses=("scale",))
def small_groups(make: Inputs) -> Call:
    return call(*weight(make, 3, 5, 2), make.normal(10))


@case(why="eight groups of eight columns and eight rows: swapped axes give no error", clauses=("scale", "packed"))
def equal_sizes(make: Inputs) -> Call:
    return call(*weight(make, 8, 8, 8), make.normal(64))


@case(why="seventeen rows: one more than a block of sixteen", clauses=("result",))
def one_more_row(make: Inputs) -> Call:
    return call(*weight(make, 17, 2, 4), make.normal(8))


@case(why="bytes that are all zero: each number is −8, in the padding too", clauses=("packed", "scale"))
def zero_bytes(make: Inputs) -> Call:
    packed, scale = weight(make, 3, 2, 10)
    return call(packed * 0, scale, make.normal(20, mean=1.0))


@case(why="bytes transposed, scales sliced, every other number of x", clauses=("packed", "scale", "x"))
def views(make: Inputs) -> Call:
    packed = make.integers(0, 256, 9, 4, dtype=torch.uint8).T
    return call(packed, make.uniform(4, 5, low=0.1, high=2.0)[:, 1:4], make.normal(36)[::2])


@case(why="float16 whose products leave its range, and whose sum does not", clauses=("result", "x"))
def float16(make: Inputs) -> Call:
    packed, scale = weight(make, 3, 2, 8)
    x = torch.tensor([1.0, -1.0]).repeat(8) * 300.0
    packed = (packed & 15) * 17  # both halves alike: the products of each byte cancel
    return call(packed, scale * 100, (x + make.normal(16)).to(torch.float16))


@case(why="bfloat16: the sum keeps more than 8 bits", rtol=5e-3, atol=5e-3, clauses=("result",))
def bfloat16(make: Inputs) -> Call:
    return call(*weight(make, 3, 4, 50), make.normal(200, dtype=torch.bfloat16))


@case(why="32 rows of 512 columns: bytes are counted", clauses=("bytes",))
def counted(make: Inputs) -> Call:
    return call(*weight(make, 32, 4, 128), make.normal(512))


@case(why="no rows: an empty result", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(*weight(make, 0, 2, 4), make.normal(8))


@case(why="sizes of its own", fresh=True, clauses=("scale", "result"))
def fresh(make: Inputs) -> Call:
    groups, size = make.size(2, 5), 2 * make.size(3, 12)
    return call(*weight(make, make.size(2, 20), groups, size), make.normal(groups * size))


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def column_kernel(
    packed, scale, x, y, p_n, p_j, s_n, s_g, x_k, N, GROUPS, SIZE, ROWS: tl.constexpr, BLOCK: tl.constexpr
):
    n = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    c = tl.arange(0, BLOCK)[None, :]
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    for group in range(GROUPS):
        k = group * SIZE + c
        both = tl.load(packed + n * p_n + k // 2 * p_j, (n < N) & (c < SIZE), 0).to(tl.int32)
        q = ((both >> (k % 2 * 4)) & 15) - 8
        s = tl.load(scale + n * s_n + group * s_g, n < N, 0.0)
        total += q.to(tl.float32) * s * tl.load(x + k * x_k, c < SIZE, 0.0).to(tl.float32)
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    tl.store(y + rows, tl.sum(total, axis=1).to(y.dtype.element_ty), rows < N)


@equivalent("a-lane-a-column", why="a lane for each column shifts its half out; summed once, at the end")
def a_lane_a_column(packed, scale, x):
    n, groups = scale.shape
    size = 2 * packed.shape[1] // groups
    y = x.new_empty(n)
    strides = (*packed.stride(), *scale.stride(), x.stride(0))
    block = triton.next_power_of_2(size)
    column_kernel[(triton.cdiv(n, 16),)](packed, scale, x, y, *strides, n, groups, size, 16, block)
    return y


@triton.jit
def offset_kernel(
    packed, scale, x, y, p_n, p_j, s_n, s_g, x_k, N, GROUPS, HALF, ROWS: tl.constexpr, BLOCK: tl.constexpr
):
    n, j = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, BLOCK)
    acc = tl.zeros((ROWS,), tl.float32)
    for group in range(GROUPS):
        x_at = x + (group * HALF + j) * 2 * x_k
        even = tl.load(x_at, j < HALF, 0.0).to(tl.float32)
        odd = tl.load(x_at + x_k, j < HALF, 0.0).to(tl.float32)
        p_at = packed + n[:, None] * p_n + (group * HALF + j)[None, :] * p_j
        both = tl.load(p_at, (n < N)[:, None] & (j < HALF)[None, :], other=136)  # both halves are 8, which is 0
        high = both // 16
        low = both - high * 16
        # The offset is taken out of the sum: Σ (q + 8) x − 8 Σ x.
        dot = tl.sum(low.to(tl.float32) * even[None, :] + high.to(tl.float32) * odd[None, :], axis=1)
        dot -= 8.0 * (tl.sum(even) + tl.sum(odd))
        acc += tl.load(scale + n * s_n + group * s_g, n < N, 0.0) * dot
    tl.store(y + n, acc, n < N)


@equivalent("offset-taken-out", why="the offset of 8 is taken out of the sum, and halves are cut by division")
def offset_taken_out(packed, scale, x):
    n, groups = scale.shape
    half = packed.shape[1] // groups
    y = torch.empty((n,), dtype=x.dtype, device=x.device)
    strides = (*packed.stride(), *scale.stride(), x.stride(0))
    block = triton.next_power_of_2(half)
    offset_kernel[(triton.cdiv(n, 32),)](packed, scale, x, y, *strides, n, groups, half, ROWS=32, BLOCK=block)
    return y


@peer("numpy")
def by_numpy(packed, scale, x):
    halves = packed.numpy()[..., None] >> (0, 4) & 15
    q = halves.reshape(packed.shape[0], 2 * packed.shape[1]).astype("float64") - 8
    each = scale.detach().double().repeat_interleave(q.shape[1] // scale.shape[1], dim=1).numpy()
    return torch.from_numpy((q * each) @ x.detach().double().numpy()).to(x.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    n, groups = draw.pick(0, 1, 1, 2, 5, 16, 17, 33), draw.pick(1, 1, 2, 3, 5)
    size = draw.pick(2, 4, 6, 8, 10, 16, 30, 64)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    packed = draw.integers(0, 256, n, groups * size // 2, dtype=torch.uint8)
    if draw.chance(0.1):
        draw.mark("bytes of zeros")
        packed = packed * 0
    scale = draw.uniform(n, groups, low=0.01, high=2.0)
    x = draw.normal(groups * size, mean=draw.pick(0.0, 0.0, 1.0)).to(dtype)
    return call(placed(draw, packed), placed(draw, scale), placed(draw, x[None])[0])


def placed(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """The matrix as it may lie in memory: packed, transposed, with gaps between its rows or its columns."""
    kind = draw.pick(
        "packed", "packed", "transposed", "columns of a wider one", "every other row", "every other column"
    )
    draw.mark("layout", kind)
    if kind == "transposed":
        return x.T.contiguous().T
    if kind == "columns of a wider one":
        wide = torch.full((x.shape[0], x.shape[1] + 5), 77, dtype=x.dtype)
        wide[:, 2:-3] = x
        return wide[:, 2:-3]
    if kind == "every other row":
        return torch.stack((x, x + 7), dim=1).flatten(0, 1)[::2]
    if kind == "every other column":
        return torch.stack((x, x + 7), dim=2).flatten(1, 2)[:, ::2]
    return x
