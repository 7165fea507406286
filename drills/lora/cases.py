"""Cases, right kernels and peers of the kata lora; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="every size differs, and alpha is neither r nor a power of it",
    clauses=("shapes", "output", "scale", "changed", "always"),
)
def base(make: Inputs) -> Call:
    return call(make.normal(2, 4, 5), make.normal(6, 5), make.normal(3, 5), make.normal(6, 3), 7.0)


@case(why="a merged weight: its output is the layer's, and the base comes back", clauses=("merged", "changed", "scale"))
def merged(make: Inputs) -> Call:
    return call(make.normal(3, 5), make.normal(4, 5), make.normal(2, 5), make.normal(4, 2), 6.0, merged=True)


@case(why="a fresh adapter, though a is not zero: the base's output, and the same weight", clauses=("fresh", "changed"))
def fresh_adapter(make: Inputs) -> Call:
    return call(make.normal(2, 3, 5), make.normal(4, 5), make.normal(2, 5), None, 8.0)


@case(why="a fresh adapter on a merged weight: there is nothing to take out", clauses=("fresh", "merged"))
def fresh_and_merged(make: Inputs) -> Call:
    return call(make.normal(2, 5), make.normal(4, 5), make.normal(3, 5), None, 8.0, True)


@case(
    why="D_in = D_out = r = 4: neither a transpose nor the other order crashes", clauses=("shapes", "output", "changed")
)
def equal_sizes(make: Inputs) -> Call:
    return call(make.normal(4, 4), make.normal(4, 4), make.normal(4, 4), make.normal(4, 4), 3.0)


@case(why="rank one: alpha is the scale under either rule", clauses=("scale", "shapes"))
def rank_one(make: Inputs) -> Call:
    return call(make.normal(3, 4), make.normal(2, 4), make.normal(1, 4), make.normal(2, 1), 0.5, merged=False)


@case(why="a rank above both sizes, and alpha below 1", clauses=("scale", "shapes"))
def high_rank(make: Inputs) -> Call:
    return call(make.normal(2, 3), make.normal(2, 3), make.normal(9, 3), make.normal(2, 9), 0.25, merged=True)


@case(why="alpha 0 switches the adapter off; one vector, no batch", clauses=("scale", "shapes"))
def alpha_zero(make: Inputs) -> Call:
    return call(make.normal(5), make.normal(4, 5), make.normal(2, 5), make.normal(4, 2), 0.0)


@case(why="gradients reach x and both factors through the output", grads=(0, 2, 3), clauses=("always", "result"))
def gradients(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4), make.normal(5, 4), make.normal(2, 4), make.normal(5, 2), 3.0)


@case(
    why="merged, gradients reach x alone, and the changed weight still carries none",
    grads=(0,),
    clauses=("merged", "result"),
)
def merged_gradients(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4), make.normal(5, 4), make.normal(2, 4), make.normal(5, 2), 3.0, merged=True)


@case(
    why="a bfloat16 weight and float32 factors whose product is small beside it: rounded once, some of it survives",
    clauses=("float32-inside", "result", "changed"),
)
def small_adapter(make: Inputs) -> Call:
    weight = make.uniform(5, 6, low=1.0, high=1.9, dtype=torch.bfloat16)
    return call(make.normal(3, 6).bfloat16(), weight, make.normal(2, 6) * 0.05, make.normal(5, 2) * 0.05, 4.0)


@case(
    why="float16 whose products cancel: their parts lie beyond float16, the sum does not",
    clauses=("float32-inside", "shapes", "result"),
)
def cancelling(make: Inputs) -> Call:
    x = torch.tensor([[300.0, -300.0, 2.0]], dtype=torch.float16)
    weight = (make.normal(4, 3) + torch.tensor([300.0, 300.0, 0.0])).half()
    a = torch.tensor([[250.0, 250.0, 1.0], [-200.0, -200.0, 0.5]], dtype=torch.float16)
    return call(x, weight, a, make.normal(4, 2).half(), 2.0)


@case(
    why="x Aᵀ lies beyond float16, and B brings it back: the step between is not rounded",
    clauses=("float32-inside", "output"),
)
def wide_middle(make: Inputs) -> Call:
    x = torch.tensor([[300.0, 300.0, 1.0]], dtype=torch.float16)
    a = torch.tensor([[250.0, 250.0, 1.0], [200.0, 300.0, -1.0]], dtype=torch.float16)
    return call(x, make.normal(4, 3).half(), a, make.uniform(4, 2, low=0.005, high=0.02).half(), 2.0)


@case(
    why="base and adapter nearly cancel in float16: whichever is rounded before the sum leaves another rest",
    clauses=("float32-inside", "output"),
)
def parts_cancel(make: Inputs) -> Call:
    weight = torch.tensor([[400.25, 400.0, 200.125], [-400.0, -400.0, -199.625]], dtype=torch.float16)
    a = torch.tensor([[400.0, 400.0, 200.0]], dtype=torch.float16)
    return call(torch.ones(2, 3).half(), weight, a, torch.tensor([[-1.0], [1.0]]).half(), 1.0)


@case(
    why="sums just below the middle of two bfloat16 numbers: a delta rounded on its own lands on the middle",
    clauses=("float32-inside", "changed"),
    own_precision=True,
    rtol=0.0,
    atol=1e-3,
)
def between_two(make: Inputs) -> Call:
    # Odd numbers of bfloat16 between 1 and 2, which step by 2⁻⁷: on the middle, rounding would go up to the even one.
    odd = 1 + (2 * make.integers(0, 60, 3, 4) + 1) / 128
    b = torch.tensor([[2**-8 - 2**-18], [2**-8 - 2**-19], [2**-8 - 2**-18]])
    return call(make.integers(-4, 4, 2, 4).float(), odd.bfloat16(), torch.ones(1, 4), b, 1.0)


@case(
    why="merged in bfloat16: x is not rounded to the weight's dtype, and what is taken out is not rounded on its own",
    clauses=("float32-inside", "merged", "changed"),
    own_precision=True,
    rtol=0.0,
    atol=1e-3,
)
def merged_between_two(make: Inputs) -> Call:
    # The differences lie just above the middle: on it, rounding would go down to the even one.
    odd = 1 + (2 * make.integers(0, 60, 3, 4) + 1) / 128
    b = torch.tensor([[2**-8 - 2**-18], [2**-8 - 2**-19], [2**-8 - 2**-18]])
    return call(make.normal(2, 4), odd.bfloat16(), torch.ones(1, 4), b, 1.0, merged=True)


@case(
    why="half factors beside a float32 layer, under a scale that no half type holds, in either state",
    clauses=("shapes", "result", "float32-inside"),
)
def half_factors(make: Inputs) -> tuple[Call, ...]:
    a, b = make.normal(3, 5).half(), make.normal(4, 3).bfloat16()
    x, weight = make.normal(2, 5), make.normal(4, 5)
    return tuple(call(x, weight, a, b, 10.0, merged=merged) for merged in (False, True))


@case(why="x in bfloat16 on a float32 weight: each result has a dtype of its own", clauses=("result",))
def mixed(make: Inputs) -> Call:
    return call(make.normal(2, 5).bfloat16(), make.normal(4, 5), make.normal(2, 5), make.normal(4, 2), 2.0)


@case(why="no rows at all: the weight still changes", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5), make.normal(4, 5), make.normal(2, 5), make.normal(4, 2), 2.0)


@case(why="sizes, rank and alpha of its own", fresh=True, clauses=("output", "scale", "changed"))
def fresh(make: Inputs) -> Call:
    d_in, d_out, r = make.size(5, 7), make.size(2, 4), make.size(8, 9)
    x, a, b = make.normal(make.size(1, 3), 2, d_in), make.normal(r, d_in), make.normal(d_out, r)
    return call(x, make.normal(d_out, d_in), a, b, float(make.size(1, 9)), make.random.random() < 0.5)


# Domain -----------------------------------------------------------------------------------------------------------

_DTYPES = (torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)


@domain()
def any_layer(draw: Draw) -> Call:
    d_in, d_out = draw.pick(1, 2, 3, 4, 6), draw.pick(1, 2, 3, 4, 5)
    r = draw.pick(1, 2, 3, 4, d_in, d_out, 8)
    lead = [draw.pick(0, 1, 2, 3, d_in) for _ in range(draw.pick(0, 1, 1, 2, 3))]
    own, one = draw.chance(0.3), draw.pick(*_DTYPES)
    dtypes = [draw.pick(*_DTYPES) if own else one for _ in range(4)]
    draw.mark("dtypes", "differ" if len(set(dtypes)) > 1 else "one")
    size = draw.pick(1.0, 1.0, 1.0, 0.05, 8.0)
    draw.mark("size", size)
    x = draw.layout((draw.normal(*lead, d_in) * size).to(dtypes[0]))
    weight = draw.layout(draw.normal(d_out, d_in).to(dtypes[1]))
    a = draw.layout((draw.normal(r, d_in) * size).to(dtypes[2]))
    b = None if draw.chance(0.15) else draw.layout(draw.normal(d_out, r).to(dtypes[3]))
    alpha, merged = draw.option(0.0, 0.5, 1.0, 2.0, 3.0, float(r), 16.0, -1.0), draw.option(False, False, True)
    if set(dtypes) == {torch.float32} and draw.chance(0.4):
        draw.gradients(*((0,) if merged or b is None else (0, 2, 3)))
    if draw.given(0.5) or merged:
        return call(x, weight, a, b, alpha, merged) if draw.given(0.5) else call(x, weight, a, b, alpha, merged=merged)
    return call(x, weight, a, b, alpha)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="one delta for both, and the output of the merged weight's parts", variants=("standard",))
def compact(x, weight, a, b, alpha, merged=False):
    r = a.shape[0]
    if b is None:
        b = torch.zeros(weight.shape[0], r)
    scale = alpha / r
    w, xf = weight.float(), x.float()
    a, b = a.float(), b.float()
    y = xf @ w.T
    if not merged:
        y = y + scale * (xf @ a.T @ b.T)
    delta = scale * (b @ a).detach()
    changed = w - delta if merged else w + delta
    changed = changed.detach().to(weight.dtype)
    return y.to(x.dtype), changed


@equivalent("whole-matrix", why="the output of W + delta as one product", variants=("standard",))
def whole_matrix(x, weight, a, b, alpha, merged=False):
    delta = 0.0 if b is None else torch.einsum("or,ri->oi", b.float(), a.float()) * (alpha / len(a))
    sign = -1 if merged else 1
    other = weight.float() + sign * delta
    used = weight.float() if merged else other
    return F.linear(x.float(), used).to(x.dtype), other.detach().clone().to(weight.dtype)


@equivalent("outer-products", why="a sum of r outer products, in float64", variants=("standard",))
def outer_products(x, weight, a, b, alpha, merged=False):
    delta = torch.zeros(weight.shape, dtype=torch.float64)
    if b is not None:
        for row, column in zip(a.double(), b.double().T, strict=True):
            delta = delta + column[:, None] * row[None, :] * alpha / a.shape[0]
    base = weight.double() - delta.detach() * merged
    y = (x.double()[..., None, :] * (base + delta)).sum(-1)
    if merged:
        y = (x.double()[..., None, :] * weight.double()).sum(-1)
    changed = base if merged else base + delta.detach()
    return y.to(x.dtype), changed.detach().to(weight.dtype)


@equivalent("linear-layers", why="two linear layers, the scale folded into B", variants=("rank-stabilised",))
def linear_layers(x, weight, a, b, alpha, merged=False):
    rank, base = a.size(0), weight.float()
    up = torch.zeros(base.size(0), rank) if b is None else b.float() * (alpha * rank**-0.5)
    y = F.linear(x.float(), base)
    if not merged:
        y = y + F.linear(F.linear(x.float(), a.float()), up)
    with torch.no_grad():
        changed = torch.addmm(base, up, a.float(), alpha=-1 if merged else 1)
    return y.type_as(x), changed.type_as(weight)


@equivalent("whole-matrix-root", why="the output of W + delta as one product", variants=("rank-stabilised",))
def whole_matrix_root(x, weight, a, b, alpha, merged=False):
    delta = 0.0 if b is None else torch.einsum("or,ri->oi", b.float(), a.float()) * alpha / len(a) ** 0.5
    other = weight.float() - delta if merged else weight.float() + delta
    used = weight.float() if merged else other
    return F.linear(x.float(), used).to(x.dtype), other.detach().clone().to(weight.dtype)


@equivalent(
    "factors-first", why="A is scaled before anything, and a fresh layer returns early", variants=("rank-stabilised",)
)
def factors_first(x, weight, a, b, alpha, merged=False):
    import numpy as np

    y = torch.matmul(x.float(), weight.float().t())
    if b is None:
        return y.to(x.dtype), weight.detach().clone()
    down = a.float() * (alpha / np.sqrt(a.shape[0]))
    if not merged:
        y = y + torch.matmul(torch.matmul(x.float(), down.t()), b.float().t())
    delta = (b.float() @ down).detach()
    return y.to(x.dtype), (weight.detach().float() + (-delta if merged else delta)).to(weight.dtype)


# Peers ------------------------------------------------------------------------------------------------------------


def _by_numpy(x, weight, a, b, scale, merged):
    import numpy as np

    base, states = weight.detach().double().numpy(), x.detach().double().numpy()
    delta = np.zeros_like(base)
    if b is not None:
        delta = scale * b.detach().double().numpy().dot(a.detach().double().numpy())
    full = base if merged else base + delta
    y = np.einsum("...i,oi->...o", states, full)
    changed = base - delta if merged else full
    return torch.from_numpy(np.asarray(y)).to(x.dtype), torch.from_numpy(changed.copy()).to(weight.dtype)


@peer("numpy", skips={"gradients": "it has none", "merged-gradients": "it has none"}, variants=("standard",))
def numpy_standard(x, weight, a, b, alpha, merged=False):
    return _by_numpy(x, weight, a, b, alpha / a.shape[0], merged)


@peer("numpy", skips={"gradients": "it has none", "merged-gradients": "it has none"}, variants=("rank-stabilised",))
def numpy_rank_stabilised(x, weight, a, b, alpha, merged=False):
    return _by_numpy(x, weight, a, b, alpha / a.shape[0] ** 0.5, merged)
