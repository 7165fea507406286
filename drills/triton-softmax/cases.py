"""Cases, equivalents and peer of the kata triton-softmax; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="six columns in a block of eight: two lanes lie beyond the row", clauses=("input", "result", "always"))
def base(make: Inputs) -> Call:
    return call(make.normal(3, 6, std=2.0))


@case(why="eight columns fill their block: no lane is left over", clauses=("input", "result"))
def full_block(make: Inputs) -> Call:
    return call(make.normal(2, 8, std=2.0))


@case(why="one column: each result is 1", clauses=("input", "result"))
def one_column(make: Inputs) -> Call:
    return call(make.normal(3, 1, std=5.0))


@case(why="as many rows as columns: swapped strides or axes give no error", clauses=("input", "result"))
def square(make: Inputs) -> Call:
    return call(make.normal(5, 5, std=2.0))


@case(why="every number is negative: a lane that holds 0 would be the maximum", clauses=("magnitude",))
def all_negative(make: Inputs) -> Call:
    return call(make.normal(2, 5, mean=-200.0, std=2.0))


@case(why="numbers near +500: exp of them is infinite unless the maximum is taken away", clauses=("magnitude",))
def large(make: Inputs) -> Call:
    return call(make.normal(2, 7, mean=500.0, std=2.0))


@case(why="numbers near −10³⁰: what stands in for −inf in the lanes beyond must be below them", clauses=("magnitude",))
def far_below(make: Inputs) -> Call:
    return call(torch.tensor([[-2e30, -1e30, -3e30], [-1e30, -1e30, -5e30]]))


@case(why="masked scores are −inf, at the beginning, in the middle and at the end of a row", clauses=("magnitude",))
def masked(make: Inputs) -> Call:
    x = make.normal(3, 6, std=2.0)
    x[0, 0] = x[1, 2:5] = x[2, 1:] = -torch.inf
    return call(x)


@case(why="columns 3 to 8 of a wider matrix: rows lie farther apart than a row is long", clauses=("input",))
def slice_of_columns(make: Inputs) -> Call:
    return call(make.normal(4, 11, std=2.0)[:, 3:9])


@case(why="a transposed matrix: neighbours of a row lie far apart", clauses=("input",))
def transposed(make: Inputs) -> Call:
    return call(make.normal(5, 3, std=2.0).T)


@case(why="every other row, in float16", clauses=("input", "float32-inside"))
def every_other_row(make: Inputs) -> Call:
    return call(make.normal(5, 10, std=3.0, dtype=torch.float16)[::2])


# Chosen so that the results lie close to numbers of bfloat16: whoever rounds once, rounds alike. With powers that are
# rounded to bfloat16 first, two of the results come out a whole unit of the last place away.
_NEAR = (2.3125, -0.439453125, -3.265625, 0.8515625, -1.625)


@case(
    why="bfloat16: the results lie close to numbers of the type, and are missed by rounded powers",
    rtol=4e-3,
    atol=0.0,
    clauses=("float32-inside",),
)
def bfloat16(make: Inputs) -> Call:
    return call(torch.tensor((_NEAR, _NEAR[::-1]), dtype=torch.bfloat16))


@case(
    why="float16 numbers near 0 beside one of 7: what is left of them in float16 after 7 is taken away is rounded",
    clauses=("float32-inside",),
)
def float16(make: Inputs) -> Call:
    x = make.normal(2, 21, dtype=torch.float16)
    x[:, 5] = 7.0
    return call(x)


@case(why="1500 columns: the block must grow with the row, and the bytes are counted", clauses=("one-pass", "input"))
def long_rows(make: Inputs) -> Call:
    return call(make.normal(2, 1500, std=2.0))


@case(why="no rows: an empty result", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5))


@case(why="sizes of its own", fresh=True, clauses=("input", "result"))
def fresh(make: Inputs) -> Call:
    return call(make.normal(make.size(2, 5), make.size(9, 60), std=3.0))


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def two_rows_kernel(x, y, x_row, x_column, m, n, BLOCK: tl.constexpr):
    row = tl.program_id(0) * 2 + tl.arange(0, 2)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < m) & (column < n)
    v = tl.load(x + row * x_row + column * x_column, mask=inside, other=float("-inf")).to(tl.float32)
    v = tl.where(row < m, v, 0.0)  # a row that is not there must not be all −inf
    v = v - tl.max(v, axis=1, keep_dims=True)
    power = tl.exp(v)
    tl.store(y + row * n + column, power / tl.sum(power, axis=1, keep_dims=True), mask=inside)


@equivalent("two-rows", why="a tile of two rows a program")
def two_rows(x):
    m, n = x.shape
    y = torch.empty((m, n), dtype=x.dtype, device=x.device)
    two_rows_kernel[(triton.cdiv(m, 2),)](x, y, x.stride(0), x.stride(1), m, n, BLOCK=triton.next_power_of_2(n))
    return y


@triton.jit
def persistent_kernel(x, y, x_row, x_column, y_row, y_column, m, n, programs, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    for row in range(tl.program_id(0), m, programs):
        v = tl.load(x + row * x_row + column * x_column, mask=column < n, other=float("-inf"))
        v = v.to(tl.float32) * 1.4426950408889634  # log2 e: exp2 is what the hardware has
        power = tl.exp2(v - tl.max(v, axis=0))
        result = (power / tl.sum(power, axis=0)).to(y.dtype.element_ty)
        tl.store(y + row * y_row + column * y_column, result, mask=column < n)


@equivalent("persistent", why="two programs walk over the rows, by exp2, into a result with x's own strides")
def persistent(x):
    y = torch.empty_like(x)
    block = max(16, triton.next_power_of_2(x.shape[1]))
    grid = (min(2, x.shape[0]),)
    persistent_kernel[grid](x, y, *x.stride(), *y.stride(), *x.shape, grid[0], BLOCK=block)
    return y


@triton.jit
def walked_kernel(x, y, x_row, x_column, n, BLOCK: tl.constexpr):
    x += tl.program_id(0) * x_row
    y += tl.program_id(0) * n
    where = tl.arange(0, BLOCK)
    v = tl.load(x + where * x_column, where < n)
    v = tl.where(where < n, v.to(tl.float32), -1e38)
    e = tl.where(where < n, tl.exp(v - tl.max(v)), 0.0)
    tl.store(y + where, e * (1.0 / tl.sum(e)), where < n)


@equivalent("cleans-up-afterwards", why="loads without `other`, and puts values into the lanes beyond the row itself")
def cleans_up_afterwards(x):
    y = x.new_empty(x.shape)
    walked_kernel[lambda meta: (x.shape[0],)](x, y, *x.stride(), x.shape[1], triton.next_power_of_2(x.shape[1]))
    return y


@peer("torch")
def by_torch(x):
    return torch.softmax(x.float(), dim=1).to(x.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    n = draw.pick(1, 2, 3, 4, 5, 8, 13, 31, 33, 64, 129, 300)
    m = draw.pick(0, 1, 1, 2, 3, 4) if n != 5 else draw.pick(1, 5)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    x = draw.normal(m, n, std=draw.pick(0.2, 2.0, 2.0, 10.0), mean=draw.pick(0.0, 0.0, -300.0, 300.0))
    if n > 1 and draw.chance(0.3):
        draw.mark("masked scores")
        hidden = draw.boolean(m, n, true=0.4)
        hidden[:, draw.pick(0, -1, n // 2)] = False
        x = x.masked_fill(hidden, -torch.inf)
    return call(placed(draw, x.to(dtype)))


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
