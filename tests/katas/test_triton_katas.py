"""The katas of engine triton: what `check` does not see of them.

Their solutions compile to machine code of real GPUs; wrong kernels that nobody named fail; right ones in styles that
stand in no file of the kata pass. The wrong ones were thought of before the cases were written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmdrills.content.kata import Edit
from llmdrills.content.katafile import read_kata
from llmdrills.content.model import Kata
from llmdrills.content.report import Report
from llmdrills.content.slips import apply
from llmdrills.grading.client import Grader

pytest.importorskip("triton")

ROOT = Path(__file__).parents[2]

CALLS: dict[str, list[list[Any]]] = {
    "triton-softmax": [["softmax", [["float32", [3, 5]]]], ["softmax", [["bfloat16", [3, 300]]]]],
    "triton-rms-norm": [["rms_norm", [["bfloat16", [3, 5]], ["float32", [5]]]]],
    "triton-rope": [
        ["apply_rope", [["float16", [3, 2, 6]], ["int64", [3]], ["float32", [4, 3]], ["float32", [4, 3]]]],
    ],
    "triton-matmul": [["matmul", [[kind, [5, 7]], [kind, [7, 3]]]] for kind in ("float32", "float16")],
    "triton-flash-attention": [
        ["attention", [[kind, [2, 40, 20]], [kind, [2, 70, 20]], [kind, [2, 70, 20]], causal]]
        for kind in ("float32", "bfloat16")
        for causal in (False, True)
    ],
    "triton-cross-entropy": [["cross_entropy", [[kind, [3, 5000]], ["int64", [3]]]] for kind in ("float32", "float16")],
    "triton-rms-norm-backward": [
        ["rms_norm_backward", [["float16", [3, 5]], ["float16", [3, 5]], ["float32", [5]]]],
    ],
    "triton-int4-matvec": [["int4_matvec", [["uint8", [5, 6]], ["float32", [5, 2]], ["bfloat16", [12]]]]],
}
"""Calls that launch each solution's kernels: the entry, and its arguments as [dtype, sizes] or plain values."""


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What Triton's compiler makes of each solution for an A100 and an H100."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))
    ran = subprocess.run(
        [sys.executable, "-m", "tests.helpers.compile_solutions", *(str(ROOT / "drills" / name) for name in CALLS)],
        input=json.dumps(CALLS),
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: dict[str, list[dict[str, Any]]] = {}
    for line in ran.stdout.splitlines():
        one = json.loads(line)
        found.setdefault(one["kata"], []).append(one)
    return found


def test_should_know_a_call_for_each_kata_of_the_track() -> None:
    texts = {file.parent.name: file.read_text(encoding="utf-8") for file in ROOT.glob("drills/*/kata.yaml")}
    assert set(CALLS) == {name for name, text in texts.items() if "\nengine: triton\n" in text}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CALLS)
def test_should_compile_each_solution_to_the_machine_code_of_two_gpus(
    machine_code: dict[str, list[dict[str, Any]]], name: str
) -> None:
    made = machine_code[name]
    assert len(made) == 2 * len(CALLS[name])
    assert {one["capability"] for one in made} == {80, 90}
    assert all(one["machine_code"] > 0 for one in made)
    # What a program may have of an A100's shared memory.
    assert all(one["shared"] <= 163 * 1024 for one in made)


@pytest.mark.parametrize("name", ["triton-matmul", "triton-flash-attention"])
def test_should_multiply_half_types_on_tensor_cores_and_float32_without_rounding(
    machine_code: dict[str, list[dict[str, Any]]], name: str
) -> None:
    made = machine_code[name]
    assert not any(one["tf32"] for one in made)
    by_type = [one["tensor_cores"] for one in made]
    half = len(by_type) // 2
    assert by_type == [False] * half + [True] * half


# ---- wrong kernels that nobody named ------------------------------------------------------------------------------

ATTENTION_LAUNCH = (
    "attention_kernel[grid](q, k, v, o, *strides, L, S, D, D**-0.5, CAUSAL=causal, BL=32, BS=32, BD=width)"
)
WRONG: list[tuple[str, str, str, str]] = [
    (
        "triton-softmax",
        "a large number for infinity",
        'v = tl.load(at, mask=inside, other=-float("inf"))',
        "v = tl.load(at, mask=inside, other=-1e9)",
    ),
    (
        "triton-softmax",
        "masked scores clamped",
        "v = v.to(tl.float32)",
        "v = tl.maximum(v.to(tl.float32), -10000.0)",
    ),
    (
        "triton-softmax",
        "powers of two",
        "power = tl.exp(v - tl.max(v, axis=0))",
        "power = tl.exp2(v - tl.max(v, axis=0))",
    ),
    (
        "triton-rms-norm",
        "the larger of mean square and eps",
        "normal = v * tl.rsqrt(mean_square + eps)",
        "normal = v * tl.rsqrt(tl.maximum(mean_square, eps))",
    ),
    (
        "triton-rms-norm",
        "a weight of x's type",
        "out = normal * scale.to(tl.float32)",
        "out = normal * scale.to(x.dtype.element_ty).to(tl.float32)",
    ),
    (
        "triton-rope",
        "tables of x's type",
        "c = tl.load(cos + p * cos_p + i * cos_i, mask=inside)",
        "c = tl.load(cos + p * cos_p + i * cos_i, mask=inside).to(x.dtype.element_ty).to(tl.float32)",
    ),
    (
        "triton-rope",
        "positions that wrap around",
        "p = tl.load(position + t * p_t)",
        "p = tl.load(position + t * p_t) % 8",
    ),
    (
        "triton-matmul",
        "a product in float16",
        'acc += tl.dot(u, v, input_precision="ieee")',
        'acc += tl.dot(u, v, input_precision="ieee", out_dtype=tl.float16)',
    ),
    (
        "triton-matmul",
        "a sum that is rounded now and then",
        'acc += tl.dot(u, v, input_precision="ieee")',
        'acc = (acc + tl.dot(u, v, input_precision="ieee")).to(tl.bfloat16).to(tl.float32)',
    ),
    ("triton-flash-attention", "a scale of 1/D", ATTENTION_LAUNCH, ATTENTION_LAUNCH.replace("D**-0.5", "1 / D")),
    (
        "triton-flash-attention",
        "−100 for infinity",
        'score = tl.where(seen, score, -float("inf"))',
        "score = tl.where(seen, score, -100.0)",
    ),
    (
        "triton-flash-attention",
        "an accumulator that is rounded",
        "acc = acc * shrink[:, None] + mixed",
        "acc = (acc * shrink[:, None] + mixed).to(q.dtype.element_ty).to(tl.float32)",
    ),
    (
        "triton-cross-entropy",
        "a maximum from zero",
        'peak, total = -float("inf"), 0.0',
        "peak, total = 0.0, 0.0",
    ),
    (
        "triton-cross-entropy",
        "targets in packed rows",
        "own = tl.load(x + row * x_row + t * x_column)",
        "own = tl.load(x + row * x_row + t)",
    ),
    (
        "triton-rms-norm-backward",
        "the first row alone",
        "tl.atomic_add(dw + c, g * normal, mask=inside)",
        "tl.atomic_add(dw + c, g * normal, mask=inside & (row == 0))",
    ),
    (
        "triton-rms-norm-backward",
        "a normalised row that is rounded",
        "normal = v * root",
        "normal = (v * root).to(x.dtype.element_ty).to(tl.float32)",
    ),
    (
        "triton-int4-matvec",
        "two's complement",
        "low = (both & 15).to(tl.float32) - 8",
        "low = ((both.to(tl.int32) & 15) ^ 8).to(tl.float32) - 8",
    ),
    (
        "triton-int4-matvec",
        "packed scales",
        "acc += part * tl.load(scale + n * s_n + group * s_g, mask=n < N, other=0.0)",
        "acc += part * tl.load(scale + n * GROUPS + group, mask=n < N, other=0.0)",
    ),
]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as made:
        yield made


def kata_named(name: str) -> Kata:
    report = Report(ROOT)
    kata = read_kata(ROOT / "drills" / name, report).kata
    report.raise_if_any()
    assert kata is not None
    return kata


def solution(name: str) -> str:
    return (ROOT / "drills" / name / "solution.py").read_text(encoding="utf-8")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "what", "line", "becomes"), WRONG, ids=[f"{one[0]}: {one[1]}" for one in WRONG])
def test_should_fail_a_wrong_kernel_that_nobody_named(
    grader: Grader, name: str, what: str, line: str, becomes: str
) -> None:
    kata = kata_named(name)
    text = apply(solution(name), (Edit(line, becomes),))
    verdict = grader.grade(kata, kata.variants[0].id, text, seed=0)
    assert verdict.outcome != "passed", what
    assert verdict.outcome != "crashed", verdict.message


# ---- right kernels in other styles --------------------------------------------------------------------------------

RIGHT = {
    "triton-softmax": """
import torch
import triton
import triton.language as tl


@triton.autotune(configs=[triton.Config({}, num_warps=4), triton.Config({}, num_warps=8)], key=["n"])
@triton.jit
def _softmax(out_ptr, in_ptr, in_row, in_col, out_row, out_col, n, BLOCK_SIZE: tl.constexpr):
    row_idx = tl.program_id(axis=0).to(tl.int64)
    cols = tl.arange(0, BLOCK_SIZE)
    mask = cols < n
    row = tl.load(in_ptr + row_idx * in_row + cols * in_col, mask=mask, other=float("-inf")).to(tl.float32)
    out = tl.softmax(row)
    tl.store(out_ptr + row_idx * out_row + cols * out_col, out.to(out_ptr.dtype.element_ty), mask=mask)


def softmax(x):
    rows, n = x.shape
    out = torch.empty_like(x)
    _softmax[(rows,)](out, x, *x.stride(), *out.stride(), n, BLOCK_SIZE=triton.next_power_of_2(n))
    return out
""",
    "triton-matmul": """
import torch
import triton
import triton.language as tl


@triton.jit
def _tile(ptr, rows, columns, row_stride, column_stride, M, N):
    mask = (rows[:, None] < M) & (columns[None, :] < N)
    return tl.load(ptr + rows[:, None] * row_stride + columns[None, :] * column_stride, mask=mask, other=0)


@triton.jit
def _product(a, b, c, M, N, K, sam, sak, sbk, sbn, scm, scn, B: tl.constexpr):
    pid = tl.program_id(0)
    across = tl.cdiv(N, B)
    rows = pid // across * B + tl.arange(0, B)
    columns = pid % across * B + tl.arange(0, B)
    total = tl.zeros((B, B), dtype=tl.float32)
    for step in tl.range(0, tl.cdiv(K, B)):
        inner = step * B + tl.arange(0, B)
        left = _tile(a, rows, inner, sam, sak, M, K)
        right = _tile(b, inner, columns, sbk, sbn, K, N)
        total = tl.dot(left, right, total, input_precision="ieee")
    at = c + scm * rows[:, None] + scn * columns[None, :]
    tl.store(at, total, mask=(rows[:, None] < M) & (columns[None, :] < N))


def matmul(a, b):
    (M, K), (_, N) = a.shape, b.shape
    c = a.new_empty((M, N))
    grid = lambda meta: (triton.cdiv(M, meta["B"]) * triton.cdiv(N, meta["B"]),)
    _product[grid](a, b, c, M, N, K, *a.stride(), *b.stride(), *c.stride(), B=64, num_warps=8, num_stages=3)
    return c
""",
    "triton-cross-entropy": """
import torch
import triton
import triton.language as tl


@triton.jit
def _losses(logits, labels, losses, stride_t, stride_v, stride_l, V, ignored, BLOCK: tl.constexpr):
    t = tl.program_id(0)
    label = tl.load(labels + t * stride_l)
    loss = 0.0
    if label != ignored:
        logits += t * stride_t
        lse = float("-inf")
        for begin in tl.range(0, V, BLOCK):
            v = begin + tl.arange(0, BLOCK)
            x = tl.load(logits + v * stride_v, mask=v < V, other=float("-inf")).to(tl.float32)
            top = tl.max(x)
            top = tl.where(top == float("-inf"), 0.0, top)
            part = tl.log(tl.sum(tl.exp(x - top))) + top
            high = tl.maximum(lse, part)
            high = tl.where(high == float("-inf"), 0.0, high)
            lse = high + tl.log(tl.exp(lse - high) + tl.exp(part - high))
        loss = lse - tl.load(logits + label * stride_v).to(tl.float32)
    tl.store(losses + t, loss)


def cross_entropy(logits, targets, ignore_index=-100):
    losses = torch.empty(logits.shape[:1], dtype=torch.float32)
    _losses[logits.shape[:1]](
        logits, targets, losses, *logits.stride(), targets.stride(0), logits.shape[1], ignore_index, BLOCK=128
    )
    return losses
""",
    "triton-rms-norm": """
import torch
import triton
import triton.language as tl


@triton.heuristics({"BLOCK": lambda args: triton.next_power_of_2(args["n"])})
@triton.jit
def _norm(Y, X, W, y0, y1, x0, x1, w0, n, rows, eps, BLOCK: tl.constexpr):
    columns = tl.arange(0, BLOCK)
    weight = tl.load(W + columns * w0, mask=columns < n, other=0).to(tl.float32)
    for row in range(tl.program_id(0), rows, tl.num_programs(0)):
        x = tl.load(X + row * x0 + columns * x1, mask=columns < n, other=0).to(tl.float32)
        scale = tl.rsqrt(tl.sum(x * x) / n + eps)
        tl.store(Y + row * y0 + columns * y1, (x * scale * weight).to(Y.dtype.element_ty), mask=columns < n)


def rms_norm(x, weight, eps=1e-6):
    y = torch.empty_like(x)
    rows, n = x.shape
    _norm[(max(1, rows // 2),)](y, x, weight, *y.stride(), *x.stride(), weight.stride(0), n, rows, eps)
    return y
""",
}
"""Whole attempts in the styles of other people's kernels."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", RIGHT)
def test_should_pass_a_right_kernel_in_another_style(grader: Grader, name: str) -> None:
    kata = kata_named(name)
    for seed in range(2):
        verdict = grader.grade(kata, kata.variants[0].id, RIGHT[name].lstrip("\n"), seed=seed)
        assert verdict.outcome == "passed", verdict.message
