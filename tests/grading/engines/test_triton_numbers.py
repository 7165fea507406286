"""Numbers as a GPU computes them: bfloat16, tf32, and what nobody wrote."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from llmdrills.grading.engines.triton import numerics
from tests.grading.engines import lab

TWO = """
@triton.jit
def k(x, y, out, N: tl.constexpr):
    i = tl.arange(0, N)
    a = tl.load(x + i)
    b = tl.load(y + i)
    tl.store(out + i, EXPRESSION)

def entry(x, y):
    out = torch.empty_like(x)
    k[(1,)](x, y, out, x.numel())
    return out
"""


def computed(expression: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    run = lab.call(lab.attempt(TWO.replace("EXPRESSION", expression)), x, y)
    assert run.kinds == []
    assert run.raised is None
    return run.result


def wide_range() -> tuple[torch.Tensor, torch.Tensor]:
    """Magnitudes from 1e-30 to 1e30, and what is special."""
    seeded = torch.Generator().manual_seed(0)
    special = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-40, 3.3895e38, 1.0])
    x = torch.randn(504, generator=seeded) * torch.logspace(-30, 30, 504)
    return torch.cat([x, special]).bfloat16(), torch.randn(512, generator=seeded).bfloat16()


OPERATIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "a + b": lambda a, b: a + b,
    "a - b": lambda a, b: a - b,
    "a * b": lambda a, b: a * b,
    "a / b": lambda a, b: a / b,
    "-a": lambda a, b: -a,
    "a + 1": lambda a, b: a + 1,
    "tl.abs(a)": lambda a, b: a.abs(),
    "tl.maximum(a, b)": lambda a, b: torch.fmax(a, b),
    "tl.where((a > b) & (b < a), a, b)": lambda a, b: torch.where(a > b, a, b),
    "tl.clamp(b, -0.5, 0.5)": lambda a, b: b.clamp(-0.5, 0.5),
    "a.to(tl.float32).to(tl.bfloat16)": lambda a, b: a,
    "a.to(tl.float16).to(tl.bfloat16)": lambda a, b: a.half().bfloat16(),
    "(b.to(tl.float32) * 1.01).to(tl.bfloat16)": lambda a, b: (b.float() * 1.01).bfloat16(),
    "b.to(tl.int32).to(tl.bfloat16)": lambda a, b: b.int().bfloat16(),
    "tl.exp(b.to(tl.float32))": lambda a, b: b.float().exp().bfloat16(),
    "a.to(tl.int16, bitcast=True).to(tl.bfloat16, bitcast=True)": lambda a, b: a,
    "b + tl.max(b, 0)": lambda a, b: b + b.max(),
    "b + tl.argmin(b, 0)": lambda a, b: (b.float() + b.float().argmin()).bfloat16(),
    "tl.cumsum(b.to(tl.float32), 0)": lambda a, b: b.float().cumsum(0).bfloat16(),
}


@pytest.mark.parametrize("expression", OPERATIONS)
def test_should_compute_bfloat16_as_torch_does(expression):
    x, y = wide_range()
    due = OPERATIONS[expression](x, y)
    torch.testing.assert_close(computed(expression, x, y), due, rtol=0, atol=0, equal_nan=True)


def test_should_multiply_matrices_of_bfloat16_in_float32():
    text = """
    @triton.jit
    def k(a, b, c):
        i, j = tl.arange(0, 16)[:, None], tl.arange(0, 16)[None, :]
        tl.store(c + i * 16 + j, tl.dot(tl.load(a + i * 16 + j), tl.load(b + i * 16 + j)))

    def entry(a, b):
        c = torch.empty(16, 16)
        k[(1,)](a, b, c)
        return c
    """
    seeded = torch.Generator().manual_seed(1)
    a, b = (torch.randn(16, 16, generator=seeded).bfloat16() for _ in range(2))
    run = lab.call(lab.attempt(text), a, b)
    assert run.kinds == []
    torch.testing.assert_close(run.result, a.float() @ b.float(), rtol=1e-6, atol=1e-6)


def test_should_add_bfloat16_atomically():
    text = """
    @triton.jit
    def k(x, total):
        i = tl.arange(0, 8)
        tl.atomic_add(total + i // 4, tl.load(x + i))

    def entry(x):
        total = torch.zeros(2, dtype=torch.bfloat16)
        k[(1,)](x, total)
        return total
    """
    run = lab.call(lab.attempt(text), torch.arange(8.0).bfloat16())
    assert run.kinds == []
    assert run.result.tolist() == [6.0, 22.0]


def test_should_round_each_partial_sum_in_half_precision():
    """(256 + 1) + (1 + 1) is 256 + 2 in bfloat16, where 259 would be rounded to 260."""
    x = torch.tensor([256.0, 1.0, 1.0, 1.0]).bfloat16()
    assert computed("b * 0 + tl.sum(a, 0)", x, x).tolist() == [258.0] * 4
    assert computed("b * 0 + tl.sum(a.to(tl.float32), 0).to(tl.bfloat16)", x, x).tolist() == [260.0] * 4
    half = torch.tensor([2048.0, 1.0, 1.0, 1.0]).half()
    assert computed("b * 0 + tl.sum(a, 0)", half, half).tolist() == [2050.0] * 4
    block = "tl.sum(tl.reshape(a, (2, 2)), 0, keep_dims=True)"
    assert computed(f"b * 0 + tl.sum({block})", x, x).tolist() == [258.0] * 4


DOT = """
@triton.jit
def k(a, b, c):
    i, j = tl.arange(0, 16)[:, None], tl.arange(0, 16)[None, :]
    tl.store(c + i * 16 + j, tl.dot(tl.load(a + i * 16 + j), tl.load(b + i * 16 + j)OPTION))

def entry(a, b):
    c = torch.empty(16, 16)
    k[(1,)](a, b, c)
    return c
"""


def rounded_to_ten_bits(x: torch.Tensor) -> torch.Tensor:
    """tf32 another way: mantissa and exponent, the mantissa on a grid of 2**-11 of [0.5, 1)."""
    mantissa, exponent = torch.frexp(x.double())
    return torch.ldexp(torch.round(mantissa * 2**11) / 2**11, exponent).float()


def test_should_round_the_operands_of_a_float32_product_to_tf32_unless_told_otherwise():
    seeded = torch.Generator().manual_seed(2)
    a, b = (torch.randn(16, 16, generator=seeded) for _ in range(2))
    coarse = rounded_to_ten_bits(a).double() @ rounded_to_ten_bits(b).double()
    default = lab.call(lab.attempt(DOT.replace("OPTION", "")), a, b).result
    exact = lab.call(lab.attempt(DOT.replace("OPTION", ', input_precision="ieee"')), a, b).result
    torch.testing.assert_close(default.double(), coarse, rtol=0, atol=4e-6)
    torch.testing.assert_close(exact.double(), a.double() @ b.double(), rtol=0, atol=4e-6)
    assert (default.double() - a.double() @ b.double()).abs().max() > 1e-4


def test_should_keep_infinities_and_nan_when_it_rounds_to_tf32():
    found = numerics.to_tf32(np.array([np.inf, -np.inf, np.nan, 1 + 2**-12, 0.0], np.float32))
    assert np.array_equal(found, np.array([np.inf, -np.inf, np.nan, 1.0, 0.0], np.float32), equal_nan=True)


MASKED = """
@triton.jit
def k(x, y, n):
    i = tl.arange(0, 8)
    v = tl.load(x + i, mask=i < nOTHER)
    tl.store(y + i, RESULT)

def entry(x):
    y = torch.zeros(8, dtype=x.dtype)
    k[(1,)](x, y, x.numel())
    return y
"""


def masked(result: str, x: torch.Tensor, other: str = "") -> torch.Tensor:
    run = lab.call(lab.attempt(MASKED.replace("RESULT", result).replace("OTHER", other)), x)
    assert run.kinds == []
    return run.result


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_should_leave_lanes_undefined_that_a_load_masks_without_other(dtype):
    x = torch.tensor([-3.0, -1.0, -2.0]).to(dtype)
    assert masked("v", x)[:3].tolist() == [-3.0, -1.0, -2.0]
    assert masked("v", x)[3:].isnan().all()
    assert masked("v", x, ", other=5")[3:].tolist() == [5.0] * 5
    assert masked("tl.where(i < n, v, 0.0)", x)[3:].tolist() == [0.0] * 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_should_not_let_a_maximum_pass_over_what_is_undefined(dtype):
    """A maximum passes over NaN; what a masked load leaves behind is no NaN on a GPU, but anything."""
    x = torch.tensor([-3.0, -1.0, -2.0]).to(dtype)
    assert masked("i * 0 + tl.max(v, 0)", x).isnan().all()
    assert masked("i * 0 + tl.max(tl.where(i < n, v, -9.0), 0)", x).tolist() == [-1.0] * 8
    nan = torch.tensor([float("nan"), -1.0, -2.0]).to(dtype)
    assert masked("i * 0 + tl.max(v, 0)", nan, ", other=-9.0").tolist() == [-1.0] * 8


def test_should_give_whole_numbers_that_show_to_masked_lanes_and_to_empty_memory():
    x = torch.tensor([1, 2, 3], dtype=torch.int32)
    assert masked("v", x)[3:].tolist() == [715827882] * 5
    run = lab.call(lab.attempt("def entry(x):\n    return torch.empty(2, dtype=torch.int64), torch.empty_like(x)"), x)
    assert [one.tolist() for one in run.result] == [[715827882] * 2, [715827882] * 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_should_fill_empty_memory_with_nan(dtype):
    x = torch.ones(3, dtype=dtype)
    entry = "def entry(x):\n    return torch.empty_like(x), x.new_empty((2, 2)), torch.empty(0), torch.zeros(1)"
    made = lab.attempt(entry)
    like, new, nothing, zeros = lab.call(made, x).result
    assert like.isnan().all()
    assert new.isnan().all()
    assert nothing.numel() == 0
    assert zeros.tolist() == [0.0]
