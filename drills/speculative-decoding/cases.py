"""Cases, wrong kernels, equivalents and peer of the kata speculative-decoding."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer


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


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="a rejection in the middle, and a draft after it that would have passed")
def middle(make: Inputs) -> Call:
    return scripted(make, 7, "KkrK")


@case(why="three tokens: the third is drafted too often (p/q = 3/11) and rejected; (p − q)₊ is owed to both others")
def three_rejected(make: Inputs) -> Call:
    return three(2, 0.5)


@case(why="three tokens: the same draft with a uniform below 3/11 is kept, although it is unlikely")
def three_kept(make: Inputs) -> Call:
    return three(2, 0.2)


@case(why="three tokens: p > q is kept whatever the uniform, and although another token is likelier")
def three_sure(make: Inputs) -> Call:
    return three(1, 0.99)


@case(why="three tokens: the large model's favourite, kept with a uniform above p itself")
def three_favourite(make: Inputs) -> Call:
    return three(0, 0.9)


@case(why="the first draft is rejected: nothing is kept")
def first(make: Inputs) -> Call:
    return scripted(make, 5, "rKk")


@case(why="all are kept: the next token comes from the row after them")
def all_kept(make: Inputs) -> Call:
    return scripted(make, 6, "kKkK")


@case(why="the last draft is rejected")
def last(make: Inputs) -> Call:
    return scripted(make, 8, "Kkr")


@case(why="p = 0 and a uniform of exactly 0: never accepted")
def impossible_token(make: Inputs) -> Call:
    target = torch.tensor([[0.0, 0.7, 0.3], [0.2, 0.2, 0.6]])
    return call(target, torch.tensor([[0.5, 0.3, 0.2]]), torch.tensor([0]), torch.zeros(1))


@case(why="nothing was drafted: the next token comes from the only row")
def no_draft(make: Inputs) -> Call:
    empty = torch.zeros(0, dtype=torch.int64)
    return call(make.normal(1, 5).softmax(-1), torch.zeros(0, 5), empty, torch.zeros(0))


@case(why="drafts and uniforms of its own", fresh=True)
def fresh(make: Inputs) -> Call:
    g, size = make.size(3, 5), make.size(6, 9)
    target, draft = make.normal(g + 1, size).softmax(-1), make.normal(g, size).softmax(-1)
    return call(target, draft, make.integers(0, size, g), make.uniform(g))


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "accepts-everything",
    en="You keep every draft: the output is then the small model's. Accept with probability min(1, p/q).",
    zh="你保留了所有草稿：输出就成了小模型的分布。应当以 min(1, p/q) 的概率接受。",
    seen="a benchmark of the speed-up that skipped verification",
)
def accepts_everything(target, draft, drafted, uniforms):
    return len(drafted), target[-1]


@misconception(
    "inverted-ratio",
    en="You accept with probability q/p: it is p/q, large model over small one.",
    zh="你的接受概率写成了 q/p：应当是 p/q，大模型比小模型。",
    seen="papers that swap the letters p and q",
    fix="if uniforms[i] < target[i, token] / draft[i, token]:",
)
def inverted_ratio(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < draft[i, token] / target[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "resamples-from-target",
    en="After a rejection you draw from p itself: tokens that p likes more than q then come out too often. Draw from (p − q)₊, normalised.",
    zh="拒绝后你直接从 p 采样：p > q 的 token 会偏多。应当从归一化的 (p − q)₊ 采样。",
    seen="the natural guess: ask the large model again",
    fix="owed = (target[i] - draft[i]).clamp(min=0)",
)
def resamples_from_target(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = target[i]
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "absolute-difference",
    en="|p − q| gives mass to tokens that were drafted too often already. Only the positive part of p − q is owed.",
    zh="|p − q| 会给本来就提得太多的 token 再加概率。只有 p − q 的正部才是欠下的。",
    seen="a residual made non-negative by abs()",
    fix="owed = (target[i] - draft[i]).clamp(min=0)",
)
def absolute_difference(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).abs()
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "residual-reversed",
    en="You draw from (q − p)₊: those tokens were drafted too often. What is owed is (p − q)₊.",
    zh="你从 (q − p)₊ 采样：这些 token 本来就提多了。欠下的是 (p − q)₊。",
    seen="the order of the difference from memory",
)
def residual_reversed(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (draft[i] - target[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "residual-not-normalised",
    en="(p − q)₊ doesn't add up to 1: divide by its sum.",
    zh="(p − q)₊ 的和不是 1：要除以它的和。",
    seen="torch.multinomial, which forgives it",
)
def residual_not_normalised(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed
    return len(drafted), target[-1]


@misconception(
    "residual-by-softmax",
    en="You normalise the residual by a softmax: zeros become likely tokens. Divide by the sum.",
    zh="你用 softmax 归一化残差：原本为 0 的 token 也有了概率。应当除以总和。",
    seen="softmax used as the way to make a distribution",
)
def residual_by_softmax(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed.softmax(-1)
    return len(drafted), target[-1]


@misconception(
    "resamples-from-draft",
    en="After a rejection you draw from the small model again: that proposal was just refused.",
    zh="拒绝后你又从小模型采样：它的提议刚刚被拒绝。",
    seen="retry loops",
)
def resamples_from_draft(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = draft[i]
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "goes-on-after-a-rejection",
    en="You count all accepted drafts, those after a rejection too: they continue a token that is gone. Stop at the first one.",
    zh="你把拒绝之后的接受也计入了：它们接在一个已被丢弃的 token 后面。第一次拒绝就要停。",
    seen="vectorised code with .sum() where .cumprod(0).sum() is meant",
    fix="kept = int(accepted.cumprod(0).sum())",
)
def goes_on_after_a_rejection(target, draft, drafted, uniforms):
    rows = torch.arange(len(drafted))
    accepted = uniforms < target[rows, drafted] / draft[rows, drafted]
    kept = int(accepted.sum())
    if kept == len(drafted):
        return kept, target[-1]
    owed = (target[kept] - draft[kept]).clamp(min=0)
    return kept, owed / owed.sum()


@misconception(
    "rejected-token-kept",
    en="You count the rejected token as kept: i tokens stand before it.",
    zh="你把被拒绝的 token 也算作保留了：它前面只有 i 个。",
    seen="counts that are taken after the increment",
)
def rejected_token_kept(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i + 1, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "bonus-from-the-wrong-row",
    en="When all drafts are kept, the next token comes from the last row of target: row G − 1 belongs to the last drafted token.",
    zh="全部接受时，下一个 token 来自 target 的最后一行：第 G − 1 行属于最后一个起草的 token。",
    seen="loops that leave their index behind",
)
def bonus_from_the_wrong_row(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[max(len(drafted) - 1, 0)]


@misconception(
    "residual-from-the-next-row",
    en="You take p from the row after the rejected token: row i of both distributions belongs to token i.",
    zh="你用了被拒绝 token 之后那一行的 p：两个分布的第 i 行都对应第 i 个 token。",
    seen="an offset between the two models' logits",
)
def residual_from_the_next_row(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token] / draft[i, token]:
            continue
        owed = (target[i + 1] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "greedy-match",
    en="You accept when the token is the large model's favourite: that is the greedy rule. Sampling accepts with probability min(1, p/q).",
    zh="只有 token 恰好是大模型概率最高的才接受，那是贪心解码的规则。采样时以 min(1, p/q) 的概率接受。",
    seen="assisted generation without sampling",
)
def greedy_match(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if token == target[i].argmax():
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "likelier-or-nothing",
    en="You accept exactly when p ≥ q and never use the uniform: a token with p < q must still pass with probability p/q.",
    zh="你只在 p ≥ q 时接受，没有用到随机数：p < q 的 token 仍应以 p/q 的概率通过。",
    seen="the first line of the rule without the second",
)
def likelier_or_nothing(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if target[i, token] >= draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "uniform-against-p",
    en="You compare the uniform with p: divide by q, the probability with which the token was proposed.",
    zh="你拿随机数和 p 比：还要除以 q，也就是这个 token 被提出的概率。",
    seen="a formula with its denominator lost",
    fix="if uniforms[i] < target[i, token] / draft[i, token]:",
)
def uniform_against_p(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "comparison-reversed",
    en="You accept when the uniform is above the ratio: below it is the event of probability p/q.",
    zh="你在随机数大于比值时接受：小于它才是概率为 p/q 的事件。",
    seen="`>` from memory",
)
def comparison_reversed(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] > target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


@misconception(
    "zero-accepted",
    en="With `<=` a uniform of exactly 0 lets a token of probability 0 pass. Uniforms include 0 and exclude 1: use `<`.",
    zh="用 `<=` 时，随机数恰好为 0 会放过概率为 0 的 token。均匀随机数含 0 不含 1：用 `<`。",
    seen="transformers compares with <=; torch.rand can return 0",
)
def zero_accepted(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] <= target[i, token] / draft[i, token]:
            continue
        owed = (target[i] - draft[i]).clamp(min=0)
        return i, owed / owed.sum()
    return len(drafted), target[-1]


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("vectorised", why="all ratios at once, and a cumulative product for the first rejection")
def vectorised(target, draft, drafted, uniforms):
    chosen = drafted[:, None]
    ratios = target[:-1].gather(1, chosen) / draft.gather(1, chosen)
    kept = int((uniforms < ratios[:, 0]).cumprod(0).sum())
    padded = torch.cat((draft, torch.zeros_like(target[:1])))  # nothing is drafted after the last
    owed = torch.relu(target[kept] - padded[kept])
    return kept, owed / owed.sum()


@equivalent("in-logarithms", why="compares log u with log p − log q, in float64")
def in_logarithms(target, draft, drafted, uniforms):
    log_p, log_q = target.double().log(), draft.double().log()
    for i, token in enumerate(drafted):
        if not uniforms[i].double().log() < log_p[i, token] - log_q[i, token]:
            owed = (target[i].double() - draft[i].double()).clamp_min(0)
            return i, (owed / owed.sum()).float()
    return drafted.numel(), target[drafted.numel()]


@equivalent("common-part-taken-out", why="writes (p − q)₊ as p − min(p, q), and the ratio as a product")
def common_part_taken_out(target, draft, drafted, uniforms):
    kept = 0
    while kept < len(drafted):
        token = drafted[kept]
        if bool(uniforms[kept] * draft[kept, token] >= target[kept, token]):
            owed = target[kept] - torch.minimum(target[kept], draft[kept])
            return kept, owed / owed.sum()
        kept += 1
    return kept, target[kept]


# Peer -------------------------------------------------------------------------------------------------------------


@peer("numpy")
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
