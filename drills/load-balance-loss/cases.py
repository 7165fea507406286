"""Cases, equivalents and peers of the kata load-balance-loss; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def logits(make: Inputs, b: int, t: int, e: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Router logits that prefer the first experts, so that load and share are uneven, and differ by row."""
    slope = torch.linspace(1.5, -1.5, e) if e > 1 else torch.zeros(1)
    return make.normal(b, t, e, std=1.5, dtype=dtype) + (slope * torch.linspace(1.0, -0.5, b).view(b, 1, 1)).to(dtype)


def steps(make: Inputs, b: int, t: int, e: int, step: float, dtype: torch.dtype) -> torch.Tensor:
    """Logits that are exact in a half type: a permutation of multiples of `step` for each token."""
    rows = [make.permutation(e) - e // 2 for _ in range(b * t)]
    return (torch.stack(rows).view(b, t, e) * step).to(dtype)


def lengths(*given: int, width: int, left: bool = False) -> torch.Tensor:
    """A 0/1 mask (B, width): so many tokens in each row, padded on the right, or on the left."""
    places = torch.arange(width)
    if left:
        return torch.stack([(places >= width - n).long() for n in given])
    return torch.stack([(places < n).long() for n in given])


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="all sizes differ, two of five experts, no padding", clauses=("logits", "share", "load", "loss", "result"))
def base(make: Inputs) -> Call:
    return call(logits(make, 3, 4, 5), 2)


@case(why="ragged sequences: padding must leave f, P and both counts", clauses=("mask", "load", "share", "loss"))
def padded(make: Inputs) -> Call:
    return call(logits(make, 3, 6, 5), 2, lengths(6, 2, 4, width=6))


@case(why="padding on the left, in a bool mask", clauses=("mask",))
def left_bool(make: Inputs) -> Call:
    return call(logits(make, 2, 5, 4), 2, lengths(3, 5, width=5, left=True).bool())


@case(why="holes in an int8 mask: padding may stand anywhere", clauses=("mask",))
def holes(make: Inputs) -> Call:
    return call(logits(make, 2, 5, 4), 3, torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 0, 1]], dtype=torch.int8))


@case(why="a mask in float16 over float32 logits", clauses=("mask", "result"))
def half_mask(make: Inputs) -> Call:
    return call(logits(make, 2, 4, 3), 1, lengths(4, 1, width=4).half())


@case(why="a mask of ones is no mask", clauses=("mask",))
def full_mask(make: Inputs) -> Call:
    return call(logits(make, 2, 3, 6), 4, torch.ones(2, 3, dtype=torch.int64))


@case(why="k = 1, as in Switch: both conventions count alike", clauses=("load",))
def top_one(make: Inputs) -> Call:
    return call(logits(make, 2, 5, 4), 1)


@case(why="best logits that differ in float32 alone: which is higher is asked before any rounding", clauses=("load",))
def close_logits(make: Inputs) -> Call:
    # Once with the higher one behind the lower, and once before it: whichever a tie would take, one is wrong.
    rows = [[2.0, 2.0004, -1.0, 0.25], [-1.0, 0.5, 1.0, 1.0003], [3.0, -2.0, 0.5, 0.0], [0.3, -1.0, 2.2004, 2.2]]
    return call(torch.tensor([rows]), 1)


@case(why="k = E: every expert has every token", clauses=("load",))
def all_experts(make: Inputs) -> Call:
    return call(logits(make, 2, 3, 4), 4, lengths(3, 1, width=3))


@case(why="one expert", clauses=("logits", "loss"))
def one_expert(make: Inputs) -> Call:
    return call(logits(make, 2, 3, 1), 1, lengths(2, 3, width=3))


@case(why="one token alone", clauses=("load", "loss"))
def one_token(make: Inputs) -> Call:
    return call(logits(make, 1, 1, 6), 2)


@case(why="every size is 4: nothing crashes that is transposed", clauses=("logits", "mask"))
def equal_sizes(make: Inputs) -> Call:
    return call(logits(make, 4, 4, 4), 2, lengths(1, 4, 2, 3, width=4))


@case(why="the middle sequence is all padding: it has no f and no P, and no place in a mean", clauses=("loss", "mask"))
def empty_sequence(make: Inputs) -> Call:
    return call(logits(make, 3, 4, 5), 2, lengths(4, 0, 3, width=4))


@case(why="nothing but padding: the loss is 0, not 0/0", clauses=("loss",))
def all_padding(make: Inputs) -> Call:
    return call(logits(make, 2, 3, 4), 2, torch.zeros(2, 3, dtype=torch.int64))


@case(why="no sequence at all", clauses=("always", "loss"))
def no_sequences(make: Inputs) -> Call:
    return call(make.normal(0, 3, 4), 2)


@case(why="sequences without a position", clauses=("always", "loss"))
def no_positions(make: Inputs) -> Call:
    return call(make.normal(2, 0, 4), 2, torch.zeros(2, 0))


@case(why="logits of 300: exp() without the maximum taken off overflows", clauses=("share",))
def large_logits(make: Inputs) -> Call:
    return call(logits(make, 2, 4, 5) + 300, 2, lengths(4, 2, width=4))


@case(why="bfloat16 logits: probabilities and result are float32", clauses=("share", "result"))
def bfloat16(make: Inputs) -> Call:
    return call(steps(make, 2, 5, 6, 0.5, torch.bfloat16), 2, lengths(5, 3, width=5))


@case(why="1,200 tokens in bfloat16, which cannot count past 256", clauses=("share", "load"))
def many_tokens(make: Inputs) -> Call:
    return call(steps(make, 2, 600, 3, 0.5, torch.bfloat16), 1, lengths(599, 501, width=600).bfloat16())


@case(
    why="two logits so near to each other that their bfloat16 probabilities are equal, in either order",
    clauses=("load", "logits"),
)
def near_logits(make: Inputs) -> Call:
    near = 2.0**-10  # both probabilities round to 0.48828; the third token makes the two experts' shares differ
    rows = [[0.0, near, -3.0], [near, 0.0, -3.0], [4.0, 0.0, 0.5]]
    return call(torch.tensor([rows], dtype=torch.bfloat16), 1)


@case(why="gradients reach the logits through P, and padding gets none", grads=(0,), clauses=("result", "always"))
def gradients(make: Inputs) -> Call:
    return call(logits(make, 3, 4, 5), 2, lengths(4, 2, 3, width=4))


@case(why="a sequence of padding beside others: its 0/0 must not reach the gradients", grads=(0,), clauses=("result",))
def empty_sequence_gradients(make: Inputs) -> Call:
    return call(logits(make, 3, 3, 4), 2, lengths(3, 0, 2, width=3))


@case(why="sizes and lengths of its own", fresh=True, clauses=("load", "share", "loss"))
def fresh(make: Inputs) -> Call:
    b, t, e = make.size(2, 4), make.size(3, 6), make.size(4, 7)
    return call(logits(make, b, t, e), make.size(2, 3), lengths(*(make.size(1, t) for _ in range(b)), width=t))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("flat", why="drops the padding first, and works on a flat list of tokens", variants=("batch",))
def flat(router_logits, k, mask=None):
    if mask is not None:
        router_logits = router_logits[mask.bool()]
    E = router_logits.shape[-1]
    rows = router_logits.reshape(-1, E)
    p = rows.float().softmax(-1)
    chosen = F.one_hot(rows.topk(k).indices, E).float()
    f = chosen.sum(dim=(0, 1)) / max(len(rows), 1)
    P = p.sum(dim=0) / max(len(rows), 1)
    return E * (f * P).sum()


@equivalent("counts", why="counts by bincount, as plain numbers", variants=("batch",))
def counts(router_logits, k, mask=None):
    E = router_logits.shape[-1]
    kept = torch.ones(router_logits.shape[:2]) if mask is None else mask.float()
    n = kept.sum()
    if n == 0:
        return (router_logits.float() * 0).sum()
    probabilities = torch.softmax(router_logits.float(), dim=2)
    picked = router_logits.argsort(dim=-1, descending=True)[..., :k][kept > 0]
    f = torch.bincount(picked.flatten(), minlength=E) / n
    P = torch.einsum("bte,bt->e", probabilities, kept) / n
    return torch.dot(f, P) * E


@equivalent("token-by-token", why="a loop over tokens, in float64", variants=("batch",))
def token_by_token(router_logits, k, mask=None):
    B, T, E = router_logits.shape
    f, P, n = torch.zeros(E, dtype=torch.float64), torch.zeros(E, dtype=torch.float64), 0
    for b in range(B):
        for t in range(T):
            if mask is not None and not mask[b, t]:
                continue
            row = router_logits[b, t].double()
            f = f + (row >= row.sort(descending=True).values[k - 1])
            P, n = P + row.softmax(0), n + 1
    return (E * (f * P).sum() / max(n, 1) ** 2).float()


@equivalent("row-tables", why="0/1 tables and sums along dim 1", variants=("sequence",))
def row_tables(router_logits, k, mask=None):
    B, T, E = router_logits.shape
    if mask is None:
        mask = torch.ones(B, T)
    kept = mask.float().unsqueeze(-1)
    p = router_logits.float().softmax(-1)
    top = router_logits.topk(k).indices
    chosen = F.one_hot(top, E).float().sum(dim=2)
    n = kept.sum(dim=1)
    f = (chosen * kept).sum(dim=1) / (k * n.clamp(min=1))
    P = (p * kept).sum(dim=1) / n.clamp(min=1)
    losses = E * (f * P).sum(dim=-1)
    return losses.sum() / (n > 0).sum().clamp(min=1)


@equivalent("sequence-by-sequence", why="a loop that takes each sequence's own tokens", variants=("sequence",))
def sequence_by_sequence(router_logits, k, mask=None):
    E = router_logits.shape[-1]
    losses = []
    for b, rows in enumerate(router_logits):
        if mask is not None:
            rows = rows[mask[b] != 0]
        if len(rows) == 0:
            continue
        f = torch.bincount(rows.topk(k).indices.flatten(), minlength=E) / (k * len(rows))
        losses.append(E * (f * rows.float().softmax(-1).mean(0)).sum())
    return torch.stack(losses).mean() if losses else (router_logits.float() * 0).sum()


@equivalent("as-in-deepseek", why="scatter_add of ones, as DeepSeek's gate does, with a mask", variants=("sequence",))
def as_in_deepseek(router_logits, k, mask=None):
    B, T, E = router_logits.shape
    kept = router_logits.new_ones(B, T, dtype=torch.float32) if mask is None else mask.to(torch.float32)
    scores = router_logits.softmax(dim=-1, dtype=torch.float32)
    index = torch.topk(router_logits, k, dim=-1).indices.reshape(B, T * k)
    load = torch.zeros(B, E).scatter_add_(1, index, kept.repeat_interleave(k, dim=1))
    n = kept.sum(1, keepdim=True).clamp(min=1)
    losses = (load / (n * k / E) * ((scores * kept[..., None]).sum(1) / n)).sum(1)
    alive = kept.amax(1) if T else torch.zeros(B)
    return losses.sum() / alive.sum().clamp(min=1)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    e = draw.pick(1, 2, 3, 3, 4, 5, 8)
    b = draw.pick(0, 1, 1, 2, 2, 3, 3, 4, e)
    t = draw.pick(0, 1, 2, 3, 4, 4, 5, 6, e, b)
    k = draw.pick(1, 1, e, *range(1, e + 1))
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    kind = draw.pick("any", "any", "steep", "one for all") if dtype == torch.float32 else draw.pick("exact", "near")
    if dtype != torch.float32 and draw.chance(0.1):
        b, t, e, k = draw.pick(1, 2), draw.pick(301, 515), 3, draw.pick(1, 2, 3)
        draw.mark("more tokens than a half type can count")
    draw.mark("logits", kind)
    if b * t == 0:
        values = torch.zeros(b, t, e)
    elif dtype != torch.float32:
        step = 0.5 if kind == "exact" else 2.0**-16 if dtype == torch.float16 else 2.0**-8
        values = steps(draw, b, t, e, step, dtype)
    else:
        # Not so steep that a probability drowns in float32: whoever chooses by probabilities is right too.
        values = draw.normal(b, t, e, std={"any": 1.5, "steep": 8.0, "one for all": 0.2}[kind])
        values = values + draw.normal(e, std=6.0 if kind == "one for all" else 0.7) + draw.pick(0.0, 0.0, 300.0, -300.0)
    mask = drawn_mask(draw, b, t)
    if dtype == torch.float32 and b * t and (mask is None or mask.any()) and draw.chance(0.35):
        draw.gradients(0)
    values = draw.layout(values.to(dtype))
    if mask is None:
        return call(values, k, None) if draw.chance(0.3) else call(values, k)
    return call(values, k, draw.layout(mask)) if draw.chance(0.5) else call(values, k, mask=draw.layout(mask))


def drawn_mask(draw: Draw, b: int, t: int) -> torch.Tensor | None:
    kind = draw.pick("none", "right", "left", "holes", "ones", "zeros", "an empty row")
    draw.mark("mask", kind)
    if kind == "none":
        return None
    if kind in ("right", "left"):
        length = draw.integers(0, t + 1, b, 1)
        places = torch.arange(t).expand(b, t)
        mask = places < length if kind == "right" else places >= t - length
    else:
        mask = draw.boolean(b, t, true={"ones": 1.0, "zeros": 0.0}.get(kind, 0.6))
    if kind == "an empty row" and b:
        mask[draw.pick(0, -1)] = False
    return mask.to(draw.pick(torch.bool, torch.bool, torch.int64, torch.int8, torch.float32, torch.bfloat16))


# Peers ------------------------------------------------------------------------------------------------------------


@peer(
    "transformers",
    skips={
        "all-padding": "it divides 0 by 0",
        "no-sequences": "it divides 0 by 0",
        "no-positions": "it divides 0 by 0",
        "bfloat16": "it takes the softmax in the logits' dtype",
        "many-tokens": "it takes the softmax in the logits' dtype",
        "near-logits": "it takes the softmax in the logits' dtype",
    },
    variants=("batch",),
)
def transformers_mixtral(router_logits, k, mask=None):
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    experts = router_logits.shape[-1]
    return load_balancing_loss_func((router_logits.reshape(-1, experts),), experts, k, mask)


@peer(
    "numpy",
    skips={"gradients": "numpy has no gradients", "empty-sequence-gradients": "numpy has no gradients"},
    variants=("sequence",),
)
def numpy_by_sequence(router_logits, k, mask=None):
    """The report's formulas, with ranks in place of a top-k."""
    import numpy as np

    scores = router_logits.detach().double().numpy()
    kept = np.ones(scores.shape[:2]) if mask is None else mask.double().numpy()
    experts, losses = scores.shape[-1], []
    for rows, keep in zip(scores, kept, strict=True):
        rows = rows[keep > 0]
        if len(rows) == 0:
            continue
        powers = np.exp(rows - rows.max(-1, keepdims=True))
        p = powers / powers.sum(-1, keepdims=True)
        ranks = (rows[:, None, :] > rows[:, :, None]).sum(-1)  # how many logits of the token are above each
        f = experts / (k * len(rows)) * (ranks < k).sum(0)
        losses.append((f * p.mean(0)).sum())
    return torch.tensor(float(np.mean(losses)) if losses else 0.0)
