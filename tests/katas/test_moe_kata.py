"""The kata moe-routing: proven here without the grader, and its gates against the routers of real models."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from llmdrills.grading.rules.counting import Watch
from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("moe-routing")
renormalised, raw = KATA.reference.moe_layer_renormalised, KATA.reference.moe_layer_raw


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("variant", KATA.variants)
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(variant: str, seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, variant, tmp_path, seed, only_costly=frozenset({"dense"}))


@pytest.fixture
def layer() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(9, 6), torch.randn(6, 5), torch.randn(5, 6, 4)


def router_gates(router: Any, x: torch.Tensor, w_router: torch.Tensor) -> torch.Tensor:
    """The gates (N, E) that a router of transformers gives."""
    with torch.no_grad():
        router.weight.copy_(w_router.T)
        _, weights, experts = router(x)
    return torch.zeros(len(x), w_router.shape[1]).scatter(1, experts, weights)


def test_should_compute_in_renormalised_the_gates_of_mixtral(
    layer: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    modeling = pytest.importorskip("transformers.models.mixtral.modeling_mixtral")
    config = SimpleNamespace(num_experts_per_tok=2, num_local_experts=5, hidden_size=6)
    _, gates = renormalised(*layer, 2)
    torch.testing.assert_close(gates, router_gates(modeling.MixtralTopKRouter(config), *layer[:2]))


@pytest.mark.parametrize("kernel", [raw, renormalised])
def test_should_find_both_conventions_among_the_settings_of_qwen2_moe(
    layer: tuple[torch.Tensor, torch.Tensor, torch.Tensor], kernel: Any
) -> None:
    modeling = pytest.importorskip("transformers.models.qwen2_moe.modeling_qwen2_moe")
    config = SimpleNamespace(num_experts_per_tok=2, num_experts=5, hidden_size=6, norm_topk_prob=kernel is renormalised)
    _, gates = kernel(*layer, 2)
    torch.testing.assert_close(gates, router_gates(modeling.Qwen2MoeTopKRouter(config), *layer[:2]))


def flops(kernel: Any, made: Any) -> int:
    with Watch() as watch:
        kernel(*made.args, **made.kwargs)
    return watch.tally.flops


def dense(x: Any, w_router: Any, w_experts: Any, k: int) -> Any:
    """Right values, but every expert runs on every token."""
    _, gates = renormalised(x, w_router, w_experts, k)
    hidden = torch.nn.functional.silu(torch.einsum("nc,ecf->enf", x, w_experts))
    return (gates.T[..., None] * hidden).sum(0), gates


def test_should_admit_every_equivalent_to_the_budget_and_reject_running_all_experts(tmp_path: Path) -> None:
    (budget,) = KATA.yaml["budgets"]
    case = next(case for case in KATA.registered.cases if case.name == budget["case"])
    made = KATA.inputs(case, tmp_path)
    allowed = budget["flops"] * flops(renormalised, made)
    for right in KATA.registered.equivalents:
        assert flops(right.kernel, made) <= allowed, right.id
    torch.testing.assert_close(dense(*made.args), renormalised(*made.args))
    assert flops(dense, made) > 3 * allowed
