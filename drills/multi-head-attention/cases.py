"""Cases, equivalents and peer of the kata multi-head-attention; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def parts(
    make: Inputs, H: int, D: int, D_v: int, *, x: tuple[int, int, int], C_s: int | None = None, C_o: int = 5
) -> list[torch.Tensor]:
    """x (B, L, C) and the four projections, scaled so that scores stay near 1."""
    C = x[2]
    C_s = C_s or C
    shapes = ((C, H * D), (C_s, H * D), (C_s, H * D_v), (H * D_v, C_o))
    return [make.normal(*x), *(make.normal(*shape, std=shape[0] ** -0.5) for shape in shapes)]


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="self-attention with three heads; all sizes differ, so nothing broadcasts by luck",
    clauses=("shapes", "self", "heads", "attention", "result"),
)
def base(make: Inputs) -> Call:
    return call(*parts(make, 3, 4, 2, x=(2, 5, 7)), 3)


@case(
    why="cross-attention: keys and values come from a context of another length and another width",
    clauses=("cross", "heads", "result"),
)
def cross(make: Inputs) -> Call:
    return call(*parts(make, 2, 4, 3, x=(2, 3, 6), C_s=5), 2, make.normal(2, 4, 5))


@case(
    why="a context as long and as wide as x: whoever projects the wrong one of the two crashes nowhere",
    clauses=("cross",),
)
def context_of_the_same_size(make: Inputs) -> Call:
    return call(*parts(make, 2, 3, 3, x=(2, 4, 6), C_o=6), 2, context=make.normal(2, 4, 6))


@case(
    why="sizes are alike: a transposed weight, or heads taken for tokens, crash nowhere",
    clauses=("shapes", "heads", "result"),
)
def equal_sizes(make: Inputs) -> Call:
    return call(*parts(make, 4, 4, 4, x=(4, 4, 16), C_o=16), 4)


@case(why="as many heads as tokens and components: the axes differ in meaning only", clauses=("heads", "attention"))
def heads_like_tokens(make: Inputs) -> Call:
    return call(*parts(make, 3, 3, 3, x=(3, 3, 9), C_o=9), 3, context=make.normal(3, 3, 9))


@case(why="one head: plain attention between two projections", clauses=("heads", "result"))
def one_head(make: Inputs) -> Call:
    return call(*parts(make, 1, 5, 3, x=(2, 4, 6)), 1)


@case(why="heads of one component each", clauses=("heads", "attention"))
def narrow_heads(make: Inputs) -> Call:
    return call(*parts(make, 5, 1, 1, x=(2, 3, 4)), 5)


@case(why="one token in one row: it sees itself alone", clauses=("self", "result"))
def one_token(make: Inputs) -> Call:
    return call(*parts(make, 2, 3, 4, x=(1, 1, 5)), 2)


@case(why="a causal mask (L, S), shared by rows and heads", clauses=("mask", "self"))
def causal(make: Inputs) -> Call:
    return call(*parts(make, 2, 4, 3, x=(3, 5, 6)), 2, mask=torch.ones(5, 5, dtype=torch.bool).tril())


@case(why="padding in the context, (B, 1, 1, S): cross-attention is masked too", clauses=("mask", "cross"))
def padded_context(make: Inputs) -> Call:
    lengths = torch.tensor([3, 6, 1])
    mask = (torch.arange(6) < lengths[:, None])[:, None, None, :]
    return call(*parts(make, 2, 3, 4, x=(3, 4, 5), C_s=6), 2, make.normal(3, 6, 6), mask)


@case(why="a mask of its own for each head, (B, H, L, S)", clauses=("mask", "heads"))
def mask_by_head(make: Inputs) -> Call:
    mask = make.boolean(2, 3, 4, 5, true=0.5)
    mask[..., 2] = True
    return call(*parts(make, 3, 2, 4, x=(2, 4, 6), C_s=3), 3, make.normal(2, 5, 3), mask)


@case(why="a triangle over a square of scores: transposed, it shows the future", clauses=("mask",))
def square_mask(make: Inputs) -> Call:
    mask = torch.ones(4, 4, dtype=torch.bool).tril()[None, None]
    return call(*parts(make, 4, 2, 2, x=(4, 4, 8), C_o=8), 4, mask=mask)


@case(why="(H, L, S) with as many rows as heads: the first size is the heads'", clauses=("mask", "heads"))
def rows_as_heads(make: Inputs) -> Call:
    mask = make.boolean(3, 4, 5, true=0.5)
    mask[..., 1] = True
    return call(*parts(make, 3, 2, 4, x=(3, 4, 6), C_s=3), 3, make.normal(3, 5, 3), mask)


@case(why="(L, S) with as many rows as queries: the first size is the queries'", clauses=("mask", "self"))
def rows_as_queries(make: Inputs) -> Call:
    return call(*parts(make, 2, 2, 4, x=(4, 4, 6)), 2, mask=torch.ones(4, 4, dtype=torch.bool).tril())


@case(why="one query, as in decoding: the mask holds for it too", clauses=("mask", "cross"))
def one_query(make: Inputs) -> Call:
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]]).bool()[:, None, None, :]
    return call(*parts(make, 2, 3, 4, x=(2, 1, 5), C_s=4), 2, make.normal(2, 5, 4), mask)


@case(
    why="scores of −100,233 beside a hidden one of 99,846: −100,000 for minus infinity does not hide it",
    clauses=("mask",),
)
def low_scores(make: Inputs) -> Call:
    # Each score is −100,233 and a small multiple of 1/8, which float32 holds exactly.
    x, context = torch.full((1, 3, 4), 258.0), torch.full((1, 5, 4), -259.0)
    context[:, 4] = 258.0
    x[..., 3], context[..., 3] = 1.0, make.integers(-8, 8, 1, 5).float() / 4
    mask = torch.tensor([[1, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 1]]).bool()
    return call(x, torch.eye(4), torch.eye(4), make.normal(4, 3) / 128, make.normal(3, 2), 1, context, mask)


@case(why="scores in the hundreds: exp needs the row's maximum taken out", atol=2e-3, clauses=("attention",))
def large_scores(make: Inputs) -> Call:
    x, w_q, w_k, w_v, w_o = parts(make, 2, 4, 3, x=(2, 5, 6))
    return call(x, w_q * 12, w_k * 12, w_v, w_o, 2)


@case(why="a loss on self-attention: x counts as query, key and value", grads=(0, 1, 2, 3, 4), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return call(*parts(make, 2, 3, 2, x=(2, 4, 5)), 2, mask=torch.ones(4, 4, dtype=torch.bool).tril())


@case(why="a loss on cross-attention reaches the context", grads=(0, 1, 2, 3, 4, 6), clauses=("always",))
def gradients_of_the_context(make: Inputs) -> Call:
    return call(*parts(make, 2, 3, 4, x=(2, 3, 5), C_s=4), 2, make.normal(2, 4, 4))


@case(
    why="the same x through two layers: other weights, and the second with a mask, in a row",
    clauses=("always",),
)
def two_layers(make: Inputs) -> tuple[Call, Call]:
    x, *first = parts(make, 2, 3, 4, x=(2, 4, 5))
    _, *second = parts(make, 2, 3, 4, x=(2, 4, 5))
    return call(x, *first, 2), call(x, *second, 2, mask=torch.ones(4, 4, dtype=torch.bool).tril())


@case(why="sizes of its own", fresh=True, clauses=("shapes", "cross", "heads", "result"))
def fresh(make: Inputs) -> Call:
    H, B, S, C_s = make.size(2, 4), make.size(2, 3), make.size(2, 6), make.size(3, 7)
    x = (B, make.size(2, 5), make.size(4, 8))
    pieces = parts(make, H, make.size(2, 5), make.size(2, 5), x=x, C_s=C_s, C_o=make.size(3, 7))
    return call(*pieces, H, make.normal(B, S, C_s))


# Domain -----------------------------------------------------------------------------------------------------------


def drawn_mask(draw: Draw, B: int, H: int, L: int, S: int) -> torch.Tensor | None:
    """A mask that broadcasts to (B, H, L, S), in which each query sees a key; or none."""
    kind = draw.pick("none", "none", "keys", "plain", "causal", "padding", "rows", "heads", "full")
    draw.mark("mask", kind)
    if kind == "none":
        return None
    shapes = {"keys": (1, S), "plain": (L, S), "causal": (L, S), "padding": (B, 1, 1, S), "rows": (B, 1, L, S)}
    shape = {**shapes, "heads": (H, L, S), "full": (B, H, L, S)}[kind]
    mask = torch.ones(shape, dtype=torch.bool).tril(S - L) if kind == "causal" else draw.boolean(*shape, true=0.5)
    return mask.scatter(-1, draw.integers(0, S, *shape[:-1], 1), True)


@domain()
def any_call(draw: Draw) -> Call:
    B, H, L = draw.pick(1, 1, 2, 3, 4), draw.pick(1, 1, 2, 3, 4), draw.pick(1, 1, 2, 3, 4, 5)
    D = draw.pick(1, 2, 3, 4, H)
    D_v = draw.pick(1, 2, 4, D, D, L)
    C, C_o = draw.pick(1, 3, 5, H * D, H * D), draw.pick(1, 2, H * D_v, H * D_v, 6)
    crossed = draw.chance(0.55)
    S = draw.pick(1, 2, 3, 5, L, L) if crossed else L
    C_s = draw.pick(1, 2, 4, C, C) if crossed else C
    pieces = [draw.layout(piece) for piece in parts(draw, H, D, D_v, x=(B, L, C), C_s=C_s, C_o=C_o)]
    context = draw.layout(draw.normal(B, S, C_s)) if crossed else None
    draw.mark("context", "none" if not crossed else "like x" if (S, C_s) == (L, C) else "its own size")
    mask = drawn_mask(draw, B, H, L, S)
    mask = mask if mask is None else draw.layout(mask)
    if draw.chance(0.15):
        draw.gradients(0, 1, 2, 3, 4)
    if draw.given(0.4):
        return call(*pieces, H, context, mask)
    named = {name: value for name, value in (("context", context), ("mask", mask)) if value is not None}
    return call(*pieces, num_heads=H, **named) if draw.given(0.3) else call(*pieces, H, **named)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("without-helper", why="splits, attends and joins in one function")
def without_helper(
    x,
    w_q,
    w_k,
    w_v,
    w_o,
    num_heads,
    context=None,
    mask=None,
):
    source = x if context is None else context
    q, k, v = x @ w_q, source @ w_k, source @ w_v
    q = q.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    k = k.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    v = v.unflatten(-1, (num_heads, -1)).transpose(1, 2)
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    heads = scores.softmax(-1) @ v
    joined = heads.transpose(1, 2).flatten(2)
    return joined @ w_o


@equivalent("einsum", why="einsum throughout, with the weights split instead of the states")
def with_einsum(x, w_q, w_k, w_v, w_o, num_heads, context=None, mask=None):
    source = x if context is None else context
    q = torch.einsum("blc,chd->bhld", x, w_q.unflatten(1, (num_heads, -1)))
    k = torch.einsum("bsc,chd->bhsd", source, w_k.unflatten(1, (num_heads, -1)))
    v = torch.einsum("bsc,chd->bhsd", source, w_v.unflatten(1, (num_heads, -1)))
    scores = torch.einsum("bhld,bhsd->bhls", q, k) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, float("-inf"))
    return torch.einsum("bhls,bhsd,hdo->blo", scores.softmax(-1), v, w_o.unflatten(0, (num_heads, -1)))


@equivalent("head-by-head", why="slices the columns of each head, and sums what each adds through its rows of w_o")
def head_by_head(x, w_q, w_k, w_v, w_o, num_heads, context=None, mask=None):
    source = x if context is None else context
    D, D_v = w_q.size(1) // num_heads, w_v.size(1) // num_heads
    shape = (len(x), num_heads, x.size(1), source.size(1))
    seen = torch.ones(shape, dtype=torch.bool) if mask is None else mask.expand(shape)
    result = 0
    for h in range(num_heads):
        q, k = x @ w_q[:, h * D : (h + 1) * D], source @ w_k[:, h * D : (h + 1) * D]
        v = source @ w_v[:, h * D_v : (h + 1) * D_v]
        scores = (q @ k.transpose(1, 2) / math.sqrt(D)).masked_fill(seen[:, h].logical_not(), -math.inf)
        result = result + torch.softmax(scores, dim=2) @ v @ w_o[h * D_v : (h + 1) * D_v]
    return result


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def by_sdpa(x, w_q, w_k, w_v, w_o, num_heads, context=None, mask=None):
    """torch's own attention, over rows and heads that are split with view."""
    source = x if context is None else context

    def split(states):
        rows, tokens, width = states.shape
        return states.view(rows, tokens, num_heads, width // num_heads).permute(0, 2, 1, 3)

    heads = F.scaled_dot_product_attention(
        split(F.linear(x, w_q.T)), split(F.linear(source, w_k.T)), split(F.linear(source, w_v.T)), attn_mask=mask
    )
    return F.linear(torch.cat(heads.unbind(1), dim=-1), w_o.T)
