"""Cases, equivalents and peer of the kata rms-norm; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="rows of different size and a mean far from zero: centring, or a norm over everything, shows",
    clauses=("formula", "weight", "always"),
)
def base(make: Inputs) -> Call:
    x = make.normal(2, 3, 5, mean=1.5) * torch.tensor([0.5, 2.0, 4.0]).view(1, 3, 1)
    return call(x, make.uniform(5, low=0.5, high=2.0))


@case(why="one vector, no batch: the last dimension is the only one", clauses=("shapes", "formula"))
def one_vector(make: Inputs) -> Call:
    return call(make.normal(6, mean=-2.0), make.normal(6))


@case(why="four dimensions: any number may lead, and the last one still counts", clauses=("shapes", "formula"))
def four_dimensions(make: Inputs) -> Call:
    x = make.normal(2, 3, 4, 5) * make.uniform(2, 3, 4, 1, low=0.3, high=3.0)
    return call(x, make.uniform(5, low=0.5, high=2.0))


@case(why="one channel: each value becomes its sign, times the weight", clauses=("formula",))
def one_channel(make: Inputs) -> Call:
    return call(torch.tensor([[3.0], [-0.5], [40.0]]), make.uniform(1, low=0.5, high=2.0))


@case(why="as many rows as channels: a mean without keepdim takes the wrong axis", clauses=("formula", "weight"))
def square(make: Inputs) -> Call:
    x = make.normal(4, 4) * torch.tensor([0.5, 1.0, 2.0, 8.0]).view(4, 1)
    return call(x, make.uniform(4, low=0.5, high=2.0))


@case(why="eps of 0.5 beside small values: its place under the root matters", clauses=("formula",))
def large_eps(make: Inputs) -> Call:
    return call(make.normal(3, 7, std=0.8), make.uniform(7, low=0.5, high=2.0), eps=0.5)


@case(why="a row of zeros: only eps keeps 0/0 away", clauses=("zeros",))
def zero_row(make: Inputs) -> Call:
    x = make.normal(3, 5, mean=1.0)
    x[1] = 0.0
    return call(x, make.uniform(5, low=0.5, high=2.0))


@case(why="values near 300 in float16: their squares overflow", clauses=("float32-inside", "result"))
def float16_large(make: Inputs) -> Call:
    x = make.uniform(2, 3, 8, low=250.0, high=350.0, dtype=torch.float16)
    x[..., ::3] *= -1
    return call(x, make.uniform(8, low=0.5, high=2.0, dtype=torch.float16))


# Chosen so that every normalised value lies well between two of bfloat16, and well off their middle: whoever computes
# in float32 or wider rounds it alike, and rounding it or not differs by a hundred times what float32 allows.
_BETWEEN = ((-0.75, 0.5, -0.25, -2.0, -2.5, 3.0), (0.25, 2.0, 2.25, -0.75, 3.25, 1.5))


@case(
    why="bfloat16 activations with a float32 weight: who decides the dtype, and what is rounded before the weight",
    clauses=("float32-inside", "result"),
    own_precision=True,
)
def mixed_dtypes(make: Inputs) -> Call:
    return call(torch.tensor(_BETWEEN, dtype=torch.bfloat16), make.uniform(6, low=0.5, high=2.0))


@case(
    why="an outlier pushes the rest below float16, and a large weight brings it back, unless it was cast away before",
    clauses=("result",),
    own_precision=True,
)
def outlier_channel(make: Inputs) -> Call:
    x = make.uniform(2, 8, low=2e-6, high=4e-6, dtype=torch.float16)
    x[:, 3] = 300.0
    weight = make.uniform(8, low=3e4, high=6e4, dtype=torch.float16)
    weight[3] = 0.01
    return call(x, weight)


@case(why="float32 activations with a weight in bfloat16, as mixed checkpoints have", clauses=("shapes", "result"))
def half_weight(make: Inputs) -> Call:
    return call(make.normal(3, 6, mean=0.5), make.uniform(6, low=0.5, high=2.0, dtype=torch.bfloat16))


@case(why="the loss depends on x through the root mean square too", grads=(0, 1), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return call(make.normal(2, 4, mean=0.5), make.uniform(4, low=0.5, high=2.0), 0.1)


@case(
    why="a vector of zeros passes gradients too: a root taken of it alone has none, and makes them NaN",
    grads=(0, 1),
    clauses=("zeros", "always"),
)
def zero_row_gradients(make: Inputs) -> Call:
    x = make.normal(3, 4, mean=0.5)
    x[1] = 0.0
    return call(x, make.uniform(4, low=0.5, high=2.0), 0.1)


@case(
    why="a float32 weight beyond float16: cast to x's dtype it is infinite, in float32 the product fits",
    variants=("cast-last",),
    clauses=("result",),
)
def wide_weight(make: Inputs) -> Call:
    x = make.normal(2, 6).to(torch.float16)
    x[:, 0] = 300.0
    weight = make.uniform(6, low=7e4, high=1e5)
    weight[0] = 0.01
    return call(x, weight)


@case(why="no rows at all: nothing may crash", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5), make.normal(5))


@case(why="sizes of its own", fresh=True, clauses=("formula", "weight"))
def fresh(make: Inputs) -> Call:
    sizes = [make.size(1, 4), make.size(2, 6), make.size(7, 12)]
    x = make.normal(*sizes, mean=1.0) * make.uniform(sizes[1], 1, low=0.3, high=3.0)
    return call(x, make.uniform(sizes[2], low=0.5, high=2.0), eps=1e-3)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("divides-by-sqrt", why="divides by the root instead of multiplying by rsqrt", variants=("cast-first",))
def divides_by_sqrt(x, weight, eps=1e-6):
    wide = x.float()
    return (wide / (wide.square().mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype) * weight


@equivalent("float64-inside", why="computes in float64", variants=("cast-first",))
def float64_inside(x, weight, eps=1e-6):
    wide = x.double()
    return weight * (wide / (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype)


@equivalent("vector-norm", why="takes the length of the vector and divides its square by D", variants=("cast-first",))
def vector_norm(x, weight, eps=1e-6):
    wide = x.float()
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return weight * (wide / torch.sqrt(length**2 / x.shape[-1] + eps)).to(x.dtype)


@equivalent("scales-by-both", why="folds weight and inverse root into one factor", variants=("cast-last",))
def scales_by_both(x, weight, eps=1e-6):
    wide = x.float()
    factor = weight.float() * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return (wide * factor).to(x.dtype)


@equivalent("float64-inside-last", why="computes in float64", variants=("cast-last",))
def float64_inside_last(x, weight, eps=1e-6):
    wide = x.double()
    return (wide / (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight.double()).to(x.dtype)


@equivalent("einsum", why="sums the squares by einsum", variants=("cast-last",))
def einsum(x, weight, eps=1e-6):
    wide = x.float()
    mean_square = torch.einsum("...d,...d->...", wide, wide).unsqueeze(-1) / x.shape[-1]
    return (wide * (mean_square + eps).rsqrt() * weight.float()).to(x.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain(variants=("cast-first", "cast-last"))
def any_call(draw: Draw) -> Call:
    width = draw.pick(1, 2, 3, 4, 5, 8, 33)
    most = 4 if width < 33 else 2  # four more sizes of 33 would be a million numbers and more
    lead = [draw.pick(0, 1, 2, 3, width, width) for _ in range(min(most, draw.pick(0, 1, 1, 2, 2, 3, 4)))]
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    weight_dtype = draw.pick(dtype, dtype, torch.float32, torch.float16, torch.bfloat16, torch.float64)
    size = draw.pick("ordinary", "ordinary", "large", "small")  # squares that overflow, or drown, in float16
    draw.mark("size", size)
    scale = {"ordinary": 1.0, "large": 300.0, "small": 3e-4}[size]
    x = draw.normal(*lead, width, mean=draw.pick(0.0, 0.7, -1.5)) * scale
    if lead:
        x = x * draw.uniform(*lead, 1, low=0.3, high=3.0)
    zeros = bool(lead) and 0 not in lead and draw.chance(0.25)
    if zeros:
        draw.mark("a vector of zeros")
        x.view(-1, width)[draw.pick(0, -1)] = 0.0
    weight = draw.normal(width, std=draw.pick(1.0, 1.0, 30.0))
    if width > 1 and size == "ordinary" and weight_dtype in (torch.float32, torch.float64) and draw.chance(0.3):
        draw.mark("a weight beyond float16")  # beside an outlier, which keeps the products within it
        x[..., 0] = 300.0
        weight = draw.uniform(width, low=7e4, high=1e5)
        weight[0] = 0.01
    if dtype == weight_dtype == torch.float32 and draw.chance(0.5):
        draw.gradients(0, 1)
    eps = {}
    if draw.given(0.6):
        eps["eps"] = draw.option(1e-6, 1e-5, 1e-3, 0.5, 1.0, 4.0, *(() if zeros else (0.0,)))
    x = draw.layout(x.to(dtype))
    if lead and draw.chance(0.1):
        x = x[:1].expand_as(x)
    return call(x, draw.layout(weight.to(weight_dtype)), **eps)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch", variants=("cast-first",))
def torch_cast_first(x, weight, eps=1e-6):
    return F.rms_norm(x.float(), (x.shape[-1],), eps=eps).to(x.dtype) * weight


@peer("torch", variants=("cast-last",))
def torch_cast_last(x, weight, eps=1e-6):
    return F.rms_norm(x.float(), (x.shape[-1],), weight=weight.float(), eps=eps).to(x.dtype)
