"""Cases, equivalents and peer of the kata triton-rms-norm-backward; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="three rows of five channels in a block of eight", clauses=("input", "grad-x", "grad-weight", "always"))
def base(make: Inputs) -> Call:
    return call(make.normal(3, 5), make.normal(3, 5, mean=0.5), make.uniform(5, low=0.5, high=2.0))


@case(why="one row: the weight's gradient is that row's alone", clauses=("grad-weight", "grad-x"))
def one_row(make: Inputs) -> Call:
    return call(make.normal(1, 6), make.normal(1, 6), make.normal(6))


@case(why="eight rows of eight channels: swapped strides or axes give no error", clauses=("input", "grad-weight"))
def square(make: Inputs) -> Call:
    return call(make.normal(8, 8), make.normal(8, 8) * make.uniform(8, 1, low=0.5, high=3.0), make.normal(8))


@case(why="one channel: only eps keeps the gradient of x from vanishing", clauses=("grad-x", "forward"))
def one_channel(make: Inputs) -> Call:
    return call(make.normal(3, 1), torch.tensor([[2.0], [-0.5], [1.0]]), make.uniform(1, low=0.5, high=2.0), 0.5)


@case(why="an eps of 0.5 beside small numbers: its place under the root matters", clauses=("forward",))
def large_eps(make: Inputs) -> Call:
    return call(make.normal(3, 7), make.normal(3, 7, std=0.8), make.uniform(7, low=0.5, high=2.0), 0.5)


@case(why="a row of zeros: its root is 1/√eps, and the weight learns nothing from it", clauses=("forward", "grad-x"))
def zero_row(make: Inputs) -> Call:
    x = make.normal(3, 6)
    x[1] = 0.0
    return call(make.normal(3, 6), x, make.uniform(6, low=0.5, high=2.0), 0.01)


@case(why="the gradient transposed, x a slice of columns, every third number of a weight", clauses=("input",))
def views(make: Inputs) -> Call:
    return call(make.normal(7, 3).T, make.normal(3, 11)[:, 2:9], make.uniform(21, low=0.5, high=2.0)[::3])


@case(why="the gradient is expanded, as behind a sum: its strides are 0", clauses=("input",))
def expanded(make: Inputs) -> Call:
    return call(torch.tensor(0.7).expand(3, 5), make.normal(3, 5, mean=0.5), make.uniform(5, low=0.5, high=2.0))


@case(why="float16 near 300: squares and sums leave its range", clauses=("float32-inside",))
def float16_large(make: Inputs) -> Call:
    x = make.uniform(2, 10, low=250.0, high=350.0, dtype=torch.float16)
    grad = make.normal(2, 10, std=100.0, dtype=torch.float16)
    return call(grad, x, make.uniform(10, low=0.5, high=2.0, dtype=torch.float16))


@case(why="bfloat16 with a float32 weight: each result has its own type", clauses=("float32-inside", "grad-weight"))
def mixed(make: Inputs) -> Call:
    half = torch.bfloat16
    return call(make.normal(4, 20, dtype=half), make.normal(4, 20, dtype=half), make.uniform(20, low=0.5, high=2.0))


@case(why="a bfloat16 weight: its gradient is float32 all the same", clauses=("grad-weight",))
def half_weight(make: Inputs) -> Call:
    weight = make.uniform(6, low=0.5, high=2.0, dtype=torch.bfloat16)
    return call(make.normal(3, 6), make.normal(3, 6), weight)


@case(why="1500 channels: the block must grow with the row, and the bytes are counted", clauses=("one-pass", "input"))
def long_rows(make: Inputs) -> Call:
    return call(make.normal(3, 1500), make.normal(3, 1500), make.uniform(1500, low=0.5, high=2.0))


@case(why="no rows: the weight's gradient is zeros, not what memory held", clauses=("always", "grad-weight"))
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5), make.normal(0, 5), make.normal(5))


@case(why="sizes and eps of its own", fresh=True, clauses=("grad-x", "grad-weight"))
def fresh(make: Inputs) -> Call:
    m, d = make.size(2, 5), make.size(9, 60)
    x = make.normal(m, d, mean=0.5) * make.uniform(m, 1, low=0.3, high=3.0)
    return call(make.normal(m, d), x, make.uniform(d, low=0.5, high=2.0), 1e-3)


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def partial_kernel(dy, x, w, dx, partial, d_m, d_d, x_m, x_d, w_d, m, d, eps, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    c = tl.arange(0, BLOCK)
    k = c < d
    scale = tl.load(w + c * w_d, k, 0.0).to(tl.float32)
    share = tl.zeros((BLOCK,), tl.float32)
    for row in range(tl.program_id(0) * ROWS, min(m, tl.program_id(0) * ROWS + ROWS)):
        g = tl.load(dy + row * d_m + c * d_d, k, 0.0).to(tl.float32)
        v = tl.load(x + row * x_m + c * x_d, k, 0.0).to(tl.float32)
        root = 1 / tl.sqrt(tl.sum(v * v) / d + eps)
        a = g * scale
        # The same in another form: root³ · x · sum(a x) / d is taken away.
        out = root * a - root * root * root * v * (tl.sum(a * v) / d)
        tl.store(dx + row * d + c, out.to(dx.dtype.element_ty), k)
        share += g * v * root
    tl.store(partial + tl.program_id(0) * d + c, share, k)


@triton.jit
def join_kernel(partial, dw, parts, d, BLOCK: tl.constexpr):
    c = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for part in range(parts):
        total += tl.load(partial + part * d + c, c < d, 0.0)
    tl.store(dw + c, total, c < d)


@equivalent("partial-sums", why="two rows a program, a partial sum each, joined by a second kernel without atomics")
def partial_sums(grad_output, x, weight, eps=1e-6):
    m, d = x.shape
    parts = triton.cdiv(m, 2)
    dx, dw = torch.empty((m, d), dtype=x.dtype, device=x.device), torch.empty(d, device=x.device)
    partial = torch.empty((parts, d), device=x.device)
    strides = (*grad_output.stride(), *x.stride(), weight.stride(0))
    block = triton.next_power_of_2(d)
    partial_kernel[(parts,)](grad_output, x, weight, dx, partial, *strides, m, d, eps, ROWS=2, BLOCK=block)
    join_kernel[(triton.cdiv(d, 64),)](partial, dw, parts, d, BLOCK=64)
    return dx, dw


@triton.jit
def tile_kernel(dy, x, w, dx, dw, d_m, d_d, x_m, x_d, w_d, m, d, eps, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    r, c = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None], tl.arange(0, BLOCK)[None, :]
    k = (r < m) & (c < d)
    g = tl.load(dy + r * d_m + c * d_d, k, 0.0).to(tl.float32)
    v = tl.load(x + r * x_m + c * x_d, k, 0.0).to(tl.float32)
    scale = tl.load(w + c * w_d, c < d, 0.0).to(tl.float32)
    root = tl.rsqrt(tl.sum(v * v, axis=1, keep_dims=True) / d + eps)
    h = v * root
    along = tl.sum(g * scale * h, axis=1, keep_dims=True) / d
    tl.store(dx + r * d + c, root * (g * scale - h * along), k)
    share = tl.sum(g * h, axis=0)
    tl.atomic_add(dw + tl.arange(0, BLOCK), share, mask=tl.arange(0, BLOCK) < d)


@equivalent("rows-in-a-tile", why="four rows a program are summed in the tile before one atomic addition")
def rows_in_a_tile(grad_output, x, weight, eps=1e-6):
    m, d = x.shape
    dx, dw = x.new_empty(m, d), torch.zeros((d,), dtype=torch.float32, device=x.device)
    strides = (*grad_output.stride(), *x.stride(), weight.stride(0))
    block = triton.next_power_of_2(d)
    tile_kernel[(triton.cdiv(m, 4),)](grad_output, x, weight, dx, dw, *strides, m, d, eps, ROWS=4, BLOCK=block)
    return dx, dw


@peer("torch's autograd")
def by_autograd(grad_output, x, weight, eps=1e-6):
    wide, scale = x.float().requires_grad_(), weight.float().requires_grad_()
    y = F.rms_norm(wide, (x.shape[1],), scale, eps)
    grad_x, grad_weight = torch.autograd.grad(y, (wide, scale), grad_output.float())
    return grad_x.to(x.dtype), grad_weight


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    d = draw.pick(1, 2, 3, 4, 5, 8, 13, 31, 33, 64, 129, 300)
    m = draw.pick(0, 1, 1, 2, 3, 4) if d != 5 else draw.pick(1, 5)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    grad_dtype = draw.pick(dtype, dtype, dtype, torch.float32, torch.bfloat16)
    weight_dtype = draw.pick(dtype, dtype, torch.float32, torch.float16, torch.bfloat16)
    x = draw.normal(m, d, mean=draw.pick(0.0, 0.7, -1.5)) * draw.pick(1.0, 1.0, 30.0, 0.1)
    x = x * draw.uniform(m, 1, low=0.3, high=3.0)
    if m and draw.chance(0.2):
        draw.mark("a row of zeros")
        x[draw.pick(0, -1)] = 0.0
    grad = placed(draw, draw.normal(m, d).to(grad_dtype))
    weight = placed(draw, draw.normal(d).to(weight_dtype)[None])[0]
    args = (grad, placed(draw, x.to(dtype)), weight)
    # Where a row may be all zeros a tiny eps makes its gradients huge: 1 / √eps of the others.
    return call(*args, draw.option(1e-3, 0.1, 1.0))


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
