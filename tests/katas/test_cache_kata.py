"""The kata kv-cache-step: proven here without the grader, stepped by hand, and against attention in transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from llmdrills.grading.rules.counting import Watch
from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("kv-cache-step")
step = KATA.reference.kv_cache_step


@pytest.mark.parametrize("seed", [0, 1])
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, "rotated-keys", tmp_path, seed)


def stepped(kernel: Any, x: torch.Tensor, weights: list[torch.Tensor], chunks: list[int]) -> torch.Tensor:
    """The outputs of all tokens, computed chunk by chunk with the kernel's own cache."""
    outputs, cache, seen = [], None, 0
    for chunk in chunks:
        seen += chunk
        output, cache = kernel(x[:, :seen], *weights, cache)
        outputs.append(output)
    return torch.cat(outputs, dim=1)


@pytest.fixture
def head() -> tuple[torch.Tensor, list[torch.Tensor]]:
    torch.manual_seed(0)
    return torch.randn(2, 7, 6), [torch.randn(6, 8), torch.randn(6, 8), torch.randn(6, 4)]


@pytest.mark.parametrize("chunks", [[4, 1, 1, 1], [4, 3], [1, 6], [1] * 7])
def test_should_give_by_stepping_what_one_pass_gives(
    head: tuple[torch.Tensor, list[torch.Tensor]], chunks: list[int]
) -> None:
    x, weights = head
    torch.testing.assert_close(stepped(step, x, weights, chunks), stepped(step, x, weights, [7]))


@pytest.mark.parametrize(
    "name", ["position-reset", "position-one-late", "unrotated-k", "rotated-v", "rotated-cache", "raw-keys-cached"]
)
def test_should_break_stepping_by_a_bug_with_its_own_cache(
    head: tuple[torch.Tensor, list[torch.Tensor]], name: str
) -> None:
    x, weights = head
    kernel = next(wrong.kernel for wrong in KATA.wrong(KATA.variants[0]) if wrong.id == name)
    assert not torch.allclose(stepped(kernel, x, weights, [4, 1, 1, 1]), stepped(step, x, weights, [7]), atol=1e-3)


def test_should_give_in_one_pass_llamas_attention_with_one_head(head: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    modeling = pytest.importorskip("transformers.models.llama.modeling_llama")
    torch.manual_seed(0)
    x, weights = torch.randn(2, 7, 8), [torch.randn(8, 8) for _ in range(3)]
    config = modeling.LlamaConfig(
        hidden_size=8, num_attention_heads=1, num_key_value_heads=1, head_dim=8, attn_implementation="eager"
    )
    layer, rotary = modeling.LlamaAttention(config, layer_idx=0), modeling.LlamaRotaryEmbedding(config)
    causal = torch.full((1, 1, 7, 7), -torch.inf).triu(1)
    with torch.no_grad():
        for linear, weight in zip((layer.q_proj, layer.k_proj, layer.v_proj), weights, strict=True):
            linear.weight.copy_(weight.T)
        layer.o_proj.weight.copy_(torch.eye(8))
        theirs, _ = layer(x, rotary(x, torch.arange(7)[None].expand(2, 7)), causal)
    ours, _ = step(x, *weights)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def cost(kernel: Any, made: Any) -> tuple[int, int]:
    with Watch() as watch:
        kernel(*made.args, **made.kwargs)
    return watch.tally.flops, watch.tally.largest


def recomputes_the_prefix(x: Any, w_q: Any, w_k: Any, w_v: Any, cache: Any = None, base: float = 10000.0) -> Any:
    output, grown = step(x, w_q, w_k, w_v, None, base)
    return output[:, 0 if cache is None else cache[0].shape[1] :], grown


def test_should_admit_every_equivalent_to_the_budget_and_reject_whoever_recomputes_the_prefix(tmp_path: Path) -> None:
    budget = next(budget for budget in KATA.yaml["budgets"] if budget["case"] == "long-prefix")
    case = next(case for case in KATA.registered.cases if case.name == budget["case"])
    made = KATA.inputs(case, tmp_path)
    flops, largest = cost(step, made)
    for right in KATA.registered.equivalents:
        spent, allocated = cost(right.kernel, made)
        assert spent <= budget["flops"] * flops, right.id
        assert allocated <= budget["largest_tensor"] * largest, right.id
    torch.testing.assert_close(recomputes_the_prefix(*made.args)[0], step(*made.args)[0], rtol=1e-3, atol=1e-3)
    spent, allocated = cost(recomputes_the_prefix, made)
    assert spent > 100 * flops
    assert allocated > 10 * largest
