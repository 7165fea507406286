"""Cases, equivalents and peers of the kata int8-absmax; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from collections.abc import Callable

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def clear(weight: torch.Tensor) -> torch.Tensor:
    """The weight, with what is near a half of a step moved away from it: no right kernel rounds it otherwise."""
    for _ in range(200):
        wide = weight.double()
        lo, hi = wide.amin(1, keepdim=True).clamp(max=0), wide.amax(1, keepdim=True).clamp(min=0)
        near = torch.zeros_like(wide, dtype=torch.bool)
        for scale in (torch.maximum(hi, -lo) / 127, (hi - lo) / 255):
            steps = wide / torch.where(scale > 0, scale, 1)
            near |= (steps - steps.floor() - 0.5).abs() < 0.02
        if not near.any():
            break
        weight = torch.where(near, (weight * 0.97).to(weight.dtype), weight)
    return weight


def rows(make: Inputs, n: int, k: int, mean: float = 0.0) -> torch.Tensor:
    """Rows of very different size."""
    return make.normal(n, k, mean=mean) * make.uniform(n, 1, low=-3.0, high=3.0).exp()


# Cases ------------------------------------------------------------------------------------------------------------


# numpy is right here, and cannot take what asks for gradients: so the first case is not repeated with such inputs.
@case(
    derive=False,
    why="rows of different size, and dimensions that differ: each row has a scale of its own",
    clauses=("weight", "scale", "zero", "q", "result"),
)
def base(make: Inputs) -> Call:
    return call(clear(rows(make, 3, 6)))


@case(why="small whole numbers: every step can be followed by hand", clauses=("scale", "q", "result"))
def by_hand(make: Inputs) -> Call:
    return call(torch.tensor([[12.7, -6.32, 0.13, 0.0], [-1.27, 0.336, 0.864, -0.018]]))


@case(
    why="halves at a scale of 1: 0.5 and 2.5 go to the even neighbour, and a cast alone would cut",
    clauses=("inside", "q"),
    variants=("absmax",),
)
def halves(make: Inputs) -> Call:
    return call(
        torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5], [-63.5, 0.25, 0.75, 1.25, -0.25, 0, 1, 2]])
    )


@case(
    why="halves at a scale of 1 and an odd zero point: w / scale is rounded, and the zero point added then",
    clauses=("inside", "q"),
    variants=("zero-point",),
)
def halves_with_zero_point(make: Inputs) -> Call:
    return call(torch.tensor([[156.0, -99.0, 0.5, 1.5, 2.5, -0.5, -1.5], [100.0, -155.0, 0.5, 1.5, 2.5, -0.5, -1.5]]))


@case(
    why="both ends are halves and round to even: 102 + 26 is 128, which does not fit and is clamped",
    clauses=("q", "zero"),
    variants=("zero-point",),
)
def clamped_at_the_top(make: Inputs) -> Call:
    return call(torch.tensor([[101.5, -153.5, 3.0], [3.0, 153.5, -101.5]]))


@case(why="a row of zeros among others: its scale is 1, and nothing is NaN", clauses=("scale", "zero", "q"))
def zero_row(make: Inputs) -> Call:
    weight = clear(rows(make, 3, 4))
    weight[1] = 0.0
    return call(weight)


@case(why="the number of largest magnitude is negative in one row, positive in the other", clauses=("scale", "q"))
def signs(make: Inputs) -> Call:
    return call(clear(torch.tensor([[-9.0, 1.0, 2.0, -0.3], [9.0, -1.0, -2.0, 0.3]]) * make.uniform(2, 1, low=0.5)))


@case(why="rows of one sign: 0 belongs to the range all the same", clauses=("scale", "zero", "q"))
def one_sign(make: Inputs) -> Call:
    weight = make.uniform(4, 5, low=2.0, high=5.0)
    weight[1::2] *= -1
    return call(clear(weight))


@case(why="one outlier takes the steps of its own row, and of no other", clauses=("scale", "q"))
def outlier(make: Inputs) -> Call:
    weight = make.normal(3, 8)
    weight[1, 2] = 300.0
    return call(clear(weight))


@case(
    why="as many rows as columns: a scale that lines up with the columns raises no error", clauses=("scale", "result")
)
def square(make: Inputs) -> Call:
    return call(clear(rows(make, 4, 4)))


@case(why="one column: each row is one number", clauses=("weight", "scale"))
def one_column(make: Inputs) -> Call:
    return call(torch.tensor([[3.0], [-0.25], [0.0], [1e-3]]))


@case(why="one row of one number", clauses=("weight",))
def one_number(make: Inputs) -> Call:
    return call(torch.tensor([[-5.0]]))


@case(
    why="rows as small as 1e-7: what keeps zero away from a division is not to change them", clauses=("weight", "scale")
)
def tiny_rows(make: Inputs) -> Call:
    weight = make.uniform(3, 5, low=0.2, high=0.9) * torch.tensor([1e-6, 1.1e-7, 1.0]).view(3, 1)
    weight[:, 2] = torch.tensor([-1e-6, 1.1e-7, -1.0])
    return call(clear(weight))


@case(why="float16: a scale kept in it is off by more than a step in 127", clauses=("weight", "inside", "result"))
def float16(make: Inputs) -> Call:
    return call(clear(rows(make, 4, 12).to(torch.float16)))


@case(why="float16 near 1e-4: the scale would have hardly a digit left in it", clauses=("inside", "scale", "result"))
def float16_small(make: Inputs) -> Call:
    return call(clear((make.normal(3, 8) * 1e-4).to(torch.float16)))


@case(
    why="bfloat16 has eight bits, int8 needs seven of them: one division in it misses the step",
    clauses=("weight", "inside", "result"),
)
def bfloat16(make: Inputs) -> Call:
    return call(clear(rows(make, 4, 12, mean=0.4).to(torch.bfloat16)))


# Chosen so that no restored number is near the middle between two of bfloat16: whoever multiplies in float32 or wider
# rounds alike, and a product of two that were rounded before is off by a unit in most places.
@case(
    why="bfloat16 restored: the product is rounded once, not the scale before it",
    clauses=("inside", "result"),
    own_precision=True,
    rtol=1e-3,
    atol=0.0,
)
def rounded_once(make: Inputs) -> Call:
    return call(torch.tensor([[1.90625, -1.6875, -0.46875, -0.859375, -0.546875, 3.09375]], dtype=torch.bfloat16))


@case(why="no rows", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5))


@case(why="a transposed weight and every other column of one", clauses=("always",))
def views(make: Inputs) -> tuple[Call, ...]:
    return call(clear(rows(make, 3, 5)).T.contiguous().T), call(
        clear(rows(make, 3, 10))[:, ::2].clone().repeat_interleave(2, 1)[:, ::2]
    )


@case(why="other weights of the same shape in a row: nothing is kept", clauses=("always",))
def in_a_row(make: Inputs) -> tuple[Call, ...]:
    return tuple(call(clear(rows(make, 2, 4))) for _ in range(3))


@case(why="sizes of its own", fresh=True, clauses=("scale", "q", "zero"))
def fresh(make: Inputs) -> Call:
    return call(clear(rows(make, make.size(2, 6), make.size(7, 12), mean=make.size(-2, 2) / 2)))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("by-the-inverse", why="multiplies by 127 / absmax", variants=("absmax",))
def by_the_inverse(weight):
    wide = weight.float()
    absmax = wide.abs().max(dim=1, keepdim=True).values
    scale = (absmax / 127).masked_fill(absmax == 0, 1.0)
    q = torch.round(wide * (1 / scale)).clamp(-127, 127).to(torch.int8)
    return q, scale.squeeze(1), (q.float() * scale).to(weight.dtype)


@equivalent("row-by-row", why="a loop over rows in Python floats", variants=("absmax",))
def row_by_row(weight):
    q, scales = torch.zeros(weight.shape, dtype=torch.int8), torch.ones(len(weight))
    for n, row in enumerate(weight.tolist()):
        largest = max(abs(w) for w in row)
        if largest > 0:
            scales[n] = largest / 127
            for k, w in enumerate(row):
                q[n, k] = round(w * 127 / largest)
    return q, scales, torch.einsum("nk,n->nk", q.float(), scales).to(weight.dtype)


@equivalent("numpy", why="numpy, in float64", variants=("absmax",))
def in_numpy(weight):
    import numpy as np

    wide = weight.float().numpy().astype(np.float64)
    scale = np.abs(wide).max(axis=1) / 127
    scale[scale == 0] = 1
    q = np.rint(wide / scale[:, None]).astype(np.int8)
    return torch.from_numpy(q), torch.from_numpy(scale).float(), torch.from_numpy(q * scale[:, None]).to(weight.dtype)


@equivalent("uint8-first", why="counts steps from lo, in 0 … 255, and shifts by 128", variants=("zero-point",))
def uint8_first(weight):
    wide = weight.float()
    zeros = torch.zeros(len(wide), 1)
    lo, hi = torch.cat((wide, zeros), 1).aminmax(dim=1, keepdim=True)
    scale = (hi - lo) / 255
    scale[scale == 0] = 1.0
    zero = torch.round(-lo / scale)
    q = (torch.round(wide / scale) + zero).clamp(0, 255)
    restored = (q - zero) * scale
    shifted, moved = (q - 128).to(torch.int8), (zero - 128).to(torch.int8)
    return shifted, scale[:, 0], moved[:, 0], restored.to(weight.dtype)


@equivalent("int32-steps", why="whole numbers in int32, and the range in float64", variants=("zero-point",))
def int32_steps(weight):
    w = weight.double()
    lo = torch.minimum(w.min(dim=1).values, torch.tensor(0.0))
    hi = torch.maximum(w.max(dim=1).values, torch.tensor(0.0))
    scale = torch.where(hi == lo, torch.ones_like(lo), (hi - lo) / 255)
    zero_point = torch.round(-128 - lo / scale).to(torch.int32)
    q = torch.round(w / scale.unsqueeze(1)).to(torch.int32) + zero_point.unsqueeze(1)
    q = torch.clamp(q, -128, 127).to(torch.int8)
    restored = (q.int() - zero_point.unsqueeze(1)) * scale.unsqueeze(1)
    return q, scale.float(), zero_point.to(torch.int8), restored.to(weight.dtype)


@equivalent("row-by-row-affine", why="a loop over rows in Python floats", variants=("zero-point",))
def row_by_row_affine(weight):
    n, k = weight.shape
    scales, zeros, q = torch.ones(n), torch.zeros(n, dtype=torch.int8), torch.zeros(n, k, dtype=torch.int8)
    for i, row in enumerate(weight.tolist()):
        lo, hi = min(0.0, *row), max(0.0, *row)
        scale = (hi - lo) / 255 if hi > lo else 1.0
        zero = round(-128 - lo / scale)
        scales[i], zeros[i] = scale, zero
        q[i] = torch.tensor([min(127, max(-128, round(w / scale) + zero)) for w in row])
    restored = (q.float() - zeros.float()[:, None]) * scales[:, None]
    return q, scales, zeros, restored.to(weight.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain(variants=("absmax",))
def any_call(draw: Draw) -> Call:
    return any_weight(draw, halves_by_absmax)


@domain(variants=("zero-point",))
def any_call_with_zero_point(draw: Draw) -> Call:
    return any_weight(draw, halves_by_range)


def any_weight(draw: Draw, halves: Callable[[Draw, int, int], torch.Tensor]) -> Call:
    k = draw.pick(1, 1, 2, 3, 4, 5, 8, 17)
    n = draw.pick(0, 1, 1, 2, 3, 4, k, k)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    kind = draw.pick("rows", "rows", "shifted", "one sign", "halves", "halves", "outlier")
    draw.mark("numbers", kind)
    if kind == "halves":
        draw.mark("boundary")  # the scale is a power of two, and every number half a step or a whole one
        weight = (halves(draw, n, k) * 2.0 ** draw.option(-9, -3, 0, 2)).to(dtype)
    else:
        weight = draw.normal(n, k, mean=draw.pick(-2.0, 2.0) if kind == "shifted" else 0.0)
        weight = weight.abs() * draw.pick(1, -1) if kind == "one sign" else weight
        weight = weight * draw.uniform(n, 1, low=-3.0, high=2.0).exp()
        if kind == "outlier" and n:
            weight[draw.pick(0, -1), draw.pick(0, -1)] = draw.pick(500.0, -500.0)
        least = {torch.float32: 1e-6, torch.float16: 1e-3, torch.bfloat16: 1e-6}[dtype]
        weight = (weight * draw.pick(1.0, 1.0, 1.0, least)).to(dtype)
        weight = clear(torch.where(weight.abs().amax(1, keepdim=True) < 2e-7, torch.zeros_like(weight), weight))
    if n and draw.chance(0.3):
        draw.mark("a row of zeros")
        weight[draw.pick(0, -1)] = 0.0
    weight = draw.layout(weight)
    if n and draw.chance(0.1):
        weight = weight[:1].expand(n, k)
    return call(weight) if draw.given(0.8) else call(weight=weight)


def halves_by_absmax(draw: Draw, n: int, k: int) -> torch.Tensor:
    """Multiples of 1/2 up to 127, which stands in each row: the scale is 1."""
    weight = draw.integers(-253, 254, n, k) / 2
    for row in weight:
        row[draw.option(0, -1)] = draw.option(127, -127)
    return weight


def halves_by_range(draw: Draw, n: int, k: int) -> torch.Tensor:
    """Multiples of 1/2, in each row from some hi down to hi − 255: the scale is 1."""
    weight = torch.zeros(n, k)
    for row in weight:
        # Halves at both ends, where bfloat16 can hold them, make 128 now and then.
        hi = draw.option(255, 0, 156, 100, 101, 101.5, 127, 127.5, 128)
        row[:] = draw.integers(2 * int(hi) - 508, 2 * int(hi) + 1, k) / 2
        row[0] = hi or -255
        if k > 1 and hi:
            row[draw.option(1, -1)] = hi - 255
    return weight


# Peers ------------------------------------------------------------------------------------------------------------


@peer("torch", variants=("absmax",))
def quantize_per_channel(weight):
    wide = weight.float()
    scale = torch.tensor([max(map(abs, row)) / 127 or 1.0 for row in wide.tolist()], dtype=torch.float64)
    if not len(scale):
        return wide.to(torch.int8), scale.float(), weight.clone()
    stored = torch.quantize_per_channel(wide, scale, torch.zeros(len(scale), dtype=torch.int64), 0, torch.qint8)
    return stored.int_repr(), scale.float(), stored.dequantize().to(weight.dtype)


@peer(
    "torch",
    variants=("zero-point",),
    skips={"halves-with-zero-point": "torch rounds w / scale + zero_point as one, ONNX and this contract w / scale"},
)
def quantize_per_channel_affine(weight):
    from torch.ao.quantization.observer import PerChannelMinMaxObserver

    wide = weight.float()
    if not len(wide):
        return wide.to(torch.int8), wide[:, 0], wide[:, 0].to(torch.int8), weight.clone()
    seen = PerChannelMinMaxObserver(0, torch.qint8, torch.per_channel_affine, eps=1e-30)
    seen(wide)
    scale, zero = seen.calculate_qparams()
    empty = (wide == 0).all(1)  # the observer takes its eps for a row of zeros
    scale, zero = torch.where(empty, 1.0, scale), torch.where(empty, -128, zero)
    stored = torch.quantize_per_channel(wide, scale, zero, 0, torch.qint8)
    return stored.int_repr(), scale, zero.to(torch.int8), stored.dequantize().to(weight.dtype)
