"""The loss and gradient of a large batch, from micro-batches that are looked at one after another."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def accumulate_gradients(
    weight: torch.Tensor, micro_batches: list[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean loss of an output head weight (D, V) over all micro-batches (x, labels), and its gradient (D, V)."""
    wide = torch.promote_types(weight.dtype, torch.float32)
    leaf = weight.detach().to(wide).requires_grad_()  # (D, V), a leaf of our own: the caller's has its own .grad
    # Known before the first backward pass: labels are at hand, and counting them costs nothing.
    count = sum(int((labels != -100).sum()) for _, labels in micro_batches)
    loss = torch.zeros((), dtype=wide, device=weight.device)
    gradient = torch.zeros_like(leaf)
    for x, labels in micro_batches:
        logits = (x.to(wide) @ leaf).flatten(0, 1)  # (B·T, V)
        summed = F.cross_entropy(logits, labels.flatten(), ignore_index=-100, reduction="sum")
        share = summed / max(count, 1)  # each token weighs the same, in whichever micro-batch it is
        gradient += torch.autograd.grad(share, leaf)[0]  # the graph of this micro-batch is freed here
        loss += share.detach()
    return loss, gradient
