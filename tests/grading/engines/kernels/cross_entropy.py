"""The loss of each row from its logits, block by block, without the probabilities; ignored targets give 0."""

import torch
import triton
import triton.language as tl


@triton.jit
def loss_of_row(logits, target, loss, V, ignore, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    wanted = tl.load(target + row)
    top = float("-inf")
    total = 0.0
    for start in range(0, V, BLOCK):
        col = start + tl.arange(0, BLOCK)
        x = tl.load(logits + row * V + col, mask=col < V, other=float("-inf")).to(tl.float32)
        higher = tl.maximum(top, tl.max(x, 0))
        total = total * tl.exp(top - higher) + tl.sum(tl.exp(x - higher), 0)
        top = higher
    if wanted == ignore:  # noqa: SIM108  # the logit of an ignored target must not be read
        result = 0.0
    else:
        result = top + tl.log(total) - tl.load(logits + row * V + wanted).to(tl.float32)
    tl.store(loss + row, result)


def entry(logits, target, ignore_index):
    rows, V = logits.shape
    loss = torch.empty(rows, dtype=torch.float32)
    loss_of_row[(rows,)](logits, target, loss, V, ignore_index, BLOCK=64)
    return loss
