"""RoPE in two pairings: inputs, wrong kernels, and other right ones.

A wrong kernel is written once for each variant, so that it is wrong in one way only.
"""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

# Cases


@case(why="the values of eight pairs at positions 0 to 5: norms and relative positions alone would pass wrong kernels")
def base(make: Inputs):
    return call(make.normal(2, 3, 6, 16), torch.arange(6))


@case(why="one decoded token at position 7: the rotation does not restart at 0")
def decode_at_seven(make: Inputs):
    return call(make.normal(2, 3, 1, 8), torch.tensor([7]))


@case(why="position 0 is the identity")
def position_zero(make: Inputs):
    return call(make.normal(2, 3, 1, 8), torch.tensor([0]))


@case(why="positions out of order and with gaps, as after evicting tokens from a cache")
def unordered_positions(make: Inputs):
    return call(make.normal(2, 3, 5, 8), torch.tensor([6, 0, 9, 2, 3]))


@case(why="each row has its own positions, as with left padding; B≠H")
def positions_of_each_row(make: Inputs):
    return call(make.normal(2, 3, 4, 8), torch.tensor([[0, 1, 2, 3], [5, 6, 7, 8]]))


@case(why="B=H: angles of row b that lost the head axis hit head b instead, without an error")
def as_many_heads_as_rows(make: Inputs):
    return call(make.normal(3, 3, 4, 8), torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [2, 3, 4, 5]]))


@case(why="H=T: turning along the heads instead of the tokens has the right shape")
def as_many_heads_as_tokens(make: Inputs):
    return call(make.normal(2, 4, 4, 8), torch.arange(4))


@case(why="a long-context base: 10000 is only the default")
def long_context_base(make: Inputs):
    return call(make.normal(2, 3, 6, 8), torch.arange(3, 9), base=5e5)


@case(why="only 4 of 8 are turned, and the frequencies follow the 4")
def half_of_the_head(make: Inputs):
    return call(make.normal(2, 3, 6, 8), torch.arange(6), rotary_dim=4)


@case(why="6 of 10 with a base of its own, positions of each row: everything at once")
def all_arguments(make: Inputs):
    positions = torch.tensor([[0, 1, 2, 3, 4], [7, 8, 9, 10, 11]])
    return call(make.normal(2, 3, 5, 10), positions, base=500.0, rotary_dim=6)


@case(rtol=0.02, atol=0.05, why="bfloat16 at position 4095: angles computed in bfloat16 are off by several radians")
def far_in_bfloat16(make: Inputs):
    return call(make.normal(2, 3, 5, 64, dtype=torch.bfloat16), torch.arange(4091, 4096))


@case(rtol=0.005, atol=0.005, why="float16 stays float16")
def float16_stays(make: Inputs):
    return call(make.normal(2, 3, 5, 8, dtype=torch.float16), torch.arange(5))


@case(why="a single pair in a single head: θ = 1, and nothing may be divided by r−2 or squeezed away")
def one_pair(make: Inputs):
    return call(make.normal(1, 1, 3, 2), torch.tensor([1, 2, 4]))


@case(why="no token at all")
def no_tokens(make: Inputs):
    return call(make.normal(2, 3, 0, 8), torch.arange(0))


@case(raises="ValueError", why="an odd head width cannot be paired")
def odd_width(make: Inputs):
    return call(make.normal(2, 3, 4, 7), torch.arange(4))


@case(raises="ValueError", why="an odd rotary_dim cannot be paired, though the head's width could")
def odd_rotary_dim(make: Inputs):
    return call(make.normal(2, 3, 4, 8), torch.arange(4), rotary_dim=5)


@case(why="heads split off by a transpose: the input is not contiguous")
def non_contiguous(make: Inputs):
    return call(make.normal(2, 5, 3, 8).transpose(1, 2), torch.arange(5), rotary_dim=6)


@case(grads=(0,), why="the gradient with respect to x: training turns it back")
def gradient(make: Inputs):
    return call(make.normal(2, 3, 5, 8), torch.arange(2, 7), rotary_dim=6)


@case(fresh=True, why="sizes, positions and base that nobody could have hard-coded")
def fresh(make: Inputs):
    B, H, T, pairs, tail = make.size(2, 4), make.size(2, 5), make.size(2, 6), make.size(2, 5), make.size(0, 3)
    positions = make.integers(0, 12, B, T)
    return call(make.normal(B, H, T, 2 * pairs + tail), positions, float(make.size(50, 900)), 2 * pairs)


# Misconceptions that any pairing can hold


@misconception(
    "not-turned",
    en="x comes back as it was: nothing is turned.",
    zh="x 原样返回：什么都没有旋转。",
    seen="the turned tensor computed and then the input returned",
)
def not_turned(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    return x.clone()


# Misconceptions of the variant interleaved


@misconception(
    "turned-backwards",
    en="You turn by −position · θ: the minus belongs to b · sin in the first line, not in the second.",
    zh="你转的是 −位置 · θ：减号应当在第一行的 b · sin 前面，而不是第二行。",
    seen="the matrix of the rotation copied transposed",
    variants=("interleaved",),
)
def interleaved_turned_backwards(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos + b * sin, b * cos - a * sin), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "no-minus",
    en="A rotation has one minus: (a cos − b sin, a sin + b cos). Without it lengths change with the position.",
    zh="旋转里有一个减号：(a cos − b sin, a sin + b cos)。没有它，向量长度会随位置变化。",
    seen="rotate_half written as a mere swap of the two members",
    fix="turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)",
    variants=("interleaved",),
)
def interleaved_no_minus(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos + b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "positions-from-one",
    en="Positions count from 0: position 0 is the identity.",
    zh="位置从 0 数起：位置 0 是恒等变换。",
    seen="sinusoidal tables that keep index 0 for padding",
    variants=("interleaved",),
)
def interleaved_positions_from_one(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = (positions + 1)[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-halved",
    en="The exponent is −2i/r: `arange(r/2) / r` gives −i/r, so the slowest pair still turns fast.",
    zh="指数是 −2i/r：`arange(r/2) / r` 得到的是 −i/r，最慢的一对也转得很快。",
    seen="the factor 2 lost when arange(0, r, 2) becomes arange(r // 2)",
    variants=("interleaved",),
)
def interleaved_exponent_halved(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r // 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-doubled",
    en="The exponent is −2i/r; `arange(0, r, 2)` already holds 2i, so do not double it again.",
    zh="指数是 −2i/r；`arange(0, r, 2)` 本身就是 2i，不要再乘 2。",
    seen="the formula's 2i applied to an arange that already steps by two",
    variants=("interleaved",),
)
def interleaved_exponent_doubled(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-2 * torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-stretched",
    en="The exponent is −2i/r, not −2i/(r−2): the last pair does not reach base^(−1).",
    zh="指数是 −2i/r，不是 −2i/(r−2)：最后一对到不了 base^(−1)。",
    seen="linspace(0, 1, r/2), which includes its end; tensor2tensor's timing signal spaces its frequencies so",
    variants=("interleaved",),
)
def interleaved_exponent_stretched(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** -torch.linspace(0, 1, r // 2, device=x.device)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-positive",
    en="θ_i falls with i: base^(−2i/r), with the minus.",
    zh="θ_i 随 i 递减：是 base^(−2i/r)，不能丢掉负号。",
    seen="`base ** (2i/r)` written without the 1 / in front",
    fix="theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)",
    variants=("interleaved",),
)
def interleaved_exponent_positive(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "positions-ignored",
    en="You count tokens from 0 and ignore `positions`: decoding restarts at position 0 with every token.",
    zh="你从 0 开始数 token，没有用 `positions`：解码时每个 token 都回到位置 0。",
    seen="training code reused for decoding with a KV cache",
    variants=("interleaved",),
)
def interleaved_positions_ignored(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = torch.arange(x.size(2), device=x.device)[:, None] * theta
    if angles.dim() == 3:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "only-where-it-starts",
    en="You read only the first position and count on from there; positions may have gaps.",
    zh="你只读了第一个位置再往后数；位置之间可能有间隔。",
    seen="cache code that keeps one offset for each row",
    variants=("interleaved",),
)
def interleaved_only_where_it_starts(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    steps = torch.arange(x.size(2), device=x.device)
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = (positions[..., :1] + steps)[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "first-row-for-all",
    en="You use the first row's positions for the whole batch; with left padding each row has its own.",
    zh="你把第一行的位置用于整个 batch；有左填充时每一行的位置都不同。",
    seen="batched generation that worked until the prompts had different lengths",
    variants=("interleaved",),
)
def interleaved_first_row_for_all(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    if positions.dim() == 2:
        positions = positions[0]
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "rows-taken-for-heads",
    en="The angles of row b turn head b: (B, T, r/2) needs a head axis, (B, 1, T, r/2).",
    zh="第 b 行的角度转到了第 b 个头上：(B, T, r/2) 需要补上头的维度，变成 (B, 1, T, r/2)。",
    seen="broadcasting aligned from the right; silent only when B = H or B = 1",
    variants=("interleaved",),
)
def interleaved_rows_taken_for_heads(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "turned-along-heads",
    en="The angles run along the head axis: x is (B, H, T, D), tokens are the third axis.",
    zh="角度沿着头的维度变化了：x 是 (B, H, T, D)，token 在第三维。",
    seen="kernels for the layout (B, T, H, D), as in flash-attn, fed with (B, H, T, D)",
    variants=("interleaved",),
)
def interleaved_turned_along_heads(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    angles = angles[:, None] if positions.dim() == 1 else angles.unsqueeze(2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "table-too-short",
    en="Your table of angles has one row for each token of x: position 7 is not in it when x holds one token.",
    zh="你的角度表只有 x 的 token 数那么多行：x 只有一个 token 时，表里查不到位置 7。",
    seen="cos and sin precomputed for seq_len, then indexed by absolute positions",
    variants=("interleaved",),
)
def interleaved_table_too_short(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = (torch.arange(x.size(2), device=x.device)[:, None] * theta)[positions]
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "base-hard-coded",
    en="The base is a parameter: long-context models use 500000 and more.",
    zh="base 是参数：长上下文模型会用 500000 甚至更大。",
    seen="10000 copied from the paper; loading Llama 3 (base 500000) then fails quietly",
    variants=("interleaved",),
)
def interleaved_base_hard_coded(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = 10000.0 ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "whole-head-turned",
    en="Only the first `rotary_dim` numbers turn; the tail passes through.",
    zh="只旋转前 `rotary_dim` 个数；尾部原样通过。",
    seen="code for Llama used on GPT-NeoX or GPT-J, which turn a part of each head",
    variants=("interleaved",),
)
def interleaved_whole_head_turned(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1)
    if r % 2 or (rotary_dim or r) % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "frequencies-of-the-whole-head",
    en="The frequencies follow `rotary_dim`: θ_i = base^(−2i/r), not base^(−2i/D).",
    zh="频率要按 `rotary_dim` 计算：θ_i = base^(−2i/r)，而不是 base^(−2i/D)。",
    seen="partial rotary bolted onto code that knew only the head's width",
    fix="theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)",
    variants=("interleaved",),
)
def interleaved_frequencies_of_the_whole_head(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / x.size(-1))
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "tail-dropped",
    en="What is not turned must still be there: append x[..., r:].",
    zh="没有旋转的部分也要保留：把 x[..., r:] 接回去。",
    seen="x cut to rotary_dim and never joined again",
    variants=("interleaved",),
)
def interleaved_tail_dropped(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@misconception(
    "angles-in-the-inputs-dtype",
    en="bfloat16 cannot count past 256: compute the angles in float32 and cast cos and sin.",
    zh="bfloat16 数不准 256 以上的整数：角度用 float32 计算，再转换 cos 和 sin。",
    seen="a model cast to bfloat16 as a whole, its inverse frequencies included",
    variants=("interleaved",),
)
def interleaved_angles_in_the_inputs_dtype(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions.to(x.dtype)[..., None] * theta.to(x.dtype)
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "float32-result",
    en="float32 angles promote the result to float32: cast cos and sin to the dtype of x.",
    zh="float32 的角度把结果也提升成了 float32：要把 cos 和 sin 转成 x 的 dtype。",
    seen="half-precision models that quietly run their attention in float32",
    fix="cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)",
    variants=("interleaved",),
)
def interleaved_float32_result(x, positions, base=10000.0, rotary_dim=None):
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
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "odd-accepted",
    en="An odd `rotary_dim` leaves one number without a partner: raise ValueError.",
    zh="`rotary_dim` 为奇数时会剩下一个数没有搭档：应抛出 ValueError。",
    seen="integer division that drops the last number silently",
    variants=("interleaved",),
)
def interleaved_odd_accepted(x, positions, base=10000.0, rotary_dim=None):
    r = (x.size(-1) if rotary_dim is None else rotary_dim) // 2 * 2
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "odd-crashes",
    en="An odd `rotary_dim` must raise ValueError, with words, before the shapes clash.",
    zh="`rotary_dim` 为奇数时应当先抛出带说明的 ValueError，而不是等到形状对不上才报错。",
    seen="no check at all: torch complains about sizes three lines later",
    variants=("interleaved",),
)
def interleaved_odd_crashes(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "overwritten-too-early",
    en="The second line already sees the new a: compute both from the old pair, then store.",
    zh="第二行用到的 a 已经是新值：两个结果都要由旧的一对算出来，再一起写回。",
    seen="a and b updated one after the other instead of at once",
    variants=("interleaved",),
)
def interleaved_overwritten_too_early(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    a = a * cos - b * sin
    b = a * sin + b * cos
    turned = torch.stack((a, b), dim=-1).flatten(-2)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "written-into-x",
    en="You wrote into the caller's tensor: build a new one.",
    zh="你写进了调用者的张量：应当构造新的张量。",
    seen="slices of x assigned in place to save memory",
    variants=("interleaved",),
)
def interleaved_written_into_x(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2].clone(), x[..., 1:r:2].clone()
    x[..., 0:r:2] = a * cos - b * sin
    x[..., 1:r:2] = a * sin + b * cos
    return x


@misconception(
    "not-woven-back",
    en="You turned neighbours but joined the results as halves: weave them back with stack and flatten.",
    zh="你旋转的是相邻的两维，却按前后两半拼接：要用 stack 加 flatten 交织回去。",
    seen="torch.cat taken over from the half-split code",
    fix="turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)",
    variants=("interleaved",),
)
def interleaved_not_woven_back(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0:r:2], x[..., 1:r:2]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


# Misconceptions of the variant half-split


@misconception(
    "turned-backwards",
    en="You turn by −position · θ: the minus belongs to b · sin in the first line, not in the second.",
    zh="你转的是 −位置 · θ：减号应当在第一行的 b · sin 前面，而不是第二行。",
    seen="the matrix of the rotation copied transposed",
    variants=("half-split",),
)
def split_turned_backwards(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos + b * sin, b * cos - a * sin), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "no-minus",
    en="A rotation has one minus: (a cos − b sin, a sin + b cos). Without it lengths change with the position.",
    zh="旋转里有一个减号：(a cos − b sin, a sin + b cos)。没有它，向量长度会随位置变化。",
    seen="rotate_half written as a mere swap of the two members",
    variants=("half-split",),
)
def split_no_minus(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos + b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "positions-from-one",
    en="Positions count from 0: position 0 is the identity.",
    zh="位置从 0 数起：位置 0 是恒等变换。",
    seen="sinusoidal tables that keep index 0 for padding",
    variants=("half-split",),
)
def split_positions_from_one(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = (positions + 1)[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-halved",
    en="The exponent is −2i/r: `arange(r/2) / r` gives −i/r, so the slowest pair still turns fast.",
    zh="指数是 −2i/r：`arange(r/2) / r` 得到的是 −i/r，最慢的一对也转得很快。",
    seen="the factor 2 lost when arange(0, r, 2) becomes arange(r // 2)",
    fix="theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)",
    variants=("half-split",),
)
def split_exponent_halved(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r // 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-doubled",
    en="The exponent is −2i/r; `arange(0, r, 2)` already holds 2i, so do not double it again.",
    zh="指数是 −2i/r；`arange(0, r, 2)` 本身就是 2i，不要再乘 2。",
    seen="the formula's 2i applied to an arange that already steps by two",
    variants=("half-split",),
)
def split_exponent_doubled(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-2 * torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-stretched",
    en="The exponent is −2i/r, not −2i/(r−2): the last pair does not reach base^(−1).",
    zh="指数是 −2i/r，不是 −2i/(r−2)：最后一对到不了 base^(−1)。",
    seen="linspace(0, 1, r/2), which includes its end; tensor2tensor's timing signal spaces its frequencies so",
    variants=("half-split",),
)
def split_exponent_stretched(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** -torch.linspace(0, 1, r // 2, device=x.device)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "exponent-positive",
    en="θ_i falls with i: base^(−2i/r), with the minus.",
    zh="θ_i 随 i 递减：是 base^(−2i/r)，不能丢掉负号。",
    seen="`base ** (2i/r)` written without the 1 / in front",
    variants=("half-split",),
)
def split_exponent_positive(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "positions-ignored",
    en="You count tokens from 0 and ignore `positions`: decoding restarts at position 0 with every token.",
    zh="你从 0 开始数 token，没有用 `positions`：解码时每个 token 都回到位置 0。",
    seen="training code reused for decoding with a KV cache",
    fix="angles = positions[..., None] * theta",
    variants=("half-split",),
)
def split_positions_ignored(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = torch.arange(x.size(2), device=x.device)[:, None] * theta
    if angles.dim() == 3:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "only-where-it-starts",
    en="You read only the first position and count on from there; positions may have gaps.",
    zh="你只读了第一个位置再往后数；位置之间可能有间隔。",
    seen="cache code that keeps one offset for each row",
    variants=("half-split",),
)
def split_only_where_it_starts(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    steps = torch.arange(x.size(2), device=x.device)
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = (positions[..., :1] + steps)[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "first-row-for-all",
    en="You use the first row's positions for the whole batch; with left padding each row has its own.",
    zh="你把第一行的位置用于整个 batch；有左填充时每一行的位置都不同。",
    seen="batched generation that worked until the prompts had different lengths",
    variants=("half-split",),
)
def split_first_row_for_all(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    if positions.dim() == 2:
        positions = positions[0]
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "rows-taken-for-heads",
    en="The angles of row b turn head b: (B, T, r/2) needs a head axis, (B, 1, T, r/2).",
    zh="第 b 行的角度转到了第 b 个头上：(B, T, r/2) 需要补上头的维度，变成 (B, 1, T, r/2)。",
    seen="broadcasting aligned from the right; silent only when B = H or B = 1",
    variants=("half-split",),
)
def split_rows_taken_for_heads(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "turned-along-heads",
    en="The angles run along the head axis: x is (B, H, T, D), tokens are the third axis.",
    zh="角度沿着头的维度变化了：x 是 (B, H, T, D)，token 在第三维。",
    seen="kernels for the layout (B, T, H, D), as in flash-attn, fed with (B, H, T, D)",
    variants=("half-split",),
)
def split_turned_along_heads(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    angles = angles[:, None] if positions.dim() == 1 else angles.unsqueeze(2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "table-too-short",
    en="Your table of angles has one row for each token of x: position 7 is not in it when x holds one token.",
    zh="你的角度表只有 x 的 token 数那么多行：x 只有一个 token 时，表里查不到位置 7。",
    seen="cos and sin precomputed for seq_len, then indexed by absolute positions",
    variants=("half-split",),
)
def split_table_too_short(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = (torch.arange(x.size(2), device=x.device)[:, None] * theta)[positions]
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "base-hard-coded",
    en="The base is a parameter: long-context models use 500000 and more.",
    zh="base 是参数：长上下文模型会用 500000 甚至更大。",
    seen="10000 copied from the paper; loading Llama 3 (base 500000) then fails quietly",
    variants=("half-split",),
)
def split_base_hard_coded(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = 10000.0 ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "whole-head-turned",
    en="Only the first `rotary_dim` numbers turn; the tail passes through.",
    zh="只旋转前 `rotary_dim` 个数；尾部原样通过。",
    seen="code for Llama used on GPT-NeoX or GPT-J, which turn a part of each head",
    variants=("half-split",),
)
def split_whole_head_turned(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1)
    if r % 2 or (rotary_dim or r) % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "frequencies-of-the-whole-head",
    en="The frequencies follow `rotary_dim`: θ_i = base^(−2i/r), not base^(−2i/D).",
    zh="频率要按 `rotary_dim` 计算：θ_i = base^(−2i/r)，而不是 base^(−2i/D)。",
    seen="partial rotary bolted onto code that knew only the head's width",
    variants=("half-split",),
)
def split_frequencies_of_the_whole_head(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / x.size(-1))
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "tail-dropped",
    en="What is not turned must still be there: append x[..., r:].",
    zh="没有旋转的部分也要保留：把 x[..., r:] 接回去。",
    seen="x cut to rotary_dim and never joined again",
    variants=("half-split",),
)
def split_tail_dropped(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


@misconception(
    "angles-in-the-inputs-dtype",
    en="bfloat16 cannot count past 256: compute the angles in float32 and cast cos and sin.",
    zh="bfloat16 数不准 256 以上的整数：角度用 float32 计算，再转换 cos 和 sin。",
    seen="a model cast to bfloat16 as a whole, its inverse frequencies included",
    fix="angles = positions[..., None] * theta",
    variants=("half-split",),
)
def split_angles_in_the_inputs_dtype(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions.to(x.dtype)[..., None] * theta.to(x.dtype)
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "float32-result",
    en="float32 angles promote the result to float32: cast cos and sin to the dtype of x.",
    zh="float32 的角度把结果也提升成了 float32：要把 cos 和 sin 转成 x 的 dtype。",
    seen="half-precision models that quietly run their attention in float32",
    variants=("half-split",),
)
def split_float32_result(x, positions, base=10000.0, rotary_dim=None):
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
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "odd-accepted",
    en="An odd `rotary_dim` leaves one number without a partner: raise ValueError.",
    zh="`rotary_dim` 为奇数时会剩下一个数没有搭档：应抛出 ValueError。",
    seen="integer division that drops the last number silently",
    variants=("half-split",),
)
def split_odd_accepted(x, positions, base=10000.0, rotary_dim=None):
    r = (x.size(-1) if rotary_dim is None else rotary_dim) // 2 * 2
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "odd-crashes",
    en="An odd `rotary_dim` must raise ValueError, with words, before the shapes clash.",
    zh="`rotary_dim` 为奇数时应当先抛出带说明的 ValueError，而不是等到形状对不上才报错。",
    seen="no check at all: torch complains about sizes three lines later",
    variants=("half-split",),
)
def split_odd_crashes(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    turned = torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "overwritten-too-early",
    en="The second line already sees the new a: compute both from the old pair, then store.",
    zh="第二行用到的 a 已经是新值：两个结果都要由旧的一对算出来，再一起写回。",
    seen="a and b updated one after the other instead of at once",
    variants=("half-split",),
)
def split_overwritten_too_early(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2], x[..., r // 2 : r]
    a = a * cos - b * sin
    b = a * sin + b * cos
    turned = torch.cat((a, b), dim=-1)
    return torch.cat((turned, x[..., r:]), dim=-1)


@misconception(
    "written-into-x",
    en="You wrote into the caller's tensor: build a new one.",
    zh="你写进了调用者的张量：应当构造新的张量。",
    seen="slices of x assigned in place to save memory",
    variants=("half-split",),
)
def split_written_into_x(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., : r // 2].clone(), x[..., r // 2 : r].clone()
    x[..., : r // 2] = a * cos - b * sin
    x[..., r // 2 : r] = a * sin + b * cos
    return x


@misconception(
    "two-conventions-mixed",
    en="rotate_half pairs (i, i+r/2), but your angles repeat for neighbours: repeat them as halves, with cat.",
    zh="rotate_half 配的是 (i, i+r/2)，而你的角度却按相邻两维重复：应当用 cat 按前后两半重复。",
    seen="rotate_half from a Llama file combined with repeat_interleave from a GPT-J file",
    fix="cos, sin = torch.cat((cos, cos), dim=-1), torch.cat((sin, sin), dim=-1)",
    variants=("half-split",),
)
def split_two_conventions_mixed(x, positions, base=10000.0, rotary_dim=None):
    r = x.size(-1) if rotary_dim is None else rotary_dim
    if r % 2:
        raise ValueError("an odd number cannot be paired")
    theta = base ** (-torch.arange(0, r, 2, device=x.device) / r)
    angles = positions[..., None] * theta
    if positions.dim() == 2:
        angles = angles.unsqueeze(1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    cos, sin = cos.repeat_interleave(2, dim=-1), sin.repeat_interleave(2, dim=-1)
    swapped = torch.cat((-x[..., r // 2 : r], x[..., : r // 2]), dim=-1)
    return torch.cat((x[..., :r] * cos + swapped * sin, x[..., r:]), dim=-1)


# Equivalents


@equivalent(
    "complex-numbers", why="multiplies by e^(iφ), as Meta's Llama code does; float32 inside", variants=("interleaved",)
)
def complex_numbers(x, positions, base=10000.0, rotary_dim=None):
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
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
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
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
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
    angles = positions[..., None].float() * base ** -(torch.arange(0, r, 2, device=x.device).float() / r)
    angles = (angles if positions.ndim == 1 else angles[:, None]).repeat_interleave(2, dim=-1)
    turning, tail = x[..., :r], x[..., r:]
    swapped = torch.stack((-turning[..., 1::2], turning[..., ::2]), dim=-1).flatten(-2)
    return torch.cat((turning * angles.cos().to(x.dtype) + swapped * angles.sin().to(x.dtype), tail), dim=-1)


@equivalent("pair-by-pair", why="a loop over the pairs that fills a copy", variants=("interleaved",))
def pair_by_pair(x, positions, base=10000.0, rotary_dim=None):
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
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
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
    angles = positions[..., None].float() / base ** (torch.arange(0, r, 2, device=x.device).float() / r)
    angles = angles if positions.ndim == 1 else angles[:, None]
    angles = torch.cat((angles, angles), dim=-1)
    turning, tail = x[..., :r], x[..., r:]
    half = torch.cat((-turning[..., r // 2 :], turning[..., : r // 2]), dim=-1)
    return torch.cat((turning * angles.cos().to(x.dtype) + half * angles.sin().to(x.dtype), tail), dim=-1)


@equivalent("complex-halves", why="complex numbers made of the two halves; float32 inside", variants=("half-split",))
def complex_halves(x, positions, base=10000.0, rotary_dim=None):
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
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
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
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
    r = rotary_dim or x.shape[-1]
    if r % 2:
        raise ValueError("odd")
    theta = torch.tensor([base ** (-2 * i / r) for i in range(r // 2)], dtype=torch.float64, device=x.device)
    angles = torch.einsum("...t,p->...tp", positions.double(), theta)
    angles = angles if positions.ndim == 1 else angles.unsqueeze(1)
    turned, h = x.clone(), r // 2
    turned[..., :h] = (x[..., :h] * angles.cos() - x[..., h:r] * angles.sin()).to(x.dtype)
    turned[..., h:r] = (x[..., :h] * angles.sin() + x[..., h:r] * angles.cos()).to(x.dtype)
    return turned


# The peers


@peer(
    "transformers (Cohere)",
    variants=("interleaved",),
    skips={"odd-width": "it does not check", "odd-rotary-dim": "it does not check"},
)
def cohere(x, positions, base=10000.0, rotary_dim=None):
    from transformers.models.cohere.modeling_cohere import CohereConfig, CohereRotaryEmbedding, apply_rotary_pos_emb

    r = x.size(-1) if rotary_dim is None else rotary_dim
    config = CohereConfig(hidden_size=r, num_attention_heads=1, num_key_value_heads=1, rope_theta=base)
    where = positions if positions.dim() == 2 else positions[None]
    cos, sin = CohereRotaryEmbedding(config)(x, where)
    turned, _ = apply_rotary_pos_emb(x[..., :r], x[..., :r], cos, sin)
    return torch.cat((turned, x[..., r:]), dim=-1)


@peer(
    "transformers (Llama)",
    variants=("half-split",),
    skips={"odd-width": "it does not check", "odd-rotary-dim": "it does not check"},
)
def llama(x, positions, base=10000.0, rotary_dim=None):
    from transformers.models.llama.modeling_llama import LlamaConfig, LlamaRotaryEmbedding, apply_rotary_pos_emb

    r = x.size(-1) if rotary_dim is None else rotary_dim
    config = LlamaConfig(hidden_size=r, num_attention_heads=1, num_key_value_heads=1, rope_theta=base)
    where = positions if positions.dim() == 2 else positions[None]
    cos, sin = LlamaRotaryEmbedding(config)(x, where)
    turned, _ = apply_rotary_pos_emb(x[..., :r], x[..., :r], cos, sin)
    return torch.cat((turned, x[..., r:]), dim=-1)
