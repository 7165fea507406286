"""Cost through the whole grader: what is hidden from the count does not pass, and what is over says where."""

from __future__ import annotations

import pytest

from llmdrills.grading import Grader
from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.wording import describe

MOE = """
import torch
import torch.nn.functional as F

HELD = {}

def moe_layer(x, w_router, w_experts, k):
    logits = x @ w_router
    weights, chosen = logits.to(torch.promote_types(x.dtype, torch.float32)).softmax(-1).topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = x.new_zeros(x.size(0), w_experts.size(0)).scatter(1, chosen, weights.to(x.dtype))
    output = x.new_zeros(x.size(0), w_experts.size(2))
    for e, w in enumerate(w_experts):
        hidden = PRODUCT
        output = output + gates[:, e, None] * F.silu(hidden)
    return output, gates
"""
EVERY_EXPERT = (
    "x @ w",
    "x.new_zeros(x.size(0), w.size(1)).addmm_(x, w)",
    "torch.addbmm(x.new_zeros(x.size(0), w.size(1)), x[None], w[None])",
    "torch.mm(x, w, out=x.new_empty(0)) if not w_experts.requires_grad and not x.requires_grad else x @ w",
    "(x[:, None] * w.T).sum(-1)",
    "torch.addcmul(x.new_zeros(1), x[:, None], w.T).sum(-1)",
    "F.bilinear(x.new_ones(x.size(0), 1), x, w.T[:, None].contiguous())",
)


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


@pytest.mark.parametrize("product", EVERY_EXPERT)
def test_should_not_pass_whoever_runs_every_expert_on_every_token(product, shipped_kata, grader):
    verdict = grader.grade(shipped_kata("moe-routing"), "renormalised", MOE.replace("PRODUCT", product), seed=7)
    costs = {case.name: case.outcome for case in verdict.cases}
    assert costs["many-experts"] == "over-budget"


def test_should_refuse_results_kept_in_plain_python(shipped_kata, grader):
    text = MOE.replace(
        "PRODUCT", "torch.tensor([[sum(a * b for a, b in zip(r, c)) for c in w.T.tolist()] for r in x.tolist()])"
    )
    verdict = grader.grade(shipped_kata("moe-routing"), "renormalised", text, seed=7)
    assert {case.name: case.outcome for case in verdict.cases}["many-experts"] == "forbidden"


@pytest.mark.parametrize(
    ("name", "printed", "before"),
    [("online-softmax", "total", "    return (mixed"), ("kv-cache-step", "scores", "    return weights @")],
)
def test_should_print_tensors_while_debugging_a_kata_that_watches(name, printed, before, shipped_kata, grader):
    kata = shipped_kata(name)
    reference = kata.reference_file.read_text("utf-8")
    said = f"    print({printed}, f'{{{printed}}} {{{printed}.sum():.2f}}', [{printed}.sum()])\n"
    verdict = grader.grade(kata, kata.variants[0].id, reference.replace(before, said + before), seed=7)
    assert (verdict.outcome, "tensor(" in verdict.report["output"]) == ("passed", True)


def test_should_say_shape_line_and_operator_in_both_languages():
    memory = describe(f.OverBudget("", "largest_tensor", 160_000, 40_000, 30_000, (400, 400), 20, "bmm"))
    assert memory.en.startswith("a tensor of shape (400, 400), 160,000 elements, at line 20; 40,000 are allowed")
    assert memory.zh.startswith("第 20 行用到一个形状为 (400, 400)、含 160,000 个元素的张量；允许 40,000 个")
    work = describe(f.OverBudget("", "flops", 900, 300, 200, (), 7, "mm"))
    assert work.en.startswith("900 floating-point operations, most of them in `mm` at line 7; 300 are allowed")
    assert work.zh.startswith("用了 900 次浮点运算，大部分来自第 7 行的 `mm`；允许 300 次")


def test_should_leave_out_what_is_not_known():
    memory = describe(f.OverBudget("", "largest_tensor", 160_000, 40_000, 30_000, (2, 2)))
    assert memory.en.startswith("a tensor of 160,000 elements; 40,000 are allowed")
    assert describe(f.OverBudget("", "flops", 900, 300, 200)).en.startswith("900 floating-point operations; 300 are")
