"""Cases, equivalents and peer of the kata online-softmax; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="every dimension differs and the last block is short", clauses=("shapes", "formula", "blocks", "always"))
def base(make: Inputs) -> Call:
    return call(make.normal(2, 3, 8), make.normal(2, 10, 8), make.normal(2, 10, 5), block_size=4)


@case(
    why="scores rise from block to block: the maximum sits in the last one, and all before it must be rescaled",
    clauses=("formula",),
)
def maximum_last(make: Inputs) -> Call:
    K = make.normal(2, 9, 4) + torch.arange(9).view(1, 9, 1)
    return call(make.normal(2, 5, 4, mean=1.0, std=0.2), K, make.normal(2, 9, 3), block_size=2)


@case(why="from +200 down to −200: only the highest maximum so far comes off", atol=2e-4, clauses=("far-scores",))
def steep_fall(make: Inputs) -> Call:
    K = 20.0 * torch.tensor([1.0] * 3 + [0.0] * 3 + [-1.0]).view(1, 7, 1) + make.normal(2, 7, 4, std=0.05)
    return call(make.normal(2, 2, 4, mean=5.0, std=0.05), K, make.normal(2, 7, 6), block_size=3)


@case(why="every score is near −200: a maximum that starts at 0 leaves nothing", atol=2e-4, clauses=("far-scores",))
def all_very_negative(make: Inputs) -> Call:
    Q = make.normal(2, 3, 4, mean=20.0, std=0.05)
    return call(Q, make.normal(2, 5, 4, mean=-5.0, std=0.05), make.normal(2, 5, 6), block_size=2)


@case(why="a query scores near +150, the next near −150: each has its maximum", atol=2e-4, clauses=("far-scores",))
def unlike_rows(make: Inputs) -> Call:
    Q = torch.tensor([15.0, -15.0, 1.0]).view(1, 3, 1) + make.normal(2, 3, 4, std=0.05)
    return call(Q, make.normal(2, 7, 4, mean=5.0, std=0.05), make.normal(2, 7, 5), block_size=4)


@case(why="left padding covers the first block of one row and the last block of the other", clauses=("mask", "empty"))
def masked_blocks(make: Inputs) -> Call:
    mask = torch.ones(2, 10, dtype=torch.bool)
    mask[0, :5] = False
    mask[1, 7:] = False
    mask[1, 2] = False
    return call(make.normal(2, 4, 8), make.normal(2, 10, 8), make.normal(2, 10, 6), mask, 3)


@case(
    why="a masked first block, then scores near −180: what stands in for −inf must not become the maximum",
    atol=2e-4,
    clauses=("mask", "empty", "far-scores"),
)
def masked_then_low(make: Inputs) -> Call:
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[0, :3] = False
    mask[1, 4] = False
    Q = make.normal(2, 3, 4, mean=18.0, std=0.05)
    return call(Q, make.normal(2, 6, 4, mean=-5.0, std=0.05), make.normal(2, 6, 5), mask, 2)


@case(
    why="masked keys score near +200, the visible ones near 0: a masked score must not be the maximum",
    atol=2e-4,
    clauses=("mask", "far-scores"),
)
def masked_high(make: Inputs) -> Call:
    mask = torch.tensor([[True, False, True, True, False, True], [False, True, True, False, True, True]])
    K = make.normal(2, 6, 4, std=0.05) + 20.0 * ~mask[..., None]
    return call(make.normal(2, 3, 4, mean=5.0, std=0.05), K, make.normal(2, 6, 5), mask, 3)


@case(why="one row has no key to attend to: zeros, says the contract", clauses=("empty", "mask"))
def empty_row(make: Inputs) -> Call:
    mask = make.boolean(3, 7)
    mask[:, 4] = True
    mask[1] = False
    return call(make.normal(3, 2, 4), make.normal(3, 7, 4), make.normal(3, 7, 5), mask, 2)


@case(why="one block holds everything", clauses=("blocks",))
def one_block(make: Inputs) -> Call:
    return call(make.normal(1, 3, 4), make.normal(1, 5, 4), make.normal(1, 5, 2), block_size=64)


@case(why="blocks of a single key", clauses=("blocks", "mask"))
def blocks_of_one(make: Inputs) -> Call:
    return call(make.normal(2, 1, 3), make.normal(2, 5, 3), make.normal(2, 5, 4), make.boolean(2, 5), 1)


@case(why="every size is 4, the mask too: nothing crashes that is transposed or causal", clauses=("shapes", "mask"))
def equal_sizes(make: Inputs) -> Call:
    mask = torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1], [1, 0, 1, 1]]).bool()
    return call(make.normal(4, 4, 4), make.normal(4, 4, 4), make.normal(4, 4, 4), mask, 2)


@case(why="one query, one key, one component, one value", clauses=("shapes", "blocks"))
def ones(make: Inputs) -> Call:
    return call(make.normal(1, 1, 1), make.normal(1, 1, 1), make.normal(1, 1, 1), block_size=1)


@case(why="no keys at all: zeros", clauses=("empty", "always"))
def no_keys(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4), make.normal(2, 0, 4), make.normal(2, 0, 5))


@case(why="no queries: an empty result", clauses=("always",))
def no_queries(make: Inputs) -> Call:
    return call(make.normal(2, 0, 4), make.normal(2, 5, 4), make.normal(2, 5, 3), make.boolean(2, 5), 2)


@case(why="float16, 600 keys: a sum kept in half precision goes astray", clauses=("float32-inside", "shapes"))
def float16(make: Inputs) -> Call:
    half = torch.float16
    Q, K = make.normal(1, 4, 8, dtype=half), make.normal(1, 600, 8, dtype=half)
    return call(Q, K, make.normal(1, 600, 5, mean=1.0, dtype=half), block_size=32)


@case(
    why="70,000 keys that weigh alike: in float16 their sum is infinite, even if it is only cast before the division",
    clauses=("float32-inside",),
)
def float16_many_keys(make: Inputs) -> Call:
    half, keys = torch.float16, 70_000
    K = make.normal(1, keys, 1, std=1e-3, dtype=half)
    return call(make.normal(1, 2, 1, dtype=half), K, make.normal(1, keys, 2, mean=1.0, dtype=half), None, 4096)


@case(
    why="float16 scores near 200: rounded to an eighth, they weigh up to 6 % too much or too little",
    clauses=("float32-inside", "far-scores"),
)
def float16_high(make: Inputs) -> Call:
    half = torch.float16
    Q, K = make.normal(2, 3, 4, mean=20.0, std=0.1, dtype=half), make.normal(2, 9, 4, mean=5.0, std=0.05, dtype=half)
    return call(Q, K, make.normal(2, 9, 6, dtype=half), block_size=4)


@case(
    why="float16 values of ±1000 that nearly cancel: rounded to float16, the weights miss by more than what is left",
    clauses=("float32-inside",),
    rtol=1e-3,
    atol=2e-3,
)
def float16_cancelling(make: Inputs) -> Call:
    half = torch.float16
    Q, K, V = make.normal(2, 1, 8, dtype=half), make.normal(2, 12, 8, dtype=half), make.normal(2, 12, 5, std=1000.0)
    weights = (Q.double() @ K.double().mT / 8**0.5).softmax(dim=-1)
    return call(Q, K, (V - weights @ V.double()).to(half), block_size=5)


@case(why="bfloat16 with a mask: the result comes back in bfloat16", clauses=("shapes", "formula", "float32-inside"))
def bfloat16(make: Inputs) -> Call:
    half = torch.bfloat16
    Q, K = make.normal(2, 3, 8, dtype=half), make.normal(2, 40, 8, dtype=half)
    return call(Q, K, make.normal(2, 40, 5, mean=1.0, dtype=half), make.boolean(2, 40), 16)


@case(why="1024 keys and 256 queries: the largest tensor is counted", clauses=("cost",))
def long_context(make: Inputs) -> Call:
    return call(make.normal(1, 256, 8), make.normal(1, 1024, 8), make.normal(1, 1024, 6), make.boolean(1, 1024), 64)


@case(
    why="the same at 16 keys a block, of other keys and queries: a block of 64 is four times as large",
    clauses=("cost", "blocks"),
)
def long_context_small_blocks(make: Inputs) -> Call:
    return call(make.normal(2, 96, 5), make.normal(2, 384, 5), make.normal(2, 384, 4), make.boolean(2, 384), 16)


@case(
    why="blocks of 4 keys, with few components: whoever always takes 16 holds four times as many scores",
    clauses=("cost", "blocks"),
)
def tiny_blocks(make: Inputs) -> Call:
    return call(make.normal(1, 64, 3), make.normal(1, 130, 3), make.normal(1, 130, 2), block_size=4)


@case(why="sizes, blocks and mask of its own", fresh=True, clauses=("formula", "mask", "blocks"))
def fresh(make: Inputs) -> Call:
    b, length, keys = make.size(2, 3), make.size(4, 6), make.size(11, 17)
    mask = make.boolean(b, keys, true=0.7)
    K = make.normal(b, keys, 8) * make.uniform(keys, 1, low=0.5, high=3.0)
    return call(make.normal(b, length, 8), K, make.normal(b, keys, 7), mask, make.size(2, 5))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("short-names", why="the same recurrence in fewer lines, always in float32")
def short_names(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total = torch.zeros_like(peak)
    out = q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink = torch.exp(peak - shift)
        weights = torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        out = out * shrink + weights @ V[:, block].float()
        peak = highest
    return (out / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@equivalent("merges-by-logsumexp", why="a softmax per block, merged by the blocks' logsumexp, as in split-K decoding")
def merges_by_logsumexp(Q, K, V, key_mask=None, block_size=64):
    out = Q.new_zeros(*Q.shape[:2], V.shape[-1], dtype=torch.float32)
    mass = torch.full((*Q.shape[:2], 1), -math.inf)
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = Q.float() @ K[:, block].float().mT / math.sqrt(Q.shape[-1])
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        new = scores.logsumexp(-1, keepdim=True)
        both = torch.logaddexp(mass, new)
        part = scores.softmax(-1).nan_to_num(0.0) @ V[:, block].float()
        out = out * (mass - both).exp().nan_to_num(0.0) + part * (new - both).exp().nan_to_num(0.0)
        mass = both
    return out.to(Q.dtype)


@equivalent("two-passes", why="finds the maximum in a first pass over the blocks, and sums in a second")
def two_passes(Q, K, V, key_mask=None, block_size=64):
    def scores_of(start):
        scores = Q.double() @ K[:, start : start + block_size].double().mT / math.sqrt(Q.shape[-1])
        if key_mask is None:
            return scores
        return scores.masked_fill(~key_mask[:, None, start : start + block_size], -math.inf)

    starts = range(0, K.shape[1], block_size)
    peak = torch.full((*Q.shape[:2], 1), -1e300, dtype=torch.float64)
    for start in starts:
        peak = torch.maximum(peak, scores_of(start).amax(-1, keepdim=True))
    total, mixed = torch.zeros_like(peak), peak.new_zeros(*Q.shape[:2], V.shape[-1])
    for start in starts:
        weights = torch.exp(scores_of(start) - peak)
        total = total + weights.sum(-1, keepdim=True)
        mixed = mixed + weights @ V[:, start : start + block_size].double()
    return torch.where(total == 0, 0.0, mixed / total).to(Q.dtype)


@equivalent(
    "scaled-keys-and-a-column-of-ones", why="scales K, walks backwards, and gets the sum from a column of ones beside V"
)
def scaled_keys_and_a_column_of_ones(Q, K, V, key_mask=None, block_size=64):
    q, size = Q.float(), V.shape[-1]
    peak, sums = q.new_full((*Q.shape[:2], 1), -math.inf), q.new_zeros(*Q.shape[:2], size + 1)
    for start in reversed(range(0, K.shape[1], block_size)):
        k, v = K[:, start : start + block_size].float(), V[:, start : start + block_size].float()
        scores = torch.einsum("bld,bsd->bls", q, k / math.sqrt(Q.shape[-1]))
        if key_mask is not None:
            scores.masked_fill_(~key_mask[:, start : start + block_size].unsqueeze(1), -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        scores = torch.where(scores == -math.inf, 0.0, (scores - highest).exp())
        shrink = torch.where(peak == -math.inf, 0.0, (peak - highest).exp())
        sums = sums * shrink + scores @ F.pad(v, (0, 1), value=1.0)
        peak = highest
    return (sums[..., :size] / sums[..., size:].clamp(min=1e-30)).to(Q.dtype)


@equivalent("queries-in-blocks-too", why="tiles the queries as well, one batch row at a time")
def queries_in_blocks_too(Q, K, V, key_mask=None, block_size=64):
    out = torch.zeros(*Q.shape[:2], V.shape[-1], dtype=Q.dtype)
    for b in range(Q.shape[0]):
        for top in range(0, Q.shape[1], block_size):
            q = Q[b, top : top + block_size].float() * Q.shape[-1] ** -0.5
            peak, total, mixed = torch.full((len(q),), -1e30), torch.zeros(len(q)), torch.zeros(len(q), V.shape[-1])
            for start in range(0, K.shape[1], block_size):
                scores = q @ K[b, start : start + block_size].float().T
                if key_mask is not None:
                    scores[:, ~key_mask[b, start : start + block_size]] = -math.inf
                highest = torch.maximum(peak, scores.amax(1))
                weights, shrink = (scores - highest[:, None]).exp(), (peak - highest).exp()
                total = total * shrink + weights.sum(1)
                mixed = mixed * shrink[:, None] + weights @ V[b, start : start + block_size].float()
                peak = highest
            out[b, top : top + block_size] = (mixed / total.clamp(min=1e-30)[:, None]).to(Q.dtype)
    return out


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    batch, keys = draw.pick(1, 2, 2, 3), draw.pick(0, 1, 2, 3, 4, 5, 6, 9)
    length = draw.pick(0, 1, 2, 3, keys, batch)
    d, d_v = draw.pick(1, 2, 4, keys or 1), draw.pick(1, 2, 3, keys or 1)
    mask = _mask(draw, batch, keys)
    Q, K = draw.normal(batch, length, d), draw.normal(batch, keys, d)
    scores = draw.pick("near", "near", "near", "high", "low", "rising", "falling", "by row", "masked high")
    draw.mark("scores", scores)
    if scores != "near":
        level = torch.linspace(-1, 1, keys).view(1, keys, 1)  # times 200
        flat = torch.ones(1, keys, 1)
        level = {"high": flat, "by row": flat, "low": -flat, "falling": -level}.get(scores, level)
        if scores == "masked high":
            level = torch.zeros(1, keys, 1) if mask is None else (~mask)[..., None].float()
        sides = torch.where(draw.boolean(length, 1), 20.0, -20.0) if scores == "by row" else 20.0
        Q, K = sides + Q * 0.05, 10 * level / d**0.5 + K * 0.05
    V = draw.normal(batch, keys, d_v, mean=draw.pick(0.0, 1.0))
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    tensors = [draw.layout(value.to(dtype)) for value in (Q, K, V)]
    given = {}
    if mask is not None or draw.given(0.3):
        given["key_mask"] = mask if mask is None else draw.layout(mask)
    if draw.given(0.85):
        given["block_size"] = draw.option(1, 2, 2, 3, 4, keys or 1, keys + 1, 64)
    return call(*tensors, **given)


def _mask(draw: Draw, batch: int, keys: int) -> torch.Tensor | None:
    """Which keys are visible: all, some, none in a row, none at the start, or one only."""
    kind = draw.pick("absent", "absent", "all", "some", "some", "an empty row", "none at first", "one", "none")
    draw.mark("mask", kind)
    if kind == "absent":
        return None
    mask = draw.boolean(batch, keys, true=0.6)
    if kind in ("all", "none"):
        mask[:] = kind == "all"
    elif kind == "an empty row":
        mask[draw.pick(0, -1)] = False
    elif keys:
        at = keys - 1 - draw.random.randrange(keys) // 2
        mask[:, :at] &= kind == "some"
        mask[:, at] = True
        mask[:, at + 1 :] &= kind != "one"
    return mask


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def sdpa(Q, K, V, key_mask=None, block_size=64):
    mask = None if key_mask is None else key_mask[:, None, :]  # (B, 1, S)
    return F.scaled_dot_product_attention(Q.float(), K.float(), V.float(), attn_mask=mask).to(Q.dtype)
