"""Cases, right kernels and peer of the kata speculative-decoding."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def scripted(make: Inputs, size: int, script: str) -> Call:
    """Random distributions over `size` tokens, with drafts and uniforms that follow the script.

    `k` is kept although p < q, `K` kept because p > q with a uniform near 1, `r` rejected. No uniform is near its ratio.
    """
    target = make.normal(len(script) + 1, size).softmax(-1)
    draft = make.normal(len(script), size).softmax(-1)
    ratios = target[:-1] / draft
    drafted, uniforms = torch.zeros(len(script), dtype=torch.int64), torch.zeros(len(script))
    for i, what in enumerate(script):
        order = ratios[i].argsort()  # the lowest is always below 1, the highest above
        drafted[i] = order[-1] if what == "K" else order[0]
        ratio = float(ratios[i, drafted[i]])
        uniforms[i] = {"K": 0.97, "k": 0.6 * min(ratio, 1.0), "r": 0.4 * ratio + 0.6}[what]
    return call(target, draft, drafted, uniforms)


def three(token: int, uniform: float) -> Call:
    """One draft over three tokens: p/q is 5/2, 7/5 and 3/11."""
    target = torch.tensor([[0.5, 0.35, 0.15], [0.1, 0.3, 0.6]])
    return call(target, torch.tensor([[0.2, 0.25, 0.55]]), torch.tensor([token]), torch.tensor([uniform]))


BELOW_ONE = 1 - 2.0**-24  # the largest uniform in float32


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="a rejection in the middle, and a draft after it that would have passed",
    clauses=("first-rejection", "next-token", "always"),
)
def middle(make: Inputs) -> Call:
    return scripted(make, 7, "KkrK")


@case(
    why="three tokens: the third is drafted too often (p/q = 3/11) and rejected; (p − q)₊ is owed to both others",
    clauses=("acceptance", "next-token"),
)
def three_rejected(make: Inputs) -> Call:
    return three(2, 0.5)


@case(why="three tokens: the same draft and a uniform below 3/11: kept, although unlikely", clauses=("acceptance",))
def three_kept(make: Inputs) -> Call:
    return three(2, 0.2)


@case(why="three tokens: p > q is kept whatever the uniform, though another is likelier", clauses=("acceptance",))
def three_sure(make: Inputs) -> Call:
    return three(1, 0.99)


@case(why="three tokens: the large model's favourite, kept with a uniform above p itself", clauses=("acceptance",))
def three_favourite(make: Inputs) -> Call:
    return three(0, 0.9)


@case(why="the first draft is rejected: nothing is kept", clauses=("first-rejection", "result"))
def first(make: Inputs) -> Call:
    return scripted(make, 5, "rKk")


@case(why="all are kept: the next token comes from the row after them", clauses=("next-token", "result"))
def all_kept(make: Inputs) -> Call:
    return scripted(make, 6, "kKkK")


@case(why="the last draft is rejected", clauses=("next-token",))
def last(make: Inputs) -> Call:
    return scripted(make, 8, "Kkr")


@case(why="p = 0 and a uniform of exactly 0: never accepted", clauses=("impossible",))
def impossible_token(make: Inputs) -> Call:
    target = torch.tensor([[0.0, 0.7, 0.3], [0.2, 0.2, 0.6]])
    return call(target, torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([0]), torch.zeros(1))


@case(why="nothing was drafted: the next token comes from the only row", clauses=("drafts", "always"))
def no_draft(make: Inputs) -> Call:
    empty = torch.zeros(0, dtype=torch.int64)
    return call(make.normal(1, 5).softmax(-1), torch.zeros(0, 5), empty, torch.zeros(0))


@case(why="p/q is 1/4 over 1/2, the uniform exactly 1/2: below is accepted, equal is not", clauses=("acceptance",))
def uniform_equals_the_ratio(make: Inputs) -> Call:
    target = torch.tensor([[0.25, 0.625, 0.125], [0.5, 0.25, 0.25]])
    return call(target, torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([0]), torch.tensor([0.5]))


@case(why="p = q, and the largest uniform below 1: accepted, a token of probability 2^−23 too", clauses=("acceptance",))
def models_agree(make: Inputs) -> Call:
    rows = torch.tensor([[0.5, 0.375, 0.125], [2.0**-23, 0.5, 0.5 - 2.0**-23], [0.25, 0.25, 0.5]])
    return call(rows, rows[:2].clone(), torch.tensor([1, 0]), torch.full((2,), BELOW_ONE))


@case(why="a residual of 2^−20 is normalised like any other, without an epsilon", clauses=("next-token", "result"))
def tiny_residual(make: Inputs) -> Call:
    target = torch.tensor([[0.5 + 2.0**-20, 0.5 - 2.0**-20], [0.25, 0.75]])
    return call(target, torch.tensor([[0.5, 0.5]]), torch.tensor([1]), torch.tensor([BELOW_ONE]))


@case(
    why="p falls short of q by rounding and nothing exceeds it: no residual is left, and target[i] steps in",
    clauses=("next-token", "result"),
)
def no_residual(make: Inputs) -> Call:
    target = torch.tensor([[0.25 - 2.0**-25, 0.5, 0.25], [0.25, 0.25, 0.5]])
    return call(target, torch.tensor([[0.25, 0.5, 0.25]]), torch.tensor([0]), torch.tensor([BELOW_ONE]))


@case(why="as many rows as tokens: an index in the wrong place does not show in the shapes", clauses=("distributions",))
def as_many_rows_as_tokens(make: Inputs) -> Call:
    return scripted(make, 4, "kKr")


@case(why="a vocabulary of one token: it is kept, and comes again", clauses=("distributions",))
def one_token(make: Inputs) -> Call:
    return call(torch.ones(3, 1), torch.ones(2, 1), torch.zeros(2, dtype=torch.int64), make.uniform(2))


@case(why="drafts and uniforms of its own", fresh=True, clauses=("distributions", "drafts"))
def fresh(make: Inputs) -> Call:
    g, size = make.size(3, 5), make.size(6, 9)
    target, draft = make.normal(g + 1, size).softmax(-1), make.normal(g, size).softmax(-1)
    return call(target, draft, make.integers(0, size, g), make.uniform(g))


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_draft(draw: Draw) -> Call:
    g, v = draw.pick(0, 1, 1, 2, 3, 4, 5), draw.pick(1, 2, 2, 3, 4, 5, 9)
    kind = draw.pick("softmax", "softmax", "counts", "counts", "agreement", "tiny residual", "no residual")
    draw.mark("kind", kind)
    if kind == "softmax":
        target = (draw.normal(g + 1, v) * draw.pick(0.3, 1.0, 5.0)).softmax(-1)
        draft = (draw.normal(g, v) * draw.pick(0.3, 1.0, 5.0)).softmax(-1)
        drafted = draw.integers(0, v, g)
    else:
        draw.mark("boundary")  # exact fractions: ratios of exactly 1 or 1/2, residuals of exactly 0
        target, _ = counted(draw, g + 1, v)
        draft, drafted = counted(draw, g, v)
    if kind == "agreement" and draw.chance(0.5):  # the rarest tokens, on which the models agree all the same
        draft = draw.normal(g, v, std=5.0).softmax(-1)
        drafted = draft.argmin(-1)
    stop = draw.option(*range(g + 1))
    if kind in ("agreement", "tiny residual", "no residual"):
        target[:g] = draft
    rows = torch.arange(g)
    uniforms = uniforms_for(draw, target[rows, drafted], draft[rows, drafted], stop)
    if kind in ("tiny residual", "no residual") and stop < g:
        token, uniforms[stop] = drafted[stop], BELOW_ONE
        gone = (
            2.0 ** -draw.pick(4, 10, 20) if kind == "tiny residual" and v > 1 else float(draft[stop, token]) * 2.0**-23
        )
        target[stop, token] -= gone
        if kind == "tiny residual":  # a token that is not the drafted one has it instead
            target[stop, (token + draw.size(1, max(v - 1, 1))) % v] += gone
    return call(draw.layout(target), draw.layout(draft), draw.layout(drafted), draw.layout(uniforms))


def counted(draw: Draw, rows: int, v: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Distributions in halves, quarters or sixteenths (or sure of one token), and a token of each that has some."""
    tokens = draw.integers(0, v, rows, draw.pick(1, 2, 4, 16))
    return torch.nn.functional.one_hot(tokens, v).float().mean(1), tokens[:, 0]


def uniforms_for(draw: Draw, p: torch.Tensor, q: torch.Tensor, stop: int) -> torch.Tensor:
    """Uniforms that accept until `stop` wherever one can, reject there, and are any later; some lie on the ratio."""
    ratio, uniforms = (p / q).clamp(max=1.0), draw.uniform(len(p))
    how = draw.option("any", "between", "between", "edge", "edge")
    draw.mark("uniforms", how)
    if how == "any":
        return uniforms
    for i in range(min(stop + 1, len(p))):
        r, u = float(ratio[i]), float(uniforms[i])
        if how == "between":
            uniforms[i] = 0.98 * u * r if i < stop else min(r + (1 - r) * (0.02 + 0.97 * u), BELOW_ONE)
        elif i < stop:
            uniforms[i] = BELOW_ONE if r == 1.0 and draw.chance(0.5) else 0.0
        else:  # powers of two: their logarithms are exact too
            uniforms[i] = r if r in (0.0, 0.125, 0.25, 0.5) and float(q[i]) in (0.25, 0.5, 1.0) else BELOW_ONE
    return uniforms


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("in-a-loop", why="the loop of the paper, with the residual in one line")
def in_a_loop(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        owed = owed if owed.any() else target[i]
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@equivalent("at-once", why="all ratios at once; a cumulative product ends at the first rejection")
def at_once(target, draft, drafted, uniforms):
    rows = torch.arange(len(drafted))
    ratios = target[rows, drafted] / draft[rows, drafted]
    accepted = uniforms < ratios
    kept = int(accepted.cumprod(0).sum())
    if kept == len(drafted):
        return kept, target[-1]
    owed = (target[kept] - draft[kept]).clamp(min=0)
    owed = owed if owed.any() else target[kept]
    return kept, owed / owed.sum()


@equivalent("vectorised", why="a row of zeros after the drafts, so that a rejection and a free token are one case")
def vectorised(target, draft, drafted, uniforms):
    chosen = drafted[:, None]
    ratios = target[:-1].gather(1, chosen) / draft.gather(1, chosen)
    kept = int((uniforms < ratios[:, 0]).cumprod(0).sum())
    padded = torch.cat((draft, torch.zeros_like(target[:1])))  # nothing is drafted after the last
    owed = torch.relu(target[kept] - padded[kept])
    owed = torch.where(owed.sum() > 0, owed, target[kept])
    return kept, owed / owed.sum()


@equivalent("in-logarithms", why="compares log u with log p − log q, in float64")
def in_logarithms(target, draft, drafted, uniforms):
    log_p, log_q = target.double().log(), draft.double().log()
    for i, token in enumerate(drafted):
        if not uniforms[i].double().log() < log_p[i, token] - log_q[i, token]:
            owed = (target[i].double() - draft[i].double()).clamp_min(0)
            return i, (owed / owed.sum()).float() if owed.sum() > 0 else target[i]
    return drafted.numel(), target[drafted.numel()]


@equivalent("common-part-taken-out", why="writes (p − q)₊ as p − min(p, q), and the ratio as a product")
def common_part_taken_out(target, draft, drafted, uniforms):
    kept = 0
    while kept < len(drafted):
        token = drafted[kept]
        if bool(uniforms[kept] * draft[kept, token] >= target[kept, token]):
            owed = target[kept] - torch.minimum(target[kept], draft[kept])
            return kept, owed / owed.sum() if bool(owed.any()) else target[kept]
        kept += 1
    return kept, target[kept]


# Peer -------------------------------------------------------------------------------------------------------------


@peer("numpy", skips={"no-residual": "it divides 0 by 0"})
def numpy_verify(target, draft, drafted, uniforms):
    import numpy as np

    p, q = target.detach().double().numpy(), draft.detach().double().numpy()
    rows = np.arange(len(drafted))
    ratios = p[rows, drafted.numpy()] / q[rows, drafted.numpy()]
    rejected = np.flatnonzero(uniforms.detach().double().numpy() >= ratios)
    if not rejected.size:
        return len(drafted), torch.from_numpy(p[-1]).float()
    owed = np.maximum(p - np.pad(q, ((0, 1), (0, 0))), 0)[rejected[0]]
    return int(rejected[0]), torch.from_numpy(owed / owed.sum()).float()
