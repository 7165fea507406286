"""Cases, right kernels and peer of the kata grpo-loss; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from typing import Any

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def logps(make: Inputs, rows: int, length: int, moved: float = 0.4) -> tuple[Any, Any, Any]:
    """Token log-probabilities of a policy that moved, of the one that sampled, and of the reference."""
    old = -make.uniform(rows, length, low=0.5, high=3.0)
    return old + make.normal(rows, length, std=moved), old, old + make.normal(rows, length, std=0.5)


def responses(*lengths: int, width: int, start: int = 0) -> Any:
    """A mask whose rows hold responses of these lengths, from position `start` on."""
    at = torch.arange(width)
    return torch.stack([(at >= start) & (at < start + length) for length in lengths]).long()


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="two groups of three whose rewards differ in mean and spread; responses of different length",
    grads=(0, 1, 2, 3),
    clauses=("arguments", "mask", "advantage", "surrogate", "kl", "denominator", "result", "always"),
)
def base(make: Inputs) -> Call:
    rewards = torch.tensor([1.0, 0.25, -0.5, 3.0, 2.5, 6.0])
    return call(*logps(make, 6, 5), rewards, responses(4, 2, 1, 3, 4, 2, width=5, start=1), 3, 0.2, 0.5)


@case(why="epsilon and beta left at their defaults, a bool mask", clauses=("surrogate", "kl", "mask"))
def defaults(make: Inputs) -> Call:
    mask = responses(4, 2, 3, 1, width=4).bool()
    return call(*logps(make, 4, 4, 0.6), torch.tensor([2.0, -1.0, 0.0, 3.0]), mask, 2)


@case(
    why="ratios far beyond the clip, under advantages of both signs: where it is cut, and where it must not be",
    grads=(0,),
    clauses=("surrogate",),
)
def clipped(make: Inputs) -> Call:
    moved = torch.tensor([[0.8, -0.8, 0.1], [0.8, -0.8, -0.1]])
    _, old, ref = logps(make, 2, 3)
    return call(old + moved, old, ref, torch.tensor([1.0, 0.0]), torch.ones(2, 3), 2, 0.3, 0.0)


@case(why="no advantage: the KL term alone, with the policy above and below the reference", grads=(0,), clauses=("kl",))
def kl_alone(make: Inputs) -> Call:
    _, old, _ = logps(make, 2, 4)
    ref = old + torch.tensor([[1.0, -1.0, 0.3, -0.3], [2.0, -2.0, 0.0, 0.5]])
    return call(old.clone(), old, ref, torch.tensor([0.5, 0.5]), torch.ones(2, 4), 2, beta=1.0)


@case(
    why="a group whose rewards are all equal: its advantages are 0, not 0/0",
    grads=(0,),
    clauses=("advantage",),
)
def equal_rewards(make: Inputs) -> Call:
    rewards = torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0, 0.5])
    return call(*logps(make, 6, 3), rewards, responses(3, 2, 1, 3, 1, 2, width=3), 3)


@case(why="rewards that nearly agree: what is added to the deviation shows", clauses=("advantage",))
def close_rewards(make: Inputs) -> Call:
    rewards = torch.tensor([1.0, 1.0 + 2**-10, 1.0 - 2**-9, 0.5, 0.5, 0.5 + 2**-11])
    return call(*logps(make, 6, 3), rewards, torch.ones(6, 3), 3)


@case(why="as many groups as rows in one: a transposed reshape keeps its shape", clauses=("advantage", "arguments"))
def square_groups(make: Inputs) -> Call:
    rewards = make.normal(9) + torch.tensor([0.0, 4.0, -3.0]).repeat_interleave(3)
    return call(*logps(make, 9, 3), rewards, responses(3, 1, 2, 2, 3, 1, 1, 2, 3, width=3), 3)


@case(
    why="the first step: the policy still is the one that sampled, every ratio is 1, and gradients flow all the same",
    grads=(0, 1, 2),
    clauses=("surrogate", "result"),
)
def on_policy(make: Inputs) -> Call:
    _, old, ref = logps(make, 4, 4)
    return call(old.clone(), old, ref, torch.tensor([1.0, 0.0, 0.0, 2.0]), responses(4, 1, 2, 3, width=4), 4)


@case(
    why="NaN and −inf outside of the responses: neither the loss nor the gradient may see them",
    grads=(0, 1, 2),
    clauses=("mask",),
)
def garbage_in_padding(make: Inputs) -> Call:
    new, old, ref = logps(make, 4, 4)
    mask = responses(3, 1, 2, 2, width=4)
    new[:, 3], old[1, 1:], ref[2, 2] = float("nan"), float("-inf"), float("-inf")
    new[1, 1:] = float("-inf")
    return call(new, old, ref, torch.tensor([1.0, 0.0, 3.0, 2.5]), mask, 2)


@case(why="a response without a token, in a batch that has others", grads=(0,), clauses=("denominator",))
def no_tokens_in_a_row(make: Inputs) -> Call:
    return call(*logps(make, 4, 3), torch.tensor([1.0, 0.0, 2.0, 5.0]), responses(3, 0, 1, 2, width=3), 2)


@case(why="no response token at all: 0, with a gradient of zeros", grads=(0,), clauses=("denominator",))
def no_tokens(make: Inputs) -> Call:
    return call(*logps(make, 2, 3), torch.tensor([1.0, 0.0]), torch.zeros(2, 3), 2)


@case(why="a mask in float16 with holes, and one token a row", clauses=("mask",))
def float_mask(make: Inputs) -> Call:
    mask = torch.tensor([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 1]]).half()
    return call(*logps(make, 4, 4), torch.tensor([1.0, -2.0, 0.5, 3.0]), mask, 2)


@case(
    why="bfloat16 log-probabilities: in it, differences and ratios keep two digits",
    clauses=("result", "arguments"),
)
def bfloat16(make: Inputs) -> Call:
    new, old, ref = logps(make, 4, 6)
    rewards = torch.tensor([1.0, 0.0, 2.0, 4.0])
    return call(new.bfloat16(), old.bfloat16(), ref.bfloat16(), rewards, responses(6, 3, 4, 5, width=6), 2)


@case(why="float16 log-probabilities", clauses=("result", "arguments"))
def float16(make: Inputs) -> Call:
    new, old, ref = logps(make, 4, 6)
    return call(new.half(), old.half(), ref.half(), torch.tensor([1.0, 0.0, 2.0, 4.0]), torch.ones(4, 6), 4, 0.1, 0.3)


@case(
    why="responses of 301 and 326 tokens under a bfloat16 mask: counted in bfloat16, they are 300, or 628 together",
    clauses=("denominator", "mask", "result"),
    rtol=1e-4,
    atol=1e-6,
)
def bfloat16_mask(make: Inputs) -> Call:
    new, old, ref = logps(make, 2, 340)
    mask = responses(301, 326, width=340, start=5).bfloat16()
    return call(new.bfloat16(), old.bfloat16(), ref.bfloat16(), torch.tensor([0.0, 1.0]), mask, 2, 0.2, 8.0)


@case(why="sizes of its own", fresh=True, clauses=("arguments", "advantage", "denominator"))
def fresh(make: Inputs) -> Call:
    size = make.size(2, 4)
    rows, length = size * make.size(2, 3), make.size(4, 7)
    mask = make.boolean(rows, length, true=0.6)
    mask[:, 1] = True
    return call(*logps(make, rows, length), make.normal(rows, std=2.0), mask, size, 0.2, 0.1)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_batch(draw: Draw) -> Call:
    size, groups = draw.pick(2, 2, 3, 4), draw.pick(1, 2, 2, 3, 4)
    rows = size * groups
    length = draw.pick(1, 2, 3, 5, rows)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    moved = draw.pick(0.4, 0.4, 1.0, 0.05, 0.0)
    draw.mark("policy moved", moved)
    parts = logps(draw, rows, length, moved)
    kind = draw.pick("any", "any", "right or wrong", "equal in a group", "large")
    draw.mark("rewards", kind)
    rewards = draw.normal(rows, mean=draw.pick(0.0, 2.0)) * (100.0 if kind == "large" else 1.0)
    if kind == "right or wrong":  # whole numbers, whose mean is exact where they are equal
        rewards = draw.integers(0, 2, rows).float()
    if kind == "equal in a group":
        rewards[:size] = 0.5
    mask = drawn_mask(draw, rows, length)
    for part in parts:
        filling = draw.pick("as it is", "as it is", "NaN", "−inf", "0")
        draw.mark("padding", filling)
        if filling != "as it is":
            part.masked_fill_(~mask, {"NaN": float("nan"), "−inf": float("-inf"), "0": 0.0}[filling])
    mask = mask.to(draw.pick(torch.bool, torch.int64, torch.float32, torch.int8, dtype))
    if dtype == torch.float32 and draw.chance(0.5):
        draw.gradients(0, 1, 2, 3)
    args = [*(draw.layout(part.to(dtype)) for part in parts), draw.layout(rewards), draw.layout(mask), size]
    options: dict[str, Any] = {}
    if draw.given(0.6):
        options["epsilon"] = draw.option(0.2, 0.1, 0.3, 0.5)
    if draw.given(0.7):
        options["beta"] = draw.option(0.04, 0.0, 0.5, 1.0)
    if len(options) == 2 and draw.given(0.4):
        return call(*args, *options.values())
    return call(*args, **options)


def drawn_mask(draw: Draw, rows: int, length: int) -> Any:
    kind = draw.pick("all", "spans", "spans", "random", "one token", "one row without", "none")
    draw.mark("mask", kind)
    at = torch.arange(length).expand(rows, length)
    if kind in ("all", "none"):
        return at >= (0 if kind == "all" else length)
    if kind == "one token":
        return at == draw.integers(0, length, rows, 1)
    if kind == "random":
        return draw.boolean(rows, length, true=0.6)
    mask = (at >= draw.integers(0, (length + 1) // 2, rows, 1)) & (at < draw.integers(1, length + 1, rows, 1))
    if kind == "one row without":
        mask[draw.pick(0, -1)] = False
    return mask


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="everything in one function", variants=("sequence",))
def compact(
    logps, old_logps, ref_logps, rewards, mask,
    group_size, epsilon=0.2, beta=0.04,
):  # fmt: skip
    keep = mask.bool()
    new = torch.where(keep, logps, 0.0).float()
    old = torch.where(keep, old_logps.detach(), 0.0).float()
    ref = torch.where(keep, ref_logps.detach(), 0.0).float()
    groups = rewards.detach().reshape(-1, group_size)
    centred = groups - groups.mean(1, keepdim=True)
    spread = groups.std(1, keepdim=True) + 1e-4
    A = (centred / spread).reshape(-1, 1)
    ratio = (new - old).exp()
    cut = ratio.clamp(1 - epsilon, 1 + epsilon)
    gain = torch.minimum(ratio * A, cut * A)
    kl = (ref - new).exp() - (ref - new) - 1
    loss = (beta * kl - gain) * keep
    lengths = keep.sum(1).clamp(min=1)
    return (loss.sum(1) / lengths).mean()


@equivalent("compact-token", why="everything in one function", variants=("token",))
def compact_token(
    logps, old_logps, ref_logps, rewards, mask,
    group_size, epsilon=0.2, beta=0.04,
):  # fmt: skip
    keep = mask.bool()
    new = torch.where(keep, logps, 0.0).float()
    old = torch.where(keep, old_logps.detach(), 0.0).float()
    ref = torch.where(keep, ref_logps.detach(), 0.0).float()
    groups = rewards.detach().reshape(-1, group_size)
    centred = groups - groups.mean(1, keepdim=True)
    spread = groups.std(1, keepdim=True) + 1e-4
    A = (centred / spread).reshape(-1, 1)
    ratio = (new - old).exp()
    cut = ratio.clamp(1 - epsilon, 1 + epsilon)
    gain = torch.minimum(ratio * A, cut * A)
    kl = (ref - new).exp() - (ref - new) - 1
    loss = (beta * kl - gain) * keep
    return loss.sum() / keep.sum().clamp(min=1)


@equivalent("row-by-row", why="loops over groups and rows, and picks the response's tokens", variants=("sequence",))
def row_by_row(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon=0.2, beta=0.04):
    sums, counts = rows_of(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta)
    return torch.stack([total / max(count, 1) for total, count in zip(sums, counts, strict=True)]).mean().float()


@equivalent("row-by-row-token", why="loops over groups and rows, and picks the response's tokens", variants=("token",))
def row_by_row_token(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon=0.2, beta=0.04):
    sums, counts = rows_of(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta)
    return (torch.stack(sums).sum() / max(sum(counts), 1)).float()


def rows_of(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta):
    """The summed loss of each row and its number of tokens, in float64; the clip by the advantage's sign."""
    sums, counts = [], []
    for row in range(len(rewards)):
        first = row - row % group_size
        group = rewards[first : first + group_size].detach().double()
        advantage = (group[row - first] - group.mean()) / (group.var(correction=1).sqrt() + 1e-4)
        at = (mask[row] != 0).nonzero().squeeze(1)
        new = logps[row, at].double()
        old, ref = old_logps[row, at].detach().double(), ref_logps[row, at].detach().double()
        ratio = torch.exp(new - old)
        held = ratio.clamp(max=1 + epsilon) if advantage > 0 else ratio.clamp(min=1 - epsilon)
        sums.append((beta * (torch.expm1(ref - new) - (ref - new)) - held * advantage).sum())
        counts.append(len(at))
    return sums, counts


@equivalent("losses-by-maximum", why="the larger of two losses, as in PPO code", variants=("sequence",))
def losses_by_maximum(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon=0.2, beta=0.04):
    losses, keep = by_maximum(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta)
    return torch.einsum("nt,nt->n", losses, keep / keep.sum(1, keepdim=True).clamp(min=1)).mean()


@equivalent("losses-by-maximum-token", why="the larger of two losses, as in PPO code", variants=("token",))
def losses_by_maximum_token(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon=0.2, beta=0.04):
    losses, keep = by_maximum(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta)
    return (losses * keep).sum() / keep.sum().clamp(min=1)


def by_maximum(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta):
    keep = (mask != 0).float()
    zero = torch.zeros(mask.shape)
    new = torch.where(mask != 0, logps.float(), zero)
    with torch.no_grad():
        old, ref = torch.where(mask != 0, old_logps.float(), zero), torch.where(mask != 0, ref_logps.float(), zero)
        mean = rewards.reshape(-1, group_size).mean(1).repeat_interleave(group_size)
        std = rewards.reshape(-1, group_size).std(1).repeat_interleave(group_size)
        advantages = ((rewards - mean) / (std + 1e-4))[:, None]
    ratio = torch.exp(new - old)
    clipped = torch.clip(ratio, 1 - epsilon, 1 + epsilon)
    losses = torch.max(-advantages * ratio, -advantages * clipped)
    return losses + beta * (torch.exp(ref - new) - (ref - new) - 1), keep


# Peer -------------------------------------------------------------------------------------------------------------


# No library that is at hand has this loss: the formula again by other means, in numpy, with its derivative by hand.
class Known(torch.autograd.Function):
    """A loss whose value and whose gradient with respect to its one argument are known."""

    @staticmethod
    def forward(ctx, logps, value, gradient):
        ctx.gradient = gradient.to(logps.dtype)
        return value

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.gradient, None, None


@peer("numpy", variants=("sequence",))
def by_numpy(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon=0.2, beta=0.04):
    counts = (mask != 0).sum(1, keepdim=True).clamp(min=1).double().numpy()
    return known(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta, 1 / counts / len(counts))


@peer("numpy", variants=("token",))
def by_numpy_token(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon=0.2, beta=0.04):
    weight = 1 / max(int((mask != 0).sum()), 1)
    return known(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta, weight)


def known(logps, old_logps, ref_logps, rewards, mask, group_size, epsilon, beta, weight):
    import numpy as np

    keep = (mask != 0).numpy()
    new, old, ref = (np.where(keep, part.detach().double().numpy(), 0.0) for part in (logps, old_logps, ref_logps))
    groups = rewards.detach().double().numpy().reshape(-1, group_size)
    advantages = (groups - groups.mean(1, keepdims=True)) / (groups.std(1, ddof=1, keepdims=True) + 1e-4)
    advantages, ratio = advantages.reshape(-1, 1), np.exp(new - old)
    held = np.where(advantages > 0, np.minimum(ratio, 1 + epsilon), np.maximum(ratio, 1 - epsilon))
    losses = beta * (np.exp(ref - new) - ref + new - 1) - held * advantages
    slopes = beta * (1 - np.exp(ref - new)) - np.where(held == ratio, ratio, 0.0) * advantages
    value, gradient = (losses * keep * weight).sum(), slopes * keep * weight
    return Known.apply(logps, torch.tensor(value, dtype=torch.float32), torch.from_numpy(gradient))
