"""Cases, equivalents and peer of the kata triton-rope; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def tables(make: Inputs, rows: int, pairs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of angles in no order, so that neither rows nor columns can be guessed."""
    angles = make.uniform(rows, pairs, low=-3.0, high=3.0)
    return angles.cos(), angles.sin()


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="three pairs in a block of four, positions in no order and one of them twice",
    clauses=("x", "positions", "rotation", "always"),
)
def base(make: Inputs) -> Call:
    return call(make.normal(3, 1, 6), torch.tensor([4, 1, 4]), *tables(make, 5, 3))


@case(why="the last row of the tables, and the first", clauses=("positions", "tables"))
def ends_of_the_tables(make: Inputs) -> Call:
    return call(make.normal(2, 2, 10), torch.tensor([6, 0]), *tables(make, 7, 5))


@case(why="one pair", clauses=("x", "rotation"))
def one_pair(make: Inputs) -> Call:
    return call(make.normal(2, 3, 2), torch.tensor([1, 2]), *tables(make, 3, 1))


@case(why="eight pairs fill their block", clauses=("x", "rotation"))
def full_block(make: Inputs) -> Call:
    return call(make.normal(2, 1, 16), torch.tensor([3, 5]), *tables(make, 6, 8))


@case(why="three tokens, heads, pairs and positions: swapped axes give no error", clauses=("positions", "tables"))
def equal_sizes(make: Inputs) -> Call:
    return call(make.normal(3, 3, 6), torch.tensor([2, 0, 1]), *tables(make, 3, 3))


@case(why="as many heads as components: a transposed x gives no error", clauses=("x", "rotation"))
def as_many_heads(make: Inputs) -> Call:
    return call(make.normal(1, 4, 4), torch.tensor([2]), *tables(make, 3, 2))


@case(why="the same x twice, at other positions", clauses=("positions", "always"))
def other_positions(make: Inputs) -> tuple[Call, ...]:
    x, (cos, sin) = make.normal(2, 1, 6), tables(make, 4, 3)
    return call(x, torch.tensor([3, 0]), cos, sin), call(x, torch.tensor([1, 2]), cos, sin)


@case(why="one token and many heads: all of them turn by one position", clauses=("positions",))
def one_token(make: Inputs) -> Call:
    return call(make.normal(1, 5, 6), torch.tensor([8]), *tables(make, 9, 3))


@case(why="x is the query part of a packed projection, and heads come first in memory", clauses=("x",))
def packed(make: Inputs) -> Call:
    x = make.normal(2, 3, 18)[..., 6:14].transpose(0, 1)  # (T, H, D) of a tensor (H, T, 18)
    return call(x, torch.tensor([0, 5, 2]), *tables(make, 6, 4))


@case(why="components lie apart, and so do positions", clauses=("x", "positions"))
def apart(make: Inputs) -> Call:
    positions = torch.tensor([3, 90, 0, 90, 5, 90])[::2]
    return call(make.normal(3, 2, 12)[..., ::2], positions, *tables(make, 6, 3))


@case(why="cos and sin are the two halves of one table, sin transposed", clauses=("tables",))
def halves_of_a_table(make: Inputs) -> Call:
    cos, sin = tables(make, 7, 5)
    both = torch.cat((cos, sin), dim=1)
    return call(make.normal(2, 2, 10), torch.tensor([2, 6]), both[:, :5], sin.T.contiguous().T)


@case(
    why="bfloat16: the result is rounded once, and neither tables nor products are",
    rtol=5e-3,
    atol=1e-4,
    clauses=("result", "x"),
)
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(3, 2, 14, dtype=torch.bfloat16), torch.tensor([1, 0, 4]), *tables(make, 5, 7))


@case(why="float16 near 60000: a turned pair must not pass infinity on the way", clauses=("result",))
def float16(make: Inputs) -> Call:
    x = make.uniform(2, 2, 10, low=40000.0, high=46000.0, dtype=torch.float16)
    angles = make.uniform(3, 5, low=0.6, high=0.9)
    return call(x, torch.tensor([2, 1]), angles.cos(), angles.sin())


@case(why="1000 components: bytes are counted", clauses=("one-pass",))
def counted(make: Inputs) -> Call:
    return call(make.normal(2, 2, 1000), torch.tensor([3, 0]), *tables(make, 4, 500))


@case(why="no tokens, and no heads: empty results", clauses=("always",))
def no_tokens(make: Inputs) -> tuple[Call, ...]:
    none = torch.zeros(0, dtype=torch.int64)
    first = call(make.normal(0, 2, 6), none, *tables(make, 4, 3))
    return first, call(make.normal(2, 0, 6), torch.tensor([1, 3]), *tables(make, 4, 3))


@case(why="sizes and positions of its own", fresh=True, clauses=("x", "positions", "rotation"))
def fresh(make: Inputs) -> Call:
    tokens, heads, pairs, rows = make.size(2, 4), make.size(2, 3), make.size(5, 24), make.size(6, 12)
    return call(make.normal(tokens, heads, 2 * pairs), make.integers(0, rows, tokens), *tables(make, rows, pairs))


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def token_kernel(
    x, positions, cos, sin, y, x_t, x_h, x_d, p_t, cos_p, cos_i, sin_p, sin_i, y_t, y_h, y_d, H, PAIRS: tl.constexpr,
    BH: tl.constexpr, BP: tl.constexpr,
):  # fmt: skip
    t = tl.program_id(0)
    p = tl.load(positions + t * p_t).to(tl.int32)
    h, i = tl.arange(0, BH)[:, None], tl.arange(0, BP)[None, :]
    mask = (h < H) & (i < PAIRS)
    c = tl.load(cos + p * cos_p + i * cos_i, i < PAIRS, 0.0)
    s = tl.load(sin + p * sin_p + i * sin_i, i < PAIRS, 0.0)
    x_at = x + t * x_t + h * x_h + i * x_d
    a, b = tl.load(x_at, mask, 0.0).to(tl.float32), tl.load(x_at + PAIRS * x_d, mask, 0.0).to(tl.float32)
    y_at = y + t * y_t + h * y_h + i * y_d
    tl.store(y_at, (a * c - b * s).to(y.dtype.element_ty), mask)
    tl.store(y_at + PAIRS * y_d, (b * c + a * s).to(y.dtype.element_ty), mask)


@equivalent("all-heads-of-a-token", why="a program turns all heads of a token, with one load of the tables")
def all_heads_of_a_token(x, positions, cos, sin):
    y = torch.empty_like(x)
    tokens, heads, width = x.shape
    if y.numel() == 0:
        return y
    strides = (*x.stride(), positions.stride(0), *cos.stride(), *sin.stride(), *y.stride())
    blocks = triton.next_power_of_2(heads), triton.next_power_of_2(width // 2)
    token_kernel[(tokens,)](x, positions, cos, sin, y, *strides, heads, width // 2, *blocks)
    return y


@triton.jit
def flat_kernel(x, positions, cos, sin, y, x_t, x_h, x_d, p_t, cos_p, cos_i, sin_p, sin_i, H, D, BLOCK: tl.constexpr):
    t, h = tl.program_id(0) // H, tl.program_id(0) % H
    half = D // 2
    i = tl.arange(0, BLOCK)
    x += t * x_t + h * x_h
    row = tl.load(positions + t * p_t)
    a = tl.load(x + i * x_d, i < half)
    b = tl.load(x + (half + i) * x_d, i < half)
    c = tl.load(cos + row * cos_p + i * cos_i, i < half)
    s = tl.load(sin + row * sin_p + i * sin_i, i < half)
    y += tl.program_id(0) * D
    tl.store(y + i, tl.fma(-s, b.to(tl.float32), a * c), i < half)
    tl.store(y + half + i, tl.fma(s, a.to(tl.float32), b * c), i < half)


@equivalent("one-axis", why="one axis of programs, and types that are promoted by the tables")
def one_axis(x, positions, cos, sin):
    tokens, heads, width = x.shape
    y = x.new_empty(tokens, heads, width)
    block = max(2, triton.next_power_of_2(width // 2))
    strides = (*x.stride(), *positions.stride(), *cos.stride(), *sin.stride())
    flat_kernel[(tokens * heads,)](x, positions, cos, sin, y, *strides, heads, width, BLOCK=block)
    return y


@peer("torch, by complex numbers")
def by_complex_numbers(x, positions, cos, sin):
    a, b = x.float().chunk(2, dim=-1)
    turn = torch.complex(cos, sin)[positions][:, None]
    turned = torch.complex(a.contiguous(), b.contiguous()) * turn
    return torch.cat((turned.real, turned.imag), dim=-1).to(x.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    pairs = draw.pick(1, 2, 3, 4, 5, 8, 20, 33)
    tokens, heads = draw.pick(0, 1, 1, 1, 2, 2), draw.pick(0, 1, 1, 1, 1, 2)
    rows = draw.pick(1, 2, 5, 9, tokens or 1, pairs)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    x = placed(draw, draw.normal(tokens, heads, 2 * pairs, std=draw.pick(1.0, 1.0, 100.0)).to(dtype))
    positions = placed(draw, draw.integers(0, rows, tokens)[None, :, None])[0, :, 0]
    angles = draw.uniform(rows, pairs, low=-3.0, high=3.0)
    cos, sin = placed(draw, angles.cos()[None])[0], placed(draw, angles.sin()[None])[0]
    return call(x, positions, cos, sin)


def placed(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """The tensor of three dimensions as it may lie in memory."""
    kind = draw.pick("packed", "packed", "heads first", "components first", "every other number", "a slice")
    draw.mark("layout", kind)
    if kind == "heads first":
        return x.transpose(0, 1).contiguous().transpose(0, 1)
    if kind == "components first":
        return x.transpose(1, 2).contiguous().transpose(1, 2)
    if kind == "every other number":
        return torch.stack((x, x + 7), dim=3).flatten(2)[..., ::2]
    if kind == "a slice":
        wide = torch.full((x.shape[0], x.shape[1] + 6, x.shape[2] + 3), 77, dtype=x.dtype)
        wide[:, 2:-4, :-3] = x
        return wide[:, 2:-4, :-3]
    return x
