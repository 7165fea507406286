"""Cases, equivalents and peer of the kata triton-rms-norm; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="five channels in a block of eight, and a mean far from zero", clauses=("input", "formula", "always"))
def base(make: Inputs) -> Call:
    x = make.normal(3, 5, mean=1.5) * torch.tensor([0.5, 2.0, 4.0]).view(3, 1)
    return call(x, make.uniform(5, low=0.5, high=2.0))


@case(why="eight channels fill their block: no lane is left over", clauses=("formula",))
def full_block(make: Inputs) -> Call:
    return call(make.normal(2, 8, mean=0.5), make.normal(8))


@case(why="one channel: each number becomes its sign, times the weight", clauses=("formula", "input"))
def one_channel(make: Inputs) -> Call:
    return call(torch.tensor([[3.0], [-0.5], [40.0]]), make.uniform(1, low=0.5, high=2.0))


@case(why="as many rows as channels: swapped strides or a wrong axis give no error", clauses=("input", "formula"))
def square(make: Inputs) -> Call:
    x = make.normal(5, 5, mean=1.0) * torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0]).view(5, 1)
    return call(x, make.uniform(5, low=0.5, high=2.0))


@case(why="an eps of 0.5 beside small numbers: its place under the root matters", clauses=("formula",))
def large_eps(make: Inputs) -> Call:
    return call(make.normal(3, 7, std=0.8), make.uniform(7, low=0.5, high=2.0), 0.5)


@case(why="a row of zeros: only eps keeps 0/0 away", clauses=("zeros",))
def zero_row(make: Inputs) -> Call:
    x = make.normal(3, 6, mean=1.0)
    x[1] = 0.0
    return call(x, make.uniform(6, low=0.5, high=2.0))


@case(why="x is a slice of columns, and the weight every third number of a longer one", clauses=("input",))
def views(make: Inputs) -> Call:
    return call(make.normal(3, 11, mean=0.5)[:, 2:9], make.uniform(21, low=0.5, high=2.0)[::3])


@case(why="a transposed x: neighbours of a row lie far apart", clauses=("input",))
def transposed(make: Inputs) -> Call:
    return call(make.normal(6, 3, mean=0.5).T, make.uniform(6, low=0.5, high=2.0))


@case(why="numbers near 300 in float16: their squares overflow", clauses=("float32-inside",))
def float16_large(make: Inputs) -> Call:
    x = make.uniform(2, 10, low=250.0, high=350.0, dtype=torch.float16)
    x[:, ::3] *= -1
    return call(x, make.uniform(10, low=0.5, high=2.0, dtype=torch.float16))


@case(
    why="bfloat16 with a float32 weight: the result is x's type, and nothing is rounded before the weight",
    clauses=("float32-inside", "formula"),
)
def mixed(make: Inputs) -> Call:
    return call(make.normal(2, 20, mean=0.5, dtype=torch.bfloat16), make.uniform(20, low=0.5, high=2.0))


@case(
    why="an outlier pushes the rest below float16, and a large weight brings it back, unless it was rounded before",
    clauses=("float32-inside",),
)
def outlier(make: Inputs) -> Call:
    x = make.uniform(2, 9, low=2e-6, high=4e-6, dtype=torch.float16)
    x[:, 3] = 300.0
    weight = make.uniform(9, low=3e4, high=6e4, dtype=torch.float16)
    weight[3] = 0.01
    return call(x, weight)


@case(
    why="a float32 weight beyond float16 beside a float16 x: rounded to x's type it is infinite",
    clauses=("float32-inside", "input"),
)
def wide_weight(make: Inputs) -> Call:
    x = make.normal(2, 6).to(torch.float16)
    x[:, 0] = 300.0
    weight = make.uniform(6, low=7e4, high=1e5)
    weight[0] = 0.01
    return call(x, weight)


@case(why="a float32 x with a bfloat16 weight", clauses=("input",))
def half_weight(make: Inputs) -> Call:
    return call(make.normal(2, 6, mean=0.5), make.uniform(6, low=0.5, high=2.0, dtype=torch.bfloat16))


@case(why="1500 channels: the block must grow with the row, and the bytes are counted", clauses=("one-pass", "input"))
def long_rows(make: Inputs) -> Call:
    return call(make.normal(2, 1500, mean=0.5), make.uniform(1500, low=0.5, high=2.0))


@case(why="no rows: an empty result", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5), make.normal(5))


@case(why="sizes and eps of its own", fresh=True, clauses=("formula",))
def fresh(make: Inputs) -> Call:
    m, d = make.size(2, 4), make.size(9, 60)
    x = make.normal(m, d, mean=1.0) * make.uniform(m, 1, low=0.3, high=3.0)
    return call(x, make.uniform(d, low=0.5, high=2.0), 1e-3)


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def tile_kernel(x, w, y, x_row, x_column, w_step, m, d, eps, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    c = tl.arange(0, BLOCK)[None, :]
    inside = (row < m) & (c < d)
    v = tl.load(x + row * x_row + c * x_column, inside, 0.0).to(tl.float32)
    root = tl.sqrt(tl.sum(v * v, axis=1) / d + eps)
    scale = tl.load(w + c * w_step, c < d, 0.0).to(tl.float32)
    tl.store(y + row * d + c, (v / root[:, None] * scale).to(y.dtype.element_ty), inside)


@equivalent("rows-in-a-tile", why="four rows a program share one load of the weight; divides by the root")
def rows_in_a_tile(x, weight, eps=1e-6):
    m, d = x.shape
    y = torch.empty((m, d), dtype=x.dtype, device=x.device)
    block = triton.next_power_of_2(d)
    tile_kernel[(triton.cdiv(m, 4),)](x, weight, y, *x.stride(), *weight.stride(), m, d, eps, ROWS=4, BLOCK=block)
    return y


@triton.jit
def cleaned_kernel(x, w, y, x_row, x_column, w_step, y_row, y_column, d: tl.constexpr, eps, BLOCK: tl.constexpr):
    x += tl.program_id(0) * x_row
    y += tl.program_id(0) * y_row
    c = tl.arange(0, BLOCK)
    v = tl.where(c < d, tl.load(x + c * x_column, c < d).to(tl.float32), 0.0)
    factor = 1 / tl.sqrt_rn(tl.sum(v * v) * (1 / d) + eps)
    tl.store(y + c * y_column, v * (factor * tl.load(w + c * w_step, c < d).to(tl.float32)), c < d)


@equivalent("strides-of-x", why="the result has x's strides, the width is a constant, lanes are cleaned after the load")
def strides_of_x(x, weight, eps=1e-6):
    y = torch.empty_like(x)
    m, d = x.shape
    grid = lambda meta: (m,)  # noqa: E731  # as tutorials write it
    cleaned_kernel[grid](
        x, weight, y, *x.stride(), weight.stride(0), *y.stride(), d, eps, BLOCK=triton.next_power_of_2(d), num_warps=2
    )
    return y


@peer("torch")
def by_torch(x, weight, eps=1e-6):
    return F.rms_norm(x.float(), (x.shape[1],), weight.float(), eps).to(x.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    d = draw.pick(1, 2, 3, 4, 5, 8, 13, 31, 33, 64, 129, 300)
    m = draw.pick(0, 1, 1, 2, 3, 4) if d != 5 else draw.pick(1, 5)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    weight_dtype = draw.pick(dtype, dtype, torch.float32, torch.float16, torch.bfloat16)
    size = draw.pick("ordinary", "ordinary", "large", "small")  # squares that overflow, or drown, in float16
    draw.mark("size", size)
    x = draw.normal(m, d, mean=draw.pick(0.0, 0.7, -1.5)) * {"ordinary": 1.0, "large": 300.0, "small": 3e-4}[size]
    x = x * draw.uniform(m, 1, low=0.3, high=3.0)
    if m and draw.chance(0.2):
        draw.mark("a row of zeros")
        x[draw.pick(0, -1)] = 0.0
    weight = placed(draw, draw.normal(d, std=draw.pick(1.0, 1.0, 30.0)).to(weight_dtype)[None])[0]
    args = (placed(draw, x.to(dtype)), weight)
    return call(*args, draw.option(1e-6, 1e-5, 0.1, 1.0)) if draw.given(0.7) else call(*args)


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
