"""A sparse mixture-of-experts layer, with the router's weights renormalised or as they are."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def moe_layer_renormalised(
    x: torch.Tensor, w_router: torch.Tensor, w_experts: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Send each token of x (N, C) to its k best experts of w_experts (E, C, F); return their mix and the gates."""
    weights, experts = _probabilities(x, w_router).topk(k, dim=-1)  # (N, k) both
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return _mix(x, w_experts, weights, experts)


def moe_layer_raw(
    x: torch.Tensor, w_router: torch.Tensor, w_experts: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Send each token of x (N, C) to its k best experts of w_experts (E, C, F); return their mix and the gates."""
    weights, experts = _probabilities(x, w_router).topk(k, dim=-1)  # (N, k) both
    return _mix(x, w_experts, weights, experts)


def _probabilities(x: torch.Tensor, w_router: torch.Tensor) -> torch.Tensor:
    logits = x @ w_router  # (N, E)
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(dim=-1)


def _mix(
    x: torch.Tensor, w_experts: torch.Tensor, weights: torch.Tensor, experts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    count, _, features = w_experts.shape
    gates = x.new_zeros(x.size(0), count).scatter(1, experts, weights.to(x.dtype))  # (N, E): by expert, not by rank
    output = x.new_zeros(x.size(0), features)  # (N, F)
    for expert in range(count):
        rows, _ = (experts == expert).nonzero(as_tuple=True)  # the tokens that chose this expert
        if len(rows):
            hidden = F.silu(x[rows] @ w_experts[expert])  # (rows, F)
            output = output.index_add(0, rows, gates[rows, expert, None] * hidden)
    return output, gates
