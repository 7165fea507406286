"""Costs against counts by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from llmdrills.grading.engines import triton as engine
from tests.grading.engines import lab

NAIVE = """
@triton.jit
def scores(q, k, s, L, S, scale, D: tl.constexpr, T: tl.constexpr):
    m = tl.program_id(0) * T + tl.arange(0, T)
    n = tl.program_id(1) * T + tl.arange(0, T)
    d = tl.arange(0, D)
    left = tl.load(q + m[:, None] * D + d[None, :], mask=m[:, None] < L, other=0.0)
    right = tl.load(k + n[:, None] * D + d[None, :], mask=n[:, None] < S, other=0.0)
    score = tl.dot(left, tl.trans(right), input_precision="ieee") * scale
    score = tl.where(n[None, :] <= m[:, None] + S - L, score, float("-inf"))
    tl.store(s + m[:, None] * S + n[None, :], score, mask=(m[:, None] < L) & (n[None, :] < S))

@triton.jit
def softmax(s, S, BLOCK: tl.constexpr):
    n = tl.arange(0, BLOCK)
    at = s + tl.program_id(0) * S + n
    x = tl.load(at, mask=n < S, other=float("-inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(at, e / tl.sum(e, 0), mask=n < S)

@triton.jit
def weighted(s, v, o, L, S, D: tl.constexpr, T: tl.constexpr):
    m = tl.program_id(0) * T + tl.arange(0, T)
    d = tl.arange(0, D)
    acc = tl.zeros((T, D), tl.float32)
    for start in range(0, S, T):
        n = start + tl.arange(0, T)
        p = tl.load(s + m[:, None] * S + n[None, :], mask=(m[:, None] < L) & (n[None, :] < S), other=0.0)
        value = tl.load(v + n[:, None] * D + d[None, :], mask=n[:, None] < S, other=0.0)
        acc += tl.dot(p, value, input_precision="ieee")
    tl.store(o + m[:, None] * D + d[None, :], acc, mask=m[:, None] < L)

def entry(q, k, v):
    (L, D), S = q.shape, k.shape[0]
    s = torch.empty((L, S))
    o = torch.empty_like(q)
    scores[(triton.cdiv(L, 32), triton.cdiv(S, 32))](q, k, s, L, S, D**-0.5, D, 32)
    softmax[(L,)](s, S, triton.next_power_of_2(S))
    weighted[(triton.cdiv(L, 32),)](s, v, o, L, S, D, 32)
    return o
"""
T = 32


def blocks(size: int) -> Iterator[tuple[int, int]]:
    """The blocks of T along an axis: where each starts, and how many of it are inside."""
    for start in range(0, size, T):
        yield start, min(T, size - start)


def flash_bytes(L: int, S: int, D: int) -> tuple[int, int]:
    """Each program reads its queries, and every key and value up to the last that its last row may see."""
    loaded = 0
    for start, rows in blocks(L):
        last = min(S, start + T + S - L)
        keys = sum(min(T, S - block) for block in range(0, last, T))
        loaded += rows * D + 2 * keys * D
    return 4 * loaded, 4 * L * D


def naive_bytes(L: int, S: int, D: int) -> tuple[int, int]:
    """Scores by tiles, written; read and written by the softmax; read again with every value for each block of rows."""
    scores = sum(rows * D + keys * D for _, rows in blocks(L) for _, keys in blocks(S))
    weighted = sum(rows * keys + keys * D for _, rows in blocks(L) for _, keys in blocks(S))
    return 4 * (scores + L * S + weighted), 4 * (L * S + L * S + L * D)


def attention(L: int, S: int, D: int) -> tuple[engine.Cost, engine.Cost]:
    seeded = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(n, D, generator=seeded) for n in (L, S, S))
    flash = lab.call(lab.module((lab.KERNELS / "flash_attention.py").read_text("utf-8"), "flash"), q, k, v)
    naive = lab.call(lab.attempt(NAIVE, "naive"), q, k, v)
    assert flash.kinds == naive.kinds == []
    assert torch.allclose(flash.result, naive.result, rtol=1e-4, atol=1e-5)
    return flash.report.cost, naive.report.cost


def test_should_count_the_bytes_of_flash_and_of_naive_attention_to_the_byte():
    for L, S, D in ((70, 90, 32), (40, 40, 16), (130, 200, 32)):
        flash, naive = attention(L, S, D)
        assert (flash.loaded, flash.stored) == flash_bytes(L, S, D)
        assert (naive.loaded, naive.stored) == naive_bytes(L, S, D)


def test_should_give_the_ratio_of_naive_to_flash_that_the_hand_gives():
    flash, naive = attention(130, 200, 32)
    by_hand = sum(naive_bytes(130, 200, 32)) / sum(flash_bytes(130, 200, 32))
    assert (naive.loaded + naive.stored) / (flash.loaded + flash.stored) == by_hand
    assert round(by_hand, 2) == 3.11


def test_should_count_programs_launches_tiles_and_products_with_their_padding():
    _, naive = attention(70, 90, 32)
    m, n = math.ceil(70 / T), math.ceil(90 / T)
    assert naive.launches == 3
    assert naive.programs == m * n + 70 + m
    assert naive.dot_flops == m * n * 2 * T * T * 32 + m * n * 2 * T * 32 * T
    assert naive.largest_tile == T * T


def test_should_count_the_lanes_of_atomics_and_both_ways_of_their_bytes():
    text = """
    @triton.jit
    def k(x, total, n):
        i = tl.arange(0, 16)
        tl.atomic_add(total + i * 0, tl.load(x + i, mask=i < n, other=0.0), mask=i < n)

    def entry(x):
        total = torch.zeros(1)
        k[(2,)](x, total, x.numel())
        return total
    """
    run = lab.call(lab.attempt(text), torch.arange(10.0))
    assert run.kinds == []
    assert run.result.item() == 90
    cost = run.report.cost
    assert cost.atomics == 20
    assert cost.loaded == 2 * (10 * 4 + 4)  # the ten elements, and the total: one element, however many lanes
    assert cost.stored == 2 * 4


def test_should_count_an_element_once_that_several_lanes_of_a_load_ask_for():
    text = """
    @triton.jit
    def k(x, y):
        i = tl.arange(0, 16)
        tl.store(y + i, tl.load(x + i // 4))

    def entry(x):
        y = torch.empty(16)
        k[(1,)](x, y)
        return y
    """
    cost = lab.call(lab.attempt(text), torch.arange(4.0)).report.cost
    assert (cost.loaded, cost.stored, cost.largest_tile) == (16, 64, 16)
