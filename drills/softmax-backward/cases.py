"""Cases, right kernels and peer of the kata softmax-backward; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def saved(scores: Any, dim: int = -1, hidden: Any = None) -> Any:
    """What a forward pass saves: the softmax of the scores, 0 where they are hidden, zeros where all are."""
    if hidden is not None:
        scores = scores.masked_fill(hidden, float("-inf"))
    return torch.softmax(scores, dim).nan_to_num(0.0)


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="three sizes that differ: the sum runs along the last one, and couples all entries of a row",
    clauses=("gradient", "output", "shapes"),
)
def base(make: Inputs) -> Call:
    return call(make.normal(2, 3, 5, mean=0.5), saved(make.normal(2, 3, 5, std=1.5)))


@case(why="a cube, and the softmax along its middle: another axis crashes nowhere", clauses=("dim",))
def middle_axis(make: Inputs) -> Call:
    return call(make.normal(4, 4, 4, mean=0.5), saved(make.normal(4, 4, 4), 1), 1)


@case(why="a softmax over the first of two dimensions, given by keyword", clauses=("dim",))
def first_axis(make: Inputs) -> Call:
    return call(make.normal(5, 3, mean=-0.5), saved(make.normal(5, 3, std=1.5), 0), dim=0)


@case(why="a square, and the softmax along its first dimension: the sums line up with either", clauses=("dim",))
def square(make: Inputs) -> Call:
    return call(make.normal(4, 4, mean=-0.5), saved(make.normal(4, 4, std=1.5), 0), 0)


@case(why="dim counted from the end, but not the last", clauses=("dim",))
def negative_axis(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4, 5, mean=0.5), saved(make.normal(2, 3, 4, 5), -3), -3)


@case(why="one vector, no batch", clauses=("shapes", "gradient"))
def one_vector(make: Inputs) -> Call:
    return call(make.normal(6, mean=1.0), saved(make.normal(6, std=1.5)))


@case(why="a slice of one entry: its output is 1 whatever x is, so nothing flows back", clauses=("gradient",))
def one_entry(make: Inputs) -> Call:
    return call(make.normal(3, 1, mean=2.0), torch.ones(3, 1))


@case(why="the same gradient for every entry of a row: a shift moves no softmax", clauses=("gradient",))
def constant_gradient(make: Inputs) -> Call:
    return call(make.normal(3, 1, mean=2.0).expand(3, 4), saved(make.normal(3, 4)))


@case(
    why="masked entries have output 0, and a large gradient arrives there: none of it flows on",
    clauses=("output", "gradient"),
)
def masked_entries(make: Inputs) -> Call:
    hidden = torch.ones(4, 4).triu(1).bool()
    grad_output = make.normal(2, 4, 4, mean=0.5).masked_fill(hidden, 40.0)
    return call(grad_output, saved(make.normal(2, 4, 4), hidden=hidden))


@case(why="a row in which everything was masked: its output is zeros, and so is its gradient", clauses=("output",))
def masked_row(make: Inputs) -> Call:
    hidden = torch.zeros(3, 5, dtype=torch.bool)
    hidden[1] = True
    return call(make.normal(3, 5, mean=1.0), saved(make.normal(3, 5), hidden=hidden))


@case(why="outputs that are 1 and 0: a saturated softmax passes nothing back", clauses=("gradient",))
def saturated(make: Inputs) -> Call:
    return call(make.normal(3, 4, mean=1.0), torch.eye(4)[make.integers(0, 4, 3)])


@case(
    why="gradients near ±50000 in float16, as loss scaling makes them: their difference is more than float16 holds",
    clauses=("precision", "shapes"),
)
def float16_scaled_loss(make: Inputs) -> Call:
    grad_output = make.uniform(2, 3, 6, low=4e4, high=6e4)
    grad_output[..., 2:] *= -1
    output = saved(make.uniform(2, 3, 6) + torch.tensor([3.0, 3.0, 0.0, 0.0, 0.0, 0.0]))
    return call(grad_output.half(), output.half())


@case(why="bfloat16: every product that is rounded early shows in the difference", clauses=("precision", "shapes"))
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(3, 4, 7, mean=3.0).bfloat16(), saved(make.normal(3, 4, 7)).bfloat16())


@case(why="rows of 300 in float16: a sum in float16 loses what is added late", clauses=("precision",))
def float16_long(make: Inputs) -> Call:
    return call(make.normal(2, 300, mean=5.0).half(), saved(make.normal(2, 300, std=0.5)).half())


@case(why="no rows at all, and rows of no entries", clauses=("always",))
def nothing(make: Inputs) -> tuple[Call, Call]:
    return call(make.normal(0, 4), torch.zeros(0, 4)), call(make.normal(3, 0), torch.zeros(3, 0))


@case(why="rows of 500: the Jacobian of each would be 250000 numbers", clauses=("memory",))
def wide(make: Inputs) -> Call:
    return call(make.normal(3, 500, mean=0.5), saved(make.normal(3, 500, std=2.0)))


@case(why="sizes and an axis of its own", fresh=True, clauses=("shapes", "dim", "gradient"))
def fresh(make: Inputs) -> Call:
    sizes, dim = [make.size(2, 4), make.size(2, 6), make.size(5, 8)], make.size(-3, 2)
    return call(make.normal(*sizes, mean=0.5), saved(make.normal(*sizes, std=1.5), dim), dim)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    size = draw.pick(1, 2, 3, 4, 5, 17)
    sizes = [draw.pick(0, 1, 2, 3, 4, size, size) for _ in range(draw.pick(0, 1, 1, 2, 2, 3))] + [size]
    if draw.chance(0.5):
        sizes.reverse()
    dim = draw.option(*range(-len(sizes), len(sizes)))
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    kind = draw.pick("ordinary", "ordinary", "peaked", "saturated", "flat", "masked", "a masked slice")
    draw.mark("output", kind)
    scores = draw.normal(*sizes, std={"peaked": 6.0, "saturated": 100.0, "flat": 0.0}.get(kind, 1.0))
    hidden = draw.boolean(*sizes, true=0.4) if kind == "masked" else None
    if kind == "a masked slice":
        hidden = torch.zeros(sizes, dtype=torch.bool)
        hidden.movedim(dim, -1)[tuple(slice(0, 1) for _ in sizes[1:])] = True
    grad_output = draw.normal(*sizes, mean=draw.pick(0.0, 1.0, -3.0), std=draw.pick(1.0, 1.0, 0.0, 20.0))
    if dtype == torch.float16 and draw.chance(0.4):
        draw.mark("near the largest float16")
        grad_output = draw.uniform(*sizes, low=3e4, high=6.5e4) * (1 - 2 * draw.boolean(*sizes).float())
    grad_output, output = draw.layout(grad_output.to(dtype)), draw.layout(saved(scores, dim, hidden).to(dtype))
    if dim in (-1, len(sizes) - 1) and draw.given(0.5):
        return call(grad_output, output)
    return call(grad_output, output, dim) if draw.given(0.5) else call(grad_output, output, dim=dim)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="three lines, in float32")
def compact(grad_output, output, dim=-1):
    dy, y = grad_output.float(), output.float()
    shared = (dy * y).sum(dim, keepdim=True)
    return (y * (dy - shared)).to(output.dtype)


@equivalent("two-terms", why="the diagonal and the rank-one part of the Jacobian on their own, in float64")
def two_terms(grad_output, output, dim=-1):
    diagonal = grad_output.double() * output.double()
    return (diagonal - output.double() * diagonal.sum(dim, keepdim=True)).to(output.dtype)


@equivalent("einsum", why="moves the axis to the end, and sums by einsum")
def einsum(grad_output, output, dim=-1):
    dy, y = grad_output.float().movedim(dim, -1), output.float().movedim(dim, -1)
    shared = torch.einsum("...n,...n->...", dy, y)
    return ((dy - shared[..., None]) * y).movedim(-1, dim).to(output.dtype)


@equivalent("slice-by-slice", why="a loop over flattened slices, with dot products")
def slice_by_slice(grad_output, output, dim=-1):
    grad_input = torch.empty(output.shape, dtype=torch.float32).movedim(dim, -1)
    dy, y = grad_output.float().movedim(dim, -1), output.float().movedim(dim, -1)
    for at in itertools.product(*map(range, y.shape[:-1])):
        grad_input[at] = y[at] * (dy[at] - dy[at] @ y[at])
    return grad_input.movedim(-1, dim).to(output.dtype)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def by_torch(grad_output, output, dim=-1):
    exact = torch._softmax_backward_data(grad_output.double(), output.double(), dim, torch.float64)
    return exact.to(output.dtype)
