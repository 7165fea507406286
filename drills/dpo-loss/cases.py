"""Cases, right kernels and peer of the kata dpo-loss; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def logps(make: Inputs, pairs: int, length: int, spread: float = 0.6) -> tuple[Any, Any]:
    """What a policy and its reference give to the tokens: all below 0, and near to each other."""
    reference = -make.uniform(2 * pairs, length, low=0.2, high=3.0)
    return torch.minimum(reference + make.normal(2 * pairs, length, std=spread), torch.tensor(-0.01)), reference


def responses(*spans: tuple[int, int], length: int) -> Any:
    """A mask whose rows hold a response each, from the first of the two positions up to the second."""
    at = torch.arange(length)
    return torch.stack([(at >= start) & (at < end) for start, end in spans]).long()


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="prompts, padding and responses of different length in every row",
    grads=(0, 1),
    clauses=("arguments", "mask", "log-ratio", "rewards", "loss", "detached", "always"),
)
def base(make: Inputs) -> Call:
    mask = responses((1, 5), (0, 6), (2, 4), (3, 6), (1, 2), (2, 6), length=6)
    return call(*logps(make, 3, 6), mask, 0.5)


@case(why="beta and label_smoothing left at their defaults, a bool mask", clauses=("rewards", "loss", "mask"))
def defaults(make: Inputs) -> Call:
    return call(*logps(make, 2, 4, 4.0), responses((0, 3), (1, 4), (0, 4), (2, 3), length=4).bool())


@case(why="one pair, one token", grads=(0, 1), clauses=("arguments", "loss"))
def smallest(make: Inputs) -> Call:
    return call(*logps(make, 1, 1), torch.ones(2, 1), beta=1.0)


@case(why="as many rows as tokens: a sum over rows shows in no shape", clauses=("arguments", "log-ratio"))
def square(make: Inputs) -> Call:
    return call(*logps(make, 2, 4), responses((0, 3), (1, 2), (0, 4), (2, 4), length=4), 0.7)


@case(why="label smoothing: part of the loss prefers the rejected response", grads=(0, 1), clauses=("loss",))
def smoothed(make: Inputs) -> Call:
    mask = responses((1, 5), (0, 5), (2, 4), (3, 5), length=5)
    return call(*logps(make, 2, 5), mask, 1.0, label_smoothing=0.2)


@case(
    why="NaN and −inf outside of the responses: multiplied by 0 they stay NaN, and spoil the gradient too",
    grads=(0, 1),
    clauses=("mask",),
)
def garbage_in_padding(make: Inputs) -> Call:
    mask = responses((1, 4), (0, 3), (2, 5), (1, 3), length=5)
    policy, reference = logps(make, 2, 5)
    policy[:, -1:] = torch.where(mask[:, -1:] == 0, float("nan"), policy[:, -1:])
    reference[:, :1] = torch.where(mask[:, :1] == 0, float("-inf"), reference[:, :1])
    policy[1, 3], reference[3, 3] = float("-inf"), float("nan")
    return call(policy, reference, mask, 0.5)


@case(why="a response without a token: its log-ratio is 0, not 0/0", grads=(0, 1), clauses=("log-ratio",))
def no_tokens(make: Inputs) -> Call:
    return call(*logps(make, 2, 4), responses((0, 3), (1, 1), (2, 2), (0, 4), length=4), 0.5)


@case(why="a mask in float16, and holes within the responses", clauses=("mask", "log-ratio"))
def float_mask(make: Inputs) -> Call:
    mask = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 0, 1], [1, 1, 0, 1, 1], [0, 0, 0, 1, 0]])
    return call(*logps(make, 2, 5), mask.half(), 0.5)


@case(
    why="margins of hundreds, for and against: the sigmoid underflows, the loss and its gradient do not",
    grads=(0, 1),
    clauses=("loss",),
    atol=1e-3,
)
def far_apart(make: Inputs) -> Call:
    policy, reference = logps(make, 2, 3)
    policy[0] -= 300.0
    policy[3] -= 300.0
    return call(policy, reference, torch.ones(4, 3), 1.0, 0.1)


@case(
    why="the policy still is the reference: every reward is 0, the loss log 2, the gradient is not 0",
    grads=(0, 1),
    clauses=("rewards", "detached"),
)
def first_step(make: Inputs) -> Call:
    policy, _ = logps(make, 2, 4)
    return call(policy, policy.clone(), responses((0, 3), (1, 4), (0, 4), (2, 3), length=4), 0.5)


@case(why="bfloat16: summed in it, a response loses its last digits", clauses=("result", "arguments"))
def bfloat16(make: Inputs) -> Call:
    policy, reference = logps(make, 2, 40)
    return call(policy.bfloat16(), reference.bfloat16(), torch.ones(4, 40), 0.5)


@case(
    why="float16 log-probabilities of −30 over 3000 tokens: their sum is beyond float16",
    clauses=("result", "arguments"),
    rtol=1e-4,
)
def float16_long(make: Inputs) -> Call:
    policy, reference = logps(make, 1, 3000, 0.1)
    policy[0] += 0.004
    return call((policy - 30).half(), (reference - 30).half(), torch.ones(2, 3000), 0.05)


@case(
    why="responses of 301 tokens and more under a bfloat16 mask: summed in bfloat16, the mask says 300",
    clauses=("log-ratio", "mask", "result"),
    rtol=1e-4,
    atol=1e-6,
)
def bfloat16_mask(make: Inputs) -> Call:
    policy, reference = logps(make, 1, 340)
    policy[0] += 0.5
    mask = responses((20, 321), (1, 340), length=340)
    return call(policy.bfloat16(), reference.bfloat16(), mask.bfloat16(), 1.0)


@case(why="sizes of its own", fresh=True, clauses=("arguments", "mask", "log-ratio", "loss"))
def fresh(make: Inputs) -> Call:
    pairs, length = make.size(2, 4), make.size(5, 8)
    mask = make.boolean(2 * pairs, length, true=0.6)
    mask[:, 1] = True
    return call(*logps(make, pairs, length), mask, 0.3, 0.1)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_batch(draw: Draw) -> Call:
    pairs = draw.pick(1, 1, 2, 2, 3, 4)
    length = draw.pick(1, 2, 3, 5, 2 * pairs, 2 * pairs)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    spread = draw.pick(0.5, 0.5, 2.0, 0.0, 40.0)
    draw.mark("policy from reference", spread)
    policy, reference = logps(draw, pairs, length, spread)
    mask = drawn_mask(draw, 2 * pairs, length)
    for one in (policy, reference):
        filling = draw.pick("as it is", "as it is", "NaN", "−inf", "0")
        draw.mark("padding", filling)
        if filling != "as it is":
            one.masked_fill_(~mask, {"NaN": float("nan"), "−inf": float("-inf"), "0": 0.0}[filling])
    mask = mask.to(draw.pick(torch.bool, torch.int64, torch.float32, torch.int8, dtype))
    if dtype == torch.float32 and draw.chance(0.5):
        draw.gradients(0, 1)
    options: dict[str, Any] = {}
    if draw.given(0.7):
        options["beta"] = draw.option(0.1, 0.01, 0.5, 1.0, 2.0)
    if draw.given(0.5):
        options["label_smoothing"] = draw.option(0.0, 0.1, 0.25, 0.5)
    args = draw.layout(policy.to(dtype)), draw.layout(reference.to(dtype)), draw.layout(mask)
    if "beta" in options and draw.given(0.4):
        return call(*args, options.pop("beta"), *options.values())
    return call(*args, **options)


def drawn_mask(draw: Draw, rows: int, length: int) -> Any:
    kind = draw.pick("all", "spans", "spans", "random", "one token", "one row without")
    draw.mark("mask", kind)
    at = torch.arange(length).expand(rows, length)
    if kind == "all":
        return at >= 0
    if kind == "one token":
        return at == draw.integers(0, length, rows, 1)
    if kind == "random":
        return draw.boolean(rows, length, true=0.6)
    mask = (at >= draw.integers(0, (length + 1) // 2, rows, 1)) & (at < draw.integers(1, length + 1, rows, 1))
    if kind == "one row without":
        mask[draw.pick(0, -1)] = False
    return mask


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="one where, and the loss in place", variants=("summed",))
def compact(
    policy_logps,
    reference_logps,
    mask,
    beta=0.1,
    label_smoothing=0.0,
):
    p = policy_logps.float()
    r = reference_logps.detach().float()
    ratio = torch.where(mask.bool(), p - r, 0.0).sum(-1)
    chosen, rejected = (beta * ratio).chunk(2)
    good = F.logsigmoid(chosen - rejected)
    bad = F.logsigmoid(rejected - chosen)
    e = label_smoothing
    loss = -(1 - e) * good - e * bad
    return loss.mean(), chosen.detach(), rejected.detach()


@equivalent(
    "four-sums", why="policy and reference summed on their own; softplus for the logarithm", variants=("summed",)
)
def four_sums(policy_logps, reference_logps, mask, beta=0.1, label_smoothing=0.0):
    half, mask = len(mask) // 2, mask.bool()
    with torch.no_grad():
        reference = reference_logps.double().masked_fill(~mask, 0).sum(1)
    policy = policy_logps.double().masked_fill(~mask, 0).sum(1)
    margin = (policy[:half] - policy[half:]) - (reference[:half] - reference[half:])
    smoothed = F.softplus(-beta * margin) * (1 - label_smoothing) + F.softplus(beta * margin) * label_smoothing
    rewards = (beta * (policy - reference)).detach().float()
    return smoothed.sum().div(half).float(), rewards[:half].clone(), rewards[half:].clone()


@equivalent("row-by-row", why="a loop over rows that picks the response's tokens", variants=("summed",))
def row_by_row(policy_logps, reference_logps, mask, beta=0.1, label_smoothing=0.0):
    rewards = torch.stack(
        [
            beta * (policy[kept].float() - reference[kept].float()).sum()
            for policy, reference, kept in zip(policy_logps, reference_logps.detach(), mask != 0, strict=True)
        ]
    )
    chosen, rejected = rewards.tensor_split(2)
    target = torch.full_like(chosen, 1 - label_smoothing).detach()
    loss = F.binary_cross_entropy_with_logits(chosen - rejected, target)
    return loss, chosen.detach(), rejected.detach()


@equivalent("compact-averaged", why="one where, and the loss in place", variants=("averaged",))
def compact_averaged(
    policy_logps,
    reference_logps,
    mask,
    beta=0.1,
    label_smoothing=0.0,
):
    p = policy_logps.float()
    r = reference_logps.detach().float()
    ratio = torch.where(mask.bool(), p - r, 0.0).sum(-1)
    ratio = ratio / mask.bool().sum(-1).clamp(min=1)
    chosen, rejected = (beta * ratio).chunk(2)
    good = F.logsigmoid(chosen - rejected)
    bad = F.logsigmoid(rejected - chosen)
    e = label_smoothing
    loss = -(1 - e) * good - e * bad
    return loss.mean(), chosen.detach(), rejected.detach()


@equivalent("weighted-tokens", why="weights of one n-th for each token, and an einsum", variants=("averaged",))
def weighted_tokens(policy_logps, reference_logps, mask, beta=0.1, label_smoothing=0.0):
    mask = mask.bool()
    weights = mask.double() / mask.sum(1, keepdim=True).clamp(min=1)
    policy = torch.where(mask, policy_logps, torch.zeros_like(policy_logps)).double()
    reference = torch.where(mask, reference_logps, torch.zeros_like(reference_logps)).double().detach()
    rewards = beta * torch.einsum("nt,nt->n", policy - reference, weights)
    chosen, rejected = rewards.view(2, -1)
    loss = (F.softplus(rejected - chosen) + label_smoothing * (chosen - rejected)).mean()
    return loss.float(), chosen.detach().float(), rejected.detach().float()


@equivalent(
    "row-by-row-averaged", why="a loop over rows; the mean of the tokens that are picked", variants=("averaged",)
)
def row_by_row_averaged(policy_logps, reference_logps, mask, beta=0.1, label_smoothing=0.0):
    rewards = []
    for policy, reference, kept in zip(policy_logps, reference_logps.detach(), mask != 0, strict=True):
        ratio = policy[kept].float() - reference[kept].float()
        rewards.append(beta * (ratio.mean() if len(ratio) else ratio.sum()))
    chosen, rejected = torch.stack(rewards).tensor_split(2)
    target = torch.full_like(chosen, 1 - label_smoothing).detach()
    loss = F.binary_cross_entropy_with_logits(chosen - rejected, target)
    return loss, chosen.detach(), rejected.detach()


# Peer -------------------------------------------------------------------------------------------------------------


# A choice between two responses is a classification: torch's cross entropy with soft targets over the two rewards.
@peer("torch", variants=("summed",))
def by_cross_entropy(policy_logps, reference_logps, mask, beta=0.1, label_smoothing=0.0):
    return two_classes(policy_logps, reference_logps, mask, beta, label_smoothing, torch.nansum)


@peer("torch", variants=("averaged",))
def by_cross_entropy_averaged(policy_logps, reference_logps, mask, beta=0.1, label_smoothing=0.0):
    return two_classes(policy_logps, reference_logps, mask, beta, label_smoothing, torch.nanmean)


def two_classes(policy_logps, reference_logps, mask, beta, label_smoothing, reduce):
    ratio = policy_logps.double() - reference_logps.double().detach()
    rewards = reduce(torch.where(mask.bool(), ratio, float("nan")), 1).nan_to_num(0.0) * beta
    chosen, rejected = rewards.reshape(2, -1)
    targets = torch.tensor([1 - label_smoothing, label_smoothing], dtype=torch.float64).expand(len(chosen), 2)
    loss = F.cross_entropy(torch.stack([chosen, rejected], 1), targets)
    return loss.float(), chosen.detach().float(), rejected.detach().float()
