"""Cross entropy as one Triton kernel: a row of logits is read once, its probabilities are never written."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def cross_entropy_kernel(x, target, loss, x_row, x_column, t_step, V, ignore_index, BLOCK: tl.constexpr):
    row = tl.program_id(0)  # one program a token
    t = tl.load(target + row * t_step)
    result = 0.0
    if t != ignore_index:  # −100 is no column: nothing may be read there
        # The largest logit so far, and the sum of exp(logit − peak) so far.
        peak, total = -float("inf"), 0.0
        for start in range(0, V, BLOCK):
            c = start + tl.arange(0, BLOCK)
            at = x + row * x_row + c * x_column
            v = tl.load(at, mask=c < V, other=-float("inf")).to(tl.float32)
            higher = tl.maximum(peak, tl.max(v, axis=0))
            total = total * tl.exp(peak - higher)
            total += tl.sum(tl.exp(v - higher), axis=0)
            peak = higher
        own = tl.load(x + row * x_row + t * x_column)
        result = peak + tl.log(total) - own.to(tl.float32)
    tl.store(loss + row, result)


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, ignore_index: int = -100) -> torch.Tensor:
    """The loss of each row of logits (T, V) on its target (T,), 0 where it is ignore_index; float32, (T,)."""
    T, V = logits.shape
    loss = torch.empty(T, dtype=torch.float32, device=logits.device)
    block = min(1024, triton.next_power_of_2(V))
    cross_entropy_kernel[(T,)](logits, targets, loss, *logits.stride(), *targets.stride(), V, ignore_index, BLOCK=block)
    return loss
