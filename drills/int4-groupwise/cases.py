"""Cases, equivalents and peer of the kata int4-groupwise; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def weights(packed: torch.Tensor, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The weight (N, G, S) that the bytes and scales mean, in either layout, in float64."""
    n, groups = scale.shape
    low, high = (packed.long() % 16).view(n, groups, -1), (packed.long() // 16).view(n, groups, -1)
    pairs = torch.stack((low, high), dim=3).view(n, groups, -1)
    halves = torch.cat((low, high), dim=2)
    wide = scale.double().unsqueeze(2)
    return torch.where(pairs > 7, pairs - 16, pairs) * wide, (halves - 8) * wide


def clear(packed: torch.Tensor, scale: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
    """The delta, changed where the sum is near a half of a step: no right kernel rounds it otherwise."""
    for _ in range(200):
        near = torch.zeros(delta.shape, dtype=torch.bool)
        for old in weights(packed, scale):
            w = old + delta.double().view(old.shape)
            absmax = w.abs().amax(2, keepdim=True)
            steps = w / torch.where(absmax > 0, absmax / 7, 1)
            near |= ((steps - steps.floor() - 0.5).abs() < 0.01).view(delta.shape)
        if not near.any():
            break
        moved = delta + (0.043 * scale).repeat_interleave(delta.shape[1] // scale.shape[1], 1)
        delta = torch.where(near, moved.to(delta.dtype), delta)
    return delta


def layer(make: Inputs, n: int, groups: int, size: int, dtype=torch.float32, std: float = 1.0) -> Call:
    """Any bytes, scales of very different size, and a delta of the order of the scales."""
    packed = make.integers(0, 256, n, groups * size // 2, dtype=torch.uint8)
    scale = make.uniform(n, groups, low=-2.5, high=1.5).exp()
    delta = make.normal(n, groups, size, std=std) * scale.unsqueeze(2)
    delta = delta.reshape(n, groups * size).to(dtype)
    return call(packed, scale, clear(packed, scale, delta))


def rows(*values: list[int]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.uint8)


# Cases ------------------------------------------------------------------------------------------------------------


# numpy is right here, and cannot take what asks for gradients: so the first case is not repeated with such inputs.
@case(
    derive=False,
    why="three rows, two groups of eight, any bytes: every dimension differs",
    clauses=("packed", "scale", "delta", "layout", "new-scale", "result"),
)
def base(make: Inputs) -> Call:
    return layer(make, 3, 2, 8)


@case(why="all sixteen values in both halves of bytes", clauses=("packed", "layout"))
def all_values(make: Inputs) -> Call:
    values = list(range(16))
    packed = rows([low + 16 * high for low, high in zip(values, values[5:] + values[:5], strict=True)])
    scale = torch.tensor([[0.5, 2.0]])
    return call(packed, scale, clear(packed, scale, make.normal(1, 32)))


@case(why="a large delta beside small weights: its signs are those of the result", clauses=("delta", "new-q", "result"))
def large_delta(make: Inputs) -> Call:
    return layer(make, 2, 2, 6, std=30.0)


@case(why="a small delta: the weight comes back but for a rounding", clauses=("scale", "new-scale"))
def small_delta(make: Inputs) -> Call:
    return layer(make, 2, 3, 4, std=0.05)


@case(why="one group a row: its scale is that of the row", clauses=("scale", "layout"))
def one_group(make: Inputs) -> Call:
    return layer(make, 3, 1, 10)


@case(why="groups of two columns: one byte each", clauses=("packed", "layout", "scale"))
def groups_of_two(make: Inputs) -> Call:
    return layer(make, 2, 5, 2)


@case(why="groups of 64 columns: no size of a group is fixed", clauses=("packed", "layout"))
def wide_groups(make: Inputs) -> Call:
    return layer(make, 1, 2, 64)


@case(why="as many groups as columns in each: groups laid across raise no error", clauses=("packed", "new-scale"))
def square_groups(make: Inputs) -> Call:
    return layer(make, 2, 4, 4)


@case(why="as many rows as groups and as bytes in a group", clauses=("scale", "layout"))
def equal_sizes(make: Inputs) -> Call:
    return layer(make, 3, 3, 6)


@case(why="one row of one byte", clauses=("packed", "result"))
def one_byte(make: Inputs) -> Call:
    return layer(make, 1, 1, 2)


@case(
    why="a group of zeros stays one: its scale becomes 1, and nothing is NaN",
    clauses=("new-scale",),
    variants=("neighbours",),
)
def zero_group(make: Inputs) -> Call:
    delta = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0, -0.3, 0.2, 0.7]])
    return call(rows([0, 0, 0x31, 0xF0]), torch.tensor([[0.25, 0.5]]), delta)


@case(
    name="zero-group-by-halves",
    why="a group of zeros stays one: each of its bytes is 88, and nothing is NaN",
    clauses=("new-scale",),
    variants=("halves",),
)
def zero_group_by_halves(make: Inputs) -> Call:
    delta = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0, -0.3, 0.2, 0.7]])
    return call(rows([0x88, 0x88, 0x31, 0xF0]), torch.tensor([[0.25, 0.5]]), delta)


@case(
    why="the delta takes the second group away: its scale becomes 1",
    clauses=("new-scale", "delta"),
    variants=("neighbours",),
)
def taken_away(make: Inputs) -> Call:
    delta = torch.tensor([[0.1, 0.2, 0.3, -0.25, -0.5, 1.0, 3.5, -1.5]])
    return call(rows([0x12, 0xE7, 0xE1, 0x39]), torch.tensor([[0.25, 0.5]]), delta)


@case(
    name="taken-away-by-halves",
    why="the delta takes the second group away: its scale becomes 1",
    clauses=("new-scale", "delta"),
    variants=("halves",),
)
def taken_away_by_halves(make: Inputs) -> Call:
    delta = torch.tensor([[0.1, 0.2, 0.3, -0.25, 3.5, -0.5, 3.0, 2.5]])
    return call(rows([0x12, 0xE7, 0x21, 0x39]), torch.tensor([[0.25, 0.5]]), delta)


@case(
    why="halves at a new scale of 1: 0.5 and 2.5 go to the even neighbour",
    clauses=("new-q", "new-scale"),
    variants=("neighbours",),
)
def ties(make: Inputs) -> Call:
    delta = torch.tensor([[7.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 6.5], [-7.0, 4.5, 5.5, -4.5, 3.5, 0.0, 6.5, -6.5]])
    return call(torch.zeros(2, 4, dtype=torch.uint8), torch.ones(2, 1), delta)


@case(
    name="ties-by-halves",
    why="halves at a new scale of 1: 0.5 and 2.5 go to the even neighbour",
    clauses=("new-q", "new-scale"),
    variants=("halves",),
)
def ties_by_halves(make: Inputs) -> Call:
    delta = torch.tensor([[7.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 6.5], [-7.0, 4.5, 5.5, -4.5, 3.5, 0.0, 6.5, -6.5]])
    return call(torch.full((2, 4), 0x88, dtype=torch.uint8), torch.ones(2, 1), delta)


@case(why="the largest magnitude of a group is negative, or −8 of the old weight", clauses=("new-scale", "new-q"))
def signs(make: Inputs) -> Call:
    packed, scale = rows([0x80, 0x08, 0x00, 0x88]), torch.tensor([[1.0, 0.5]])
    delta = make.uniform(1, 8, low=-0.4, high=0.2)
    return call(packed, scale, clear(packed, scale, delta))


@case(
    why="scales near 1e-9: what keeps zero away from a division is not to change them", clauses=("scale", "new-scale")
)
def tiny_scales(make: Inputs) -> Call:
    packed = make.integers(0, 256, 2, 6, dtype=torch.uint8)
    scale = torch.tensor([[1e-9, 2e-9], [3e-9, 1.0]])
    delta = torch.tensor([[1e-9], [0.0]]).expand(2, 12) * make.normal(2, 12)
    return call(packed, scale, clear(packed, scale, delta))


@case(
    why="weights of ±1.1e-9: a new scale of 1.6e-10 is a scale, and no group of zeros",
    clauses=("scale", "new-scale"),
    variants=("neighbours",),
)
def tiny_result(make: Inputs) -> Call:
    return call(rows([0x1F, 0x01, 0xF0, 0x11]), torch.full((1, 2), 1.1e-9), torch.zeros(1, 8))


@case(
    name="tiny-result-by-halves",
    why="weights of ±1.1e-9: a new scale of 1.6e-10 is a scale, and no group of zeros",
    clauses=("scale", "new-scale"),
    variants=("halves",),
)
def tiny_result_by_halves(make: Inputs) -> Call:
    return call(rows([0x97, 0x89, 0x78, 0x99]), torch.full((1, 2), 1.1e-9), torch.zeros(1, 8))


@case(why="a delta in float16", clauses=("delta", "result"))
def float16(make: Inputs) -> Call:
    return layer(make, 3, 2, 8, torch.float16)


@case(why="a delta in bfloat16: the sum rounded to its eight bits misses the step", clauses=("delta", "result"))
def bfloat16(make: Inputs) -> Call:
    return layer(make, 4, 2, 12, torch.bfloat16, std=2.0)


@case(why="bytes, scales and delta that are views of other storage", clauses=("always",))
def views(make: Inputs) -> Call:
    packed, scale, delta = layer(make, 2, 3, 4).args
    return call(packed.T.contiguous().T, torch.stack((scale, scale), 2)[:, :, 0], delta.T.contiguous().T)


@case(why="layers of the same shape in a row: nothing is kept", clauses=("always",))
def in_a_row(make: Inputs) -> tuple[Call, ...]:
    return tuple(layer(make, 2, 2, 4) for _ in range(3))


@case(why="sizes of its own", fresh=True, clauses=("layout", "new-scale", "new-q"))
def fresh(make: Inputs) -> Call:
    return layer(make, make.size(2, 5), make.size(2, 5), 2 * make.size(3, 8))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("table", why="looks all 256 bytes up in a table, and packs by a sum", variants=("neighbours",))
def by_table(packed, scale, delta):
    signed = [v - 16 if v > 7 else v for v in range(16)]
    table = torch.tensor([[signed[byte % 16], signed[byte // 16]] for byte in range(256)])
    n, k = delta.shape
    size = k // scale.shape[1]
    w = table[packed.long()].reshape(n, k) * scale.repeat_interleave(size, dim=1) + delta.float()
    largest = w.abs().reshape(n, -1, size).max(dim=2).values
    new_scale = (largest / 7).masked_fill(largest == 0, 1.0)
    q = torch.round(w / new_scale.repeat_interleave(size, dim=1)).long() % 16
    return (q[:, ::2] + 16 * q[:, 1::2]).byte(), new_scale


@equivalent("shifts", why="gets the sign back by shifting in int8", variants=("neighbours",))
def by_shifts(packed, scale, delta):
    signed = packed.view(torch.int8)
    q = torch.empty(delta.shape)
    q[:, 0::2] = ((signed << 4) >> 4).float()
    q[:, 1::2] = (signed >> 4).float()
    w = q.unflatten(1, (scale.shape[1], -1)) * scale.unsqueeze(-1) + delta.unflatten(1, (scale.shape[1], -1))
    high = w.abs().amax(-1, keepdim=True) / 7
    high = torch.where(high == 0, torch.ones_like(high), high)
    new = torch.round(w / high).clamp(-8, 7).flatten(1).int()
    return ((new[:, 1::2] << 4) | (new[:, 0::2] & 0xF)).to(torch.uint8), high.squeeze(-1)


@equivalent("group-by-group", why="Python loops over rows and groups", variants=("neighbours",))
def group_by_group(packed, scale, delta):
    n, size = len(delta), delta.shape[1] // scale.shape[1]
    out, scales = torch.zeros_like(packed), torch.ones(n, scale.shape[1])
    for i in range(n):
        codes = [c for byte in packed[i].tolist() for c in (byte & 15, byte >> 4)]
        row = [(c - 16 * (c > 7)) * float(scale[i, j // size]) + float(delta[i, j]) for j, c in enumerate(codes)]
        for g in range(scale.shape[1]):
            top = max(abs(w) for w in row[g * size : (g + 1) * size])
            step = top / 7 if top else 1.0
            scales[i, g] = step
            for j in range(g * size, (g + 1) * size):
                out[i, j // 2] += (round(row[j] / step) & 15) << (4 * (j % 2))
    return out, scales


@equivalent("table-by-halves", why="floor division and remainder, and packs by a sum", variants=("halves",))
def table_by_halves(packed, scale, delta):
    (n, k), groups = delta.shape, scale.shape[1]
    codes = packed.long().reshape(n, groups, k // groups // 2)
    q = torch.cat((codes % 16, codes // 16), dim=-1) - 8
    w = (q * scale.unsqueeze(-1)).reshape(n, k) + delta.float()
    largest = w.abs().reshape(n, groups, -1).max(dim=2).values
    new_scale = (largest / 7).masked_fill(largest == 0, 1.0)
    q = torch.round(w.reshape(n, groups, -1) / new_scale.unsqueeze(-1)).long() + 8
    half = q.shape[-1] // 2
    return (q[..., :half] + 16 * q[..., half:]).byte().reshape(n, k // 2), new_scale


@equivalent("column-indices", why="writes each column's place down, and gathers", variants=("halves",))
def column_indices(packed, scale, delta):
    size = delta.shape[1] // scale.shape[1]
    column = torch.arange(delta.shape[1])
    group, place = column // size, column % size
    byte, shift = group * (size // 2) + place % (size // 2), 4 * (place >= size // 2).int()
    q = ((packed[:, byte].int() >> shift) & 15) - 8
    w = q * scale[:, group].double() + delta.double()
    top = torch.stack([w[:, group == g].abs().max(dim=1).values for g in range(scale.shape[1])], dim=1)
    new_scale = torch.where(top == 0, 1.0, top / 7)
    code = (torch.round(w / new_scale[:, group]).int() + 8) << shift
    out = torch.zeros(packed.shape, dtype=torch.int32).index_add_(1, byte, code)
    return out.to(torch.uint8), new_scale.float()


@equivalent("group-by-group-halves", why="Python loops over rows and groups", variants=("halves",))
def group_by_group_halves(packed, scale, delta):
    (n, k), groups = delta.shape, scale.shape[1]
    size, out = k // groups, torch.zeros_like(packed)
    scales = torch.ones(n, groups)
    for i in range(n):
        for g in range(groups):
            half = packed[i, g * size // 2 : (g + 1) * size // 2].tolist()
            codes = [b & 15 for b in half] + [b >> 4 for b in half]
            changes = delta[i, g * size : (g + 1) * size].tolist()
            w = [(c - 8) * float(scale[i, g]) + d for c, d in zip(codes, changes, strict=True)]
            top = max(map(abs, w))
            step = top / 7 if top else 1.0
            scales[i, g] = step
            new = [round(x / step) + 8 for x in w]
            for j in range(size // 2):
                out[i, g * size // 2 + j] = new[j] | new[j + size // 2] << 4
    return out, scales


# Domain -----------------------------------------------------------------------------------------------------------


@domain(variants=("neighbours",))
def any_call(draw: Draw) -> Call:
    return any_layer(draw, 0)


@domain(variants=("halves",))
def any_call_by_halves(draw: Draw) -> Call:
    return any_layer(draw, 1)


def any_layer(draw: Draw, layout: int) -> Call:
    groups, size = draw.pick(1, 1, 2, 3, 4), draw.pick(2, 2, 4, 6, 8, 12)
    n = draw.pick(1, 1, 2, 3, groups, size // 2)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    packed = draw.integers(0, 256, n, groups * size // 2, dtype=torch.uint8)
    kind = draw.pick("any", "any", "any", "small", "large", "halves", "one sign")
    draw.mark("delta", kind)
    if kind == "halves":
        draw.mark("boundary")  # the new scale is a power of two, and each sum half a step or a whole one
        scale = torch.full((n, groups), 2.0 ** draw.option(-3, 0, 1))
        sums = draw.integers(-14, 15, n, groups, size) / 2
        sums[:, :, draw.option(0, -1)] = draw.option(7.0, -7.0)
        delta = sums * scale.unsqueeze(2) - weights(packed, scale)[layout].float()
        delta = delta.view(n, -1).to(dtype)
    else:
        scale = draw.uniform(n, groups, low=-3.0, high=2.0).exp() * draw.pick(1.0, 1.0, 1.0, 1e-3)
        delta = draw.normal(n, groups, size, std={"small": 0.05, "large": 30.0}.get(kind, 1.5))
        delta = delta.abs() * draw.pick(8, -8) if kind == "one sign" else delta
        delta = clear(packed, scale, (delta * scale.unsqueeze(2)).view(n, -1).to(dtype))
    if kind != "large" and draw.chance(0.25):
        draw.mark("a group of zeros")
        at = draw.pick(0, groups - 1)
        zero = 0x00 if layout == 0 else 0x88
        packed[0, at * size // 2 : (at + 1) * size // 2] = zero
        delta[0, at * size : (at + 1) * size] = 0.0
    arguments = draw.layout(packed), draw.layout(scale), draw.layout(delta)
    if draw.given(0.2):
        return call(*arguments[:2], delta=arguments[2])
    return call(*arguments)


# Peers ------------------------------------------------------------------------------------------------------------


def _requantised(w):
    """New whole numbers and scales of w (N, G, S), in numpy and float64."""
    import numpy as np

    top = np.abs(w).max(axis=2)
    step = np.where(top > 0, top / 7, 1.0)
    return np.rint(w / step[:, :, None]).astype(np.int64), torch.from_numpy(step).float()


@peer("numpy", variants=("neighbours",))
def bits_of_numpy(packed, scale, delta):
    import numpy as np

    (n, k), groups = delta.shape, scale.shape[1]
    bits = np.unpackbits(packed.contiguous().numpy(), axis=1, bitorder="little").reshape(n, k, 4)
    q = bits @ np.array([1, 2, 4, -8])  # the highest bit counts negatively
    w = q.reshape(n, groups, -1) * scale.double().numpy()[:, :, None] + delta.double().numpy().reshape(n, groups, -1)
    new, step = _requantised(w)
    new_bits = (new.reshape(n, k, 1) >> np.arange(4)) & 1
    stored = np.packbits(new_bits.reshape(n, -1).astype(np.uint8), axis=1, bitorder="little")
    return torch.from_numpy(stored), step


@peer("numpy", variants=("halves",))
def bits_of_numpy_by_halves(packed, scale, delta):
    import numpy as np

    n, groups = scale.shape
    bits = np.unpackbits(packed.contiguous().numpy(), axis=1, bitorder="little").reshape(n, groups, -1, 2, 4)
    q = (bits @ np.array([1, 2, 4, 8]) - 8).swapaxes(2, 3).reshape(n, groups, -1)  # low halves first
    w = q * scale.double().numpy()[:, :, None] + delta.double().numpy().reshape(n, groups, -1)
    new, step = _requantised(w)
    halves = (new + 8).reshape(n, groups, 2, -1).swapaxes(2, 3)
    new_bits = (halves[..., None] >> np.arange(4)) & 1
    stored = np.packbits(new_bits.reshape(n, -1).astype(np.uint8), axis=1, bitorder="little")
    return torch.from_numpy(stored), step
