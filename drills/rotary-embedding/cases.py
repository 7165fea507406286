"""Rotary position embedding: inputs, other right kernels, and the peer."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer

# Cases


@case(
    why="four pairs at positions 0 to 5: the values themselves, for norms alone would pass wrong kernels",
    clauses=("shapes", "positions", "rotation", "returns", "float32"),
)
def base(make: Inputs):
    return call(make.normal(2, 3, 6, 8), 6, 8)


@case(why="position 0 is the identity", clauses=("positions",))
def one_token(make: Inputs):
    return call(make.normal(2, 3, 1, 8), 1, 8)


@case(
    why="a single pair: θ = 1, so every wrong exponent is hidden, but neither a wrong sign nor a wrong position",
    clauses=("shapes", "rotation"),
)
def one_pair(make: Inputs):
    return call(make.normal(1, 2, 5, 2), 5, 2)


@case(why="one row, one head, one token, one pair: nothing may be squeezed away", clauses=("shapes",))
def one_of_each(make: Inputs):
    return call(make.normal(1, 1, 1, 2), 1, 2)


@case(why="H=T: turning along the heads instead of the tokens has the right shape", clauses=("positions",))
def as_many_heads_as_tokens(make: Inputs):
    return call(make.normal(2, 4, 4, 8), 4, 8)


@case(why="T=D/2: a table of angles on its side has the right shape", clauses=("rotation",))
def as_many_tokens_as_pairs(make: Inputs):
    return call(make.normal(2, 3, 5, 10), 5, 10)


@case(why="every size is 6: nothing may be told from the sizes", clauses=("shapes", "positions"))
def every_size_alike(make: Inputs):
    return call(make.normal(6, 6, 6, 6), 6, 6)


@case(why="a wide head, as in real models: 16 pairs", clauses=("rotation",))
def wide_head(make: Inputs):
    return call(make.normal(2, 3, 7, 32), 7, 32)


@case(rtol=1e-4, atol=1e-4, why="2,100 tokens: a table made beforehand ends too early", clauses=("positions",))
def long_sequence(make: Inputs):
    return call(make.normal(1, 1, 2100, 4), 2100, 4)


@case(
    rtol=0.02,
    atol=0.05,
    why="300 positions in bfloat16, which cannot tell 257 from 256",
    variants=("standard",),
    clauses=("angles",),
)
def long_in_bfloat16(make: Inputs):
    return call(make.normal(1, 2, 300, 16, dtype=torch.bfloat16), 300, 16)


@case(
    rtol=0.005,
    atol=0.01,
    why="2,100 positions in float16, which cannot tell 2049 from 2048",
    variants=("standard",),
    clauses=("angles",),
)
def long_in_float16(make: Inputs):
    return call(make.normal(1, 1, 2100, 4, dtype=torch.float16), 2100, 4)


@case(rtol=0.005, atol=0.005, why="float16 stays float16", variants=("standard",), clauses=("angles", "returns"))
def float16_stays(make: Inputs):
    return call(make.normal(2, 3, 5, 8, dtype=torch.float16), 5, 8)


@case(
    rtol=1e-5,
    atol=1e-5,
    why="float64 in, float64 out; angles in float32 are fine",
    variants=("standard",),
    clauses=("angles", "returns"),
)
def float64_stays(make: Inputs):
    return call(make.normal(2, 3, 6, 8, dtype=torch.float64), 6, 8)


@case(why="no token at all", clauses=("always",))
def no_tokens(make: Inputs):
    return call(make.normal(2, 3, 0, 8), 0, 8)


@case(why="heads split off by a transpose: the input is not contiguous", clauses=("always",))
def non_contiguous(make: Inputs):
    return call(make.normal(2, 5, 3, 8).transpose(1, 2), 5, 8)


@case(grads=(0,), why="the gradient with respect to x: training turns it back", clauses=("always",))
def gradient(make: Inputs):
    return call(make.normal(2, 3, 5, 8), 5, 8)


@case(fresh=True, why="sizes that nobody could have hard-coded", clauses=("positions", "rotation"))
def fresh(make: Inputs):
    T, D = make.size(1, 10), 2 * make.size(2, 9)
    return call(make.normal(make.size(1, 4), make.size(2, 5), T, D), T, D)


@case(
    why="five calls in a row, of other lengths and widths: a table kept from an earlier one is too short or another's",
    clauses=("always", "positions"),
)
def calls_in_a_row(make: Inputs):
    return tuple(call(make.normal(2, 3, T, D), T, D) for T, D in ((4, 8), (2, 8), (6, 8), (4, 8), (4, 6)))


@case(
    rtol=1e-5,
    atol=1e-5,
    why="float64, then float32 of the same sizes: a table kept from the first call has another dtype",
    variants=("standard",),
    clauses=("always", "returns"),
)
def another_dtype_in_the_next_call(make: Inputs):
    return tuple(call(make.normal(2, 3, 4, 8, dtype=dtype), 4, 8) for dtype in (torch.float64, torch.float32))


# Domain


def drawn_call(draw: Draw, dtype):
    """Any sizes, equal ones too; now and then more tokens than bfloat16 can count."""
    B, H, D = draw.pick(1, 2, 2, 3, 4), draw.pick(1, 2, 3, 4), draw.pick(2, 2, 4, 4, 6, 8, 8, 10, 16)
    T = draw.pick(0, 1, 2, 3, 4, 5, 7, 12, H, B, D, D // 2)
    if draw.chance(0.15):
        B, H, T, D = 1, draw.pick(1, 2), draw.size(258, 300), draw.pick(2, 4, 8)
        draw.mark("a long sequence")
    # A frequency in float32 is off by up to some 1e-7 of itself, the angle by so much times the position.
    loose = {torch.float16: (0.005, 0.01), torch.bfloat16: (0.02, 0.05)}.get(dtype, (1e-5, 1e-5 + 1e-6 * T))
    draw.within(rtol=loose[0], atol=loose[1])
    if T and dtype in (torch.float32, torch.float64) and draw.chance(0.3):
        draw.gradients(0)
    return call(draw.layout(draw.normal(B, H, T, D, dtype=dtype)), T, D)


@domain(variants=("standard",))
def any_call(draw: Draw):
    return drawn_call(draw, draw.pick(*[torch.float32] * 3, torch.float64, torch.float16, torch.bfloat16))


@domain(variants=("textbook",))
def any_call_of_the_textbook(draw: Draw):
    return drawn_call(draw, torch.float32)


# Equivalents


@equivalent("compact", why="the paper's formula in five lines; cos and sin in the dtype of x")
def compact(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos = angles.cos().to(x.dtype)
    sin = angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@equivalent("compact-swapped", why="each angle repeated for both neighbours, which are swapped")
def compact_swapped(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    angles = angles.repeat_interleave(2, dim=-1)
    swapped = torch.stack((-x[..., 1::2], x[..., 0::2]), dim=-1).flatten(-2)
    cos = angles.cos().to(x.dtype)
    sin = angles.sin().to(x.dtype)
    return x * cos + swapped * sin


@equivalent("complex-numbers", why="multiplies by e^(iφ), as Meta's Llama code does; float64 inside")
def complex_numbers(x, seq_len, dim):
    theta = 1.0 / 10000.0 ** (torch.arange(0, dim, 2, device=x.device).double() / dim)
    angles = torch.outer(torch.arange(seq_len, device=x.device).double(), theta)
    turns = torch.polar(torch.ones_like(angles), angles)
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], dim // 2, 2).contiguous())
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


@equivalent("swapped-neighbours", why="x · cos + swap(x) · sin with each angle repeated, as in GPT-J")
def swapped_neighbours(x, seq_len, dim):
    kind = torch.promote_types(x.dtype, torch.float32)
    theta = torch.exp(torch.arange(0, dim, 2, device=x.device, dtype=kind) * (-9.210340371976184 / dim))
    angles = torch.einsum("t,p->tp", torch.arange(seq_len, device=x.device, dtype=kind), theta)
    angles = angles.repeat_interleave(2, dim=-1)
    swapped = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
    return x * angles.cos().to(x.dtype) + swapped * angles.sin().to(x.dtype)


@equivalent("matrices", why="a 2×2 rotation matrix for each position and pair, applied by einsum")
def matrices(x, seq_len, dim):
    kind = torch.promote_types(x.dtype, torch.float32)
    theta = torch.tensor([10000 ** (-2 * i / dim) for i in range(dim // 2)], dtype=kind, device=x.device)
    angles = torch.arange(seq_len, dtype=kind, device=x.device)[:, None] * theta
    cos, sin = angles.cos(), angles.sin()
    turns = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)  # (T, D/2, 2, 2)
    pairs = x.to(kind).unflatten(-1, (dim // 2, 2))
    return torch.einsum("tpij,bhtpj->bhtpi", turns, pairs).flatten(-2).to(x.dtype)


@equivalent("token-by-token", why="a loop over positions and pairs that fills a copy")
def token_by_token(x, seq_len, dim):
    turned = x.clone()
    for m in range(seq_len):
        angles = torch.tensor(
            [m * 10000 ** (-2 * i / dim) for i in range(dim // 2)], dtype=torch.float64, device=x.device
        )
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x[:, :, m, 0::2], x[:, :, m, 1::2]
        turned[:, :, m, 0::2] = a * cos - b * sin
        turned[:, :, m, 1::2] = a * sin + b * cos
    return turned


@equivalent("course-answer", why="the course's own answer, for the float32 of the textbook", variants=("textbook",))
def course_answer(x, seq_len, dim):
    batch_size, num_heads = x.shape[:2]
    inv_freq = 1.0 / (10000 ** (torch.arange(0, dim, 2).float() / dim))
    positions = torch.arange(seq_len).float()
    sinusoid = torch.einsum("i,j->ij", positions, inv_freq)
    sin = sinusoid.sin()[None, None, :, :].expand(batch_size, num_heads, -1, -1)
    cos = sinusoid.cos()[None, None, :, :].expand(batch_size, num_heads, -1, -1)
    x1, x2 = x[..., ::2], x[..., 1::2]
    return torch.stack([x1 * cos - x2 * sin, x1 * sin + x2 * cos], dim=-1).flatten(-2)


# The peer


@peer("transformers (GPT-J)")
def gptj(x, seq_len, dim):
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb, create_sinusoidal_positions

    table = create_sinusoidal_positions(seq_len, dim).to(x.dtype).expand(x.size(0), -1, -1)  # (B, T, D): sines, cosines
    sin, cos = table.chunk(2, dim=-1)
    return apply_rotary_pos_emb(x.transpose(1, 2), sin, cos).transpose(1, 2)
