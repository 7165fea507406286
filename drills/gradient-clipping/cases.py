"""Cases, right kernels and peers of the kata gradient-clipping; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="gradients of different size and shape, whose norm is well above the limit",
    clauses=("grads", "norm", "coefficient", "scaled", "result"),
)
def base(make: Inputs) -> Call:
    return call([make.normal(3, 4), make.normal(5) * 4, make.normal(2, 2, 2) * 0.3], 1.0)


@case(why="small already: nothing changes, and nothing grows", clauses=("coefficient", "result"))
def below(make: Inputs) -> Call:
    return call([make.normal(3) * 0.1, make.normal(2, 2) * 0.1], 5.0)


@case(why="each norm is below the limit, the global one above it", clauses=("norm", "coefficient"))
def only_together(make: Inputs) -> Call:
    return call([make.uniform(4, low=0.3, high=0.45) for _ in range(5)], 1.0)


@case(why="a parameter without a gradient keeps its place", clauses=("grads", "result"))
def without_gradient(make: Inputs) -> Call:
    return call([None, make.normal(3) * 2, None, make.normal(2, 3)], 0.5)


@case(why="no gradient anywhere: the norm is 0", clauses=("grads", "norm"))
def none_at_all(make: Inputs) -> Call:
    return call([None, None], 1.0)


@case(why="an empty list", clauses=("grads", "norm", "result"))
def empty_list(make: Inputs) -> Call:
    return call([], 2.0)


@case(why="gradients of zeros, and a limit of 0: no 0/0", clauses=("coefficient", "norm"))
def zeros(make: Inputs) -> Call:
    return call([torch.zeros(3), torch.zeros(2, 2)], 0.0)


@case(why="a limit of 0 lets nothing through", clauses=("coefficient", "scaled"))
def limit_zero(make: Inputs) -> Call:
    return call([make.normal(3), make.normal(2)], 0.0)


@case(
    why="norms near 1e-6: whether anything is added to them shows",
    clauses=("coefficient",),
    rtol=1e-4,
    atol=1e-12,
)
def tiny(make: Inputs) -> Call:
    return call([make.uniform(4, low=1.0, high=2.0) * 1e-6, make.uniform(2, low=1.0, high=2.0) * 1e-6], 1e-6)


@case(
    why="a tiny norm just below the limit, which 1e-6 would lift above it: whether the factor is asked, or the norm",
    clauses=("coefficient",),
    rtol=1e-4,
    atol=1e-12,
)
def just_below(make: Inputs) -> Call:
    return call([torch.tensor([3e-6, -1e-6]), torch.tensor([[-1e-6], [5e-6]])], 6.4e-6)  # the norm is 6e-6


@case(why="the sum of absolute values", clauses=("norm",))
def norm_one(make: Inputs) -> Call:
    return call([make.normal(3, 2), make.normal(4) * 2], 1.5, 1.0)


@case(why="the largest absolute value, which is a negative number", clauses=("norm",))
def norm_inf(make: Inputs) -> Call:
    grads = [make.uniform(5, low=-1.0, high=1.0), make.uniform(2, 2, low=-1.0, high=1.0)]
    grads[0][2], grads[1][0, 1] = 2.95, -3.0  # nearly as large: a high power is not the maximum
    return call(grads, 0.75, norm_type=math.inf)


@case(why="a single number without any size, beside a vector", clauses=("grads", "scaled"))
def scalar(make: Inputs) -> Call:
    return call([make.normal(1)[0] + 3, make.normal(3)], 0.5)


@case(
    why="float16 near 300, whose squares overflow, beside float16 near 1e-4, whose squares drown",
    clauses=("norm", "scaled", "grads"),
)
def float16(make: Inputs) -> Call:
    return call([make.uniform(4, low=250, high=350).half(), make.uniform(3, low=1e-4, high=2e-4).half()], 1.0)


@case(why="float16 alone, so small that its squares are 0", clauses=("norm", "coefficient"))
def float16_small(make: Inputs) -> Call:
    return call([make.uniform(6, low=1e-4, high=2e-4).half(), make.uniform(2, low=1e-4, high=2e-4).half()], 1e-4)


@case(why="each gradient comes back in its own dtype, the number without a size too", clauses=("scaled", "grads"))
def mixed(make: Inputs) -> Call:
    return call(
        [make.normal(4).bfloat16(), make.normal(3).half(), make.normal(2), (make.normal(1)[0] + 2).bfloat16()], 0.75
    )


def _twice_rounded() -> torch.Tensor:
    """Numbers of bfloat16 that a third rounds one way, and a third that was rounded itself another way."""
    numbers = (torch.arange(128, 256) / 2**14).bfloat16()
    third = numbers.double() / 3
    place = third / 2.0 ** (torch.floor(torch.log2(third)) - 7)  # in steps of bfloat16
    clear = ((place - place.floor()) - 0.5).abs() > 0.1
    other = (numbers * torch.tensor(1 / 3).bfloat16()) != third.bfloat16()
    return numbers[clear & other][:8]


@case(
    why="a factor near a third, which bfloat16 does not hold: rounded itself, it lands the products elsewhere",
    clauses=("scaled",),
    own_precision=True,
    rtol=1e-3,
    atol=0.0,
)
def rounded_once(make: Inputs) -> Call:
    # With a limit of 3, dividing by the norm and multiplying by the limit are two roundings, too.
    return call([_twice_rounded(), torch.tensor([9.0])], 3.0)


@case(why="numbers and sizes of their own", fresh=True, clauses=("norm", "coefficient", "always"))
def fresh(make: Inputs) -> Call:
    grads = [
        make.normal(make.size(1, 4), make.size(1, 4)) * make.random.uniform(0.2, 3) for _ in range(make.size(2, 4))
    ]
    return call(grads, make.random.uniform(0.1, 1.0))


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_gradients(draw: Draw) -> Call:
    size = draw.pick(1.0, 1.0, 1.0, 0.01, 1e-6, 200.0, 0.0)
    draw.mark("size", size)
    if size == 1e-6:
        draw.within(rtol=1e-5, atol=1e-12)
    dtypes = (torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    grads: list[torch.Tensor | None] = []
    for _ in range(draw.pick(0, 1, 1, 2, 2, 3, 4)):
        if draw.chance(0.15):
            grads.append(None)
            continue
        sizes = [draw.pick(1, 2, 3, 4) for _ in range(draw.pick(0, 1, 1, 2, 2, 3))]
        dtype = draw.pick(*dtypes) if size != 1e-6 else torch.float32
        grads.append(draw.layout((draw.normal(*sizes, 1)[..., 0] * size).to(dtype)))
    draw.mark(
        "gradients",
        "none"
        if all(grad is None for grad in grads)
        else "some are None"
        if None in [g if g is None else 0 for g in grads]
        else "all",
    )
    options: dict[str, float] = {}
    if draw.given(0.5):
        options["norm_type"] = draw.option(2.0, 1.0, 1.0, math.inf, math.inf)
    return call(grads, draw.option(0.0, 0.1, 0.5, 1.0, 2.0, 10.0, 1000.0) * (size or 1.0), **options)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="loops, and the norm of the norms", variants=("torch",))
def compact(grads, max_norm, norm_type=2.0):
    norm_of = torch.linalg.vector_norm
    norms = []
    for g in grads:
        if g is not None:
            norms.append(norm_of(g.float(), norm_type))
    norm = torch.tensor(0.0)
    if norms:
        norms = torch.stack(norms)
        norm = norm_of(norms, norm_type)
    c = max_norm / (norm + 1e-6)
    c = torch.clamp(c, max=1.0)
    clipped = []
    for g in grads:
        if g is None:
            clipped.append(None)
        else:
            clipped.append((g.float() * c).to(g.dtype))
    return clipped, norm


@equivalent("by-utils", why="torch's own utilities on float32 copies", variants=("torch",))
def by_utils(grads, max_norm, norm_type=2.0):
    kept = [g.detach().float() for g in grads if g is not None]
    norm = torch.nn.utils.get_total_norm(kept, norm_type)
    leaves = [torch.nn.Parameter(torch.zeros_like(g)) for g in kept]
    for leaf, g in zip(leaves, kept, strict=True):
        leaf.grad = g.clone()
    torch.nn.utils.clip_grads_with_norm_(leaves, max_norm, norm)
    scaled = iter(leaves)
    return [None if g is None else next(scaled).grad.to(g.dtype) for g in grads], norm


@equivalent("one-vector", why="one long vector, and a Python factor", variants=("torch",))
def one_vector(grads, max_norm, norm_type=2.0):
    flat = torch.cat([g.reshape(-1).to(torch.float32) for g in grads if g is not None] or [torch.zeros(1)])
    norm = {2.0: lambda x: x.square().sum().sqrt(), 1.0: lambda x: x.abs().sum(), math.inf: lambda x: x.abs().max()}[
        norm_type
    ](flat)
    factor = min(1.0, max_norm / (norm.item() + 1e-6))
    return [g if g is None else (g.to(torch.float32) * factor).type_as(g) for g in grads], norm


@equivalent("clip-only-above", why="copies what need not be clipped", variants=("exact",))
def clip_only_above(grads, max_norm, norm_type=2.0):
    flat = [g.flatten().float() for g in grads if g is not None]
    norm = torch.cat(flat).norm(norm_type) if flat else torch.zeros([])
    if norm <= max_norm:
        return [None if g is None else g.detach().clone() for g in grads], norm
    return [None if g is None else (g.float() * (max_norm / norm)).to(g.dtype) for g in grads], norm


@equivalent("as-tensorflow", why="max_norm over the larger of norm and max_norm", variants=("exact",))
def as_tensorflow(grads, max_norm, norm_type=2.0):
    total = torch.tensor(0.0, dtype=torch.float64)
    for g in grads:
        if g is None:
            continue
        size = g.double().abs()
        if norm_type == 2.0:
            total = total + (size**2).sum()
        elif norm_type == 1.0:
            total = total + size.sum()
        else:
            total = torch.maximum(total, size.max())
    norm = total.sqrt() if norm_type == 2.0 else total
    larger = max(norm.item(), max_norm)
    factor = max_norm / larger if larger > 0 else 1.0
    return [None if g is None else (g.double() * factor).to(g.dtype) for g in grads], norm.float()


@equivalent("as-optax", why="divides by the norm, then multiplies by the limit", variants=("exact",))
def as_optax(grads, max_norm, norm_type=2.0):
    import numpy as np

    parts = [np.linalg.norm(g.detach().double().numpy().ravel(), norm_type) for g in grads if g is not None]
    norm = torch.tensor(float(np.linalg.norm(parts, norm_type)) if parts else 0.0, dtype=torch.float32)
    clip = bool(norm > max_norm)
    return [g if g is None else (g.float() / norm * max_norm).to(g.dtype) if clip else g + 0 for g in grads], norm


# Peers ------------------------------------------------------------------------------------------------------------


@peer("torch", variants=("torch",))
def torch_clip(grads, max_norm, norm_type=2.0):
    """Torch's clipping of float32 gradients, which measures half ones in their own dtype."""
    leaves = [None if g is None else torch.nn.Parameter(torch.zeros_like(g, dtype=torch.float32)) for g in grads]
    for leaf, g in zip(leaves, grads, strict=True):
        if leaf is not None:
            leaf.grad = g.detach().float().clone()
    given = [leaf for leaf in leaves if leaf is not None]
    norm = torch.nn.utils.clip_grad_norm_(given, max_norm, norm_type)
    return [g if g is None else leaf.grad.to(g.dtype) for leaf, g in zip(leaves, grads, strict=True)], norm


@peer("numpy", variants=("exact",))
def numpy_exact(grads, max_norm, norm_type=2.0):
    import numpy as np

    numbers = np.concatenate([[0.0], *(g.detach().double().numpy().ravel() for g in grads if g is not None)])
    norm = np.linalg.norm(numbers, norm_type)
    factor = max_norm / norm if norm > max_norm else 1.0
    clipped = [None if g is None else (g.detach().double() * factor).to(g.dtype) for g in grads]
    return clipped, torch.tensor(norm, dtype=torch.float32)
