"""Cases, right kernels and peer of the kata latent-attention; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def layer(
    make: Inputs, b: int, h: int, length: int, s: int, plain: int, rope: int, value: int, c: int, std: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, cached latents, the shared rotated key and the up-projection."""
    return (
        make.normal(b, h, length, plain + rope, std=std),
        make.normal(b, s, c),
        make.normal(b, s, rope),
        make.normal(h * (plain + value), c, std=0.7),
    )


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="every size differs, and three tokens are new at once",
    grads=(0, 1, 2, 3),
    clauses=("queries", "cache", "kv-up", "scores", "causal", "result", "always"),
)
def base(make: Inputs) -> Call:
    return call(*layer(make, 2, 3, 3, 6, 5, 4, 2, 7))


@case(why="one new token, which sees the whole cache", clauses=("causal", "cache"))
def one_step(make: Inputs) -> Call:
    return call(*layer(make, 2, 4, 1, 5, 3, 2, 6, 4))


@case(why="a whole prompt: as many queries as tokens, so the first sees itself alone", clauses=("causal",))
def prefill(make: Inputs) -> Call:
    return call(*layer(make, 1, 2, 5, 5, 4, 3, 2, 3))


@case(why="one token in all: the softmax of one score is 1, whatever it is", clauses=("causal", "result"))
def first_token(make: Inputs) -> Call:
    return call(*layer(make, 2, 2, 1, 1, 2, 2, 3, 4))


@case(why="keys as wide as values: whether rows are split by head or not shows in no shape", clauses=("kv-up",))
def equal_widths(make: Inputs) -> Call:
    return call(*layer(make, 2, 3, 2, 4, 4, 4, 4, 4))


@case(why="all sizes are 3: an axis taken for another shows in no shape", clauses=("queries", "cache", "kv-up"))
def all_equal(make: Inputs) -> Call:
    return call(*layer(make, 3, 3, 3, 3, 3, 3, 3, 3))


@case(why="every size is 1", clauses=("queries", "scores"))
def smallest(make: Inputs) -> Call:
    return call(*layer(make, 1, 1, 1, 1, 1, 1, 1, 1))


@case(why="a rotated part wider than the rest: it counts in the scores and in their divisor", clauses=("scores",))
def wide_rope(make: Inputs) -> Call:
    return call(*layer(make, 1, 2, 2, 6, 1, 8, 3, 2))


@case(why="scores in the hundreds: exp overflows unless the maximum is off", atol=2e-3, clauses=("result",))
def far_scores(make: Inputs) -> Call:
    return call(*layer(make, 1, 2, 3, 6, 4, 4, 3, 4, 200.0))


@case(
    why="every visible score is near −1000: what is masked must lie far below them, not at −1000",
    atol=2e-3,
    clauses=("causal", "result"),
)
def low_scores(make: Inputs) -> Call:
    q, latent, k_rope, kv_up = layer(make, 1, 2, 3, 5, 5, 4, 3, 4)
    q[..., 5:] = -747.0  # −747 · 4 / √9 = −996
    return call(q, latent, 1 + k_rope * 5e-4, kv_up)


@case(
    why="one query, a cache of 400 tokens and 8 heads: keys made for each would cost many times more",
    clauses=("cost",),
)
def long_cache(make: Inputs) -> Call:
    return call(*layer(make, 1, 8, 1, 400, 8, 4, 8, 16))


@case(why="values of one channel: what is left to save is the making of keys", clauses=("cost",))
def narrow_values(make: Inputs) -> Call:
    return call(*layer(make, 1, 6, 1, 300, 12, 4, 1, 8))


@case(why="the same queries over another cache, with another matrix", clauses=("always",))
def same_queries(make: Inputs) -> tuple[Call, ...]:
    sizes = 2, 2, 2, 4, 3, 2, 3, 4
    first, second = layer(make, *sizes), layer(make, *sizes)
    return call(*first), call(first[0], *second[1:]), call(first[0], first[1], second[2], first[3])


@case(why="sizes of its own", fresh=True, clauses=("queries", "cache", "kv-up", "scores"))
def fresh(make: Inputs) -> Call:
    length = make.size(2, 3)
    widths = make.size(2, 6), make.size(2, 5), make.size(2, 7), make.size(3, 8)
    return call(*layer(make, make.size(1, 3), make.size(2, 4), length, length + make.size(1, 4), *widths))


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_step(draw: Draw) -> Call:
    b, h = draw.pick(1, 2, 3), draw.pick(1, 2, 3, 4)
    s = draw.pick(1, 2, 3, 4, 6, 9)
    length = draw.pick(1, 1, s, s, max(1, s - 1), min(s, 2), min(s, h))
    plain, rope, c = draw.pick(1, 2, 3, 4, h), draw.pick(1, 2, 3, 4), draw.pick(1, 2, 3, 4, 5, s)
    value = draw.pick(plain, plain, 1, 2, 3, 5)
    kind = draw.pick("ordinary", "ordinary", "ordinary", "small", "large", "far")
    draw.mark("scores", kind)
    std = {"small": 0.05, "large": 8.0, "far": 200.0}.get(kind, 1.0)
    inputs = layer(draw, b, h, length, s, plain, rope, value, c, std)
    if kind != "far" and draw.chance(0.4):
        draw.gradients(0, 1, 2, 3)
    return call(*(draw.layout(tensor) for tensor in inputs))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-shared-key", why="latent and rotated key side by side, as one key that all heads share")
def one_shared_key(q, latent, k_rope, kv_up):
    (b, h, length, _), d_r = q.shape, k_rope.shape[-1]
    d_n, s = q.shape[-1] - d_r, latent.shape[1]
    w_k, w_v = kv_up.reshape(h, -1, kv_up.shape[1]).tensor_split([d_n], dim=1)
    query = torch.cat([q[..., :d_n] @ w_k, q[..., d_n:]], dim=-1)  # (B, H, L, d_c + d_r)
    key = torch.cat([latent, k_rope], dim=-1)  # (B, S, d_c + d_r)
    scores = query.reshape(b, h * length, -1) @ key.transpose(1, 2) / (d_n + d_r) ** 0.5
    scores = scores.view(b, h, length, s)
    later = torch.arange(s) > torch.arange(s - length, s)[:, None]
    weights = torch.softmax(scores.masked_fill(later, float("-inf")), -1)
    return (weights.reshape(b, h * length, s) @ latent).view(b, h, length, -1) @ w_v.transpose(1, 2)


@equivalent("fused", why="PyTorch's attention over one shared key, with its own scale and mask")
def fused(q, latent, k_rope, kv_up):
    heads, new, old = q.size(1), q.size(2), latent.size(1)
    plain = q.size(-1) - k_rope.size(-1)
    up = kv_up.unflatten(0, (heads, -1))
    q_latent = torch.einsum("bhld,hdc->bhlc", q[..., :plain], up[:, :plain])
    query = torch.cat([q_latent, q[..., plain:]], dim=-1)
    key = torch.cat([latent, k_rope], dim=-1).unsqueeze(1)
    visible = torch.ones(new, old).tril(old - new).bool()
    mixed = F.scaled_dot_product_attention(
        query,
        key.expand(-1, heads, -1, -1),
        latent.unsqueeze(1).expand(-1, heads, -1, -1),
        attn_mask=visible,
        scale=q.size(-1) ** -0.5,
    )
    return torch.einsum("bhlc,hdc->bhld", mixed, up[:, plain:])


@equivalent("head-by-head", why="a loop over batch and heads with an additive mask, in float64")
def head_by_head(q, latent, k_rope, kv_up):
    b, h, length, width = q.shape
    plain, rows = width - k_rope.shape[-1], kv_up.shape[0] // h
    bias = torch.full((length, latent.shape[1]), -math.inf, dtype=torch.float64).triu(latent.shape[1] - length + 1)
    outer = []
    for i in range(b):
        cached, shared, out = latent[i].double(), k_rope[i].double(), []
        for head in range(h):
            block = kv_up[head * rows : (head + 1) * rows].double()
            one = q[i, head].double()
            scores = (one[:, :plain] @ block[:plain]) @ cached.T + one[:, plain:] @ shared.T
            out.append(((scores / math.sqrt(width) + bias).softmax(1) @ cached) @ block[plain:].T)
        outer.append(torch.stack(out))
    return torch.stack(outer).to(q.dtype)


# Peer -------------------------------------------------------------------------------------------------------------


# The other way round: every head's keys and values are made, and PyTorch attends to them as to any others.
@peer("torch")
def decompressed(q, latent, k_rope, kv_up):
    (b, h, length, width), s = q.shape, latent.size(1)
    d_n = width - k_rope.size(-1)
    made = F.linear(latent, kv_up).view(b, s, h, -1).transpose(1, 2)
    keys = torch.cat([made[..., :d_n], k_rope.unsqueeze(1).expand(b, h, s, -1)], dim=-1)
    visible = torch.arange(s) <= torch.arange(s - length, s)[:, None]
    return F.scaled_dot_product_attention(q, keys, made[..., d_n:], attn_mask=visible)
