"""A small kata of engine triton: rows divided by their sums, with slips of each kind of fault."""

from __future__ import annotations

import textwrap
from pathlib import Path

from llmdrills.content.katafile import read_kata
from llmdrills.content.model import Kata
from llmdrills.content.report import Report
from llmdrills.content.starter import solution_text

__all__ = ["changed", "solution", "triton_kata", "write_triton_kata"]

YAML = """
kata: row-shares
title: {en: Shares of a row, zh: 行内占比}
topic: systems
minutes: 10
engine: triton
entry: shares
prompt: {en: Divide each row by its sum., zh: 每行除以该行之和。}
hints:
  - {en: one, zh: 一}
  - {en: two, zh: 二}
  - {en: three, zh: 三}
variants:
  rows:
    title: {en: Rows, zh: 行}
    contract:
      input: {en: "x: (R, N), positive", zh: "x：(R, N)，均为正数"}
      result: {en: "returns (R, N) in x's dtype, each row sums to 1", zh: "返回 (R, N)，dtype 与 x 相同，每行之和为 1"}
budgets:
  - case: wide
    bytes: 1.2
    largest_tile: 2
    launches: 1
    why: {en: Read each row once., zh: 每行只读一遍。}
sources: [{title: a book}]
"""

REFERENCE = '''
"""Shares in torch."""

import torch


def shares(x):
    """Divide each row of x (R, N) by its sum."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide / wide.sum(dim=-1, keepdim=True)).to(x.dtype)
'''

SOLUTION = '''
"""Shares in Triton."""

import torch
import triton
import triton.language as tl


@triton.jit
def shares_kernel(x, y, stride_r, stride_n, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)  # (BLOCK,)
    inside = columns < n
    values = tl.load(x + row * stride_r + columns * stride_n, mask=inside, other=0.0).to(tl.float32)
    total = tl.sum(values, 0)
    tl.store(y + row * n + columns, values / total, mask=inside)


def shares(x):
    """Divide each row of x (R, N) by its sum."""
    rows, n = x.shape
    y = torch.empty((rows, n), dtype=x.dtype, device=x.device)
    block = triton.next_power_of_2(n)
    shares_kernel[(rows,)](x, y, x.stride(0), x.stride(1), n, BLOCK=block)
    return y
'''

CASES = """
import torch
import triton
import triton.language as tl
from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent


@case(why="a row that is no power of two", clauses=("input", "result"))
def base(make: Inputs):
    return call(make.uniform(3, 5, low=0.5, high=2.0))


@case(why="rows that are read twice cost twice")
def wide(make: Inputs):
    return call(make.uniform(4, 200, low=0.5, high=2.0))


@case(why="half precision", clauses=("result",))
def half(make: Inputs):
    return call(make.uniform(2, 33, low=0.5, high=2.0, dtype=torch.float16))


@triton.jit
def two_loops(x, y, stride_r, stride_n, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    total = 0.0
    for start in range(0, n, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        total += tl.sum(tl.load(x + row * stride_r + columns * stride_n, mask=columns < n, other=0.0).to(tl.float32), 0)
    for start in range(0, n, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        values = tl.load(x + row * stride_r + columns * stride_n, mask=columns < n, other=0.0).to(tl.float32)
        tl.store(y + row * n + columns, values / total, mask=columns < n)


@equivalent("blocks", why="one loop over blocks where a row fits in one")
def blocks(x):
    rows, n = x.shape
    y = torch.empty((rows, n), dtype=x.dtype, device=x.device)
    two_loops[(rows,)](x, y, x.stride(0), x.stride(1), n, BLOCK=256) if n > 256 else whole(x, y, rows, n)
    return y


@triton.jit
def one_tile(x, y, stride_r, stride_n, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    values = tl.load(x + row * stride_r + columns * stride_n, mask=columns < n, other=0.0).to(tl.float32)
    tl.store(y + row * n + columns, values * (1.0 / tl.sum(values, 0)), mask=columns < n)


def whole(x, y, rows, n):
    one_tile[(rows,)](x, y, x.stride(0), x.stride(1), n, BLOCK=triton.next_power_of_2(n))


@domain()
def any_call(draw: Draw):
    rows, n = draw.pick(1, 2, 5), draw.pick(1, 2, 7, 16, 33)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16)
    return call(draw.layout(draw.uniform(rows, n, low=0.5, high=2.0, dtype=dtype)))
"""

SLIPS = """
slips:
  - id: no-store-mask
    line: tl.store(y + row * n + columns, values / total, mask=inside)
    becomes: tl.store(y + row * n + columns, values / total)
    en: Mask the store, too.
    zh: store 也要加 mask。
    seen: drafts
    card:
      call: "shares(torch.tensor([[1.0, 3.0, 4.0]]))"
      en: The store of the last lane lies outside of the result.
      zh: 最后一个 lane 的写入落在结果之外。
  - id: other-one
    line: values = tl.load(x + row * stride_r + columns * stride_n, mask=inside, other=0.0).to(tl.float32)
    becomes: values = tl.load(x + row * stride_r + columns * stride_n, mask=inside, other=1.0).to(tl.float32)
    en: Lanes beyond the row add to its sum.
    zh: 越过行尾的 lane 也加进了和里。
    seen: drafts
    card:
      call: "shares(torch.tensor([[1.0, 3.0, 4.0]]))"
      en: The lane beyond the row adds 1 to the sum, which is then 9.
      zh: 越过行尾的 lane 给和加了 1，和变成 9。
      steps: ["1 + 3 + 4 + 1 == 9"]
  - id: contiguous-only
    line: values = tl.load(x + row * stride_r + columns * stride_n, mask=inside, other=0.0).to(tl.float32)
    becomes: values = tl.load(x + row * n + columns, mask=inside, other=0.0).to(tl.float32)
    en: Use the strides of x.
    zh: 要用 x 的 stride。
    seen: drafts
  - id: one-row
    line: tl.store(y + row * n + columns, values / total, mask=inside)
    becomes: tl.store(y + columns, values / total, mask=inside)
    en: Every program writes the first row.
    zh: 每个 program 都写第一行。
    seen: drafts
  - id: read-twice
    line: total = tl.sum(values, 0)
    becomes: |
      again = tl.load(x + row * stride_r + columns * stride_n, mask=inside, other=0.0).to(tl.float32)
      total = tl.sum(again, 0)
    en: The row is read twice.
    zh: 同一行读了两遍。
    seen: drafts
"""

CASES_ZH = """
base: {title: 基本情形, en: a row that is no power of two, zh: 行宽不是 2 的幂}
wide: {title: 宽行, en: rows that are read twice cost twice, zh: 读两遍的行开销翻倍}
half: {title: 半精度, en: half precision, zh: 半精度}
"""

SOLUTION_ZH = """
texts:
  - {en: "Divide each row of x (R, N) by its sum.", zh: "x (R, N) 的每行除以该行之和。"}
  - {en: Shares in Triton., zh: 用 Triton 计算占比。}
"""

FILES = {
    "kata.yaml": YAML,
    "reference.py": REFERENCE,
    "solution.py": SOLUTION,
    "cases.py": CASES,
    "slips.yaml": SLIPS,
    "cases.zh.yaml": CASES_ZH,
    "solution.zh.yaml": SOLUTION_ZH,
}


def write_triton_kata(drills: Path, **changes: str) -> Path:
    """The kata's folder below `drills`; `changes` replaces a whole file: `solution="…"`, `slips="…"`."""
    folder = drills / "row-shares"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        text = changes.get(name.partition(".")[0], text) if name.count(".") == 1 else text
        (folder / name).write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


def triton_kata(root: Path, **changes: str) -> Kata:
    """The kata as `check` reads it. Raises ContentError where a file has problems."""
    report = Report(root)
    draft = read_kata(write_triton_kata(root / "drills", **changes), report)
    report.raise_if_any()
    assert draft.kata is not None
    return draft.kata


def solution(kata: Kata) -> str:
    """The solution as a file that passes."""
    return solution_text(kata, kata.variants[0])


def changed(kata: Kata, line: str, becomes: str) -> str:
    """The solution with one text in the place of another, which stands there once."""
    text = solution(kata)
    assert text.count(line) == 1, (line, text)
    return text.replace(line, becomes)
