"""Cases, equivalents and peer of the kata triton-flash-attention; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="one block, filled by no size: 5 queries, 7 keys, 10 components", clauses=("shapes", "formula", "always"))
def base(make: Inputs) -> Call:
    return call(make.normal(2, 5, 10), make.normal(2, 7, 10), make.normal(2, 7, 10))


@case(why="the same with a causal mask: the last query sees all seven keys", clauses=("causal", "shapes"))
def causal(make: Inputs) -> Call:
    return call(make.normal(2, 5, 10), make.normal(2, 7, 10), make.normal(2, 7, 10), True)


@case(why="three blocks of keys, the last with six of them", clauses=("shapes", "formula"))
def ragged_keys(make: Inputs) -> Call:
    return call(make.normal(1, 3, 16), make.normal(1, 70, 16), make.normal(1, 70, 16))


@case(why="two blocks of queries, causal, after 11 cached keys", clauses=("causal", "shapes"))
def ragged_causal(make: Inputs) -> Call:
    return call(make.normal(1, 38, 8), make.normal(1, 49, 8), make.normal(1, 49, 8), causal=True)


@case(why="scores rise from block to block: all that was summed before must be rescaled", clauses=("formula",))
def maximum_last(make: Inputs) -> Call:
    k = make.normal(1, 80, 4) + torch.linspace(0, 12, 80).view(1, 80, 1)
    return call(make.normal(1, 4, 4, mean=1.0, std=0.2), k, make.normal(1, 80, 4))


@case(
    why="scores fall from +200 to −200: the maximum stands in the first block",
    atol=2e-4,
    clauses=("far-scores",),
)
def steep_fall(make: Inputs) -> Call:
    k = torch.linspace(20, -20, 70).view(1, 70, 1) + make.normal(1, 70, 4, std=0.05)
    return call(make.normal(1, 3, 4, mean=5.0, std=0.05), k, make.normal(1, 70, 4))


@case(why="every score is near −200: a maximum that begins at 0 leaves nothing", atol=2e-4, clauses=("far-scores",))
def all_very_negative(make: Inputs) -> Call:
    q, k = make.normal(2, 3, 4, mean=20.0, std=0.05), make.normal(2, 40, 4, mean=-5.0, std=0.05)
    return call(q, k, make.normal(2, 40, 4))


@case(
    why="keys that a causal mask hides score near +200: they must not be the maximum",
    atol=2e-4,
    clauses=("causal", "far-scores"),
)
def hidden_high(make: Inputs) -> Call:
    k = make.normal(1, 6, 4, std=0.05)
    k[:, 3:] += 20.0
    return call(make.normal(1, 4, 4, mean=5.0, std=0.05), k, make.normal(1, 6, 4), True)


@case(why="one query after a cache of 40 keys, as in decoding", clauses=("causal", "shapes"))
def one_query(make: Inputs) -> Call:
    return call(make.normal(3, 1, 12), make.normal(3, 40, 12), make.normal(3, 40, 12), True)


@case(why="one head, one query, one key, one component", clauses=("shapes", "formula"))
def ones(make: Inputs) -> Call:
    return call(make.normal(1, 1, 1), make.normal(1, 1, 1), make.normal(1, 1, 1))


@case(why="as many queries and keys as components: transposed tiles give no error", clauses=("formula", "causal"))
def equal_sizes(make: Inputs) -> Call:
    return call(make.normal(2, 16, 16), make.normal(2, 16, 16), make.normal(2, 16, 16), True)


@case(why="q, k and v are slices of one packed projection, heads between the tokens", clauses=("shapes",))
def packed(make: Inputs) -> Call:
    packed = make.normal(9, 3, 2, 6)  # (L, q or k or v, H, D)
    return call(*packed.permute(1, 2, 0, 3).unbind(0), True)


@case(why="keys and values have strides of their own", clauses=("shapes",))
def unlike_strides(make: Inputs) -> Call:
    k = make.normal(2, 6, 9).transpose(1, 2)
    v = make.normal(9, 2, 6).transpose(0, 1)
    return call(make.normal(2, 4, 12)[..., ::2], k, v)


@case(why="float32 numbers that TF32 cannot hold, and scores that show it", clauses=("float32-inside",))
def not_tf32(make: Inputs) -> Call:
    return call(make.normal(1, 4, 32, std=2.0), make.normal(1, 20, 32, std=2.0), make.normal(1, 20, 32, mean=3.0))


@case(
    why="float16 scores near 200: rounded to an eighth, they weigh up to 6 % too much or too little",
    rtol=4e-3,
    atol=4e-3,
    clauses=("float32-inside",),
)
def float16_high(make: Inputs) -> Call:
    half = torch.float16
    q, k = make.normal(2, 3, 4, mean=20.0, std=0.1, dtype=half), make.normal(2, 9, 4, mean=5.0, std=0.05, dtype=half)
    return call(q, k, make.normal(2, 9, 4, dtype=half))


@case(
    why="bfloat16: the first key outweighs each other 8000 times, and 500 of them still count, unless 8 bits hold the sums",
    rtol=1e-2,
    atol=1e-3,
    clauses=("float32-inside",),
)
def bfloat16_many_keys(make: Inputs) -> Call:
    half = torch.bfloat16
    k, v = make.normal(1, 500, 8, std=0.1), make.normal(1, 500, 8, mean=4.0, std=0.3)
    k[:, 0], v[:, 0] = 9 / 8**0.5, 1.0
    return call(make.normal(1, 2, 8, mean=1.0, std=0.02, dtype=half), k.to(half), v.to(half))


@case(why="bfloat16, causal: the result comes back in bfloat16", rtol=2e-2, atol=2e-2, clauses=("shapes", "formula"))
def bfloat16(make: Inputs) -> Call:
    half = torch.bfloat16
    return call(make.normal(1, 5, 20, dtype=half), *make.normal(2, 1, 9, 20, dtype=half), causal=True)


@case(why="64 queries and 160 keys: bytes, tiles and multiplications are counted", clauses=("cost",))
def counted(make: Inputs) -> Call:
    return call(make.normal(1, 64, 32), make.normal(1, 160, 32), make.normal(1, 160, 32))


@case(why="128 queries and keys, causal: what no query sees need not be read", clauses=("cost", "causal"))
def counted_causal(make: Inputs) -> Call:
    return call(make.normal(1, 128, 32), make.normal(1, 128, 32), make.normal(1, 128, 32), True)


@case(why="no queries, and no heads: empty results", clauses=("always",))
def no_queries(make: Inputs) -> tuple[Call, ...]:
    first = call(make.normal(2, 0, 4), make.normal(2, 5, 4), make.normal(2, 5, 4))
    return first, call(make.normal(0, 3, 4), make.normal(0, 5, 4), make.normal(0, 5, 4), True)


@case(why="sizes of its own", fresh=True, clauses=("formula", "causal"))
def fresh(make: Inputs) -> Call:
    length, d = make.size(2, 12), make.size(3, 40)
    keys = length + make.size(1, 40)
    return call(make.normal(2, length, d), make.normal(2, keys, d), make.normal(2, keys, d), True)


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def exp2_kernel(
    Q, K, V, Out, qz, qm, qk, kz, kn, kk, vz, vn, vk, om, ok, oz, L, S, D: tl.constexpr, scale,
    CAUSAL: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    m = tl.program_id(1) * BM + tl.arange(0, BM)
    n = tl.arange(0, BN)
    d = tl.arange(0, BD)
    Q += tl.program_id(0) * qz
    K += tl.program_id(0) * kz
    V += tl.program_id(0) * vz
    q = tl.load(Q + m[:, None] * qm + d[None, :] * qk, (m < L)[:, None] & (d < D)[None, :], 0.0).to(tl.float32)
    q = q * (scale * 1.44269504)  # log2 e: exp2 is what the hardware has
    m_i = tl.zeros([BM], dtype=tl.float32) - float("inf")
    l_i = tl.zeros([BM], dtype=tl.float32)
    acc = tl.zeros([BM, BD], dtype=tl.float32)
    last = tl.minimum(S, tl.program_id(1) * BM + BM + S - L) if CAUSAL else S
    for start in range(0, last, BN):
        left = start + n < S
        # The keys are loaded transposed: (BD, BN).
        k_at = K + d[:, None] * kk + (start + n)[None, :] * kn
        k = tl.load(k_at, (d < D)[:, None] & left[None, :], 0.0).to(tl.float32)
        s = tl.dot(q, k, input_precision="ieee")
        s = tl.where(left[None, :], s, float("-inf"))
        if CAUSAL:
            s += tl.where(m[:, None] + S - L >= (start + n)[None, :], 0.0, float("-inf"))
        m_ij = tl.maximum(m_i, tl.max(s, 1))
        p = tl.math.exp2(s - m_ij[:, None])
        alpha = tl.math.exp2(m_i - m_ij)
        l_i = l_i * alpha + tl.sum(p, 1)
        v = tl.load(V + (start + n)[:, None] * vn + d[None, :] * vk, left[:, None] & (d < D)[None, :], 0.0)
        acc = tl.dot(p, v.to(tl.float32), acc * alpha[:, None], input_precision="ieee")
        m_i = m_ij
    acc = acc / l_i[:, None]
    o_at = Out + tl.program_id(0) * oz + m[:, None] * om + d[None, :] * ok
    tl.store(o_at, acc.to(Out.dtype.element_ty), (m < L)[:, None] & (d < D)[None, :])


@equivalent("exp2-in-float32", why="exp2, keys loaded transposed, half types lifted before they are multiplied")
def exp2_in_float32(q, k, v, causal=False):
    h, length, d = q.shape
    o = torch.empty_like(q)
    strides = (*q.stride(), *k.stride(), *v.stride(), o.stride(1), o.stride(2), o.stride(0))
    block, keys = 32, 64
    grid = (h, triton.cdiv(length, block))
    exp2_kernel[grid](
        q, k, v, o, *strides, length, k.shape[1], d, d**-0.5, causal, block, keys, max(16, triton.next_power_of_2(d))
    )
    return o


@triton.jit
def attend(state_m, state_l, acc, query, k, v, k_s, k_d, v_s, v_d, j, i, d, S, D, offset, scale, CAUSAL: tl.constexpr):
    key = tl.load(k + j[:, None] * k_s + d[None, :] * k_d, mask=(j[:, None] < S) & (d[None, :] < D), other=0.0)
    value = tl.load(v + j[:, None] * v_s + d[None, :] * v_d, mask=(j[:, None] < S) & (d[None, :] < D), other=0.0)
    score = tl.dot(query, key.T, input_precision="ieee") * scale
    hidden = j[None, :] >= S
    if CAUSAL:
        hidden = hidden | (j[None, :] > i[:, None] + offset)
    score = tl.where(hidden, -1e38, score)
    higher = tl.maximum(state_m, tl.max(score, 1))
    weight = tl.where(hidden, 0.0, tl.exp(score - higher[:, None]))
    shrink = tl.exp(state_m - higher)
    acc = acc * shrink[:, None] + tl.dot(weight.to(value.dtype), value, input_precision="ieee")
    return higher, state_l * shrink + tl.sum(weight, 1), acc


@triton.jit
def flat_kernel(
    q, k, v, o, q_h, q_l, q_d, k_h, k_s, k_d, v_h, v_s, v_d, L, S, D, blocks, scale,
    CAUSAL: tl.constexpr, BL: tl.constexpr, BS: tl.constexpr, BD: tl.constexpr,
):  # fmt: skip
    head, block = tl.program_id(0) // blocks, tl.program_id(0) % blocks
    i, d = block * BL + tl.arange(0, BL), tl.arange(0, BD)
    mask = (i[:, None] < L) & (d[None, :] < D)
    query = tl.load(q + head * q_h + i[:, None] * q_l + d[None, :] * q_d, mask=mask, other=0.0)
    m = tl.full((BL,), -1e38, tl.float32)
    total = tl.zeros((BL,), tl.float32)
    acc = tl.zeros((BL, BD), tl.float32)
    end = S
    if CAUSAL:
        end = min(S, block * BL + BL + S - L)
    for start in range(0, end, BS):
        j = start + tl.arange(0, BS)
        m, total, acc = attend(
            m, total, acc, query, k + head * k_h, v + head * v_h, k_s, k_d, v_s, v_d, j, i, d, S, D, S - L, scale,
            CAUSAL,
        )  # fmt: skip
    tl.store(o + head * L * D + i[:, None] * D + d[None, :], acc * (1.0 / total)[:, None], mask=mask)


@equivalent("with-a-helper", why="one axis of programs, the step in a helper, a finite minus infinity that is masked")
def with_a_helper(q, k, v, causal=False):
    h, length, d = q.shape
    o = q.new_empty(h, length, d)
    blocks = triton.cdiv(length, 32)
    strides = (*q.stride(), *k.stride(), *v.stride())
    width = max(16, triton.next_power_of_2(d))
    flat_kernel[(h * blocks,)](
        q, k, v, o, *strides, length, k.shape[1], d, blocks, d**-0.5, CAUSAL=causal, BL=32, BS=16, BD=width
    )
    return o


@peer("torch")
def by_torch(q, k, v, causal=False):
    length, keys = q.shape[1], k.shape[1]
    mask = torch.ones(length, keys, dtype=torch.bool).tril(keys - length) if causal else None
    return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=mask).to(q.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    d = draw.pick(1, 3, 4, 8, 16, 17, 24, 32, 40)
    h, length = draw.pick(0, 1, 1, 1, 1, 2), draw.pick(0, 1, 1, 2, 5, 16, 31, 33)
    keys = draw.pick(length or 1, length or 1, length + 1, length + 6, 1, 5, 40)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    if dtype != torch.float32:
        draw.within(rtol=4e-3 if dtype == torch.float16 else 2e-2, atol=4e-3 if dtype == torch.float16 else 2e-2)
    far = dtype == torch.float32 and draw.chance(0.25)
    if far:
        draw.mark("far scores")
        draw.within(rtol=1.3e-6, atol=2e-4)
    q = draw.normal(h, length, d) if not far else draw.normal(h, length, d, mean=14 / d**0.25, std=0.05)
    k = draw.normal(h, keys, d)
    if far:
        k = k * 0.05 + draw.uniform(h, keys, 1, low=-14.0, high=14.0) / d**0.25
    v = draw.normal(h, keys, d, mean=draw.pick(0.0, 2.0))
    args = [placed(draw, x.to(dtype)) for x in (q, k, v)]
    if length > keys or not draw.given(0.7):
        return call(*args)
    return call(*args, draw.option(True, True, False))


def placed(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """The tensor (heads, tokens, components) as it may lie in memory."""
    kind = draw.pick("packed", "packed", "tokens first", "components first", "every other number", "a slice of a cache")
    draw.mark("layout", kind)
    if kind == "tokens first":
        return x.transpose(0, 1).contiguous().transpose(0, 1)
    if kind == "components first":
        return x.transpose(1, 2).contiguous().transpose(1, 2)
    if kind == "every other number":
        return torch.stack((x, x + 7), dim=3).flatten(2)[..., ::2]
    if kind == "a slice of a cache":
        wide = torch.full((x.shape[0], x.shape[1] + 6, x.shape[2] + 3), 77.0, dtype=x.dtype)
        wide[:, 2:-4, :-3] = x
        return wide[:, 2:-4, :-3]
    return x
