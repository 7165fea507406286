"""Cases, right kernels and peer of the kata attention-backward; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def tensors(make: Inputs, batch: tuple[int, int], length: int, source: int, sizes: tuple[int, int]) -> tuple[Any, ...]:
    """grad_output, Q, K and V, none of which is centred; `sizes` are d and d_v."""
    d, d_v = sizes
    return (
        make.normal(*batch, length, d_v, mean=0.5),
        make.normal(*batch, length, d, mean=0.3),
        make.normal(*batch, source, d, mean=-0.2),
        make.normal(*batch, source, d_v, mean=0.7),
    )


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="every size differs, so nothing broadcasts or transposes by luck",
    clauses=("shapes", "forward", "returns"),
)
def base(make: Inputs) -> Call:
    return call(*tensors(make, (2, 3), 4, 6, (8, 5)))


@case(why="L = S = d = d_v: a matrix that is not transposed crashes nowhere", clauses=("forward", "returns"))
def square(make: Inputs) -> Call:
    return call(*tensors(make, (2, 2), 6, 6, (6, 6)))


@case(why="a causal mask of shape (L, S), not symmetric", clauses=("mask", "forward"))
def causal(make: Inputs) -> Call:
    return call(*tensors(make, (2, 2), 4, 4, (3, 5)), torch.ones(4, 4).tril().bool())


@case(why="padding of its own in each row of the batch, as (B, 1, 1, S)", clauses=("mask",))
def padding(make: Inputs) -> Call:
    mask = torch.tensor([[True, True, True, False, False], [False, True, True, True, True]])
    return call(*tensors(make, (2, 3), 3, 5, (4, 2)), mask[:, None, None, :])


@case(why="a mask for each row of the batch, as (B, 1, L, S), by keyword", clauses=("mask",))
def mask_per_row(make: Inputs) -> Call:
    mask = make.boolean(2, 1, 3, 5)
    mask[..., 2] = True
    return call(*tensors(make, (2, 3), 3, 5, (4, 2)), mask=mask)


@case(why="a mask for each head", clauses=("mask",))
def mask_per_head(make: Inputs) -> Call:
    mask = make.boolean(2, 3, 3, 4)
    mask[..., 1] = True
    return call(*tensors(make, (2, 3), 3, 4, (4, 2)), mask)


@case(
    why="a query that sees no key: zeros for it, and no NaN in the gradients of the keys that others see",
    clauses=("empty-row", "mask"),
)
def empty_row(make: Inputs) -> Call:
    mask = torch.tensor([[True, True, False], [False, False, False], [True, False, True], [True, True, True]])
    return call(*tensors(make, (2, 2), 4, 3, (5, 4)), mask)


@case(why="one row of the batch sees nothing at all", clauses=("empty-row",))
def empty_sequence(make: Inputs) -> Call:
    mask = torch.tensor([[True, True, False], [False, False, False]])
    return call(*tensors(make, (2, 2), 2, 3, (4, 4)), mask[:, None, None, :])


@case(why="one query, as in a decoding step", clauses=("shapes", "forward"))
def one_query(make: Inputs) -> Call:
    return call(*tensors(make, (2, 2), 1, 5, (4, 3)))


@case(why="one key: its weight is 1, so nothing flows back to the scores", clauses=("forward",))
def one_key(make: Inputs) -> Call:
    return call(*tensors(make, (1, 2), 3, 1, (4, 3)))


@case(why="d = 1 and d_v = 9: the scale is that of the keys", clauses=("forward", "shapes"))
def narrow_keys(make: Inputs) -> Call:
    return call(*tensors(make, (1, 2), 3, 4, (1, 9)))


def lifted(make: Inputs, offset: float) -> tuple[Any, ...]:
    """grad_output, Q, K and V whose scores all lie near 20 · offset: the first channel, exact, lifts them."""
    grad_output, Q, K, V = tensors(make, (1, 2), 3, 4, (4, 3))
    Q[..., 0], K[..., 0] = 40.0, offset
    return grad_output, Q, K, V


# There float32 steps by 3e-5, which whoever subtracts a logarithm of the denominator from the scores meets head-on.
@case(
    why="valid scores near −400 beside masked keys: a finite number in their place is not low enough",
    clauses=("mask", "float32-inside"),
    atol=1e-2,
)
def low_scores(make: Inputs) -> Call:
    mask = torch.tensor([[True, True, False, False], [False, True, True, False], [True, True, True, False]])
    return call(*lifted(make, -20.0), mask)


@case(why="scores near 400: exp overflows unless the maximum is off", clauses=("float32-inside",), atol=1e-2)
def high_scores(make: Inputs) -> Call:
    return call(*lifted(make, 20.0))


@case(
    why="scores near −10500, 0 and 10500: −10000 hides no key beside the lowest, and each query has a maximum of its own",
    clauses=("mask", "float32-inside"),
    atol=0.1,
)
def distant_queries(make: Inputs) -> Call:
    grad_output, Q, K, V = tensors(make, (1, 2), 3, 4, (4, 3))
    Q[..., 0], K[..., 0] = torch.tensor([-105.0, 0.0, 105.0]), 200.0
    K[..., 3, 0] = -200.0  # hidden from all, and scored highest by the first query
    mask = torch.tensor([[True, True, False, False], [False, True, True, False], [True, True, True, False]])
    # float32 steps by 1e-3 at such scores: small values keep that out of the gradients of Q and K.
    return call(4 * grad_output, Q, K, 0.02 * V, mask)


@case(
    why="bfloat16 with values of one sign: the weighted mean taken off is most of each gradient",
    clauses=("float32-inside", "shapes"),
)
def bfloat16(make: Inputs) -> Call:
    grad_output, Q, K, V = tensors(make, (2, 2), 4, 5, (8, 6))
    return call((grad_output + 1).bfloat16(), Q.bfloat16(), K.bfloat16(), (V + 3).bfloat16())


@case(
    why="bfloat16 keys with a common offset: it cancels in the gradient of Q, unless the scores' gradient is rounded",
    clauses=("float32-inside",),
)
def offset_keys(make: Inputs) -> Call:
    grad_output, Q, K, V = tensors(make, (2, 2), 3, 6, (4, 5))
    return call(grad_output.bfloat16(), Q.bfloat16(), (K + 8).bfloat16(), V.bfloat16())


@case(
    why="float16 with a scaled gradient: its products with the values are beyond 65504",
    clauses=("float32-inside", "shapes"),
)
def float16_scaled_loss(make: Inputs) -> Call:
    grad_output, Q, K, V = tensors(make, (1, 2), 4, 5, (8, 6))
    K, V = K * 0.2, 20.0 + V * 0.05
    return call((grad_output * 2000).half(), Q.half(), K.half(), V.half(), torch.ones(4, 5).tril(1).bool())


@case(why="no sequences, and no queries: the keys' gradients are zeros", clauses=("always",))
def nothing(make: Inputs) -> tuple[Call, Call]:
    return call(*tensors(make, (0, 2), 3, 4, (4, 2))), call(*tensors(make, (2, 2), 0, 4, (4, 2)))


@case(why="sizes of its own, under a causal mask", fresh=True, clauses=("shapes", "forward", "mask"))
def fresh(make: Inputs) -> Call:
    length, source = make.size(2, 4), make.size(5, 6)
    sizes = make.size(7, 9), make.size(3, 4)
    mask = torch.ones(length, source).tril(source - length).bool()
    return call(*tensors(make, (make.size(1, 2), make.size(2, 3)), length, source, sizes), mask)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    b, h, s = draw.pick(0, 1, 1, 2, 2), draw.pick(1, 1, 2, 3), draw.pick(1, 2, 3, 4, 5)
    length, d = draw.pick(0, 1, 2, 3, s, s), draw.pick(1, 2, 4, s)
    d_v = draw.pick(1, 3, d, d, length or 1)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    grad_output = draw.normal(b, h, length, d_v, mean=draw.pick(0.0, 1.0))
    Q = draw.normal(b, h, length, d, mean=draw.pick(0.0, 0.5))
    K, V = draw.normal(b, h, s, d), draw.normal(b, h, s, d_v, mean=draw.pick(0.0, 3.0))
    kind = draw.pick("ordinary", "ordinary", "ordinary", "peaked", "equal", "low", "offset", "scaled")
    draw.mark("scores", kind)
    if kind == "peaked":
        Q, K = Q * 3, K * 2
    if kind == "equal":
        K = K[..., :1, :].expand_as(K)
    if kind == "offset":
        K = K + 8
    if kind in ("peaked", "offset") and dtype == torch.float32:
        draw.within(rtol=1e-4, atol=2e-4)  # the scores are larger, and so is their rounding
    if kind == "low":
        Q[..., 0], K[..., 0] = 40.0, -20.0
        draw.within(rtol=1e-2, atol=2e-2)  # as in the case low-scores
    if kind == "scaled" and dtype != torch.float32:
        grad_output, K, V = grad_output * 2000, K * 0.2, 20 + V * 0.1
    args = [draw.layout(value.to(dtype)) for value in (grad_output, Q, K, V)]
    mask = drawn_mask(draw, (b, h, length, s))
    if mask is None:
        return call(*args) if draw.given(0.5) else call(*args, None)
    return call(*args, draw.layout(mask)) if draw.given(0.5) else call(*args, mask=draw.layout(mask))


def drawn_mask(draw: Draw, sizes: tuple[int, int, int, int]) -> Any:
    """None, or a mask in one of the shapes that may be given; some leave a query without a key."""
    b, h, length, s = sizes
    kind = draw.option("none", "none", "causal", "padding", "random", "random", "nothing for one query")
    draw.mark("mask", kind)
    if kind == "none":
        return None
    if kind == "causal":
        return torch.ones(length, s).tril(s - length).bool()
    if kind == "padding":
        kept = draw.integers(0, s + 1, b, 1, 1, 1)
        return torch.arange(s) < kept if draw.chance(0.5) else torch.arange(s) >= s - kept
    shape = draw.pick((length, s), (b, 1, length, s), (b, h, length, s), (b, 1, 1, s))
    mask = draw.boolean(*shape, true=0.6)
    if kind == "nothing for one query":
        mask[..., :1, :] = False
    return mask


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="a few lines, in float32")
def compact(grad_output, Q, K, V, mask=None):
    parts = (grad_output, Q, K, V)
    dO, q, k, v = (t.float() for t in parts)
    scale = 1 / math.sqrt(Q.size(-1))
    scores = q @ k.mT * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1).nan_to_num(0.0)
    grad_weights = dO @ v.mT
    row = (grad_weights * weights).sum(-1, keepdim=True)
    grad_scores = weights * (grad_weights - row)
    grad_Q = grad_scores @ k * scale
    grad_K = grad_scores.mT @ q * scale
    grad_V = weights.mT @ dO
    return (
        grad_Q.to(Q.dtype),
        grad_K.to(K.dtype),
        grad_V.to(V.dtype),
    )


@equivalent("flash", why="keeps the logarithm of the denominator, and takes the row sum from output and its gradient")
def flash(grad_output, Q, K, V, mask=None):
    dO, k, v = grad_output.float(), K.float(), V.float()
    q = Q.float() / Q.shape[-1] ** 0.5
    scores = torch.einsum("bhld,bhsd->bhls", q, k)
    hidden = torch.zeros(scores.shape, dtype=torch.bool) if mask is None else (~mask).expand(scores.shape)
    scores = scores.masked_fill(hidden, -torch.inf)
    logsumexp = scores.logsumexp(-1, keepdim=True)
    P = torch.where(hidden, 0.0, (scores - logsumexp).exp())
    delta = (dO * (P @ v)).sum(-1, keepdim=True)
    dS = P * (torch.einsum("bhle,bhse->bhls", dO, v) - delta)
    dQ = torch.einsum("bhls,bhsd->bhld", dS, k) / Q.shape[-1] ** 0.5
    dK = torch.einsum("bhls,bhld->bhsd", dS, q)
    dV = torch.einsum("bhls,bhle->bhse", P, dO)
    return dQ.to(Q.dtype), dK.to(K.dtype), dV.to(V.dtype)


@equivalent("query-by-query", why="a loop over queries that adds up the gradients of keys and values, in float64")
def query_by_query(grad_output, Q, K, V, mask=None):
    dO, q, k, v = (t.double() for t in (grad_output, Q, K, V))
    scale = Q.size(-1) ** -0.5
    grad_Q, grad_K, grad_V = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    seen = torch.ones(1, dtype=torch.bool) if mask is None else mask
    seen = seen.expand(*Q.shape[:3], K.shape[2])
    for i in range(Q.shape[2]):
        scores = (k @ q[:, :, i, :, None]).squeeze(-1) * scale
        scores = scores.masked_fill(~seen[:, :, i], -1e300)
        powers = (scores - scores.amax(-1, keepdim=True)).exp() * seen[:, :, i]
        p = powers / powers.sum(-1, keepdim=True).clamp(min=1e-300)
        dp = (v @ dO[:, :, i, :, None]).squeeze(-1)
        ds = (p * dp - p * (p * dp).sum(-1, keepdim=True)) * scale
        grad_Q[:, :, i] = (ds[..., None] * k).sum(-2)
        grad_K += ds[..., None] * q[:, :, i, None, :]
        grad_V += p[..., None] * dO[:, :, i, None, :]
    return grad_Q.to(Q.dtype), grad_K.to(K.dtype), grad_V.to(V.dtype)


@equivalent("head-by-head", why="a loop over heads with two-dimensional products and the Jacobian of each row")
def head_by_head(grad_output, Q, K, V, mask=None):
    grads = [torch.zeros_like(t, dtype=torch.float32) for t in (Q, K, V)]
    for b in range(Q.shape[0]):
        for h in range(Q.shape[1]):
            dO, q, k, v = (t[b, h].float() for t in (grad_output, Q, K, V))
            bias = torch.zeros(q.shape[0], k.shape[0])
            if mask is not None:
                bias[~mask.expand(*Q.shape[:3], K.shape[2])[b, h]] = float("-inf")
            P = torch.softmax(q @ k.T / math.sqrt(q.shape[1]) + bias, 1)
            P[bias.isinf().all(1)] = 0
            J = torch.diag_embed(P) - P[:, :, None] * P[:, None, :]
            dS = torch.matmul(J, (dO @ v.T)[:, :, None]).squeeze(2) / math.sqrt(q.shape[1])
            grads[0][b, h], grads[1][b, h], grads[2][b, h] = dS @ k, dS.T @ q, P.T @ dO
    return tuple(grad.to(t.dtype) for grad, t in zip(grads, (Q, K, V), strict=True))


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def by_autograd(grad_output, Q, K, V, mask=None):
    exact = [t.detach().double().requires_grad_() for t in (Q, K, V)]
    with torch.enable_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        output = F.scaled_dot_product_attention(*exact, attn_mask=mask)
        grads = torch.autograd.grad(output, exact, grad_output.detach().double())
    return tuple(grad.to(t.dtype) for grad, t in zip(grads, (Q, K, V), strict=True))
