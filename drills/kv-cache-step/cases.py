"""Cases, equivalents and peer of the kata kv-cache-step; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from reference import kv_cache_step

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def after(
    make: Inputs,
    *chunks: int,
    sizes: tuple[int, int, int, int] = (2, 6, 8, 4),
    base: float = 10000.0,
    scale: float = 1.0,
) -> Call:
    """The call that takes the last of `chunks`, with the cache that the reference made of those before it."""
    batch, c, d, d_v = sizes
    x = make.normal(batch, sum(chunks), c, std=scale)
    weights = [make.normal(c, size, std=c**-0.5) for size in (d, d, d_v)]
    cache, seen = None, 0
    for chunk in chunks[:-1]:
        seen += chunk
        _, cache = kv_cache_step(x[:, :seen], *weights, cache, base)
    return call(x, *weights, cache) if base == 10000.0 else call(x, *weights, cache, base)


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="prefill: no cache yet, five tokens at once, causal among themselves",
    clauses=("shapes", "rotation", "attention", "always"),
)
def prefill(make: Inputs) -> Call:
    return after(make, 5)


@case(
    why="4 + 1 + 1 + 1 tokens, the last step: what one pass over seven gives",
    clauses=("cache", "result", "rotated-once", "branches"),
)
def fourth_step(make: Inputs) -> Call:
    return after(make, 4, 1, 1, 1)


@case(
    why="4 + 3 tokens: a chunk needs its own positions, its own order and a triangle at the lower right",
    clauses=("result", "rotation", "attention", "branches"),
)
def chunk(make: Inputs) -> Call:
    return after(make, 4, 3)


@case(why="a chunk longer than the cache", clauses=("result", "attention"))
def long_chunk(make: Inputs) -> Call:
    return after(make, 2, 5, sizes=(1, 5, 6, 4))


@case(why="the very first token: it attends to itself, at position 0", clauses=("cache", "attention"))
def first_token(make: Inputs) -> Call:
    return after(make, 1, sizes=(3, 5, 4, 2))


@case(why="the second token: a cache of one", clauses=("cache", "rotated-once"))
def second_token(make: Inputs) -> Call:
    return after(make, 1, 1, sizes=(1, 5, 4, 6))


@case(why="base 500000, as in Llama 3: the base is a parameter", clauses=("rotation",))
def other_base(make: Inputs) -> Call:
    return after(make, 6, 2, base=500000.0)


@case(why="one pair of components and one value: the smallest head", clauses=("shapes", "rotation"))
def one_pair(make: Inputs) -> Call:
    return after(make, 3, 2, sizes=(2, 1, 2, 1))


@case(why="every size is 4, old tokens are as many as new: nothing crashes that is transposed", clauses=("shapes",))
def equal_sizes(make: Inputs) -> Call:
    return after(make, 2, 2, sizes=(4, 4, 4, 4))


@case(why="scores in the hundreds: exp needs the row's maximum taken out", atol=2e-3, clauses=("attention",))
def large_scores(make: Inputs) -> Call:
    return after(make, 3, 3, scale=16.0)


@case(why="a loss on the outputs and on the cache", grads=(0, 1, 2, 3), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return after(make, 3, 2, sizes=(2, 5, 4, 3))


# Angles near 2,100 are known to 2e-4 in float32.
@case(
    why="2,099 tokens cached and one new: the operations are counted, and half types cannot count the positions",
    atol=1e-3,
    clauses=("cost", "rotation", "result"),
)
def long_prefix(make: Inputs) -> Call:
    return after(make, *[300] * 6, 299, 1, sizes=(1, 16, 8, 6))


@case(why="599 tokens cached and four new: a chunk recomputes no prefix either", atol=1e-3, clauses=("cost", "result"))
def chunk_after_long_prefix(make: Inputs) -> Call:
    return after(make, 300, 299, 4, sizes=(1, 16, 8, 6))


@case(
    why="two continuations of one cache: the second must leave what the first returned as it was",
    clauses=("branches", "cache"),
)
def two_branches(make: Inputs) -> tuple[Call, Call]:
    first = after(make, 3, 2, sizes=(2, 5, 4, 3))
    x, *others = first.args
    return first, call(torch.cat((x[:, :3], make.normal(2, 2, 5)), dim=1), *others)


@case(why="sizes and chunks of its own", fresh=True, clauses=("result", "attention"))
def fresh(make: Inputs) -> Call:
    return after(make, make.size(3, 6), make.size(1, 2), make.size(2, 4), sizes=(make.size(2, 3), 7, 8, 6))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-function", why="keeps the rotation inside, and makes the mask by tril")
def one_function(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    positions = torch.arange(past, x.shape[1])

    def rotate(t):
        exponents = torch.arange(0, t.shape[-1], 2) / t.shape[-1]
        angles = positions[:, None] * base**-exponents
        cos, sin = angles.cos(), angles.sin()
        a, b = t.chunk(2, dim=-1)
        turned = a * cos - b * sin, b * cos + a * sin
        return torch.cat(turned, dim=-1)

    q, k, v = new @ w_q, new @ w_k, new @ w_v
    q, k = rotate(q), rotate(k)
    keys, values = k, v
    if cache is not None:
        keys = torch.cat((cache[0], k), dim=1)
        values = torch.cat((cache[1], v), dim=1)
    scores = q @ keys.mT / math.sqrt(q.shape[-1])
    later = torch.ones(new.shape[1], keys.shape[1]).tril(past) == 0
    scores = scores.masked_fill(later, -math.inf)
    weights = scores.softmax(-1)
    return weights @ values, (keys, values)


@equivalent("complex-rotation", why="rotates by multiplying complex numbers, and attends with torch's own kernel")
def complex_rotation(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = cache[0].shape[1] if cache else 0
    half = w_q.shape[1] // 2
    angles = torch.outer(torch.arange(past, x.shape[1]), base ** (-torch.arange(half) / half))
    turn = torch.polar(torch.ones_like(angles), angles)

    def rotate(t):
        turned = torch.complex(t[..., :half].contiguous(), t[..., half:].contiguous()) * turn
        return torch.cat((turned.real, turned.imag), -1)

    new = x[:, past:]
    keys, values = rotate(new @ w_k), new @ w_v
    if cache:
        keys, values = torch.cat([cache[0], keys], 1), torch.cat([cache[1], values], 1)
    mask = torch.ones(x.shape[1] - past, x.shape[1], dtype=torch.bool).tril(past)
    return F.scaled_dot_product_attention(rotate(new @ w_q), keys, values, attn_mask=mask), (keys, values)


@equivalent("token-by-token", why="takes the new tokens one after the other, so that no mask is needed")
def token_by_token(x, w_q, w_k, w_v, cache=None, base=10000.0):
    keys = cache[0] if cache else x.new_zeros(x.shape[0], 0, w_k.shape[1])
    values = cache[1] if cache else x.new_zeros(x.shape[0], 0, w_v.shape[1])
    half, outputs = w_q.shape[1] // 2, []
    for position in range(keys.shape[1], x.shape[1]):
        angle = position * base ** (-torch.arange(half) / half)
        cos, sin = angle.cos().repeat(2), angle.sin().repeat(2)
        q, k = x[:, position] @ w_q, x[:, position] @ w_k
        q = q * cos + torch.cat((-q[:, half:], q[:, :half]), 1) * sin
        k = k * cos + torch.cat((-k[:, half:], k[:, :half]), 1) * sin
        keys = torch.cat((keys, k[:, None]), 1)
        values = torch.cat((values, (x[:, position] @ w_v)[:, None]), 1)
        weights = torch.einsum("bd,bnd->bn", q, keys).div(math.sqrt(2 * half)).softmax(-1)
        outputs.append(torch.einsum("bn,bnv->bv", weights, values))
    return torch.stack(outputs, 1), (keys, values)


@equivalent(
    "preallocated", why="fills a buffer of the final length instead of concatenating, and rotates q and k as one tensor"
)
def preallocated(x, w_q, w_k, w_v, cache=None, base=10000.0):
    batch, total, _ = x.shape
    past = 0 if cache is None else cache[0].shape[1]
    keys, values = x.new_empty(batch, total, w_k.shape[1]), x.new_empty(batch, total, w_v.shape[1])
    if cache is not None:
        keys[:, :past], values[:, :past] = cache
    both = torch.stack((x[:, past:] @ w_q, x[:, past:] @ w_k))
    a, b = both.chunk(2, -1)
    angle = torch.arange(past, total)[:, None] / base ** (torch.arange(a.shape[-1]) / a.shape[-1])
    q, k = torch.cat((a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()), -1)
    keys[:, past:], values[:, past:] = k, x[:, past:] @ w_v
    scores = (q * w_q.shape[1] ** -0.5) @ keys.mT
    scores += torch.full((total - past, total), -math.inf).triu(past + 1)
    return scores.softmax(-1) @ values, (keys, values)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    batch, c, d_v = draw.pick(1, 1, 2, 3), draw.pick(1, 2, 3, 5), draw.pick(1, 2, 3, 4, 5)
    d = draw.pick(2, 2, 4, 6, 10)
    chunks = [draw.pick(1, 1, 2, 3, 5) for _ in range(draw.pick(1, 1, 2, 2, 2, 3))]
    bases = {}
    if draw.given(0.5):
        bases["base"] = draw.option(10000.0, 500000.0, 100.0, 2.0, 1.0)
    scale = draw.pick(1.0, 1.0, 1.0, 20.0)  # scores in the hundreds
    draw.mark("large scores", scale > 1)
    x = draw.layout(draw.normal(batch, sum(chunks), c, std=scale))
    weights = [draw.layout(draw.normal(c, size, std=c**-0.5)) for size in (d, d, d_v)]
    cache, seen = None, 0
    for chunk in chunks[:-1]:
        seen += chunk
        _, cache = kv_cache_step(x[:, :seen], *weights, cache, **bases)
    if scale == 1 and draw.chance(0.15):
        draw.gradients(0, 1, 2, 3)
    if cache is None and draw.given(0.5):
        return call(x, *weights, **bases)
    draw.mark("cached", seen if seen < 2 else "2 or more")
    return call(x, *weights, cache and tuple(map(draw.layout, cache)), **bases)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("numpy", skips={"gradients": "numpy has no gradients"})
def without_a_cache(x, w_q, w_k, w_v, cache=None, base=10000.0):
    """One pass over everything, in float64, with complex rotations: what caching must not change."""
    import numpy as np

    states, total = x.detach().double().numpy(), x.shape[1]
    q, k, v = (states @ w.detach().double().numpy() for w in (w_q, w_k, w_v))
    half = q.shape[-1] // 2
    turn = np.exp(1j * np.outer(np.arange(total), base ** (-np.arange(half) / half)))
    q, k = ((t[..., :half] + 1j * t[..., half:]) * turn for t in (q, k))
    scores = (q @ k.conj().swapaxes(-1, -2)).real / np.sqrt(2 * half)
    scores = np.where(np.tri(total, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    output = weights / weights.sum(-1, keepdims=True) @ v
    past = 0 if cache is None else cache[0].shape[1]
    arrays = output[:, past:], np.concatenate((k.real, k.imag), -1), v
    new, keys, values = (torch.from_numpy(np.ascontiguousarray(array)).to(x.dtype) for array in arrays)
    return new, (keys, values)
