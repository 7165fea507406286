"""Rotary position embedding: inputs, wrong kernels, and other right ones."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

# Cases


@case(why="four pairs at positions 0 to 5: the values themselves, for norms alone would pass wrong kernels")
def base(make: Inputs):
    return call(make.normal(2, 3, 6, 8), 6, 8)


@case(why="position 0 is the identity")
def one_token(make: Inputs):
    return call(make.normal(2, 3, 1, 8), 1, 8)


@case(why="a single pair: θ = 1, so every wrong exponent is hidden, but neither a wrong sign nor a wrong position")
def one_pair(make: Inputs):
    return call(make.normal(1, 2, 5, 2), 5, 2)


@case(why="H=T: turning along the heads instead of the tokens has the right shape")
def as_many_heads_as_tokens(make: Inputs):
    return call(make.normal(2, 4, 4, 8), 4, 8)


@case(why="T=D/2: a table of angles on its side has the right shape")
def as_many_tokens_as_pairs(make: Inputs):
    return call(make.normal(2, 3, 5, 10), 5, 10)


@case(why="a wide head, as in real models: 16 pairs")
def wide_head(make: Inputs):
    return call(make.normal(2, 3, 7, 32), 7, 32)


@case(rtol=0.02, atol=0.05, why="300 positions in bfloat16, which cannot tell 257 from 256")
def long_in_bfloat16(make: Inputs):
    return call(make.normal(1, 2, 300, 16, dtype=torch.bfloat16), 300, 16)


@case(rtol=0.005, atol=0.005, why="float16 stays float16")
def float16_stays(make: Inputs):
    return call(make.normal(2, 3, 5, 8, dtype=torch.float16), 5, 8)


@case(rtol=1e-5, atol=1e-5, why="float64 in, float64 out; angles in float32 are fine")
def float64_stays(make: Inputs):
    return call(make.normal(2, 3, 6, 8, dtype=torch.float64), 6, 8)


@case(why="no token at all")
def no_tokens(make: Inputs):
    return call(make.normal(2, 3, 0, 8), 0, 8)


@case(why="heads split off by a transpose: the input is not contiguous")
def non_contiguous(make: Inputs):
    return call(make.normal(2, 5, 3, 8).transpose(1, 2), 5, 8)


@case(grads=(0,), why="the gradient with respect to x: training turns it back")
def gradient(make: Inputs):
    return call(make.normal(2, 3, 5, 8), 5, 8)


@case(fresh=True, why="sizes that nobody could have hard-coded")
def fresh(make: Inputs):
    T, D = make.size(3, 10), 2 * make.size(2, 9)
    return call(make.normal(make.size(2, 4), make.size(2, 5), T, D), T, D)


# Misconceptions


@misconception(
    "halves-paired",
    en="You pair (i, i+D/2); this kata pairs neighbours, (2i, 2i+1).",
    zh="你配的是 (i, i+D/2)；这道题配的是相邻两维 (2i, 2i+1)。",
    seen="GPT-NeoX and the Llama of transformers, whose rotate_half swaps halves",
)
def halves_paired(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


@misconception(
    "not-woven-back",
    en="You turned neighbours but joined the results as halves: weave them back with stack and flatten.",
    zh="你旋转的是相邻的两维，却按前后两半拼接：要用 stack 加 flatten 交织回去。",
    seen="torch.cat taken over from code that pairs halves",
    fix="return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)",
)
def not_woven_back(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


@misconception(
    "angles-repeated-as-halves",
    en="Neighbours share an angle: repeat each one with repeat_interleave; cat gives neighbours different angles.",
    zh="相邻两维共用一个角度：要用 repeat_interleave 逐个重复；用 cat 拼接会让相邻两维的角度不同。",
    seen="the cos and sin of a Llama file put beside the pairing of a GPT-J file",
    fix="angles = angles.repeat_interleave(2, dim=-1)",
)
def angles_repeated_as_halves(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    angles = torch.cat((angles, angles), dim=-1)
    swapped = torch.stack((-x[..., 1::2], x[..., 0::2]), dim=-1).flatten(-2)
    return x * angles.cos().to(x.dtype) + swapped * angles.sin().to(x.dtype)


@misconception(
    "not-turned",
    en="x comes back as it was: nothing is turned.",
    zh="x 原样返回：什么都没有旋转。",
    seen="the turned tensor computed and then the input returned",
)
def not_turned(x, seq_len, dim):
    return x.clone()


@misconception(
    "turned-backwards",
    en="You turn by −m · θ: the minus belongs to b · sin in the first member, not in the second.",
    zh="你转的是 −m · θ：减号应当在第一个分量的 b · sin 前面，而不是第二个。",
    seen="the matrix of the rotation copied transposed",
)
def turned_backwards(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos + b * sin, b * cos - a * sin), dim=-1).flatten(-2)


@misconception(
    "no-minus",
    en="A rotation has one minus: (a cos − b sin, a sin + b cos). Without it lengths change with the position.",
    zh="旋转里有一个减号：(a cos − b sin, a sin + b cos)。没有它，向量长度会随位置变化。",
    seen="the swap of the two members written without its sign",
    fix="return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)",
)
def no_minus(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos + b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "sine-and-cosine-swapped",
    en="cos and sin are swapped: at position 0 the pair must come back as it was, and cos 0 = 1.",
    zh="cos 和 sin 写反了：位置 0 处这一对应当原样返回，而 cos 0 = 1。",
    seen="the sinusoidal table, which puts sin first, read the wrong way round",
)
def sine_and_cosine_swapped(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    sin, cos = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "added-instead-of-turned",
    en="RoPE does not add a sinusoid to x: it multiplies, turning each pair.",
    zh="RoPE 不是把正弦编码加到 x 上，而是用乘法旋转每一对。",
    seen="the absolute position encoding of Vaswani et al. 2017 taken for RoPE",
)
def added_instead_of_turned(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    table = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-2)
    return x + table.to(x.dtype)


@misconception(
    "positions-from-one",
    en="Positions count from 0: the first token comes back as it was.",
    zh="位置从 0 数起：第一个 token 应当原样返回。",
    seen="sinusoidal tables that keep index 0 for padding",
    fix="angles = torch.arange(seq_len, device=x.device)[:, None] * theta",
)
def positions_from_one(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(1, seq_len + 1, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "exponent-halved",
    en="The exponent is −2i/dim: `arange(dim // 2) / dim` gives −i/dim.",
    zh="指数是 −2i/dim：`arange(dim // 2) / dim` 得到的是 −i/dim。",
    seen="the factor 2 lost when arange(0, dim, 2) becomes arange(dim // 2)",
    fix="theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)",
)
def exponent_halved(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim // 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "exponent-doubled",
    en="The exponent is −2i/dim; `arange(0, dim, 2)` already holds 2i, so do not double it again.",
    zh="指数是 −2i/dim；`arange(0, dim, 2)` 本身就是 2i，不要再乘 2。",
    seen="the formula's 2i applied to an arange that already steps by two",
)
def exponent_doubled(x, seq_len, dim):
    theta = 10000.0 ** (-2 * torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "exponent-stretched",
    en="The exponent is −2i/dim, not −2i/(dim−2): the slowest pair does not reach 1/10000.",
    zh="指数是 −2i/dim，不是 −2i/(dim−2)：最慢的一对到不了 1/10000。",
    seen="linspace(0, 1, dim/2), which includes its end; tensor2tensor's timing signal spaces its frequencies so",
)
def exponent_stretched(x, seq_len, dim):
    theta = 10000.0 ** -torch.linspace(0, 1, dim // 2, device=x.device)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "exponent-positive",
    en="θ_i falls with i: the exponent is −2i/dim, with the minus.",
    zh="θ_i 随 i 递减：指数是 −2i/dim，不能丢掉负号。",
    seen="`10000 ** (2i/dim)` written without the 1 / in front",
)
def exponent_positive(x, seq_len, dim):
    theta = 10000.0 ** (torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "one-frequency",
    en="Every pair turns at the same speed: pair i needs its own θ_i = 10000^(−2i/dim).",
    zh="所有对都以同样的速度旋转：第 i 对要有自己的 θ_i = 10000^(−2i/dim)。",
    seen="a rotation explained in two dimensions and coded as if there were no others",
)
def one_frequency(x, seq_len, dim):
    angles = torch.arange(seq_len, device=x.device)[:, None] * torch.ones(dim // 2, device=x.device)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "turned-along-heads",
    en="The angles run along the head axis: x is (B, H, T, D), tokens are the third axis.",
    zh="角度沿着头的维度变化了：x 是 (B, H, T, D)，token 在第三维。",
    seen="code for the layout (B, T, H, D), as in flash-attn, fed with (B, H, T, D)",
)
def turned_along_heads(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(x.size(1), device=x.device)[:, None, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "table-on-its-side",
    en="The table of angles lies on its side: it is (T, D/2), positions down, pairs across.",
    zh="角度表放反了：应当是 (T, D/2)，行是位置，列是对。",
    seen="an outer product with its factors in the other order",
)
def table_on_its_side(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.outer(theta, torch.arange(seq_len, device=x.device))
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "angles-in-the-inputs-dtype",
    en="bfloat16 cannot count past 256: compute the angles in float32 and cast cos and sin.",
    zh="bfloat16 数不准 256 以上的整数：角度用 float32 计算，再转换 cos 和 sin。",
    seen="a model cast to bfloat16 as a whole, its inverse frequencies included",
    fix="angles = torch.arange(seq_len, device=x.device)[:, None] * theta",
)
def angles_in_the_inputs_dtype(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device).to(x.dtype)[:, None] * theta.to(x.dtype)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "float32-result",
    en="float32 angles promote the result to float32: cast cos and sin to the dtype of x.",
    zh="float32 的角度把结果也提升成了 float32：要把 cos 和 sin 转成 x 的 dtype。",
    seen="half-precision models that quietly run their attention in float32",
)
def float32_result(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "overwritten-too-early",
    en="The second line already sees the new a: compute both members from the old pair.",
    zh="第二行用到的 a 已经是新值：两个分量都要由旧的一对算出来。",
    seen="a and b updated one after the other instead of at once",
)
def overwritten_too_early(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    a = a * cos - b * sin
    b = a * sin + b * cos
    return torch.stack((a, b), dim=-1).flatten(-2)


@misconception(
    "written-into-x",
    en="You wrote into the caller's tensor: build a new one.",
    zh="你写进了调用者的张量：应当构造新的张量。",
    seen="slices of x assigned in place to save memory",
)
def written_into_x(x, seq_len, dim):
    theta = 10000.0 ** (-torch.arange(0, dim, 2, device=x.device) / dim)
    angles = torch.arange(seq_len, device=x.device)[:, None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2].clone(), x[..., 1::2].clone()
    x[..., 0::2] = a * cos - b * sin
    x[..., 1::2] = a * sin + b * cos
    return x


# Equivalents


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


# The peer


@peer("transformers (GPT-J)")
def gptj(x, seq_len, dim):
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb, create_sinusoidal_positions

    table = create_sinusoidal_positions(seq_len, dim).to(x.dtype).expand(x.size(0), -1, -1)  # (B, T, D): sines, cosines
    sin, cos = table.chunk(2, dim=-1)
    return apply_rotary_pos_emb(x.transpose(1, 2), sin, cos).transpose(1, 2)
