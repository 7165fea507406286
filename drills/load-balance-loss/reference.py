"""The auxiliary loss that keeps a mixture of experts balanced: over the whole batch, or sequence by sequence.

What is not covered: the loss coefficient, several layers, the z-loss, biases that balance without a loss.
"""

from __future__ import annotations

import torch


def load_balance_loss_batch(router_logits: torch.Tensor, k: int, mask: torch.Tensor | None = None) -> torch.Tensor:
    """The balance loss of one layer, a scalar, from router_logits (B, T, E), of which each token takes the best k."""
    probabilities, chosen, kept = _routing(router_logits, k, mask)
    tokens = kept.sum().clamp(min=1)  # the batch may be all padding
    load = (chosen * kept).sum(dim=(0, 1)) / tokens  # (E,), adds up to k; counting has no gradient
    share = (probabilities * kept).sum(dim=(0, 1)) / tokens  # (E,), adds up to 1
    return router_logits.size(-1) * (load * share).sum()


def load_balance_loss_sequence(router_logits: torch.Tensor, k: int, mask: torch.Tensor | None = None) -> torch.Tensor:
    """The balance loss of one layer, a scalar, from router_logits (B, T, E), of which each token takes the best k."""
    probabilities, chosen, kept = _routing(router_logits, k, mask)
    tokens = kept.sum(dim=1)  # (B, 1)
    length = tokens.clamp(min=1)  # a sequence without tokens divides 0 by 1
    load = (chosen * kept).sum(dim=1) / (k * length)  # (B, E), adds up to 1; counting has no gradient
    share = (probabilities * kept).sum(dim=1) / length  # (B, E), adds up to 1
    losses = router_logits.size(-1) * (load * share).sum(dim=-1)  # (B,), 0 where there are no tokens
    return losses.sum() / (tokens > 0).sum().clamp(min=1)


def _routing(
    router_logits: torch.Tensor, k: int, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    wide = torch.promote_types(router_logits.dtype, torch.float32)
    probabilities = torch.softmax(router_logits, dim=-1, dtype=wide)  # (B, T, E)
    chosen = torch.zeros_like(probabilities).scatter(-1, router_logits.topk(k, dim=-1).indices, 1.0)  # (B, T, E)
    if mask is None:
        mask = torch.ones(router_logits.shape[:2], device=router_logits.device)
    return probabilities, chosen, mask.to(wide).unsqueeze(-1)  # (B, T, 1)
