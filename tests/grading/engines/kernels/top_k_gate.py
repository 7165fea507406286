"""The k experts of each token with the highest logits, and the softmax over those k: a program a token."""

import torch
import triton
import triton.language as tl


@triton.jit
def choose(logits, weights, experts, E, CHOSEN: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    expert = tl.arange(0, BLOCK)
    left = tl.load(logits + row * E + expert, mask=expert < E, other=float("-inf")).to(tl.float32)
    top = tl.max(left, 0)
    total = 0.0
    for j in tl.static_range(CHOSEN):
        best = tl.max(left, 0)
        index = tl.argmax(left, 0)
        weight = tl.exp(best - top)
        total += weight
        tl.store(experts + row * CHOSEN + j, index)
        tl.store(weights + row * CHOSEN + j, weight)
        left = tl.where(expert == index, float("-inf"), left)
    tl.debug_barrier()
    for j in tl.static_range(CHOSEN):
        tl.store(weights + row * CHOSEN + j, tl.load(weights + row * CHOSEN + j) / total)


def entry(logits, k):
    rows, E = logits.shape
    weights = torch.empty((rows, k), dtype=torch.float32)
    experts = torch.empty((rows, k), dtype=torch.int32)
    choose[(rows,)](logits, weights, experts, E, k, triton.next_power_of_2(E))
    return weights, experts
