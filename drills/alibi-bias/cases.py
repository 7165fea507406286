"""Cases, equivalents and peer of the kata alibi-bias; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="eight heads without a cache: the slopes 1/2, 1/4 … 1/256, and minus infinity after each query",
    clauses=("power-of-two", "bias", "causal", "result"),
)
def base(make: Inputs) -> Call:
    return call(8, 4)


@case(why="twelve heads: the slopes of eight, then four from between them", clauses=("other-counts", "bias"))
def twelve_heads(make: Inputs) -> Call:
    return call(12, 3, 3)


@case(why="six heads: the two last are the 1st and the 3rd slope of eight", clauses=("other-counts",))
def six_heads(make: Inputs) -> Call:
    return call(6, 5)


@case(why="three heads: the third has a steeper slope than both before it", clauses=("other-counts",))
def three_heads(make: Inputs) -> Call:
    return call(3, 4, causal=False)


@case(why="one head: its slope is 2^−8", clauses=("power-of-two",))
def one_head(make: Inputs) -> Call:
    return call(1, 4)


@case(why="two heads, the smallest power of two but one", clauses=("power-of-two",))
def two_heads(make: Inputs) -> Call:
    return call(2, 3)


@case(why="seven heads: one below a power of two", clauses=("other-counts",))
def seven_heads(make: Inputs) -> Call:
    return call(7, 2)


@case(why="nine heads: one above a power of two", clauses=("other-counts",))
def nine_heads(make: Inputs) -> Call:
    return call(9, 2)


@case(why="the 112 heads of BLOOM", clauses=("other-counts",))
def heads_of_bloom(make: Inputs) -> Call:
    return call(112, 2, 3)


@case(
    why="one decoded token with seven keys: a bias that is made for the token alone is 0 everywhere",
    clauses=("positions", "bias"),
)
def decode(make: Inputs) -> Call:
    return call(4, 1, 7)


@case(why="three new tokens behind four cached ones: lower-right alignment", clauses=("positions", "causal"))
def chunk(make: Inputs) -> Call:
    return call(5, 3, 7)


@case(why="an encoder: distance counts in both directions, and nothing is hidden", clauses=("causal", "bias"))
def encoder(make: Inputs) -> Call:
    return call(4, 5, causal=False)


@case(why="causal=False with fewer queries than keys", clauses=("causal", "positions"))
def encoder_with_fewer_queries(make: Inputs) -> Call:
    return call(6, 2, 5, False)


@case(why="one query and one key: a distance of 0, whatever the head", clauses=("positions", "result"))
def one_position(make: Inputs) -> Call:
    return call(4, 1, 1)


@case(why="as many heads as positions: nothing crashes that lies along the wrong axis", clauses=("result", "bias"))
def equal_sizes(make: Inputs) -> Call:
    return call(4, 4, 4)


@case(why="one token behind 4,999: half types know neither these distances nor these slopes", clauses=("result",))
def long_cache(make: Inputs) -> Call:
    return call(6, 1, 5000)


@case(
    why="four calls in a row, three of one shape: no result is kept, and none is written over",
    clauses=("result", "always"),
)
def calls_in_a_row(make: Inputs) -> tuple[Call, ...]:
    return call(6, 2, 5), call(6, 2, 5, False), call(6, 2, 5, True), call(6, 2, 4)


@case(why="sizes that nobody could have hard-coded", fresh=True, clauses=("other-counts", "positions", "causal"))
def fresh(make: Inputs) -> Call:
    length = make.size(2, 5)
    return call(make.size(9, 31), length, length + make.size(1, 6))


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    H = draw.pick(1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 15, 16, 17, 20, 24, 33, 40, 71, 112)
    power = H & (H - 1) == 0
    draw.mark("heads", "a power of two" if power else "other")
    S = draw.pick(1, 2, 3, 4, 5, 8, min(H, 9), 700 if H < 10 else 6)
    L = draw.pick(1, 1, 2, 3, 5, S, S)
    L = min(L, S if S < 100 else 2)
    draw.mark("cached", L < S)
    named: dict[str, object] = {}
    if L < S or draw.given(0.4):
        named["key_length"] = S
    elif draw.given(0.2):
        named["key_length"] = None
    causal = draw.option(None, None, True, False, False)
    if causal is not None:
        named["causal"] = causal
    if draw.given(0.3) and "key_length" in named:
        return call(H, L, *named.values())
    return call(num_heads=H, query_length=L, **named) if draw.given(0.2) else call(H, L, **named)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("exponents", why="lists the exponents, and lifts 2 to them at once")
def exponents(
    num_heads,
    query_length,
    key_length=None,
    causal=True,
):
    L, S = query_length, key_length or query_length
    n = 2 ** math.floor(math.log2(num_heads))
    powers = [8 * h / n for h in range(1, n + 1)]
    powers += [4 * h / n for h in range(1, 2 * n, 2)]
    slopes = 2.0 ** -torch.tensor(powers[:num_heads])
    query = torch.arange(S - L, S)[:, None]
    key = torch.arange(S)
    bias = slopes[:, None, None] * -(query - key).abs()
    if causal:
        bias = bias.masked_fill(key > query, -torch.inf)
    return bias


@equivalent("recursive", why="the authors' recursion, and differences of slope times position")
def recursive(num_heads, query_length, key_length=None, causal=True):
    def slopes_of(n):
        if math.log2(n).is_integer():
            start = 2 ** (-(2 ** -(math.log2(n) - 3)))
            return [start * start**i for i in range(n)]
        closest = 2 ** math.floor(math.log2(n))
        return slopes_of(closest) + slopes_of(2 * closest)[0::2][: n - closest]

    S = key_length if key_length is not None else query_length
    places = torch.arange(S, dtype=torch.float64)
    distance = torch.cdist(places[S - query_length :, None], places[:, None], p=1)
    bias = torch.einsum("h,ls->hls", torch.tensor(slopes_of(num_heads), dtype=torch.float64), -distance)
    if causal:
        future = torch.ones(query_length, S, dtype=torch.bool).triu(S - query_length + 1)
        bias[:, future] = float("-inf")
    return bias.float()


@equivalent("interleaved", why="as MPT does: the slopes of the next power of two, every second one first")
def interleaved(num_heads, query_length, key_length=None, causal=True):
    above = 2 ** math.ceil(math.log2(num_heads))
    slopes = 1.0 / torch.pow(2, torch.arange(1, above + 1).mul(8 / above))
    if above != num_heads:
        slopes = torch.concat([slopes[1::2], slopes[::2]])[:num_heads]
    total = query_length if key_length is None else key_length
    rows = []
    for at in range(total - query_length, total):
        row = [-float("inf") if causal and j > at else -float(abs(at - j)) for j in range(total)]
        rows.append(torch.tensor(row))
    return torch.stack(rows).unsqueeze(0) * slopes.view(num_heads, 1, 1)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("transformers")
def bloom(num_heads, query_length, key_length=None, causal=True):
    """BLOOM's tensor is slope times the key's position: what stands at position 1 are the slopes."""
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    S = key_length or query_length
    slopes = build_alibi_tensor(torch.ones(1, 2), num_heads, torch.float32)[:, 0, 1]
    distance = torch.tensor([[abs(S - query_length + i - j) for j in range(S)] for i in range(query_length)])
    seen = torch.ones(query_length, S, dtype=torch.bool).tril(S - query_length) | (not causal)
    return torch.where(seen, -slopes[:, None, None] * distance, -torch.inf)
