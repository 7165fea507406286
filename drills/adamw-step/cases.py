"""Cases, right kernels and peers of the kata adamw-step; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math
from typing import Any

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def state(make: Inputs, *sizes: int, steps: int, size: float = 1.0) -> tuple[Any, Any, int]:
    """Averages as they are after so many steps with gradients of about that size; zeros before the first."""
    if steps == 0:
        return torch.zeros(sizes), torch.zeros(sizes), 0
    first = make.uniform(*sizes, 1, low=0.2, high=2.0)[..., 0]
    return normal(make, *sizes) * 0.3 * size, first * size**2, steps


def normal(make: Inputs, *sizes: int) -> Any:
    """Normal numbers of any shape, none too."""
    return make.normal(*sizes, 1)[..., 0].clone()


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="a later step with a large rate and decay: their order shows, and so does each correction",
    clauses=("arguments", "state", "moments", "update", "decoupled"),
)
def base(make: Inputs) -> Call:
    return call(make.normal(3, 4), make.normal(3, 4), state(make, 3, 4, steps=4), 0.1, (0.8, 0.95), 1e-8, 0.5)


@case(why="the first step with all defaults", clauses=("state", "moments", "update"))
def first_step(make: Inputs) -> Call:
    return call(make.normal(2, 5), make.normal(2, 5), state(make, 2, 5, steps=0))


@case(
    why="an eps of 0.5: beside which root it stands, and that it is read at all",
    clauses=("update", "moments"),
)
def large_eps(make: Inputs) -> Call:
    return call(make.normal(6), make.normal(6), state(make, 6, steps=1), lr=0.2, eps=0.5, weight_decay=0.0)


@case(why="gradients near 1e-6 with the usual eps: at the first step it counts already", clauses=("update",))
def tiny_gradients(make: Inputs) -> Call:
    grad = make.uniform(2, 3, low=0.5e-6, high=2e-6) * torch.tensor([1.0, -1.0, 1.0])
    return call(make.normal(2, 3), grad, state(make, 2, 3, steps=0), lr=0.5)


@case(why="decay alone: a gradient of 0 with averages of 0, and no NaN", clauses=("zero", "decoupled"))
def no_gradient(make: Inputs) -> Call:
    grad = make.normal(2, 3)
    grad[0] = 0.0
    return call(make.normal(2, 3), grad, state(make, 2, 3, steps=0), 0.1, (0.9, 0.99), 1e-6, 1.0)


@case(
    why="a gradient of 0 everywhere, after steps that had one: averages and decay still move the parameter",
    clauses=("moments", "update", "decoupled"),
)
def still(make: Inputs) -> Call:
    return call(make.normal(2, 3), torch.zeros(2, 3), state(make, 2, 3, steps=3), 0.1, (0.9, 0.95), 1e-3, 0.5)


@case(
    why="β₂ = 0.99999 at the first step: in float32, 1 − β₂ is off by a thousandth, and the step with it",
    clauses=("moments",),
)
def slow_average(make: Inputs) -> Call:
    grad = make.uniform(2, 3, low=0.5, high=2.0) * torch.tensor([1.0, -1.0, 1.0])
    return call(make.normal(2, 3), grad, state(make, 2, 3, steps=0), 0.5, (0.9, 0.99999))


@case(why="no decay: the updates of Adam", clauses=("decoupled", "update"))
def no_decay(make: Inputs) -> Call:
    return call(make.normal(4), make.normal(4), state(make, 4, steps=2), 0.05, (0.5, 0.75), weight_decay=0.0)


@case(why="betas of 0 keep nothing: the step is the gradient's sign", clauses=("moments", "arguments"))
def betas_zero(make: Inputs) -> Call:
    grad = make.uniform(5, low=0.5, high=2.0) * torch.tensor([1.0, -1.0, -1.0, 1.0, 1.0])
    return call(make.normal(5), grad, state(make, 5, steps=3), 0.1, (0.0, 0.0), 0.0, 0.1)


@case(why="β₁ above β₂: neither stands in for the other", clauses=("moments",))
def betas_crossed(make: Inputs) -> Call:
    return call(make.normal(4), make.normal(4), state(make, 4, steps=2), 0.1, (0.95, 0.6), 1e-8, 0.1)


@case(why="after a hundred thousand steps the corrections are 1", clauses=("state", "moments"))
def late(make: Inputs) -> Call:
    return call(make.normal(2, 2), make.normal(2, 2), state(make, 2, 2, steps=99_999), lr=0.3, weight_decay=0.2)


@case(why="a rate of 0: the parameter stays, the averages do not", clauses=("decoupled", "moments"))
def rate_zero(make: Inputs) -> Call:
    return call(make.normal(3), make.normal(3), state(make, 3, steps=1), lr=0.0, weight_decay=0.5)


@case(why="a single number, without any size", clauses=("arguments",))
def scalar(make: Inputs) -> Call:
    return call(normal(make), normal(make), state(make, steps=1), lr=0.01)


@case(
    why="a bfloat16 parameter and gradient: the averages stay float32, and only the parameter is rounded",
    clauses=("arguments", "result"),
)
def bfloat16(make: Inputs) -> Call:
    param, grad = make.normal(3, 4).bfloat16(), make.normal(3, 4).bfloat16()
    return call(param, grad, state(make, 3, 4, steps=2), 0.02, (0.9, 0.95), 1e-8, 0.1)


@case(
    why="decay and update are less than half a step of bfloat16 each: rounded between, neither happens",
    clauses=("result",),
    own_precision=True,
    rtol=0.0,
    atol=1e-3,
)
def rounded_once(make: Inputs) -> Call:
    param = 1 + (2 * make.integers(0, 12, 6) + 1) / 128  # odd numbers of bfloat16, whose step is 1/128 here
    grad = make.uniform(6, low=0.5, high=2.0)
    return call(param.bfloat16(), grad, state(make, 6, steps=0), lr=0.0023, weight_decay=1.3)


@case(why="float16 gradients whose squares overflow, or drown", clauses=("arguments", "result"))
def float16(make: Inputs) -> Call:
    grad = (make.normal(2, 4) * torch.tensor([[400.0], [1e-4]])).half()
    return call(make.normal(2, 4).half(), grad, state(make, 2, 4, steps=0), lr=0.1)


@case(
    why="a half gradient for a float32 parameter; where it is 0, the averages still move the parameter",
    clauses=("arguments", "result", "update"),
)
def mixed(make: Inputs) -> Call:
    grad = make.normal(2, 4).half()
    grad[:, 1] = 0.0
    return call(make.normal(2, 4), grad, state(make, 2, 4, steps=5), lr=0.1)


@case(why="a parameter without entries", clauses=("always",))
def no_entries(make: Inputs) -> Call:
    return call(make.normal(0, 3), make.normal(0, 3), state(make, 0, 3, steps=1))


@case(why="the same state, stepped from three times: what was returned stays as it was", clauses=("always", "result"))
def from_one_state(make: Inputs) -> tuple[Call, ...]:
    param, kept = make.normal(4), state(make, 4, steps=1)
    return tuple(call(param, make.normal(4), kept, lr=0.1) for _ in range(3))


@case(why="sizes and settings of its own", fresh=True, clauses=("update", "moments"))
def fresh(make: Inputs) -> Call:
    sizes, random = [make.size(1, 3), make.size(4, 6)], make.random
    betas = (random.uniform(0.5, 0.95), random.uniform(0.6, 0.99))
    kept = state(make, *sizes, steps=make.size(1, 9))
    return call(
        make.normal(*sizes), make.normal(*sizes), kept, random.uniform(0.05, 0.5), betas, 1e-3, random.uniform(0.1, 1.0)
    )


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_step(draw: Draw) -> Call:
    sizes = [draw.pick(0, 1, 2, 3, 4) for _ in range(draw.pick(0, 1, 1, 2, 2, 3))]
    halves = (torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    dtype = draw.pick(*halves)
    grad_dtype = dtype if draw.chance(0.7) else draw.pick(*halves)
    steps, size = draw.pick(0, 0, 1, 2, 5, 100, 20_000), draw.pick(1.0, 1.0, 1.0, 1e-3, 1e-6, 300.0)
    draw.mark("steps", steps)
    draw.mark("size", size)
    grad = normal(draw, *sizes) * size
    zeros = grad.numel() > 1 and draw.chance(0.25)
    if zeros:
        draw.mark("a gradient of 0")
        grad.view(-1)[0] = 0.0
    param = draw.layout(normal(draw, *sizes).to(dtype))
    kept = state(draw, *sizes, steps=steps, size=size)
    options: dict[str, Any] = {}
    if draw.given(0.7):
        options["lr"] = draw.option(0.0, 0.01, 0.1, 0.5, 1.0)
    if draw.given(0.6):
        options["betas"] = draw.option((0.9, 0.95), (0.9, 0.98), (0.5, 0.5), (0.0, 0.9), (0.9, 0.0), (0.99, 0.9))
    if draw.given(0.6):
        options["eps"] = draw.option(1e-8, 1e-6, 1e-3, 0.1, 1.0)
    if draw.given(0.6):
        options["weight_decay"] = draw.option(0.0, 0.01, 0.1, 0.5, 1.0, 3.0)
    return call(param, draw.layout(grad.to(grad_dtype)), kept, **options)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="the formula in a few lines", variants=("torch",))
def compact(
    param, grad, state, lr=1e-3,
    betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01,
):  # fmt: skip
    m, v, steps = state
    b1, b2 = betas
    t = steps + 1
    p, g = param.float(), grad.float()
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g**2
    c1, c2 = 1 - b1**t, 1 - b2**t
    root = (v / c2).sqrt() + eps
    move = m / c1 / root
    p = p - lr * (move + weight_decay * p)
    return p.to(param.dtype), (m, v, t)


@equivalent("as-torch-does", why="lerp, addcmul, addcdiv on copies, as torch.optim writes it", variants=("torch",))
def as_torch_does(param, grad, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    grad = grad.detach().float()
    exp_avg, exp_avg_sq, step = state[0].detach().clone(), state[1].detach().clone(), state[2] + 1
    p = param.detach().float().clone()
    p.mul_(1 - lr * weight_decay)
    exp_avg.lerp_(grad, 1 - betas[0])
    exp_avg_sq.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    denom = (exp_avg_sq.sqrt() / math.sqrt(1 - betas[1] ** step)).add_(eps)
    p.addcdiv_(exp_avg, denom, value=-lr / (1 - betas[0] ** step))
    return p.to(param.dtype), (exp_avg, exp_avg_sq, step)


@equivalent("one-expression", why="the paper's line 12: old parameter and update in one bracket", variants=("torch",))
def one_expression(param, grad, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    (m, v, step), (b1, b2) = state, betas
    m = m + (1 - b1) * (grad.float() - m)
    v = v + (1 - b2) * (grad.float().pow(2) - v)
    step = step + 1
    theta = param.to(torch.float32)
    change = (m / (1 - b1**step)).div(torch.sqrt(v / (1 - b2**step)) + eps) + weight_decay * theta
    return (theta - lr * change).type_as(param), (m, v, step)


@equivalent("as-transformers-did", why="in place on copies, as transformers wrote it", variants=("transformers",))
def as_transformers_did(param, grad, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    grad, p = grad.detach().float(), param.detach().float().clone()
    exp_avg, exp_avg_sq = state[0].detach().clone(), state[1].detach().clone()
    beta1, beta2 = betas
    step = state[2] + 1
    exp_avg.mul_(beta1).add_(grad, alpha=(1.0 - beta1))
    exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1.0 - beta2)
    denom = exp_avg_sq.sqrt().add_(eps)
    step_size = lr * math.sqrt(1.0 - beta2**step) / (1.0 - beta1**step)
    p.addcdiv_(exp_avg, denom, value=-step_size)
    p.add_(p, alpha=(-lr * weight_decay))
    return p.to(param.dtype), (exp_avg, exp_avg_sq, step)


@equivalent(
    "scaled-eps", why="the paper's bracket with eps scaled to match, decay as a factor", variants=("transformers",)
)
def scaled_eps(param, grad, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    (m, v, step), (b1, b2) = state, betas
    t = step + 1
    m = b1 * m + (1 - b1) * grad.float()
    v = b2 * v + (1 - b2) * grad.float() ** 2
    root = math.sqrt(1 - b2**t)
    move = (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps / root)
    return ((param.float() - lr * move) * (1 - lr * weight_decay)).to(param.dtype), (m, v, t)


@equivalent("float64-inside", why="computes in float64", variants=("transformers",))
def float64_inside(param, grad, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    m, v, t = state[0].double(), state[1].double(), state[2] + 1
    m = betas[0] * m + (1 - betas[0]) * grad.double()
    v = betas[1] * v + (1 - betas[1]) * grad.double().square()
    rate = lr * (1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t)
    p = param.double() - rate * m / (v.sqrt() + eps)
    p = p - lr * weight_decay * p
    return p.to(param.dtype), (m.float(), v.float(), t)


# Peers ------------------------------------------------------------------------------------------------------------


@peer("torch", variants=("torch",))
def torch_adamw(param, grad, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    leaf = torch.nn.Parameter(param.detach().float().clone())
    leaf.grad = grad.detach().float().clone()
    optimizer = torch.optim.AdamW([leaf], lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
    m, v, step = state
    optimizer.state[leaf] = {
        "step": torch.tensor(float(step)), "exp_avg": m.detach().clone(), "exp_avg_sq": v.detach().clone(),
    }  # fmt: skip
    optimizer.step()
    kept = optimizer.state[leaf]
    return leaf.detach().to(param.dtype), (kept["exp_avg"], kept["exp_avg_sq"], int(kept["step"]))


@peer("numpy", variants=("transformers",))
def numpy_transformers(param, grad, state, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    import numpy as np

    p, g, m, v = (np.asarray(t.detach().double()) for t in (param, grad, state[0], state[1]))
    t = state[2] + 1
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * np.square(g)
    epsilon = eps / np.sqrt(1 - betas[1] ** t)  # Kingma & Ba, §2: the same as eps beside the uncorrected root
    p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + epsilon)
    p = p * (1 - lr * weight_decay)
    return torch.as_tensor(p).to(param.dtype), (torch.as_tensor(m).float(), torch.as_tensor(v).float(), t)
