"""Counting what a call costs, and seeing forbidden calls, read and run."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from llmdrills.grading.rules.counting import Watch
from llmdrills.grading.rules.forbidden import scan

SDPA = "torch.nn.functional.scaled_dot_product_attention"
B, H, L, S, D, DV = 2, 3, 4, 6, 8, 5


def attention_inputs(grad=False):
    generator = torch.Generator().manual_seed(0)
    shapes = ((B, H, L, D), (B, H, S, D), (B, H, S, DV))
    return [torch.randn(*shape, generator=generator).requires_grad_(grad) for shape in shapes]


def by_hand(Q, K, V):
    return torch.softmax(Q @ K.transpose(-2, -1) / D**0.5, -1) @ V


def cost(call):
    with Watch() as watch:
        call()
    return watch.tally


def test_should_count_two_products_by_hand_as_in_the_fused_operator():
    Q, K, V = attention_inputs()
    expected = 2 * B * H * L * S * (D + DV)
    assert cost(lambda: by_hand(Q, K, V)).flops == expected
    assert cost(lambda: functional.scaled_dot_product_attention(Q, K, V[..., :DV])).flops == expected
    assert cost(lambda: torch.einsum("bhls,bhsv->bhlv", torch.einsum("bhld,bhsd->bhls", Q, K), V)).flops == expected


def test_should_count_operations_under_inference_mode_too():
    Q, K, V = attention_inputs()
    with torch.inference_mode():
        assert cost(lambda: by_hand(Q, K, V)).flops == 2 * B * H * L * S * (D + DV)


def test_should_count_a_product_in_disguise():
    Q, K, _ = attention_inputs()
    counted = cost(lambda: (Q[..., :, None, :] * K[..., None, :, :]).sum(-1)).flops
    assert counted == 2 * B * H * L * S * D


def test_should_count_vectors():
    m, v = torch.ones(7, 5), torch.ones(5)
    assert cost(lambda: m @ v).flops == 2 * 7 * 5
    assert cost(lambda: v @ v).flops == 2 * 5


def test_should_count_a_list_of_blocks_as_the_matrix_that_it_is():
    x = torch.randn(10, 64)

    def in_a_list():
        return sum(part.sum() for part in [x[:, start : start + 8] * 2 for start in range(0, 64, 8)])

    def one_at_a_time():
        return sum((x[:, start : start + 8] * 2).sum() for start in range(0, 64, 8))

    assert cost(in_a_list).largest == cost(one_at_a_time).largest == 80
    assert cost(in_a_list).alive >= 640
    assert cost(one_at_a_time).alive < 100


def test_should_not_count_as_alive_what_was_given_freed_or_is_a_view():
    x = torch.randn(50, 60)

    def call():
        y = x + 1
        y = y.mul_(2).T
        y = y + 1  # the first y lives while the second is made
        return y + 1  # and is gone when the third is

    with Watch(given=[x]) as watch:
        call()
    assert watch.tally.alive == 2 * 3000


def test_should_count_as_alive_what_the_call_uses_and_did_not_make():
    kept = torch.randn(70, 80)
    x = torch.randn(3)
    with Watch(given=[x]) as watch:
        kept[0, :3] + x
    assert watch.tally.alive == 5600 + 3


def test_should_say_at_which_line_most_is_alive(tmp_path):
    file = tmp_path / "solution.py"
    file.write_text("def call(x):\n    y = x + 1\n    z = y + 1\n    del y\n    return z + 1\n", "utf-8")
    space = {}
    exec(compile(file.read_text("utf-8"), str(file), "exec"), space)
    x = torch.ones(4)
    with Watch(file=str(file)) as watch:
        space["call"](x)
    assert (watch.tally.alive, watch.tally.alive_line) == (8, 3)


def test_should_take_for_the_largest_tensor_the_largest_that_an_operator_allocates():
    x = torch.randn(50, 60)
    assert cost(lambda: x + 1).largest == 3000
    assert cost(lambda: x[:10] + 1).largest == 600
    tally = cost(lambda: x[:2].sum() + (x[:, :1] * x[:1]).max())
    assert (tally.largest, tally.largest_shape, tally.largest_operator) == (3000, (50, 60), "mul")


def test_should_count_no_allocation_for_views_expansions_and_operators_in_place():
    x = torch.randn(5, 6)
    assert cost(lambda: x[None].expand(1000, 5, 6).transpose(0, 1)).largest == 0
    assert cost(lambda: x.mul_(2).view(30)).largest == 0
    assert cost(lambda: x[None].expand(1000, 5, 6).contiguous()).largest == 30_000


def test_should_count_operators_by_name():
    x = torch.ones(3)
    assert cost(lambda: x.exp() + x.exp()).operators == {"exp": 2, "add": 1}


@pytest.mark.parametrize(
    "call",
    [
        lambda Q, K, V: functional.scaled_dot_product_attention(Q, K, V),
        lambda Q, K, V: functional.scaled_dot_product_attention(Q, K, V, dropout_p=0.1),  # decomposes before dispatch
        lambda Q, K, V: getattr(functional, "scaled_dot_" + "product_attention")(Q, K, V),
        lambda Q, K, V: torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(Q, K, V.expand(-1, -1, -1, -1)),
    ],
)
def test_should_see_a_forbidden_call_when_it_runs(call):
    Q, K, _ = attention_inputs()
    with Watch([SDPA]) as watch:
        call(Q, K, K)
    assert {use.call for use in watch.uses} == {SDPA}


def test_should_not_report_what_is_not_forbidden():
    Q, K, V = attention_inputs()
    with Watch([SDPA, "torch.nn.functional.log_softmax"]) as watch:
        by_hand(Q, K, V)
    assert watch.uses == []
    assert not watch.switched_off


def test_should_count_softmax_as_one_operation_under_all_its_names():
    x = torch.ones(3)
    for call in (lambda: x.softmax(0), lambda: torch.softmax(x, 0), lambda: functional.softmax(x, 0)):
        with Watch(["torch.softmax"]) as watch:
            call()
        assert {use.call for use in watch.uses} == {"torch.softmax"}


def test_should_name_the_line_of_the_attempt(tmp_path):
    file = tmp_path / "attempt.py"
    file.write_text("import torch\n\n\ndef go(x):\n    y = x + 1\n    return torch.softmax(y, 0)\n")
    space = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    x = torch.ones(4)
    with Watch(["torch.softmax"], str(file)) as watch:
        space["go"](x)
    assert {use.line for use in watch.uses} == {6}
    assert watch.tally.largest_line == 5


def test_should_notice_that_the_modes_are_taken_away():
    from torch.utils._python_dispatch import _pop_mode, _push_mode

    watch = Watch()
    with watch:
        mine = _pop_mode()
        _push_mode(mine)
    assert not watch.switched_off
    watch = Watch()
    watch.__enter__()
    taken = _pop_mode()
    watch.__exit__(None, None, None)
    assert watch.switched_off
    del taken


# Read, not run


@pytest.mark.parametrize(
    "source",
    [
        "import torch.nn.functional as F\nx = F.scaled_dot_product_attention(1)",
        "from torch.nn.functional import scaled_dot_product_attention as a\nx = a(1)",
        "from torch.nn import functional\nf = functional\nx = f.scaled_dot_product_attention",
        "import torch\nn = torch.nn\nx = n.functional.scaled_dot_product_attention(1)",
        "import torch\ng = getattr(torch.nn.functional, 'scaled_dot_product_attention')",
        "import torch\nx = torch._C._nn.scaled_dot_product_attention(1)",
        "import torch as t\ndef f():\n    return t.nn.functional.scaled_dot_product_attention",
    ],
)
def test_should_find_a_forbidden_call_by_reading(source):
    uses = scan(source, [SDPA])
    assert SDPA in {use.call for use in uses}
    assert all(use.line >= 1 for use in uses)


@pytest.mark.parametrize(
    "source",
    [
        "import threading",
        "from concurrent.futures import ThreadPoolExecutor",
        "from torch.utils._python_dispatch import _disable_current_modes",
        "import torch\nwith torch._C._DisableTorchDispatch(): pass",
        "import torch\nf = torch.compile(len)",
        "import torch\nf = torch.jit.script(len)",
        "x = __import__('threading')",
        "exec('import threading')",
        "import importlib\nimportlib.import_module('threading')",
    ],
)
def test_should_forbid_what_would_escape_being_watched_in_a_guarded_kata(source):
    assert scan(source, [SDPA])
    assert scan(source, [], counted=True)
    assert scan(source, []) == []  # nobody watches: nothing is forbidden


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\ndef f(x):\n    return np.asarray(x)",
        "import numpy as np\ndot = np.dot",
        "import numpy.linalg",
        "from numpy import einsum",
        "from numpy import *",
        "import numpy as np\nf = getattr(np, 'matmul')",
        "def f(x):\n    return x.numpy()",
        "def f(x):\n    return x.__array__()",
    ],
)
def test_should_forbid_arrays_of_numpy_only_where_operations_are_counted(source):
    assert {use.how for use in scan(source, [], counted=True)} == {"outside"}
    assert scan(source, [SDPA]) == []


def test_should_let_numbers_of_numpy_pass_everywhere():
    source = """
import numpy as np
from numpy import inf, sqrt

def attention(Q: "np.ndarray", d):
    peak, width = -np.inf, np.float32(np.pi)
    return Q / np.sqrt(d) * np.exp(1.0) + sqrt(np.prod([2, 3])) if np.isfinite(peak) else np.log(np.e)
"""
    assert scan(source, [SDPA], counted=True) == []


def test_should_not_suspect_ordinary_code():
    source = """
import math
import torch
from torch.nn import functional
from torch import nn

def attention(Q, K, V, mask=None):
    '''Not torch.nn.functional.scaled_dot_product_attention.'''
    scores = F.softmax(Q @ K.mT / math.sqrt(Q.size(-1)), dim=-1)
    name = "scaled_dot_product_attention"
    table = {}.get("key")
    return torch.einsum("ij,jk->ik", scores, V), name, table
"""
    assert scan(source, [SDPA], counted=True) == []


def test_should_let_a_method_of_any_tensor_be_forbidden():
    assert [use.call for use in scan("def f(x):\n    return x.softmax(-1)", ["torch.Tensor.softmax"])] == [
        "torch.Tensor.softmax"
    ]


@pytest.mark.parametrize("source", ["def f(:", "\0", "(" * 5000, "x = " + "-" * 100_000 + "1"])
def test_should_leave_text_that_does_not_parse_to_the_import(source):
    assert isinstance(scan(source, [SDPA]), list)


def seen(call, *given):
    """What a strict watch notes: only `given` is there before the call."""
    with Watch(given=given) as watch:
        call()
    return watch


X, W = torch.ones(24, 12), torch.ones(12, 20)
A, M = torch.ones(5, 6, 12), torch.ones(5, 12, 7)
SQUARE, RIGHT = torch.eye(8), torch.ones(8, 3)
PRODUCT = 2 * 24 * 12 * 20


@pytest.mark.parametrize(
    ("flops", "call"),
    [
        (PRODUCT, lambda: X.new_zeros(24, 20).addmm_(X, W)),
        (PRODUCT, lambda: torch.mm(X, W, out=torch.empty(0))),
        (PRODUCT, lambda: torch.einsum("nc,cf->fn", X, W)),
        (PRODUCT, lambda: functional.linear(X, W.T)),
        (PRODUCT, lambda: functional.conv1d(X.T[None], W.T[:, :, None])),
        (PRODUCT, lambda: torch.cdist(X, W.T)),
        (PRODUCT, lambda: (X[:, None] / W.T[None]).sum(-1)),
        (PRODUCT, lambda: torch.addcmul(torch.zeros(1), X[:, None], W.T[None]).sum(-1)),
        (PRODUCT, lambda: torch.addcdiv(torch.zeros(1), X[:, None], W.T[None]).sum(-1)),
        (PRODUCT, lambda: torch.lerp(X[:, None], W.T[None], 0.5).sum(-1)),
        (PRODUCT, lambda: torch.mul(X[:, None], W.T[None], out=torch.empty(0)).sum(-1)),
        (PRODUCT, lambda: (X[:, None].expand(24, 20, 12) * W.T[None].expand(24, 20, 12)).sum(-1)),
        (PRODUCT, lambda: torch.complex(X[:, None], W.T[None]).square().imag.sum(-1)),
        (4 * PRODUCT, lambda: X.to(torch.complex64) @ W.to(torch.complex64)),
        (24 * 12, lambda: X.prod(0)),
        (24 * 12, lambda: X.var(0)),
        (2 * 5 * 6 * 12 * 7, lambda: torch.empty(5, 6, 7).baddbmm_(A, M, beta=0)),
        (2 * 5 * 6 * 12 * 7, lambda: torch.addbmm(torch.zeros(6, 7), A, M)),
        (2 * 24 * 12, lambda: torch.addr(torch.zeros(24, 12), torch.ones(24), torch.ones(12))),
        (2 * 24 * 3 * 12 * 12, lambda: functional.bilinear(X, X, torch.ones(3, 12, 12))),
        (
            2 * 20 * 12,
            lambda: functional.embedding_bag(
                torch.arange(20).view(4, 5), X, mode="sum", per_sample_weights=torch.ones(4, 5)
            ),
        ),
        (8 * 8 * 3, lambda: torch.linalg.solve_triangular(SQUARE, RIGHT, upper=True)),
        (2 * 8**3 // 3 + 2 * 8 * 8 * 3, lambda: torch.linalg.solve(SQUARE, RIGHT)),
    ],
)
def test_should_count_a_product_however_it_is_written(flops, call):
    watch = seen(call, X, W, A, M, SQUARE, RIGHT)
    assert (watch.tally.flops, watch.uses) == (flops, [])


@pytest.mark.parametrize(
    ("operator", "call"),
    [
        ("aten._fft_r2c", lambda: torch.fft.fft(X)),
        ("aten._linalg_svd", lambda: torch.linalg.svd(X)),
        ("aten._foreach_mul", lambda: torch._foreach_mul([X], [X])),
        ("aten._to_sparse", lambda: X.to_sparse()),
    ],
)
def test_should_refuse_an_operator_whose_cost_is_not_known(operator, call):
    assert operator in {use.call for use in seen(call, X).uses if use.how == "unknown"}


@pytest.mark.parametrize(
    "call",
    [
        lambda: X.softmax(-1).sum() + X.logsumexp(0).max() + X.var(),
        lambda: X[X > 0].sort().values.cumsum(0).flip(0),
        lambda: X.gather(1, X.topk(2).indices).masked_fill(X[:, :2] > 0, 0.0).nonzero(),
        lambda: functional.layer_norm(functional.pad(X, (0, 1)), (13,)),
        lambda: functional.cross_entropy(X, torch.zeros(24, dtype=torch.long)),
        lambda: functional.one_hot(torch.bincount(torch.arange(5))),
        lambda: torch.where(X > 0, functional.gelu(X), functional.silu(X)).clamp_(0, 1).squeeze_(),
        lambda: torch.multinomial(torch.rand(3), 1),
        lambda: torch.repeat_interleave(X, 2, dim=0).roll(1, 0).tril(),
        lambda: torch.view_as_complex(X.view(24, 6, 2)) * torch.polar(torch.ones(6), torch.ones(6)),
        lambda: torch.inference_mode()(lambda: functional.rms_norm(X @ W, (20,)))(),
    ],
)
def test_should_know_what_ordinary_kernels_are_made_of(call):
    assert seen(call, X, W).uses == []


def test_should_count_memory_that_grew_or_that_nobody_saw():
    kept = torch.empty(400, 400)
    assert seen(lambda: torch.empty(0).resize_(30, 40).zero_()).tally.largest == 1200
    assert seen(lambda: torch.mm(X, W, out=torch.empty(0)), X, W).tally.largest_shape == (24, 20)
    assert seen(lambda: kept[:2, :2].zero_()).tally.largest == 160_000
    assert seen(lambda: kept[:2, :2].zero_(), kept).tally.largest == 0


def test_should_count_the_same_address_again_when_it_is_allocated_again():
    tally = seen(lambda: [torch.empty(size).zero_() for size in (10, 10, 1000, 10)]).tally
    assert (tally.largest, tally.operators["empty"]) == (1000, 4)


def test_should_refuse_what_leaves_torch():
    many, few = torch.ones(1000), torch.ones(3)
    calls = (
        many.numpy, many.__array__, many.untyped_storage, lambda: many.apply_(abs),
    )  # fmt: skip
    for call in calls:
        assert {use.how for use in seen(call, many).uses} == {"outside"}
    for call in (many.tolist, lambda: [float(x) for x in many], lambda: many.view(torch.int16).tolist()):
        assert {use.how for use in seen(call, many).uses} == {"taken"}

    def take_a_little():
        return few.tolist(), float(few[0]), many[:900].int().tolist(), many.sum().numpy()

    assert seen(take_a_little, few, many).uses == []


def test_should_print_a_tensor_without_counting_or_suspicion():
    watch = seen(lambda: (str(X), f"{X}", f"{X[0, 0]:.2f}", repr([X])), X)
    assert (watch.tally.flops, watch.tally.largest, watch.uses) == (0, 0, [])


def test_should_say_which_line_costs_most(tmp_path):
    file = tmp_path / "attempt.py"
    file.write_text("import torch\n\ndef go(x):\n    y = x @ x\n    return (y @ y) @ torch.ones(6, 1)\n")
    space = {}
    exec(compile(file.read_text(), str(file), "exec"), space)
    with Watch(file=str(file)) as watch:
        space["go"](torch.ones(6, 6))
    assert watch.tally.costliest.most_common(1) == [((5, "mm"), 2 * 6**3 + 2 * 6 * 6)]
