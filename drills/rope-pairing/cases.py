"""RoPE in two pairings: inputs, other right kernels, and the peers."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer

# Cases


@case(
    why="the values of eight pairs at positions 0 to 5: norms and relative positions alone would pass wrong kernels",
    clauses=("shapes", "rotation", "pairs", "returns"),
)
def base(make: Inputs):
    return call(make.normal(2, 3, 6, 16), torch.arange(6))


@case(why="one decoded token at position 7: the rotation does not restart at 0", clauses=("positions",))
def decode_at_seven(make: Inputs):
    return call(make.normal(2, 3, 1, 8), torch.tensor([7]))


@case(why="position 0 is the identity", clauses=("positions",))
def position_zero(make: Inputs):
    return call(make.normal(2, 3, 1, 8), torch.tensor([0]))


@case(why="positions out of order and with gaps, as after evicting tokens from a cache", clauses=("positions",))
def unordered_positions(make: Inputs):
    return call(make.normal(2, 3, 5, 8), torch.tensor([6, 0, 9, 2, 3]))


@case(why="each row has its own positions, as with left padding; B≠H", clauses=("positions",))
def positions_of_each_row(make: Inputs):
    return call(make.normal(2, 3, 4, 8), torch.tensor([[0, 1, 2, 3], [5, 6, 7, 8]]))


@case(why="B=H: angles of row b that lost the head axis hit head b instead, without an error", clauses=("positions",))
def as_many_heads_as_rows(make: Inputs):
    return call(make.normal(3, 3, 4, 8), torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [2, 3, 4, 5]]))


@case(why="H=T: turning along the heads instead of the tokens has the right shape", clauses=("positions",))
def as_many_heads_as_tokens(make: Inputs):
    return call(make.normal(2, 4, 4, 8), torch.arange(4))


@case(why="a long-context base: 10000 is only the default", clauses=("rotation",))
def long_context_base(make: Inputs):
    return call(make.normal(2, 3, 6, 8), torch.arange(3, 9), base=5e5)


@case(why="only 4 of 8 are turned, and the frequencies follow the 4", clauses=("width", "rotation", "tail"))
def half_of_the_head(make: Inputs):
    return call(make.normal(2, 3, 6, 8), torch.arange(6), rotary_dim=4)


@case(
    why="6 of 10 with a base of its own, positions of each row: everything at once",
    clauses=("positions", "width", "rotation", "tail"),
)
def all_arguments(make: Inputs):
    positions = torch.tensor([[0, 1, 2, 3, 4], [7, 8, 9, 10, 11]])
    return call(make.normal(2, 3, 5, 10), positions, base=500.0, rotary_dim=6)


@case(
    rtol=0.02,
    atol=0.05,
    why="bfloat16 at position 4095: angles computed in bfloat16 are off by several radians",
    clauses=("angles", "returns"),
)
def far_in_bfloat16(make: Inputs):
    return call(make.normal(2, 3, 5, 64, dtype=torch.bfloat16), torch.arange(4091, 4096))


@case(rtol=0.005, atol=0.005, why="float16 stays float16", clauses=("angles", "returns"))
def float16_stays(make: Inputs):
    return call(make.normal(2, 3, 5, 8, dtype=torch.float16), torch.arange(5))


@case(
    why="a single pair in a single head: θ = 1, and nothing may be divided by r−2 or squeezed away",
    clauses=("shapes", "rotation"),
)
def one_pair(make: Inputs):
    return call(make.normal(1, 1, 3, 2), torch.tensor([1, 2, 4]))


@case(why="one decoded token in each row, at positions of its own", clauses=("positions",))
def decode_rows(make: Inputs):
    return call(make.normal(3, 2, 1, 8), torch.tensor([[7], [0], [12]]))


@case(why="2 of 6: a single pair in front of a tail, at positions of each row", clauses=("width", "rotation", "tail"))
def one_pair_of_a_wider_head(make: Inputs):
    return call(make.normal(2, 3, 4, 6), torch.tensor([[3, 4, 5, 6], [0, 9, 2, 1]]), rotary_dim=2)


@case(
    rtol=0.02,
    atol=0.05,
    why="bfloat16 with positions of each row, another base and a tail",
    clauses=("angles", "positions", "width", "tail"),
)
def all_arguments_in_bfloat16(make: Inputs):
    positions = torch.tensor([[4091, 4092, 4093, 4095], [300, 301, 303, 304]])
    return call(make.normal(2, 3, 4, 10, dtype=torch.bfloat16), positions, base=500.0, rotary_dim=6)


@case(
    rtol=0.005,
    atol=0.01,
    why="float16 at positions above 3000: it cannot count past 2048",
    clauses=("angles", "returns"),
)
def far_in_float16(make: Inputs):
    return call(make.normal(2, 3, 5, 8, dtype=torch.float16), torch.arange(3001, 3006))


@case(why="every size is 4: nothing may be told from the sizes", clauses=("shapes", "positions"))
def every_size_alike(make: Inputs):
    return call(make.normal(4, 4, 4, 4), make.integers(0, 9, 4, 4))


@case(why="every size is 4, and all rows share their positions", clauses=("shapes", "positions"))
def every_size_alike_shared(make: Inputs):
    return call(make.normal(4, 4, 4, 4), torch.tensor([3, 0, 5, 4]))


@case(
    rtol=1e-3,
    atol=5e-3,
    why="600 tokens from position 44,000 on: no table made beforehand is long enough",
    clauses=("positions",),
)
def far_positions(make: Inputs):
    return call(make.normal(1, 1, 600, 4), torch.arange(44000, 44600))


@case(rtol=1e-5, atol=1e-5, why="float64 in, float64 out; angles in float32 are fine", clauses=("angles", "returns"))
def float64_stays(make: Inputs):
    return call(make.normal(2, 3, 5, 8, dtype=torch.float64), torch.arange(5), rotary_dim=6)


@case(why="an empty batch, with positions of each row", clauses=("always",))
def empty_batch(make: Inputs):
    return call(make.normal(0, 3, 4, 8), torch.zeros(0, 4, dtype=torch.int64), rotary_dim=6)


@case(why="no token at all", clauses=("always",))
def no_tokens(make: Inputs):
    return call(make.normal(2, 3, 0, 8), torch.arange(0))


@case(raises="ValueError", why="an odd head width cannot be paired", clauses=("width",))
def odd_width(make: Inputs):
    return call(make.normal(2, 3, 4, 7), torch.arange(4))


@case(raises="ValueError", why="an odd rotary_dim cannot be paired, though the head's width could", clauses=("width",))
def odd_rotary_dim(make: Inputs):
    return call(make.normal(2, 3, 4, 8), torch.arange(4), rotary_dim=5)


@case(why="heads split off by a transpose: the input is not contiguous", clauses=("always",))
def non_contiguous(make: Inputs):
    return call(make.normal(2, 5, 3, 8).transpose(1, 2), torch.arange(5), rotary_dim=6)


@case(grads=(0,), why="the gradient with respect to x: training turns it back", clauses=("always",))
def gradient(make: Inputs):
    return call(make.normal(2, 3, 5, 8), torch.arange(2, 7), rotary_dim=6)


@case(
    fresh=True,
    why="sizes, positions and base that nobody could have hard-coded",
    clauses=("positions", "width", "rotation", "tail"),
)
def fresh(make: Inputs):
    B, H, T, pairs, tail = make.size(1, 4), make.size(1, 5), make.size(1, 6), make.size(2, 5), make.size(0, 3)
    positions = make.integers(0, 12, B, T)
    return call(make.normal(B, H, T, 2 * pairs + tail), positions, float(make.size(50, 900)), 2 * pairs)


@case(
    why="four calls in a row: rows that begin alike, positions written into a tensor that was given before, another base",
    clauses=("always",),
)
def calls_in_a_row(make: Inputs):
    one, other = torch.tensor([[0, 5, 2, 9], [3, 4, 5, 6]]), torch.tensor([[0, 3, 9, 1], [3, 1, 0, 7]])
    x, y = make.normal(2, 3, 4, 8), make.normal(2, 3, 4, 8)
    return call(x, one), call(y, other), call(x, one), call(y, one, base=500.0)


# Domain


def drawn_positions(draw: Draw, shape, reach):
    """Positions of that shape, int64: near 0, in the thousands, far out, or near ones among far ones."""
    low, high = {"near": (0, 12), "middle": (0, 5000)}.get(reach, (39_000, 60_000))
    kind = draw.pick("any", "any", "from 0", "running", "falling", "alike")
    steps = torch.arange(shape[-1])
    if kind == "alike":
        return draw.integers(low, high, 1).expand(shape)
    if kind in ("running", "falling"):
        first = draw.integers(low, high, *shape[:-1], 1)
        return (first + (steps if kind == "running" else steps.flip(0))).expand(shape)
    positions = draw.integers(low, high, *shape)
    if kind == "from 0":
        positions[..., :1] = 0
    return torch.where(draw.boolean(*shape), draw.integers(0, 12, *shape), positions) if reach == "mixed" else positions


def drawn_options(draw: Draw, D, far):
    """base and rotary_dim as keywords, perhaps left out. Far out at most two pairs turn, the second one slowly: the
    first has the frequency 1, and float32 holds a far angle of others only to some thousandths."""
    base = draw.option(10000.0, 5e5, 1e6) if far else draw.option(10000.0, 10000.0, 500.0, 50.0, 5e5, float(D))
    given = {"base": base} if draw.given(0.5) else {}
    r = draw.option(*(r for r in range(2, D + 1, 2) if r <= 4 or not far))
    if D > 2 and draw.given(0.12):
        r = draw.option(*range(3, D + 1, 2))  # odd: a ValueError
    elif D % 2 == 0 and draw.given(0.4):
        r = min(D, 4) if far else D
    if r != D or draw.given(0.5):
        given["rotary_dim"] = r
    return given


@domain(raises=("ValueError",))
def any_call(draw: Draw):
    B, H, T = draw.pick(0, 1, 2, 2, 3, 4), draw.pick(1, 2, 3, 4), draw.pick(0, 1, 1, 2, 3, 4)
    H, T = draw.pick((H, T), (H, T), (H, H), (B or 1, T), (H, B))
    reach = draw.pick("near", "near", "middle", "far", "mixed")
    far = reach in ("far", "mixed")
    D = draw.pick(2, 4, 4, 5, 6, 10) if far else draw.pick(2, 3, 4, 6, 8, 8, 9, 12, max(T, 2))
    dtype = draw.pick(*[torch.float32] * 4, torch.float64, torch.float16, torch.bfloat16)
    # A frequency in float32 is off by up to some 1e-7 of itself, the angle by so much times the position.
    off = {"near": 2e-5, "middle": 3e-3}.get(reach, 7e-4)
    rtol, atol = {torch.float16: (0.005, 0.01), torch.bfloat16: (0.02, 0.05)}.get(dtype, (1e-5, off))
    draw.within(rtol=rtol, atol=atol)
    x = draw.layout(draw.normal(B, H, T, D, dtype=dtype))
    positions = draw.layout(drawn_positions(draw, draw.pick((T,), (B, T)), reach))
    given = drawn_options(draw, D, far)
    r = given.get("rotary_dim", D)
    draw.mark("positions", reach)
    draw.mark("turned", "an odd number" if r % 2 else "all" if r == D else "a part")
    if draw.chance(0.3) and B * T and r % 2 == 0 and dtype in (torch.float32, torch.float64):
        draw.gradients(0)
    if len(given) == 2 and draw.given(0.3):
        return call(x, positions, given["base"], given["rotary_dim"])
    return call(x, positions, **given)


# Equivalents


def width(x, rotary_dim):
    """How many numbers turn; ValueError where they cannot be paired."""
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
    return r


@equivalent("neighbours", why="the rotation in a few lines, for neighbours", variants=("interleaved",))
def neighbours(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned.to(x.dtype), x[..., r:]), dim=-1)


@equivalent("halves", why="the rotation in a few lines, for halves", variants=("half-split",))
def halves(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned.to(x.dtype), x[..., r:]), dim=-1)


@equivalent("halves-swapped", why="each angle twice, as halves, and the halves swapped", variants=("half-split",))
def halves_swapped(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    angles = torch.cat((angles, angles), dim=-1)
    cos, sin = angles.cos(), angles.sin()
    swapped = torch.cat((-x[..., r // 2 : r], x[..., : r // 2]), dim=-1)
    turned = x[..., :r] * cos + swapped * sin
    return torch.cat((turned.to(x.dtype), x[..., r:]), dim=-1)


@equivalent(
    "complex-numbers", why="multiplies by e^(iφ), as Meta's Llama code does; float32 inside", variants=("interleaved",)
)
def complex_numbers(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    theta = 1.0 / (base ** (torch.arange(0, r, 2, device=x.device).float() / r))
    angles = positions.float()[..., None] * theta
    turns = torch.polar(torch.ones_like(angles), angles)
    turns = turns if positions.ndim == 1 else turns[:, None]
    pairs = torch.view_as_complex(x[..., :r].float().reshape(*x.shape[:-1], r // 2, 2).contiguous())
    turned = torch.view_as_real(pairs * turns).flatten(-2)
    return torch.cat([turned.to(x.dtype), x[..., r:]], dim=-1)


@equivalent(
    "matrices", why="a 2×2 rotation matrix for each pair and an einsum; float64 inside", variants=("interleaved",)
)
def matrices(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    exponents = torch.arange(r // 2, device=x.device, dtype=torch.float64) * (-2 / r)
    angles = positions.double().unsqueeze(-1) * torch.pow(
        torch.tensor(base, dtype=torch.float64, device=x.device), exponents
    )
    cos, sin = angles.cos(), angles.sin()
    turns = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)  # (…, T, r/2, 2, 2)
    turns = turns.expand(x.size(0), *turns.shape) if positions.ndim == 1 else turns
    pairs = x[..., :r].double().unflatten(-1, (r // 2, 2))
    turned = torch.einsum("btpij,bhtpj->bhtpi", turns, pairs).flatten(-2)
    return torch.cat([turned.to(x.dtype), x[..., r:]], dim=-1)


@equivalent(
    "swapped-neighbours", why="x · cos + swap(x) · sin with repeated angles, as in GPT-J", variants=("interleaved",)
)
def swapped_neighbours(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    angles = positions[..., None].float() * base ** -(torch.arange(0, r, 2, device=x.device).float() / r)
    angles = (angles if positions.ndim == 1 else angles[:, None]).repeat_interleave(2, dim=-1)
    turning, tail = x[..., :r], x[..., r:]
    swapped = torch.stack((-turning[..., 1::2], turning[..., ::2]), dim=-1).flatten(-2)
    return torch.cat((turning * angles.cos().to(x.dtype) + swapped * angles.sin().to(x.dtype), tail), dim=-1)


@equivalent("pair-by-pair", why="a loop over the pairs that fills a copy", variants=("interleaved",))
def pair_by_pair(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    where = positions if positions.ndim == 1 else positions[:, None]
    turned = x.clone()
    for i in range(r // 2):
        angle = where.float() * base ** (-2 * i / r)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        turned[..., 2 * i] = x[..., 2 * i] * cos - x[..., 2 * i + 1] * sin
        turned[..., 2 * i + 1] = x[..., 2 * i] * sin + x[..., 2 * i + 1] * cos
    return turned


@equivalent("rotate-half", why="x · cos + rotate_half(x) · sin, as in transformers", variants=("half-split",))
def rotate_half(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    angles = positions[..., None].float() / base ** (torch.arange(0, r, 2, device=x.device).float() / r)
    angles = angles if positions.ndim == 1 else angles[:, None]
    angles = torch.cat((angles, angles), dim=-1)
    turning, tail = x[..., :r], x[..., r:]
    half = torch.cat((-turning[..., r // 2 :], turning[..., : r // 2]), dim=-1)
    return torch.cat((turning * angles.cos().to(x.dtype) + half * angles.sin().to(x.dtype), tail), dim=-1)


@equivalent("complex-halves", why="complex numbers made of the two halves; float32 inside", variants=("half-split",))
def complex_halves(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    angles = positions[..., None].float() * base ** (torch.arange(r // 2, device=x.device) * (-2 / r))
    angles = angles if positions.ndim == 1 else angles[:, None]
    a, b = x[..., :r].float().chunk(2, dim=-1)
    turned = torch.complex(a, b) * torch.complex(angles.cos(), angles.sin())
    return torch.cat([turned.real.to(x.dtype), turned.imag.to(x.dtype), x[..., r:]], dim=-1)


@equivalent(
    "by-way-of-neighbours",
    why="permutes the halves into neighbours, turns, and permutes back",
    variants=("half-split",),
)
def by_way_of_neighbours(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    angles = positions[..., None].double() * base ** (-torch.arange(0, r, 2, device=x.device).double() / r)
    angles = angles if positions.ndim == 1 else angles[:, None]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    pairs = x[..., :r].unflatten(-1, (2, r // 2)).transpose(-1, -2)  # (B, H, T, r/2, 2)
    a, b = pairs.unbind(-1)
    turned = torch.stack((cos * a - sin * b, sin * a + cos * b), dim=-1).transpose(-1, -2).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@equivalent(
    "half-by-half",
    why="writes both halves into a copy; angles by an outer product in float64",
    variants=("half-split",),
)
def half_by_half(x, positions, base=10000.0, rotary_dim=None):
    r = width(x, rotary_dim)
    theta = torch.tensor([base ** (-2 * i / r) for i in range(r // 2)], dtype=torch.float64, device=x.device)
    angles = torch.einsum("...t,p->...tp", positions.double(), theta)
    angles = angles if positions.ndim == 1 else angles.unsqueeze(1)
    turned, h = x.clone(), r // 2
    turned[..., :h] = (x[..., :h] * angles.cos() - x[..., h:r] * angles.sin()).to(x.dtype)
    turned[..., h:r] = (x[..., :h] * angles.sin() + x[..., h:r] * angles.cos()).to(x.dtype)
    return turned


# The peers


def by_library(x, positions, base, rotary_dim, of_config, embedding, apply):
    """Angles and rotation as a model of transformers makes them."""
    r = x.size(-1) if rotary_dim is None else rotary_dim
    config = of_config(hidden_size=r, num_attention_heads=1, num_key_value_heads=1, rope_theta=base)
    cos, sin = embedding(config)(x, positions if positions.dim() == 2 else positions[None])
    return torch.cat((apply(x[..., :r], x[..., :r], cos, sin)[0], x[..., r:]), dim=-1)


@peer(
    "transformers (Cohere)",
    variants=("interleaved",),
    skips={"odd-width": "it does not check", "odd-rotary-dim": "it does not check"},
)
def cohere(x, positions, base=10000.0, rotary_dim=None):
    from transformers.models.cohere import modeling_cohere as model

    parts = model.CohereConfig, model.CohereRotaryEmbedding, model.apply_rotary_pos_emb
    return by_library(x, positions, base, rotary_dim, *parts)


@peer(
    "transformers (Llama)",
    variants=("half-split",),
    skips={"odd-width": "it does not check", "odd-rotary-dim": "it does not check"},
)
def llama(x, positions, base=10000.0, rotary_dim=None):
    from transformers.models.llama import modeling_llama as model

    parts = model.LlamaConfig, model.LlamaRotaryEmbedding, model.apply_rotary_pos_emb
    return by_library(x, positions, base, rotary_dim, *parts)
