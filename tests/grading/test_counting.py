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


def test_should_forbid_numpy_only_where_operations_are_counted():
    for source in ("import numpy as np", "def f(x):\n    return x.numpy()"):
        assert [use.call for use in scan(source, [], counted=True)] == ["numpy"]
        assert scan(source, [SDPA]) == []


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
