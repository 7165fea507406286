"""The forms that kernels and launches take: none of them may give an event where it is right."""

from __future__ import annotations

import importlib.metadata

import pytest
import torch

from tests.grading.engines import lab

TRITON = tuple(int(part) for part in importlib.metadata.version("triton").split(".")[:2])


def result(text: str, *args: object) -> object:
    run = lab.call(lab.attempt(text), *args)
    assert run.kinds == []
    assert run.raised is None
    return run.result


def test_should_take_the_first_configuration_of_autotune_and_what_heuristics_compute():
    text = """
    @triton.autotune([triton.Config({"BLOCK": 16}, num_warps=2), triton.Config({"BLOCK": 8})], key=["n"])
    @triton.heuristics({"EVEN": lambda args: args["n"] % args["BLOCK"] == 0})
    @triton.jit
    def k(x, y, n, BLOCK: tl.constexpr, EVEN: tl.constexpr):
        i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        if EVEN:
            v = tl.load(x + i)
        else:
            v = tl.load(x + i, mask=i < n, other=0.0)
        tl.store(y + i, v + BLOCK, mask=i < n)

    def entry(x):
        y = torch.empty_like(x)
        grid = lambda meta: (triton.cdiv(meta["n"], meta["BLOCK"]),)
        k[grid](x, y, x.numel())
        return y
    """
    for n in (10, 32):
        x = torch.arange(float(n))
        assert torch.equal(result(text, x), x + 16)


def test_should_run_grids_of_three_axes_in_a_program_of_each_index():
    text = """
    @triton.jit
    def k(y):
        i = (tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)) * tl.num_programs(2) + tl.program_id(2)
        tl.store(y + i, i + 1)

    def entry():
        y = torch.zeros(2, 3, 4, dtype=torch.int32)
        k[(2, 3, 4)](y)
        k[[2]](y)
        return y
    """
    assert result(text).flatten().tolist() == list(range(1, 25))


def test_should_pass_helpers_defaults_keywords_and_functions_as_constants():
    text = """
    @triton.jit
    def square(v):
        return v * v

    @triton.jit
    def repeated(v, f: tl.constexpr, times: tl.constexpr = 2):
        for _ in tl.static_range(times):
            v = f(v)
        return v

    @triton.jit
    def k(x, y, n, f: tl.constexpr, BLOCK: tl.constexpr = 16):
        i = tl.arange(0, BLOCK)
        v = tl.load(x + i, mask=i < n, other=0.0)
        a, b = v, repeated(v, f, times=1)
        tl.store(y + i, repeated(a, f) + b, mask=i < n)

    def entry(x):
        y = torch.empty_like(x)
        k[(1,)](x, n=x.numel(), y=y, f=square)
        return y
    """
    x = torch.arange(10.0)
    assert torch.equal(result(text, x), x**4 + x**2)


def test_should_let_a_kernel_see_what_the_function_around_it_holds():
    text = """
    def make(STEP):
        @triton.jit
        def inner(v):
            return v + 1.0

        @triton.jit
        def k(x, y, BLOCK: tl.constexpr):
            i = tl.arange(0, BLOCK)
            tl.store(y + i, inner(tl.load(x + i)) * STEP)

        return k

    kernels = [make(tl.constexpr(2)), make(tl.constexpr(3))]

    def entry(x):
        y = torch.empty(2, 8)
        for number, kernel in enumerate(kernels):
            kernel[(1,)](x, y[number], BLOCK=8)
        return y
    """
    x = torch.arange(8.0)
    assert torch.equal(result(text, x), torch.stack([2 * (x + 1), 3 * (x + 1)]))


def test_should_take_tuples_of_constants_of_numbers_and_of_tensors():
    text = """
    @triton.jit
    def k(both, sizes: tl.constexpr, factors, n):
        i = tl.arange(0, sizes[0])
        v = tl.load(both[0] + i, mask=i < n, other=0.0)
        tl.store(both[1] + i, v * factors[0] + factors[1] + sizes[1], mask=i < nPLUS)

    def entry(x):
        y = torch.empty_like(x)
        k[(1,)]((x, y), (16, 3), (2.0, 5), x.numel())
        return y
    """
    x = torch.arange(10.0)
    assert torch.equal(result(text.replace("PLUS", ""), x), 2 * x + 8)
    assert lab.call(lab.attempt(text.replace("PLUS", " + 1")), x).event.facts["parameter"] == "both[1]"


def test_should_take_numbers_of_every_kind():
    text = """
    @triton.jit
    def k(x, y, n, flag, wide, scale, one):
        i = tl.arange(0, 16)
        v = tl.load(x + i, mask=i < n, other=0)
        if flag:
            v = v * wide
        tl.store(y + i, v + tl.cdiv(n, 3) + one + (scale * 4).to(tl.int64), mask=i < n)

    def entry(x, flag):
        y = torch.empty_like(x)
        k[(1,)](x, y, x.numel(), flag, 2**33, 0.5, 1)
        return y
    """
    x = torch.arange(10)
    assert torch.equal(result(text, x, True), x * 2**33 + 7)
    assert torch.equal(result(text, x, False), x + 7)


def test_should_run_loops_of_every_kind():
    text = """
    @triton.jit
    def k(x, y, n, B: tl.constexpr):
        total = tl.zeros((B,), tl.float32)
        for start in range(0, n, B):
            i = start + tl.arange(0, B)
            total += tl.load(x + i, mask=i < n, other=0.0)
        for start in tl.range(0, n, B, num_stages=2):
            i = start + tl.arange(0, B)
            total += tl.load(x + i, mask=i < n, other=0.0)
        for step in tl.static_range(0, B, 4):
            total += step
        left = n
        while left > 0:
            total += 1
            left -= B
        tl.store(y + tl.arange(0, B), total)

    def entry(x):
        y = torch.empty(8)
        k[(1,)](x, y, x.numel(), 8)
        return y
    """
    x = torch.arange(20.0)
    due = 2 * torch.cat([x, torch.zeros(4)]).view(3, 8).sum(0) + 4 + 3
    assert torch.equal(result(text, x), due)


def test_should_run_the_languages_own_functions_and_members_of_a_block():
    text = """
    @triton.jit
    def add(a, b):
        return a + b

    @triton.jit
    def k(x, y, B: tl.constexpr):
        i = tl.arange(0, B)
        v = tl.load(x + i)
        m = tl.reshape(v, (4, 4))
        a, b = tl.split(tl.reshape(tl.join(v, v), (B, 2)))
        r = v * 0
        r += tl.cumsum(v, 0) - tl.associative_scan(v, 0, add)
        r += tl.reduce(v, 0, add) - v.sum() + tl.max(m, 1).max() - m.max()
        r += tl.sort(v) - v + tl.reshape(m.T.trans() - m, (B,)) + a - b
        r += tl.where(tl.rand(3, i) < 1, 0.0, 1.0) + tl.sigmoid(v) - 1 / (1 + tl.exp(-v))
        r += tl.softmax(v) - tl.exp(v - tl.max(v, 0)) / tl.sum(tl.exp(v - tl.max(v, 0)), 0)
        r += tl.histogram(i, B) - 1 + tl.argmin(v, 0) + tl.fma(v, v, v) - (v * v + v)
        r += tl.gather(v, i, 0) - v + tl.clamp(v, 0.0, 1.0) - tl.minimum(tl.maximum(v, 0.0), 1.0)
        r += tl.interleave(tl.sum(m, 0), tl.sum(m, 0)).sum() - 2 * tl.sum(m)
        tl.static_assert(B == 16)
        tl.device_assert(r == 0)
        tl.store(y + i, r)

    def entry(x):
        y = torch.empty_like(x)
        k[(1,)](x, y, B=16)
        return y
    """
    assert result(text, torch.arange(16.0)).abs().max() < 1e-4


def test_should_run_every_atomic_operation():
    text = """
    @triton.jit
    def k(x, sums, whole, n):
        i = tl.arange(0, 16)
        v = tl.load(x + i, mask=i < n, other=0.0)
        tl.atomic_add(sums, tl.sum(v, 0))
        tl.atomic_max(sums + 1, tl.max(v, 0))
        tl.atomic_min(sums + 2, -1.0)
        tl.atomic_add(sums + 3 + i * 0, v, mask=i < n)
        tl.atomic_or(whole, 1 << tl.program_id(0))
        tl.atomic_and(whole + 1, 6)
        tl.atomic_xor(whole + 2, 1)
        tl.atomic_xchg(whole + 3, 9)
        tl.atomic_cas(whole + 4, 0, 5)

    def entry(x):
        sums, whole = torch.zeros(4), torch.zeros(5, dtype=torch.int32)
        k[(3,)](x, sums, whole, x.numel())
        return sums, whole
    """
    sums, whole = result(text, torch.arange(10.0))
    assert sums.tolist() == [135.0, 9.0, -1.0, 135.0]
    assert whole.tolist() == [7, 0, 1, 9, 5]


def test_should_wrap_whole_numbers_around_as_a_gpu_does():
    text = """
    @triton.jit
    def k(y):
        i = tl.arange(0, 8)
        tl.store(y + i, (i + 1) * 1664525 * 1013904223 + 2147483647)

    def entry():
        y = torch.empty(8, dtype=torch.int32)
        k[(1,)](y)
        return y
    """
    due = [((i + 1) * 1664525 * 1013904223 + 2147483647 + 2**31) % 2**32 - 2**31 for i in range(8)]
    assert result(text).tolist() == due


DESCRIPTOR = """
from triton.tools.tensor_descriptor import TensorDescriptor

@triton.jit
def on_device(x, y, rows, cols):
    d = tl.make_tensor_descriptor(x, (rows, cols), (cols, 1), (4, 16))
    tile = d.load((0, 0))
    tl.store(y + tl.arange(0, 4)[:, None] * 16 + tl.arange(0, 16)[None, :], tile)

@triton.jit
def from_host(d, y):
    tile = d.load((0, 0))
    tl.store(y + tl.arange(0, 4)[:, None] * 16 + tl.arange(0, 16)[None, :], tile)

def entry(x, rows):
    y = torch.empty(2, 4, 16)
    on_device[(1,)](x, y[0], rows, x.shape[1])
    from_host[(1,)](TensorDescriptor.from_tensor(x, [4, 16]), y[1])
    return y
"""


def test_should_check_what_tensor_descriptors_touch_and_pad_with_zeros():
    x = torch.arange(24.0).view(3, 8)
    due = torch.zeros(4, 16)
    due[:3, :8] = x
    run = lab.call(lab.attempt(DESCRIPTOR), x, 3)
    assert run.kinds == []
    assert torch.equal(run.result, torch.stack([due, due]))
    assert run.report.cost.loaded == 2 * 24 * 4
    wrong = lab.call(lab.attempt(DESCRIPTOR), x, 4).event
    assert (wrong.kind, wrong.facts["parameter"], wrong.facts["index"]) == ("out-of-bounds", "x", (3, 0))


def test_should_take_block_pointers_where_this_triton_has_them():
    """Triton 3.9 removed them, and says so."""
    text = """
    @triton.jit
    def k(x, y, n):
        p = tl.make_block_ptr(x, (n,), (1,), (0,), (8,), (0,))
        q = tl.make_block_ptr(y, (n,), (1,), (0,), (8,), (0,))
        tl.store(q, tl.load(p, boundary_check=(0,), padding_option="zero") + 1, boundary_check=(0,))

    def entry(x):
        y = torch.empty_like(x)
        k[(1,)](x, y, x.numel())
        return y
    """
    run = lab.call(lab.attempt(text), torch.arange(5.0))
    kinds = ["does-not-compile"] if TRITON >= (3, 9) else []
    assert run.kinds == kinds or TRITON in ((3, 7), (3, 8))
    assert [event.line for event in run.report.events] == [8] * len(run.kinds)


@pytest.mark.skipif(TRITON < (3, 9), reason="triton 3.9 brought parameters by keyword alone")
def test_should_take_parameters_by_keyword_alone():
    text = """
    @triton.jit
    def k(y, *, BLOCK: tl.constexpr):
        tl.store(y + tl.arange(0, BLOCK), 1.0)

    def entry():
        y = torch.empty(4)
        k[(1,)](y, BLOCK=4)
        return y
    """
    assert result(text).tolist() == [1.0] * 4


def test_should_run_a_backward_pass_of_an_autograd_function():
    text = """
    @triton.jit
    def scale(x, y, factor, n, BLOCK: tl.constexpr):
        i = tl.arange(0, BLOCK)
        tl.store(y + i, tl.load(x + i, mask=i < n, other=0.0) * factor, mask=i < n)

    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            y = torch.empty_like(x)
            scale[(1,)](x, y, factor, x.numel(), triton.next_power_of_2(x.numel()))
            return y

        @staticmethod
        def backward(ctx, dy):
            dx = torch.empty_like(dy)
            scale[(1,)](dy, dx, ctx.factor, dy.numel(), triton.next_power_of_2(dy.numel()))
            return dx, None

    def entry(x, dy):
        y = Scale.apply(x, 3.0)
        return y.detach(), torch.autograd.grad(y, x, dy)[0]
    """
    x, dy = torch.arange(5.0, requires_grad=True), torch.ones(5)
    y, dx = result(text, x, dy)
    assert torch.equal(y, 3 * x.detach())
    assert torch.equal(dx, 3 * dy)


def test_should_leave_the_names_of_an_attempts_module_as_they_were():
    """The interpreter puts `math`, `np` and fifty more there, which would hide that an import is missing."""
    text = """
    @triton.jit
    def k(y):
        tl.store(y, 1.0)

    def entry():
        k[(1,)](torch.empty(1))
        return math.pi
    """
    run = lab.call(lab.attempt(text), entry="entry")
    assert isinstance(run.raised, NameError)
    made = lab.attempt(text)
    lab.call(made)
    assert not {"np", "math", "inspect", "partial"} & set(vars(made))


def test_should_take_a_kernel_in_a_module_without_the_usual_name_for_the_language():
    text = "import torch\nimport triton\nfrom triton import language\n\n@triton.jit\ndef k(y):\n"
    text += "    language.store(y + language.arange(0, 4), 2.0)\n\ndef entry():\n    y = torch.empty(4)\n"
    text += "    k[(1,)](y)\n    return y\n"
    run = lab.call(lab.module(text, "named"))
    assert run.kinds == []
    assert run.result.tolist() == [2.0] * 4
