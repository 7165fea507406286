"""Grouped-query attention: inputs, other right kernels, and the peer."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer

# Cases


def ragged(lengths, S):
    """A key-padding mask (B, 1, 1, S): the first `lengths[b]` keys of row b are tokens."""
    return (torch.arange(S) < torch.tensor(lengths)[:, None])[:, None, None, :]


@case(
    why="6 query heads on 2: the groups' order shows, which 4 on 1 would hide", clauses=("shapes", "groups", "returns")
)
def six_on_two(make: Inputs):
    return call(make.normal(3, 6, 4, 8), make.normal(3, 2, 7, 8), make.normal(3, 2, 7, 5))


@case(why="12 on 4: groups of three, so that size and number of the groups are not mistaken", clauses=("groups",))
def twelve_on_four(make: Inputs):
    return call(make.normal(2, 12, 3, 8), make.normal(2, 4, 5, 8), make.normal(2, 4, 5, 6))


@case(why="4 on 1: multi-query attention, with a mask", clauses=("groups", "mask"))
def multi_query(make: Inputs):
    return call(make.normal(2, 4, 3, 8), make.normal(2, 1, 6, 8), make.normal(2, 1, 6, 5), ragged([4, 5], 6))


@case(why="3 on 3: ordinary multi-head attention", clauses=("groups",))
def multi_head(make: Inputs):
    return call(make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5))


@case(why="2 on 2, with a mask: each query head keeps a key/value head of its own", clauses=("groups", "mask"))
def two_on_two(make: Inputs):
    return call(make.normal(3, 2, 4, 8), make.normal(3, 2, 6, 8), make.normal(3, 2, 6, 5), ragged([5, 2, 3], 6))


@case(raises="ValueError", why="5 on 2 does not divide", clauses=("uneven",))
def uneven(make: Inputs):
    return call(make.normal(2, 5, 4, 8), make.normal(2, 2, 6, 8), make.normal(2, 2, 6, 5))


@case(raises="ValueError", why="2 on 4: fewer query heads than key/value heads", clauses=("uneven",))
def fewer_query_heads(make: Inputs):
    return call(make.normal(2, 2, 4, 8), make.normal(2, 4, 6, 8), make.normal(2, 4, 6, 5))


@case(why="ragged key padding: the mask's polarity and place show", clauses=("mask",))
def ragged_padding(make: Inputs):
    Q, K, V = make.normal(3, 6, 4, 8), make.normal(3, 2, 7, 8), make.normal(3, 2, 7, 5)
    return call(Q, K, V, ragged([4, 6, 2], 7))


@case(
    why="B = H_kv: a mask that lacks the groups' axis still broadcasts, but row b's mask hits key/value head b",
    clauses=("mask",),
)
def as_many_rows_as_heads(make: Inputs):
    Q, K, V = make.normal(2, 6, 4, 8), make.normal(2, 2, 7, 8), make.normal(2, 2, 7, 5)
    return call(Q, K, V, ragged([3, 6], 7))


@case(why="a causal mask with a cache: each query has its own keys", clauses=("mask",))
def causal(make: Inputs):
    Q, K, V = make.normal(2, 6, 3, 8), make.normal(2, 2, 5, 8), make.normal(2, 2, 5, 4)
    return call(Q, K, V, torch.ones(3, 5, dtype=torch.bool).tril(diagonal=2).expand(2, 1, 3, 5))


@case(why="as many queries as keys: a causal mask that is transposed still broadcasts", clauses=("mask",))
def square_causal(make: Inputs):
    Q, K, V = make.normal(2, 6, 5, 8), make.normal(2, 2, 5, 8), make.normal(2, 2, 5, 4)
    return call(Q, K, V, torch.ones(5, 5, dtype=torch.bool).tril().expand(2, 1, 5, 5))


@case(why="as many queries as keys: key padding that is transposed hides queries instead", clauses=("mask",))
def square_padding(make: Inputs):
    Q, K, V = make.normal(2, 6, 5, 8), make.normal(2, 2, 5, 8), make.normal(2, 2, 5, 4)
    return call(Q, K, V, ragged([3, 4], 5))


@case(why="B = H_q: a mask that lost an axis still broadcasts, but row b's mask hits query head b", clauses=("mask",))
def as_many_rows_as_query_heads(make: Inputs):
    Q, K, V = make.normal(4, 4, 3, 8), make.normal(4, 2, 6, 8), make.normal(4, 2, 6, 5)
    return call(Q, K, V, ragged([3, 5, 2, 4], 6))


@case(why="one key for three queries: each weight is 1, and no axis may be squeezed away", clauses=("shapes", "groups"))
def one_key(make: Inputs):
    return call(make.normal(2, 6, 3, 8), make.normal(2, 2, 1, 8), make.normal(2, 2, 1, 5))


@case(why="one query against a cache: its mask still hides the padding", clauses=("mask",))
def one_query(make: Inputs):
    Q, K, V = make.normal(3, 4, 1, 8), make.normal(3, 2, 6, 8), make.normal(3, 2, 6, 5)
    return call(Q, K, V, ragged([4, 6, 2], 6))


@case(why="every size is 4, but for 8 query heads: nothing may be told from the sizes", clauses=("shapes", "mask"))
def every_size_alike(make: Inputs):
    mask = make.boolean(4, 1, 4, 4)
    mask[..., 0] = True
    return call(make.normal(4, 8, 4, 4), make.normal(4, 4, 4, 4), make.normal(4, 4, 4, 4), mask)


def low(make: Inputs, queries, keys, dtype):
    """Two queries of 16 equal numbers, three keys of 16 equal numbers each, and two keys of zeros, to be hidden.

    Every product, sum and scaling is exact in `dtype`, so that only the masking is judged.
    """
    Q = torch.tensor(queries)[:, None].expand(2, 6, 2, 16).to(dtype)
    K = torch.tensor([*keys, 0.0, 0.0])[:, None].expand(2, 2, 5, 16).to(dtype)
    return Q, K, make.normal(2, 2, 5, 7, dtype=dtype)


@case(
    why="visible scores of −5000 and −200000 beside hidden ones of 0: a finite stand-in for minus infinity beats them",
    clauses=("softmax",),
)
def very_low_scores(make: Inputs):
    Q, K, V = low(make, [1.0, 40.0], [-1250.0, -1249.984375, -1250.0], torch.float32)
    return call(Q, K, V, ragged([3, 2], 5))


@case(rtol=0.01, atol=0.01, why="float16 with visible scores of −4000 and −12000", clauses=("softmax", "shapes"))
def very_low_in_float16(make: Inputs):
    Q, K, V = low(make, [1.0, 3.0], [-1250.0, -1000.0, -1000.0], torch.float16)
    return call(Q, K, V, ragged([3, 2], 5))


@case(why="scores of several hundred: exp() overflows unless the row's maximum is taken off", clauses=("softmax",))
def very_high_scores(make: Inputs):
    # Small whole numbers: the scores are exact in float32.
    Q, K = make.integers(-9, 10, 2, 6, 4, 16).float() * 8, make.integers(-9, 10, 2, 2, 7, 16).float()
    return call(Q, K, make.normal(2, 2, 7, 5), ragged([4, 6], 7))


@case(why="one decoded token, one key, width 1: nothing may be squeezed away", clauses=("shapes",))
def one_of_each(make: Inputs):
    return call(make.normal(1, 4, 1, 1), make.normal(1, 2, 1, 1), make.normal(1, 2, 1, 3))


@case(rtol=0.05, atol=0.05, why="bfloat16 in, bfloat16 out", clauses=("shapes", "returns"))
def brain_float(make: Inputs):
    Q, K, V = (make.normal(2, h, n, 8, dtype=torch.bfloat16) for h, n in ((6, 3), (2, 5), (2, 5)))
    return call(Q, K, V, ragged([3, 4], 5))


@case(rtol=1e-5, atol=1e-5, why="float64 in, float64 out; float32 inside is fine", clauses=("shapes", "returns"))
def float64_stays(make: Inputs):
    Q, K, V = (make.normal(2, h, n, 8, dtype=torch.float64) for h, n in ((6, 3), (2, 5), (2, 5)))
    return call(Q, K, V, ragged([3, 4], 5))


@case(why="heads split off by a transpose: nothing is contiguous", clauses=("always",))
def non_contiguous(make: Inputs):
    Q, K, V = (make.normal(2, n, h, d).transpose(1, 2) for n, h, d in ((4, 6, 8), (7, 2, 8), (7, 2, 5)))
    return call(Q, K, V, ragged([6, 3], 7).expand(2, 1, 4, 7))


@case(grads=(0, 1, 2), why="the gradients: each shared head collects those of its whole group", clauses=("always",))
def gradients(make: Inputs):
    Q, K, V = make.normal(2, 6, 3, 8), make.normal(2, 2, 5, 8), make.normal(2, 2, 5, 4)
    return call(Q, K, V, ragged([5, 3], 5))


@case(fresh=True, why="head counts and sizes that nobody could have hard-coded", clauses=("groups", "mask"))
def fresh(make: Inputs):
    B, heads, group = make.size(2, 4), make.size(1, 4), make.size(2, 4)
    L, S, d, d_v = make.size(1, 5), make.size(3, 8), make.size(3, 9), make.size(2, 8)
    Q, K, V = make.normal(B, heads * group, L, d), make.normal(B, heads, S, d), make.normal(B, heads, S, d_v)
    return call(Q, K, V, ragged([make.size(1, S - 1) for _ in range(B)], S))


# Domain


def drawn_mask(draw: Draw, shape):
    """A bool mask of that shape by which every query sees a key: anything, padding on a side, a triangle, everything."""
    L, S = shape[-2:]
    kind = draw.pick("any", "any", "right", "left", "triangle", "all", "one")
    if kind in ("right", "left"):
        mask = torch.arange(S) < draw.integers(1, S + 1, *shape[:-2], 1, 1)
        mask = (mask.flip(-1) if kind == "left" else mask).expand(shape).clone()
    elif kind == "triangle":
        mask = torch.ones(shape, dtype=torch.bool).tril(max(S - L, 0))
    else:
        mask = draw.boolean(*shape, true={"any": 0.6, "all": 1.0, "one": 0.0}[kind])
    return mask | (~mask.any(dim=-1, keepdim=True) & (draw.uniform(*shape).argsort(dim=-1) == 0))


def drawn_tensors(draw: Draw, B, heads, L, S, d, d_v, dtype, scores):
    """Q, K and V; where scores are low or high, or the dtype is a half type, all products are exact."""
    H_q, H_kv = heads
    if scores == "low":
        # Constant rows, so that d·q·k and its quotient by √d are exact. −4·40·1250 = −2e5; float16 ends at 65504.
        steps = {torch.float16: [1.0, 2.0], torch.bfloat16: [1.0, 4.0, 32.0]}.get(dtype, [1.0, 7.0, 40.0])
        Q = torch.tensor(steps)[draw.integers(0, len(steps), B, H_q, L, 1)].expand(B, H_q, L, d)
        step = {torch.float16: 1.0, torch.bfloat16: 8.0}.get(dtype, 0.125)
        K = -1280 + step * draw.integers(0, 4, B, H_kv, S, 1)
        K = (K * draw.boolean(B, H_kv, S, 1, true=0.7)).expand(B, H_kv, S, d)
    elif scores == "high":
        Q, K = 8.0 * draw.integers(-4, 5, B, H_q, L, d), 1.0 * draw.integers(-4, 5, B, H_kv, S, d)
    elif dtype in (torch.float16, torch.bfloat16):
        Q, K = 0.5 * draw.integers(-2, 3, B, H_q, L, d), 0.5 * draw.integers(-2, 3, B, H_kv, S, d)
    else:
        Q, K = draw.normal(B, H_q, L, d), draw.normal(B, H_kv, S, d)
    V = draw.normal(B, H_kv, S, d_v)
    return (draw.layout(x.to(dtype).contiguous()) for x in (Q, K, V))


@domain(raises=("ValueError",))
def any_call(draw: Draw):
    heads = draw.pick((1, 1), (2, 1), (3, 1), (4, 1), (2, 2), (3, 3), (4, 2), (4, 2), (6, 2), (6, 3), (8, 4))
    if draw.chance(0.12):
        heads = draw.pick((1, 2), (2, 3), (5, 2), (2, 4), (3, 2))
    B, L, d_v = draw.pick(1, 2, 2, 3, 4, *heads), draw.pick(1, 1, 2, 3, 4), draw.pick(1, 2, 3, 4)
    S = draw.pick(1, 2, 3, 4, 5, 6, L, L, B)
    dtype = draw.pick(*[torch.float32] * 4, torch.float64, torch.float16, torch.bfloat16)
    scores = draw.pick("moderate", "moderate", "low", "high")
    half = dtype in (torch.float16, torch.bfloat16)
    d = draw.pick(1, 4, 16) if half or scores == "low" else draw.pick(1, 2, 3, 4, 5, 16, d_v)
    draw.mark("scores", scores)
    draw.mark("heads", "uneven" if heads[0] % heads[1] else "one each" if heads[0] == heads[1] else "shared")
    if scores == "low":
        draw.mark("boundary")
    if half:
        draw.within(rtol=0.01, atol=0.01)
    shape = (B, 1, draw.pick(1, L), S)
    if scores == "moderate" and not half and heads[0] % heads[1] == 0 and draw.chance(0.3):
        draw.gradients(0, 1, 2)
    Q, K, V = drawn_tensors(draw, B, heads, L, S, d, d_v, dtype, scores)
    if not draw.given(0.8):
        return call(Q, K, V, None) if draw.given(0.3) else call(Q, K, V)
    return call(Q, K, V, draw.layout(drawn_mask(draw, shape)))


# Equivalents


@equivalent("repeat-interleave", why="copies each shared head for its group, then ordinary attention")
def repeat_interleave(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    group = Q.size(1) // K.size(1)
    K, V = (
        K.repeat_interleave(group, dim=1),
        V.repeat_interleave(group, dim=1),
    )
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


@equivalent("unflattened", why="splits the query heads into groups, so that no key is copied")
def unflattened(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    Q = Q.unflatten(1, (K.size(1), -1))
    K, V = K.unsqueeze(2), V.unsqueeze(2)
    scores = Q @ K.mT / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(2), float("-inf"))
    output = torch.softmax(scores, dim=-1) @ V
    return output.flatten(1, 2)


@equivalent("expand-and-reshape", why="repeat_kv of transformers: an expanded axis, reshaped; float64 inside")
def expand_and_reshape(Q, K, V, mask=None):
    B, H, S, _ = K.shape
    if Q.size(1) % H != 0:
        raise ValueError("uneven")
    group = Q.size(1) // H
    keys, values = (x.double()[:, :, None].expand(B, H, group, S, -1).reshape(B, H * group, S, -1) for x in (K, V))
    scores = torch.einsum("bhld,bhsd->bhls", Q.double(), keys) / math.sqrt(Q.size(-1))
    scores = scores if mask is None else scores.masked_fill(mask.logical_not(), -torch.inf)
    return (F.softmax(scores, dim=-1) @ values).to(Q.dtype)


@equivalent("groups-stacked-as-rows", why="lays a group's queries under each other, so that no key is copied")
def groups_stacked_as_rows(Q, K, V, mask=None):
    (B, H_q, L, d), (H, S) = Q.shape, K.shape[1:3]
    if H_q % H:
        raise ValueError("uneven")
    scores = (Q * d**-0.5).reshape(B, H, H_q // H * L, d) @ K.mT
    if mask is not None:
        scores = scores.masked_fill(~mask.expand(B, 1, L, S).repeat(1, 1, H_q // H, 1), -torch.inf)
    return (scores.softmax(dim=-1) @ V).reshape(B, H_q, L, V.size(-1))


@equivalent("head-by-head", why="a loop over the query heads that picks the shared head by index")
def head_by_head(Q, K, V, mask=None):
    H_q, H = Q.size(1), K.size(1)
    if H_q % H:
        raise ValueError("uneven")
    outputs = []
    for h in range(H_q):
        k, v = K[:, h * H // H_q], V[:, h * H // H_q]
        scores = Q[:, h] @ k.transpose(-2, -1) / math.sqrt(Q.size(-1))
        if mask is not None:
            scores = scores.masked_fill(~mask[:, 0], -torch.inf)
        outputs.append(scores.softmax(-1) @ v)
    return torch.stack(outputs, dim=1)


# The peer


@peer("torch", skips={"uneven": "it raises RuntimeError", "fewer-query-heads": "it raises RuntimeError"})
def torch_attention(Q, K, V, mask=None):
    return F.scaled_dot_product_attention(Q, K, V, attn_mask=mask, enable_gqa=True)
