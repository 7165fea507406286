"""Cases, equivalents and peer of the kata layer-norm; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def affine(make: Inputs, d: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    return make.uniform(d, low=0.5, high=2.0, dtype=dtype), make.normal(d, dtype=dtype)


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="rows of different size and mean, few channels: D − 1 for D shows",
    clauses=("shapes", "formula", "affine", "always"),
)
def base(make: Inputs) -> Call:
    x = make.normal(2, 3, 5, mean=1.5) * torch.tensor([0.5, 2.0, 4.0]).view(1, 3, 1)
    return call(x, *affine(make, 5))


@case(why="one vector, no batch", clauses=("shapes",))
def one_vector(make: Inputs) -> Call:
    return call(make.normal(6, mean=-2.0), *affine(make, 6))


@case(why="four dimensions: any number may lead", clauses=("shapes",))
def four_dimensions(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4, 5) * make.uniform(2, 3, 4, 1, low=0.3, high=3.0), *affine(make, 5))


@case(why="neither weight nor bias, as in OLMo's first models", clauses=("affine", "shapes"))
def bare(make: Inputs) -> Call:
    return call(make.normal(3, 4, mean=2.0, std=3.0))


@case(why="a weight and no bias", clauses=("affine",))
def no_bias(make: Inputs) -> Call:
    return call(make.normal(3, 4, mean=-1.0), affine(make, 4)[0])


@case(why="a bias and no weight", clauses=("affine",))
def no_weight(make: Inputs) -> Call:
    return call(make.normal(3, 4, mean=-1.0), None, make.normal(4))


@case(why="as many rows as channels: a mean without keepdim takes the wrong axis", clauses=("formula", "affine"))
def square(make: Inputs) -> Call:
    return call(make.normal(4, 4) * torch.tensor([0.5, 1.0, 2.0, 8.0]).view(4, 1) + 1, *affine(make, 4))


@case(why="eps of 0.5 beside small values: its place under the root matters", clauses=("formula",))
def large_eps(make: Inputs) -> Call:
    return call(make.normal(3, 7, std=0.8), *affine(make, 7), eps=0.5)


@case(why="eps 0 is allowed where the values differ", clauses=("formula",))
def no_eps(make: Inputs) -> Call:
    return call(make.normal(3, 6), *affine(make, 6), 0.0)


@case(why="one channel: the result is bias, whatever x is", clauses=("constant",))
def one_channel(make: Inputs) -> Call:
    return call(torch.tensor([[3.0], [-0.5], [40.0]]), *affine(make, 1))


@case(why="a row of equal numbers among others: only eps keeps 0/0 away", clauses=("constant",))
def constant_row(make: Inputs) -> Call:
    x = make.normal(3, 5, mean=1.0)
    x[1] = 2.5
    return call(x, *affine(make, 5))


@case(
    why="a row of equal numbers passes gradients: the root of a variance of 0 alone has none, and makes them NaN",
    grads=(0, 1, 2),
    clauses=("constant", "always"),
)
def constant_row_gradients(make: Inputs) -> Call:
    x = make.normal(3, 4, mean=0.5)
    x[1] = 2.0
    return call(x, *affine(make, 4), 0.1)


@case(why="the loss depends on x through mean and variance too", grads=(0, 1, 2), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return call(make.normal(2, 4, mean=0.5), *affine(make, 4), 0.1)


@case(
    rtol=0.01,
    atol=0.01,
    why="eighths around 4096, exact in float32: E[x²] − E[x]² is off by more than the variance",
    clauses=("offset",),
)
def far_from_zero(make: Inputs) -> Call:
    return call(4096 + make.integers(-12, 13, 3, 8) / 8, *affine(make, 8))


@case(why="values near 300 in float16: their squares overflow", clauses=("float32-inside", "shapes"))
def float16_large(make: Inputs) -> Call:
    x = make.uniform(2, 3, 8, low=250.0, high=350.0, dtype=torch.float16)
    x[..., ::3] *= -1
    return call(x, *affine(make, 8, torch.float16))


@case(
    why="bias takes nearly all of the product away: what was rounded before is all that is left",
    clauses=("float32-inside", "affine"),
    own_precision=True,
    rtol=0.02,
    atol=1e-4,
)
def rounded_once(make: Inputs) -> Call:
    x = torch.tensor([[-1.0, 0.5, 2.0, 3.5]], dtype=torch.bfloat16)  # normalised: ±1.3416 and ±0.4472
    return call(x, torch.ones(4), torch.tensor([1.34, 0.447, -0.447, -1.34]))


@case(
    why="a float32 weight of 1.003 beside a bfloat16 x: rounded to x's dtype first, it is 1",
    clauses=("float32-inside", "affine"),
    own_precision=True,
    rtol=0.02,
    atol=1e-4,
)
def exact_weight(make: Inputs) -> Call:
    x = torch.tensor([[-1.0, 0.5, 2.0, 3.5]], dtype=torch.bfloat16)  # times 1.003: ±1.3457 and ±0.4486
    return call(x, torch.full((4,), 1.003), torch.tensor([1.34, 0.447, -0.447, -1.34]))


@case(why="bfloat16 with a float32 weight and bias: x decides the dtype", clauses=("float32-inside", "shapes"))
def mixed_dtypes(make: Inputs) -> Call:
    return call(make.normal(3, 6, mean=1.0, dtype=torch.bfloat16), *affine(make, 6))


@case(why="float32 with a bfloat16 weight and bias, as mixed checkpoints have", clauses=("shapes",))
def half_weight(make: Inputs) -> Call:
    return call(make.normal(3, 6, mean=0.5), *affine(make, 6, torch.bfloat16))


@case(why="no rows at all: nothing may crash", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5), *affine(make, 5))


@case(why="sizes of its own", fresh=True, clauses=("formula", "affine"))
def fresh(make: Inputs) -> Call:
    sizes = [make.size(1, 4), make.size(2, 6), make.size(7, 12)]
    x = make.normal(*sizes, mean=1.0) * make.uniform(sizes[1], 1, low=0.3, high=3.0)
    return call(x, *affine(make, sizes[2]), eps=1e-3)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("by-var", why="the variance by torch.var without its correction")
def by_var(x, weight=None, bias=None, eps=1e-5):
    wide = x.float()
    mean = wide.mean(-1, keepdim=True)
    var = wide.var(-1, unbiased=False, keepdim=True)
    result = (wide - mean) / torch.sqrt(var + eps)
    if weight is not None:
        result = result * weight.float()
    if bias is not None:
        result = result + bias.float()
    return result.to(x.dtype)


@equivalent("float64-inside", why="computes in float64")
def float64_inside(x, weight=None, bias=None, eps=1e-5):
    wide = x.double()
    centred = wide - wide.sum(-1, keepdim=True) / wide.shape[-1]
    scale = 1 / (centred.square().sum(-1, keepdim=True) / wide.shape[-1] + eps).sqrt()
    result = centred * scale * (1 if weight is None else weight.double())
    return (result if bias is None else result + bias.double()).to(x.dtype)


@equivalent("var-mean", why="both statistics in one call, default weight and bias made up")
def var_mean(x, weight=None, bias=None, eps=1e-5):
    d = x.shape[-1]
    weight = torch.ones(d) if weight is None else weight
    bias = torch.zeros(d) if bias is None else bias
    var, mean = torch.var_mean(x.float(), dim=-1, correction=0, keepdim=True)
    return torch.addcmul(bias.float(), (x.float() - mean) * (var + eps).rsqrt(), weight.float()).to(x.dtype)


@equivalent("fused", why="torch's own layer norm, on float32")
def fused(x, weight=None, bias=None, eps=1e-5):
    weight, bias = (None if value is None else value.float() for value in (weight, bias))
    return F.layer_norm(x.float(), x.shape[-1:], weight, bias, eps).to(x.dtype)


@equivalent("row-by-row", why="a loop over vectors, with einsum for the squares")
def row_by_row(x, weight=None, bias=None, eps=1e-5):
    rows = []
    for row in x.reshape(-1, x.shape[-1]).float():
        centred = row - row.mean()
        normal = centred / (torch.einsum("d,d->", centred, centred) / len(row) + eps) ** 0.5
        normal = normal if weight is None else normal * weight
        rows.append(normal if bias is None else normal + bias)
    return (torch.stack(rows) if rows else x.float()).reshape(x.shape).to(x.dtype)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    d = draw.pick(1, 2, 3, 4, 5, 8, 33)
    lead = [draw.pick(0, 1, 2, 3, d if d < 33 else 2) for _ in range(draw.pick(0, 1, 1, 2, 2, 3))]
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    kind = draw.pick("ordinary", "ordinary", "large", "small", "offset")
    draw.mark("values", kind)
    x = draw.normal(*lead, d, mean=draw.pick(0.0, 0.7, -1.5)) * {"large": 300.0, "small": 3e-3}.get(kind, 1.0)
    if kind == "offset":  # exact in each type
        far, step = {torch.float32: (1024, 8), torch.float16: (64, 8), torch.bfloat16: (16, 4)}[dtype]
        x = draw.integers(-12, 13, *lead, d) / step + far * draw.pick(1, -1)
        draw.within(rtol=0.02, atol=0.02)  # torch's own kernel is off by as much where few numbers are close together
    elif lead:
        x = x * draw.uniform(*lead, 1, low=0.3, high=3.0)
    if lead and 0 not in lead and draw.chance(0.25):
        draw.mark("a vector of equal numbers")
        x.view(-1, d)[draw.pick(0, -1)] = draw.pick(0.0, 2.5)
    constant = d == 1 or bool((x.amax(-1) == x.amin(-1)).any())
    weight = bias = None
    if draw.chance(0.7):
        weight = draw.layout(
            draw.normal(d, std=draw.pick(1.0, 1.0 if kind == "offset" else 30.0)).to(draw.pick(dtype, dtype, *_ANY))
        )
    if draw.chance(0.6):
        bias = draw.layout(draw.normal(d).to(draw.pick(dtype, dtype, *_ANY)))
    wide = all(value is None or value.dtype == torch.float32 for value in (weight, bias))
    graded = dtype == torch.float32 and wide and kind == "ordinary" and draw.chance(0.6)
    if graded:
        draw.gradients(*(i for i, value in enumerate((x, weight, bias)) if value is not None))
    # Where all is equal, rounding in the mean is the whole result: eps is then large beside it.
    small = () if constant else (0.0, 1e-12)
    eps = {"eps": draw.option(1e-5, 1e-3, 0.5, 1.0, 4.0, *small)} if draw.given(0.6) else {}
    x = draw.layout(x.to(dtype))
    if graded:
        return call(x, weight, bias, **eps)
    if weight is None and bias is None:
        return call(x, **eps)
    if draw.chance(0.4):
        return call(x, weight=weight, bias=bias, **eps)
    return call(x, weight, bias, **eps) if bias is not None else call(x, weight, **eps)


_ANY = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def torch_layer_norm(x, weight=None, bias=None, eps=1e-5):
    weight, bias = (None if value is None else value.float() for value in (weight, bias))
    return F.layer_norm(x.float(), (x.shape[-1],), weight, bias, eps).to(x.dtype)
