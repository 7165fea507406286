"""Cases, equivalents and peer of the kata sliding-window-cache; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from reference import sliding_window_step

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def after(
    make: Inputs, *chunks: int, window: int, sinks: int = 0, sizes: tuple[int, int, int, int] = (2, 3, 4, 5)
) -> Call:
    """The call for the last of `chunks`, with the cache that the reference made of those before it."""
    B, H, D, D_v = sizes
    total = sum(chunks)
    states = [make.normal(B, H, total, size) for size in (D, D, D_v)]
    return last_of(states, chunks, window, sinks)


def last_of(states: list[torch.Tensor], chunks: tuple[int, ...], window: int, sinks: int) -> Call:
    """The call for the last chunk of q, k and v (B, H, N, …)."""
    cache, seen = None, 0
    for chunk in chunks[:-1]:
        _, cache = sliding_window_step(*(s[:, :, seen : seen + chunk] for s in states), window, sinks, cache)
        seen += chunk
    new = [s[:, :, seen:].contiguous() for s in states]
    if cache is None:
        return call(*new, window, sinks) if sinks else call(*new, window)
    return call(*new, window, sinks, cache)


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="seven tokens at once with a window of 3: each sees itself and two before it, and two are kept",
    clauses=("shapes", "window", "attention", "output", "kept"),
)
def base(make: Inputs) -> Call:
    return after(make, 7, window=3)


@case(why="a token after the window is full: the oldest is thrown away", clauses=("cache", "window", "kept", "output"))
def decode(make: Inputs) -> Call:
    return after(make, 5, 1, window=4)


@case(
    why="a chunk after a full window: its first token needs keys that its last one cannot see",
    clauses=("window", "output", "kept"),
)
def chunk(make: Inputs) -> Call:
    return after(make, 6, 3, window=4)


@case(why="a chunk longer than the window", clauses=("window", "output", "kept"))
def long_chunk(make: Inputs) -> Call:
    return after(make, 2, 6, window=3, sizes=(1, 2, 5, 4))


@case(
    why="two sinks and a window of 3: they stay visible and cached, however far back they are",
    clauses=("sinks", "kept", "output"),
)
def sinks_stay(make: Inputs) -> Call:
    return after(make, 5, 2, 1, window=3, sinks=2)


@case(
    why="sinks from the very first token on: no token sees a sink that stands after it",
    clauses=("sinks", "attention", "kept"),
)
def sinks_at_once(make: Inputs) -> Call:
    return after(make, 7, window=2, sinks=3)


@case(why="a chunk after sinks and a full window", clauses=("sinks", "window", "kept"))
def chunk_with_sinks(make: Inputs) -> Call:
    return after(make, 4, 3, 4, window=3, sinks=1)


@case(
    why="the window still reaches the sinks: nothing is kept twice, and nothing weighs double",
    clauses=("sinks", "kept"),
)
def sinks_inside_the_window(make: Inputs) -> Call:
    return after(make, 3, 1, window=4, sinks=2)


@case(why="exactly sinks + window − 1 tokens: all of them are kept", clauses=("kept",))
def just_full(make: Inputs) -> Call:
    return after(make, 3, 1, window=3, sinks=2)


@case(why="one token more than is kept", clauses=("kept",))
def one_too_many(make: Inputs) -> Call:
    return after(make, 4, 1, window=3, sinks=2)


@case(why="a window of 1: each token sees itself alone, and nothing is cached", clauses=("window", "kept", "always"))
def window_of_one(make: Inputs) -> Call:
    return after(make, 3, 2, window=1)


@case(why="a window of 1 with a sink: itself and the first token", clauses=("window", "sinks", "kept"))
def window_of_one_with_a_sink(make: Inputs) -> Call:
    return after(make, 3, 2, window=1, sinks=1)


@case(why="fewer tokens than sinks so far", clauses=("sinks", "kept"))
def still_in_the_sinks(make: Inputs) -> Call:
    return after(make, 2, 1, window=2, sinks=5)


@case(
    why="a second chunk completes the four sinks, and goes on beyond the window",
    clauses=("sinks", "output", "kept"),
)
def sinks_over_two_chunks(make: Inputs) -> Call:
    return after(make, 2, 6, window=2, sinks=4)


@case(
    why="a window wider than the sequence: plain causal attention, and everything is kept", clauses=("window", "kept")
)
def wide_window(make: Inputs) -> Call:
    return after(make, 3, 2, window=50)


@case(why="the very first token", clauses=("cache", "shapes"))
def first_token(make: Inputs) -> Call:
    return after(make, 1, window=2, sizes=(1, 1, 3, 2))


@case(why="every size is 4, and there are as many old tokens as new: a wrong axis crashes nowhere", clauses=("shapes",))
def equal_sizes(make: Inputs) -> Call:
    return after(make, 4, 4, window=5, sizes=(4, 4, 4, 4))


@case(
    why="scores of −100,233 beside a hidden one of 99,846: −100,000 for minus infinity does not hide it",
    clauses=("attention",),
)
def low_scores(make: Inputs) -> Call:
    # Each score is −100,233 and a small multiple of 1/8, which float32 holds exactly.
    q, k = torch.full((1, 2, 6, 4), 258.0), torch.full((1, 2, 6, 4), -259.0)
    k[:, :, 5] = 258.0  # the last token's, which those before it do not see
    q[..., 3], k[..., 3] = 1.0, make.integers(-8, 8, 1, 2, 6).float() / 4
    return last_of([q, k, make.normal(1, 2, 6, 3)], (3, 3), 2, 1)


@case(why="scores in the hundreds: exp needs the row's maximum taken out", atol=2e-3, clauses=("attention",))
def large_scores(make: Inputs) -> Call:
    states = [make.normal(1, 2, 6, 4, std=12.0), make.normal(1, 2, 6, 4, std=12.0), make.normal(1, 2, 6, 3)]
    return last_of(states, (4, 2), 3, 0)


@case(why="a loss on the outputs and on the cache", grads=(0, 1, 2), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return after(make, 4, 3, window=3, sinks=1, sizes=(1, 2, 4, 3))


@case(
    why="two continuations of one cache: the second must find it as the first did",
    clauses=("branches", "cache"),
)
def two_branches(make: Inputs) -> tuple[Call, Call]:
    first = after(make, 5, 1, window=3, sinks=1)
    new = [make.normal(*state.shape) for state in first.args[:3]]
    return first, call(*new, *first.args[3:])


@case(why="sizes, chunks and a window of its own", fresh=True, clauses=("window", "sinks", "output", "kept"))
def fresh(make: Inputs) -> Call:
    chunks = [make.size(1, 4) for _ in range(make.size(2, 4))]
    sizes = (make.size(1, 3), make.size(2, 3), make.size(4, 7), make.size(2, 5))
    return after(make, *chunks, window=make.size(2, 5), sinks=make.size(0, 3), sizes=sizes)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    B, H, D_v = draw.pick(1, 1, 2, 3), draw.pick(1, 2, 3), draw.pick(1, 2, 3, 4)
    D = draw.pick(1, 2, 3, 4, 4, D_v)
    chunks = [draw.pick(1, 1, 1, 2, 3, 5) for _ in range(draw.pick(1, 1, 2, 2, 3))]
    total = sum(chunks)
    window = draw.option(1, 1, 2, 2, 3, 3, 4, max(total - 1, 1), total, total + 1, 100)
    sinks = draw.option(0, 0, 0, 1, 1, 2, 3, total, 6)
    scale = draw.pick(1.0, 1.0, 1.0, 4.0)
    states = [draw.normal(B, H, total, size, std=scale) for size in (D, D)] + [draw.normal(B, H, total, D_v)]
    cache, seen = None, 0
    for chunk in chunks[:-1]:
        _, cache = sliding_window_step(*(s[:, :, seen : seen + chunk] for s in states), window, sinks, cache)
        seen += chunk
    draw.mark("cached", "none" if cache is None else min(seen, sinks + window - 1) if seen < 2 else "2 or more")
    draw.mark("full", (seen >= sinks + window - 1) if cache else "no cache")
    draw.mark("throws away", total > sinks + window - 1)
    new = [draw.layout(s[:, :, seen:].clone()) for s in states]
    if scale == 1 and draw.chance(0.15):
        draw.gradients(0, 1, 2)
    named = {} if sinks == 0 and draw.given(0.5) else {"sinks": sinks}
    if cache is not None or draw.given(0.3):
        named["cache"] = cache and tuple(map(draw.layout, cache))
    if draw.given(0.3) and len(named) == 2:
        return call(*new, window, *named.values())
    return call(*new, window=window, **named) if draw.given(0.3) else call(*new, window, **named)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-function", why="joins, masks, attends and cuts in one function")
def one_function(
    q,
    k,
    v,
    window,
    sinks=0,
    cache=None,
):
    if cache is not None:
        k = torch.cat((cache[0], k), dim=2)
        v = torch.cat((cache[1], v), dim=2)
    S, T = k.shape[2], q.shape[2]
    key = torch.arange(S)
    query = torch.arange(S - T, S)[:, None]
    near = query - key < window
    seen = (key <= query) & (near | (key < sinks))
    scores = q @ k.mT / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~seen, -torch.inf)
    output = scores.softmax(-1) @ v
    tail = S - (window - 1)
    if tail > sinks:
        k = torch.cat((k[:, :, :sinks], k[:, :, tail:]), 2)
        v = torch.cat((v[:, :, :sinks], v[:, :, tail:]), 2)
    return output, (k, v)


@equivalent(
    "token-by-token", why="takes the new tokens one at a time, each against a cache that holds only what it sees"
)
def token_by_token(q, k, v, window, sinks=0, cache=None):
    keys, values = cache if cache is not None else (k[:, :, :0], v[:, :, :0])
    outputs = []
    for at in range(q.shape[2]):
        keys = torch.cat((keys, k[:, :, at : at + 1]), dim=2)
        values = torch.cat((values, v[:, :, at : at + 1]), dim=2)
        outputs.append(F.scaled_dot_product_attention(q[:, :, at : at + 1], keys, values))
        if keys.shape[2] > sinks + window - 1:  # the oldest token behind the sinks leaves
            keys = torch.cat((keys[:, :, :sinks], keys[:, :, sinks + 1 :]), dim=2)
            values = torch.cat((values[:, :, :sinks], values[:, :, sinks + 1 :]), dim=2)
    return torch.cat(outputs, dim=2), (keys, values)


@equivalent("bands", why="cuts the band out of ones by tril and triu, and adds minus infinity to the scores")
def bands(q, k, v, window, sinks=0, cache=None):
    keys, values = (k, v) if cache is None else (torch.cat(pair, 2) for pair in zip(cache, (k, v), strict=True))
    total, new = keys.size(2), q.size(2)
    offset = total - new
    band = torch.ones(new, total).tril(offset).triu(offset - window + 1)
    band[:, :sinks] = torch.ones(new, total).tril(offset)[:, :sinks]
    bias = torch.zeros(new, total).masked_fill(band == 0, -math.inf)
    weights = torch.softmax(torch.einsum("bhtd,bhsd->bhts", q * q.size(-1) ** -0.5, keys) + bias, dim=-1)
    kept = [j for j in range(total) if j < sinks or j > total - window]
    return torch.einsum("bhts,bhsd->bhtd", weights, values), (keys[:, :, kept], values[:, :, kept])


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def masked_attention(q, k, v, window, sinks=0, cache=None):
    """torch's own attention with a mask that is told cell by cell, from how many tokens lie between."""
    if cache is not None:
        k, v = torch.cat((cache[0], k), dim=-2), torch.cat((cache[1], v), dim=-2)
    total, new = k.shape[-2], q.shape[-2]
    places = range(total - new, total)
    mask = torch.tensor([[0 <= at - j < window or (j < sinks and j <= at) for j in range(total)] for at in places])
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    recent = [j for j in range(total) if total - j < window]
    chosen = torch.tensor(sorted({*range(min(sinks, total)), *recent}), dtype=torch.long)
    return output, (k.index_select(2, chosen), v.index_select(2, chosen))
