"""Cases, right kernels and peer of the kata rms-norm-backward; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from typing import Any

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def weights(make: Inputs, size: int) -> Any:
    """Channel weights of both signs, none near 0 or 1."""
    return make.uniform(size, low=0.3, high=2.0) * (1 - 2 * make.boolean(size, true=0.3).float())


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="vectors of different size, and a gradient that is not orthogonal to them: both paths show",
    clauses=("forward", "grad-x", "grad-weight", "returns"),
)
def base(make: Inputs) -> Call:
    x = make.normal(2, 3, 5, mean=1.0) * torch.tensor([0.5, 2.0, 4.0]).view(1, 3, 1)
    return call(make.normal(2, 3, 5, mean=0.7), x, weights(make, 5))


@case(why="one vector, no batch: there is nothing to sum over for the weight", clauses=("shapes", "grad-weight"))
def one_vector(make: Inputs) -> Call:
    return call(make.normal(6, mean=1.0), make.normal(6, mean=-1.0), weights(make, 6))


@case(why="four dimensions: the weight gathers the gradient over three of them", clauses=("shapes", "grad-weight"))
def four_dimensions(make: Inputs) -> Call:
    x = make.normal(2, 3, 4, 5, mean=0.5) * make.uniform(2, 3, 4, 1, low=0.3, high=3.0)
    return call(make.normal(2, 3, 4, 5, mean=0.5), x, weights(make, 5))


@case(why="as many vectors as channels: a mean without keepdim takes the wrong axis", clauses=("grad-x", "forward"))
def square(make: Inputs) -> Call:
    x = make.normal(4, 4, mean=0.5) * torch.tensor([0.5, 1.0, 2.0, 8.0]).view(4, 1)
    return call(make.normal(4, 4, mean=0.5), x, weights(make, 4))


@case(why="one channel: its output is its sign, so next to nothing flows back to x", clauses=("grad-x",))
def one_channel(make: Inputs) -> Call:
    return call(make.normal(3, 1, mean=1.0), torch.tensor([[3.0], [-0.5], [40.0]]), weights(make, 1))


@case(why="a gradient along x itself: only eps keeps it from cancelling", clauses=("grad-x", "forward"))
def along_x(make: Inputs) -> Call:
    x = make.normal(3, 6)
    return call(x * 2.0, x, torch.ones(6), 0.25)


@case(why="eps of 0.5 beside small values: its place, and that it stands in both factors", clauses=("forward",))
def large_eps(make: Inputs) -> Call:
    return call(make.normal(3, 7, mean=0.5), make.normal(3, 7, mean=0.3, std=0.5), weights(make, 7), eps=0.5)


@case(why="a vector of zeros: only the direct path is left, times 1 / sqrt(eps)", clauses=("grad-x", "forward"))
def zero_vector(make: Inputs) -> Call:
    x = make.normal(3, 5, mean=1.0)
    x[1] = 0.0
    return call(make.normal(3, 5, mean=0.5), x, weights(make, 5), 1e-2)


@case(why="eps left at 0", clauses=("forward",))
def no_eps(make: Inputs) -> Call:
    return call(make.normal(2, 5, mean=0.5), make.normal(2, 5, mean=1.0), weights(make, 5), eps=0.0)


@case(why="values near 300 in float16: their squares overflow", clauses=("float32-inside", "shapes"))
def float16_large(make: Inputs) -> Call:
    x = make.uniform(2, 3, 8, low=250.0, high=350.0, dtype=torch.float16)
    x[..., ::3] *= -1
    grad_output = make.normal(2, 3, 8, mean=200.0, std=300.0).half()
    return call(grad_output, x, weights(make, 8).half())


@case(
    why="bfloat16, and a gradient that nearly points along x: what is rounded early is most of the difference",
    clauses=("float32-inside", "shapes"),
)
def bfloat16(make: Inputs) -> Call:
    x = make.normal(3, 4, 7, mean=2.0)
    return call(
        (x + make.normal(3, 4, 7, std=0.2)).bfloat16(), x.bfloat16(), make.uniform(7, low=0.9, high=1.1).bfloat16()
    )


@case(why="3000 vectors in float16: a sum in float16 stops growing", clauses=("float32-inside", "grad-weight"))
def many_vectors(make: Inputs) -> Call:
    x = make.uniform(3000, 3, low=0.5, high=1.5, dtype=torch.float16)
    return call(make.uniform(3000, 3, low=0.5, high=1.5, dtype=torch.float16), x, weights(make, 3).half())


@case(
    why="a bfloat16 weight whose gradient nearly cancels over the batch: shares that are rounded one by one do not",
    clauses=("float32-inside", "grad-weight"),
)
def cancelling_weight(make: Inputs) -> Call:
    x = make.uniform(6, 4, low=0.5, high=2.0)
    grad_output, normal = make.normal(6, 4), x * torch.rsqrt(x.square().mean(-1, keepdim=True))
    grad_output[-1] = (0.02 - (grad_output * normal)[:-1].sum(0)) / normal[-1]
    return call(grad_output, x, weights(make, 4).bfloat16())


@case(
    why="bfloat16 activations, a float32 weight and its float32 gradient: each result has its own argument's dtype",
    clauses=("shapes", "grad-x", "grad-weight"),
)
def mixed_dtypes(make: Inputs) -> Call:
    return call(make.normal(3, 6, mean=0.5), make.normal(3, 6, mean=0.5).bfloat16(), weights(make, 6))


@case(why="float32 activations, a bfloat16 weight, a float16 gradient", clauses=("shapes", "grad-x", "grad-weight"))
def other_dtypes(make: Inputs) -> Call:
    return call(make.normal(3, 6, mean=0.5).half(), make.normal(3, 6, mean=0.5), weights(make, 6).bfloat16())


@case(why="no vectors at all: the weight's gradient is zeros", clauses=("always", "grad-weight"))
def no_vectors(make: Inputs) -> Call:
    return call(make.normal(2, 0, 5), make.normal(2, 0, 5), weights(make, 5))


@case(why="sizes of its own", fresh=True, clauses=("grad-x", "grad-weight", "shapes"))
def fresh(make: Inputs) -> Call:
    sizes = [make.size(1, 4), make.size(2, 6), make.size(5, 9)]
    x = make.normal(*sizes, mean=1.0) * make.uniform(sizes[1], 1, low=0.3, high=3.0)
    return call(make.normal(*sizes, mean=0.5), x, weights(make, sizes[2]), eps=1e-3)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    width = draw.pick(1, 2, 3, 4, 5, 8, 17)
    lead = [draw.pick(0, 1, 2, 3, min(width, 8), min(width, 8)) for _ in range(draw.pick(0, 1, 1, 2, 2, 3))]
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    others = [draw.pick(dtype, dtype, torch.float32, torch.float16, torch.bfloat16) for _ in range(2)]
    kind = draw.pick("ordinary", "ordinary", "large", "small", "parallel", "zeros")
    draw.mark("x", kind)
    x = draw.normal(*lead, width, mean=draw.pick(0.0, 0.7, -1.5)) * (300.0 if kind == "large" else 1.0)
    if kind == "small":  # beside an eps as large as its squares
        x = x * 0.05
    if lead:
        x = x * draw.uniform(*lead, 1, low=0.5, high=2.0)
    if kind == "zeros" and lead and 0 not in lead:
        x.view(-1, width)[draw.pick(0, -1)] = 0.0
    grad_output = draw.normal(*lead, width, mean=draw.pick(0.0, 0.5, 2.0), std=draw.pick(1.0, 1.0, 8.0))
    if kind == "parallel":
        grad_output = x + draw.normal(*lead, width, std=0.1)
    weight = draw.normal(width, std=draw.pick(1.0, 1.0, 4.0))
    if kind == "parallel":
        weight = 1.0 + 0.1 * weight
    usual = (1e-2, 0.25, 1.0) if kind in ("small", "zeros") else (1e-6, 1e-5, 1e-3, 0.25, 1.0, 4.0, 0.0)
    eps = {"eps": draw.option(*usual)} if kind in ("small", "zeros") or draw.given(0.6) else {}
    x, weight = draw.layout(x.to(dtype)), draw.layout(weight.to(others[1]))
    grad_output = draw.layout(grad_output.to(others[0]))
    if lead and draw.chance(0.1):
        grad_output = grad_output[:1].expand_as(grad_output)
    if eps and draw.chance(0.3):
        return call(grad_output, x, weight, eps["eps"])
    return call(grad_output, x, weight, **eps)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="a few lines, in float32")
def compact(grad_output, x, weight, eps=1e-6):
    dy, wide = grad_output.float(), x.float()
    mean_square = wide.square().mean(-1, keepdim=True)
    root = torch.rsqrt(mean_square + eps)
    normal, g = wide * root, dy * weight.float()
    along = (g * normal).mean(-1, keepdim=True)
    grad_x = root * (g - normal * along)
    rows = (dy * normal).reshape(-1, x.size(-1))
    return grad_x.to(x.dtype), rows.sum(0).to(weight.dtype)


@equivalent("textbook", why="the two paths on their own, with the cube of the inverse root, in float64")
def textbook(grad_output, x, weight, eps=1e-6):
    dy, wide, g = grad_output.double(), x.double(), grad_output.double() * weight.double()
    root = (wide.square().mean(-1, keepdim=True) + eps) ** -0.5
    through_root = (g * wide).sum(-1, keepdim=True) * root**3 * wide / x.shape[-1]
    grad_weight = torch.einsum("...d,...d->d", dy, wide * root)
    return (g * root - through_root).to(x.dtype), grad_weight.to(weight.dtype)


@equivalent("divides", why="divides by the root mean square, over rows of a matrix, and projects by matrix products")
def divides(grad_output, x, weight, eps=1e-6):
    rows, dy = x.reshape(-1, x.shape[-1]).float(), grad_output.reshape(-1, x.shape[-1]).float()
    rms = torch.sqrt((rows * rows).mean(1, keepdim=True) + eps)
    normal = rows / rms
    g = dy * weight.float()
    dots = torch.bmm(g.unsqueeze(1), normal.unsqueeze(2)).squeeze(2) / x.shape[-1]
    grad_x = (g - normal * dots) / rms
    grad_weight = torch.zeros(x.shape[-1]).add(torch.ones(len(rows)) @ (dy * normal))
    return grad_x.reshape(x.shape).to(x.dtype), grad_weight.to(weight.dtype)


@equivalent("vector-by-vector", why="a loop over the vectors that adds up the weight's gradient")
def vector_by_vector(grad_output, x, weight, eps=1e-6):
    size = x.shape[-1]
    rows, dys = x.reshape(-1, size).double(), grad_output.reshape(-1, size).double()
    grad_x, grad_weight = torch.zeros_like(rows), torch.zeros(size, dtype=torch.float64)
    for at in range(len(rows)):
        r = 1 / (rows[at] @ rows[at] / size + eps).sqrt()
        g = dys[at] * weight.double()
        grad_x[at] = r * g - r**3 * rows[at] * (g @ rows[at]) / size
        grad_weight += dys[at] * rows[at] * r
    return grad_x.reshape(x.shape).to(x.dtype), grad_weight.to(weight.dtype)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def by_autograd(grad_output, x, weight, eps=1e-6):
    exact, scale = x.detach().double().requires_grad_(), weight.detach().double().requires_grad_()
    with torch.enable_grad():
        y = torch.nn.functional.rms_norm(exact, (x.shape[-1],), scale, eps)
        grad_x, grad_weight = torch.autograd.grad(y, (exact, scale), grad_output.detach().double())
    return grad_x.to(x.dtype), grad_weight.to(weight.dtype)
