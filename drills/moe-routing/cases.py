"""Cases, equivalents and peers of the kata moe-routing; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def layer(make: Inputs, n: int, c: int, e: int, f: int, k: int) -> Call:
    """Inputs whose router logits vary by about 2, so that no gate vanishes and none takes all."""
    return call(make.normal(n, c), make.normal(c, e, std=2 * c**-0.5), make.normal(e, c, f, std=c**-0.5), k)


def exact_logits(make: Inputs, step: float, dtype: torch.dtype) -> Call:
    """Six tokens, five experts: the first five channels of a token are its logits, multiples of `step` in any order."""
    n, c, e, f = 6, 8, 5, 4
    x = make.normal(n, c, dtype=dtype)
    for row in range(n):
        x[row, :e] = (make.permutation(e) - 2) * step
    w_router = torch.zeros(c, e, dtype=dtype)
    w_router[:e] = torch.eye(e, dtype=dtype)
    return call(x, w_router, make.normal(e, c, f, std=c**-0.5, dtype=dtype), 2)


HALF = {torch.bfloat16: {"rtol": 0.02, "atol": 0.04}, torch.float16: {"rtol": 0.003, "atol": 0.005}}
"""How often a kernel rounds in half types is its own affair: each of product, silu, gate and sum may be off by half a
unit in the last place of terms that partly cancel. The draws keep these terms small."""


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="all sizes differ; two of five experts a token", clauses=("shapes", "routing", "gates", "experts", "result"))
def base(make: Inputs) -> Call:
    return layer(make, 7, 6, 5, 4, 2)


@case(why="three of four experts: more chosen than not", clauses=("routing", "gates"))
def three_of_four(make: Inputs) -> Call:
    return layer(make, 5, 8, 4, 3, 3)


@case(why="k = 1: renormalised, the gate is exactly 1", clauses=("gates",))
def top_one(make: Inputs) -> Call:
    return layer(make, 6, 5, 3, 4, 1)


@case(why="k = E: every expert runs, and both conventions agree", clauses=("routing", "gates"))
def all_experts(make: Inputs) -> Call:
    return layer(make, 4, 6, 3, 5, 3)


@case(why="one token: most experts receive nothing", clauses=("idle",))
def one_token(make: Inputs) -> Call:
    return layer(make, 1, 6, 5, 4, 2)


@case(why="one expert with one channel and one feature", clauses=("shapes", "gates"))
def one_expert(make: Inputs) -> Call:
    return layer(make, 3, 1, 1, 1, 1)


@case(why="every size is 4: nothing crashes that is transposed", clauses=("shapes", "routing"))
def equal_sizes(make: Inputs) -> Call:
    return layer(make, 4, 4, 4, 4, 2)


@case(why="no tokens at all", clauses=("always",))
def no_tokens(make: Inputs) -> Call:
    return layer(make, 0, 6, 4, 3, 2)


@case(
    why="bfloat16, with router logits that are exact in it: dtypes come back, choices are beyond doubt",
    clauses=("shapes", "result"),
    rtol=0.02,
    atol=0.04,
)
def bfloat16(make: Inputs) -> Call:
    return exact_logits(make, 0.5, torch.bfloat16)


@case(why="float16: eight times finer than bfloat16", clauses=("shapes", "result"), rtol=0.003, atol=0.005)
def float16(make: Inputs) -> Call:
    return exact_logits(make, 0.5, torch.float16)


@case(
    why="logits so near to each other that their probabilities are equal in float16, and not in float32",
    clauses=("routing", "gates"),
    rtol=0.003,
    atol=0.005,
)
def near_logits(make: Inputs) -> Call:
    return exact_logits(make, 2.0**-16, torch.float16)


@case(why="a loss on output and gates reaches the router through the gates", grads=(0, 1, 2), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return layer(make, 5, 4, 4, 3, 2)


@case(why="two of sixteen experts: the operations are counted", clauses=("cost",))
def many_experts(make: Inputs) -> Call:
    return layer(make, 24, 12, 16, 20, 2)


@case(why="sizes of its own", fresh=True, clauses=("routing", "gates", "experts"))
def fresh(make: Inputs) -> Call:
    return layer(make, make.size(9, 14), make.size(6, 8), make.size(4, 5), make.size(2, 3), make.size(2, 3))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("expert-by-expert", why="a loop over the experts that the table of gates calls", variants=("renormalised",))
def expert_by_expert(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@equivalent("expert-by-expert-raw", why="a loop over the experts that the table of gates calls", variants=("raw",))
def expert_by_expert_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@equivalent(
    "softmax-of-the-top-k",
    why="softmax over the chosen logits = the renormalised top-k of the softmax",
    variants=("renormalised",),
)
def softmax_of_the_top_k(x, w_router, w_experts, k):
    top, experts = (x @ w_router).topk(k)
    weights = top.float().softmax(-1).to(x.dtype)
    gates = torch.zeros(len(x), len(w_experts), dtype=x.dtype).scatter_(1, experts, weights)
    hidden = F.silu(torch.einsum("nc,nkcf->nkf", x, w_experts[experts]))
    return (weights[..., None] * hidden).sum(1), gates


@equivalent("token-by-token", why="a loop over tokens and their choices", variants=("renormalised",))
def token_by_token(x, w_router, w_experts, k):
    output, gates = x.new_zeros(len(x), w_experts.shape[2]), x.new_zeros(len(x), len(w_experts))
    for n, token in enumerate(x):
        logits = (token @ w_router).double()
        chosen = logits.argsort(descending=True)[:k]
        for e, weight in zip(chosen, logits[chosen].softmax(0), strict=True):
            gates[n, e] = weight
            output[n] += weight.to(x.dtype) * F.silu(token @ w_experts[e])
    return output, gates


@equivalent("masked-softmax", why="sets the other logits to −inf before the softmax", variants=("renormalised",))
def masked_softmax(x, w_router, w_experts, k):
    logits = (x @ w_router).float()
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(1, logits.topk(k).indices, True)
    gates = logits.masked_fill(~kept, -torch.inf).softmax(-1).to(x.dtype)
    rows, experts = kept.nonzero(as_tuple=True)
    hidden = F.silu(torch.bmm(x[rows, None], w_experts[experts]).squeeze(1))
    return x.new_zeros(len(x), w_experts.shape[2]).index_add(0, rows, gates[rows, experts, None] * hidden), gates


@equivalent("gathers-weights", why="gathers the chosen experts' matrices for each token", variants=("raw",))
def gathers_weights(x, w_router, w_experts, k):
    weights, experts = torch.softmax(x @ w_router, -1, dtype=torch.float32).topk(k)
    weights = weights.to(x.dtype)
    gates = torch.zeros(len(x), len(w_experts), dtype=x.dtype).scatter_(1, experts, weights)
    hidden = F.silu(torch.einsum("nc,nkcf->nkf", x, w_experts[experts]))
    return (weights[..., None] * hidden).sum(1), gates


@equivalent("exp-minus-logsumexp", why="writes the softmax as exp(logit − logsumexp), in float64", variants=("raw",))
def exp_minus_logsumexp(x, w_router, w_experts, k):
    logits = (x @ w_router).double()
    output, gates = x.new_zeros(len(x), w_experts.shape[2]), x.new_zeros(len(x), len(w_experts))
    for n in range(len(x)):
        for e in logits[n].argsort(descending=True)[:k].tolist():
            gate = (logits[n, e] - logits[n].logsumexp(0)).exp().to(x.dtype)
            gates[n, e] = gate
            output[n] += gate * F.silu(x[n] @ w_experts[e])
    return output, gates


@equivalent("threshold", why="keeps what is at least the k-th largest probability", variants=("raw",))
def threshold(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    gates = torch.where(p >= p.sort(descending=True).values[:, k - 1 : k], p, 0.0).to(x.dtype)
    rows, experts = gates.nonzero(as_tuple=True)
    hidden = F.silu(torch.bmm(x[rows, None], w_experts[experts]).squeeze(1))
    return x.new_zeros(len(x), w_experts.shape[2]).index_add(0, rows, gates[rows, experts, None] * hidden), gates


# Domain -----------------------------------------------------------------------------------------------------------


@domain(variants=("renormalised", "raw"))
def any_call(draw: Draw) -> Call:
    e = draw.pick(1, 2, 2, 3, 3)
    n, c, f = (draw.pick(1, 2, 3, e, 5) for _ in range(3))
    n = draw.pick(0, n, n, n, n, n, n, n)
    k = draw.pick(1, e, *range(1, e + 1))
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    kind = draw.pick("any", "any", "exact", "near", "sure", "one for all")
    draw.mark("logits", kind)
    x = draw.normal(n, c)
    router = draw.normal(c, e, std=2 * c**-0.5)
    if dtype != torch.float32 and kind == "one for all":
        kind = "exact"
    if kind == "one for all":  # all tokens have the same choice, and the other experts are idle
        x, router = x.abs() + 0.5, (router[:1].abs() + 0.1).sort(dim=1).values.expand(c, e) * torch.ones(c, 1)
    elif kind != "any":
        # The first channels of a token are its logits, each a multiple of one power of two.
        c = e + c if dtype in HALF else max(c, e)
        x, router = draw.normal(n, c), torch.zeros(c, e)
        router[:e] = torch.eye(e)
        step = {"exact": 0.5, "near": 2.0**-16 if dtype == torch.float16 else 2.0**-12, "sure": 16.0}[kind]
        for row in range(n):
            x[row, :e] = (draw.permutation(e) - draw.pick(0, e // 2, e)) * step
    experts = draw.normal(e, c, f, std=draw.pick(1.0, 1.0, 5.0 if dtype not in HALF else 1.0) * c**-0.5)
    if dtype in HALF:
        draw.within(**HALF[dtype])
        if kind != "any":
            experts[:, :e] = 0.0  # logits of 64 would make terms that large
    if dtype == torch.float32 and n and draw.chance(0.15):
        draw.gradients(0, 1, 2)
    x, router, experts = (draw.layout(value.to(dtype)) for value in (x, router, experts))
    return call(x, router, experts, k)


# Peers ------------------------------------------------------------------------------------------------------------


@peer("numpy", skips={"gradients": "numpy has no gradients"}, variants=("renormalised",))
def numpy_renormalised(x, w_router, w_experts, k):
    """Every expert on every token, and a mask: dense where the kata is sparse."""
    import numpy as np

    states, router, experts = (t.detach().double().numpy() for t in (x, w_router, w_experts))
    logits = states @ router
    places = np.argsort(np.argsort(-logits, axis=1), axis=1)
    kept = np.where(places < k, np.exp(logits), 0.0)
    gates = kept / kept.sum(1, keepdims=True)
    hidden = np.einsum("nc,ecf->nef", states, experts)
    output = np.einsum("ne,nef->nf", gates, hidden / (1 + np.exp(-hidden)))
    return torch.from_numpy(output).to(x.dtype), torch.from_numpy(gates).to(x.dtype)


@peer("numpy", skips={"gradients": "numpy has no gradients"}, variants=("raw",))
def numpy_raw(x, w_router, w_experts, k):
    """Every expert on every token, and a mask: dense where the kata is sparse."""
    import numpy as np

    states, router, experts = (t.detach().double().numpy() for t in (x, w_router, w_experts))
    logits = states @ router
    places = np.argsort(np.argsort(-logits, axis=1), axis=1)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gates = np.where(places < k, p, 0.0)
    hidden = np.einsum("nc,ecf->nef", states, experts)
    output = np.einsum("ne,nef->nf", gates, hidden / (1 + np.exp(-hidden)))
    return torch.from_numpy(output).to(x.dtype), torch.from_numpy(gates).to(x.dtype)
