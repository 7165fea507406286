"""Cases, wrong kernels, equivalents and peers of the kata moe-routing."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer


def layer(make: Inputs, n: int, c: int, e: int, f: int, k: int) -> Call:
    """Inputs whose router logits vary by about 2, so that no gate vanishes and none takes all."""
    return call(make.normal(n, c), make.normal(c, e, std=2 * c**-0.5), make.normal(e, c, f, std=c**-0.5), k)


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="every dimension differs; two of five experts a token")
def base(make: Inputs) -> Call:
    return layer(make, 7, 6, 5, 4, 2)


@case(why="three of four experts: more chosen than not")
def three_of_four(make: Inputs) -> Call:
    return layer(make, 5, 8, 4, 3, 3)


@case(why="k = 1: renormalised, the gate is exactly 1")
def top_one(make: Inputs) -> Call:
    return layer(make, 6, 5, 3, 4, 1)


@case(why="k = E: every expert runs, and both conventions agree")
def all_experts(make: Inputs) -> Call:
    return layer(make, 4, 6, 3, 5, 3)


@case(why="one token: most experts receive nothing")
def one_token(make: Inputs) -> Call:
    return layer(make, 1, 6, 5, 4, 2)


@case(why="no tokens at all")
def no_tokens(make: Inputs) -> Call:
    return layer(make, 0, 6, 4, 3, 2)


@case(why="bfloat16, with router logits that are exact in it: dtypes come back, choices are beyond doubt")
def bfloat16(make: Inputs) -> Call:
    n, c, e, f = 6, 8, 5, 4
    x = make.normal(n, c, dtype=torch.bfloat16)
    for row in range(n):
        x[row, :e] = make.permutation(e).to(torch.bfloat16) / 2 - 1
    w_router = torch.zeros(c, e, dtype=torch.bfloat16)
    w_router[:e] = torch.eye(e, dtype=torch.bfloat16)
    return call(x, w_router, make.normal(e, c, f, std=c**-0.5, dtype=torch.bfloat16), 2)


@case(why="two of sixteen experts: the operations are counted")
def many_experts(make: Inputs) -> Call:
    return layer(make, 24, 12, 16, 20, 2)


@case(why="sizes of its own", fresh=True)
def fresh(make: Inputs) -> Call:
    return layer(make, make.size(9, 14), make.size(6, 8), make.size(4, 5), make.size(2, 3), make.size(2, 3))


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "softmax-twice",
    en="You apply softmax to probabilities: they differ by less than 1, so the gates come out nearly equal. Softmax takes logits.",
    zh="你对概率又做了一次 softmax：概率之间相差不到 1，门控值几乎相等。softmax 的输入应是 logits。",
    seen="routers that soften the weights again after the top-k",
    variants=("renormalised",),
    fix="weights = weights / weights.sum(-1, keepdim=True)",
)
def softmax_twice(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights.softmax(-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "softmax-twice",
    en="You apply softmax to probabilities: they differ by less than 1, so the gates come out nearly equal. Softmax takes logits.",
    zh="你对概率又做了一次 softmax：概率之间相差不到 1，门控值几乎相等。softmax 的输入应是 logits。",
    seen="routers that soften the weights again after the top-k",
    variants=("raw",),
)
def softmax_twice_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights.softmax(-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "rank-for-expert",
    en="Column j of the top-k is the j-th best choice, not expert j: scatter the weights to the expert ids.",
    zh="top-k 的第 j 列是第 j 名，不是第 j 号专家：要按专家编号 scatter。",
    seen="`gates[:, :k] = weights`",
    variants=("renormalised",),
    fix="gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)",
)
def rank_for_expert(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, torch.arange(k).expand_as(experts), weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "rank-for-expert",
    en="Column j of the top-k is the j-th best choice, not expert j: scatter the weights to the expert ids.",
    zh="top-k 的第 j 列是第 j 名，不是第 j 号专家：要按专家编号 scatter。",
    seen="`gates[:, :k] = weights`",
    variants=("raw",),
)
def rank_for_expert_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, torch.arange(k).expand_as(experts), weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "worst-experts",
    en="You chose the k experts of lowest score.",
    zh="你选的是得分最低的 k 个专家。",
    seen="an ascending sort cut at k",
    variants=("renormalised",),
)
def worst_experts(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1, largest=False)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "worst-experts",
    en="You chose the k experts of lowest score.",
    zh="你选的是得分最低的 k 个专家。",
    seen="an ascending sort cut at k",
    variants=("raw",),
)
def worst_experts_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1, largest=False)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "softmax-over-tokens",
    en="Your softmax runs over the tokens: it must compare the experts of one token.",
    zh="你在 token 维上做了 softmax：应当在同一个 token 的各个专家之间比较。",
    seen="softmax(dim=0), as in expert-choice routing",
    variants=("renormalised",),
)
def softmax_over_tokens(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(0)
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "softmax-over-tokens",
    en="Your softmax runs over the tokens: it must compare the experts of one token.",
    zh="你在 token 维上做了 softmax：应当在同一个 token 的各个专家之间比较。",
    seen="softmax(dim=0), as in expert-choice routing",
    variants=("raw",),
)
def softmax_over_tokens_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(0)
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "experts-choose-tokens",
    en="Each expert picks its k tokens here, so that some tokens get none: the contract lets each token pick its k experts.",
    zh="这里成了每个专家挑 k 个 token，有的 token 没人要：约定是每个 token 挑 k 个专家。",
    seen="expert-choice routing",
    variants=("renormalised",),
)
def experts_choose_tokens(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(min(k, len(p)), dim=0)
    weights = weights / weights.sum(0, keepdim=True)
    gates = torch.zeros_like(p).scatter(0, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "experts-choose-tokens",
    en="Each expert picks its k tokens here, so that some tokens get none: the contract lets each token pick its k experts.",
    zh="这里成了每个专家挑 k 个 token，有的 token 没人要：约定是每个 token 挑 k 个专家。",
    seen="expert-choice routing",
    variants=("raw",),
)
def experts_choose_tokens_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(min(k, len(p)), dim=0)
    gates = torch.zeros_like(p).scatter(0, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "sigmoid-gates",
    en="You score each expert by a sigmoid, as DeepSeek-V3 does: here the experts compete in one softmax.",
    zh="你用 sigmoid 给每个专家单独打分，那是 DeepSeek-V3 的做法：这里各专家在同一个 softmax 里竞争。",
    seen="DeepSeek-V3's router",
    variants=("renormalised",),
)
def sigmoid_gates(x, w_router, w_experts, k):
    p = (x @ w_router).float().sigmoid()
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "sigmoid-gates",
    en="You score each expert by a sigmoid, as DeepSeek-V3 does: here the experts compete in one softmax.",
    zh="你用 sigmoid 给每个专家单独打分，那是 DeepSeek-V3 的做法：这里各专家在同一个 softmax 里竞争。",
    seen="DeepSeek-V3's router",
    variants=("raw",),
)
def sigmoid_gates_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().sigmoid()
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "equal-weights",
    en="Every chosen expert counts the same: the router's weights are lost.",
    zh="选中的专家权重都一样了：路由权重丢了。",
    seen="a plain mean over the chosen experts",
    variants=("renormalised",),
)
def equal_weights(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = torch.full_like(weights, 1 / k)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "equal-weights",
    en="Every chosen expert counts the same: the router's weights are lost.",
    zh="选中的专家权重都一样了：路由权重丢了。",
    seen="a plain mean over the chosen experts",
    variants=("raw",),
)
def equal_weights_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = torch.full_like(weights, 1 / k)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "gate-on-the-input",
    en="You scale the expert's input: silu is not linear, so the gate belongs on its output.",
    zh="你把门控值乘在了专家的输入上：silu 不是线性的，应当乘在输出上。",
    seen="Llama 4's layer, which does scale the input",
    variants=("renormalised",),
    fix="output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])",
)
def gate_on_the_input(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += F.silu((gates[rows, e, None] * x[rows]) @ w_experts[e])
    return output, gates


@misconception(
    "gate-on-the-input",
    en="You scale the expert's input: silu is not linear, so the gate belongs on its output.",
    zh="你把门控值乘在了专家的输入上：silu 不是线性的，应当乘在输出上。",
    seen="Llama 4's layer, which does scale the input",
    variants=("raw",),
)
def gate_on_the_input_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += F.silu((gates[rows, e, None] * x[rows]) @ w_experts[e])
    return output, gates


@misconception(
    "last-expert-wins",
    en="You assign the expert's output where you should add it: a token keeps only the last of its k experts.",
    zh="你用了赋值而不是累加：每个 token 只剩下最后一个专家的输出。",
    seen="`output[rows] = …` in the loop over experts",
    variants=("renormalised",),
    fix="output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])",
)
def last_expert_wins(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] = gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "last-expert-wins",
    en="You assign the expert's output where you should add it: a token keeps only the last of its k experts.",
    zh="你用了赋值而不是累加：每个 token 只剩下最后一个专家的输出。",
    seen="`output[rows] = …` in the loop over experts",
    variants=("raw",),
)
def last_expert_wins_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] = gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "ungated-sum",
    en="The experts' outputs are added without their gates.",
    zh="专家的输出没有乘门控值就相加了。",
    seen="gates that are computed, returned and forgotten",
    variants=("renormalised",),
)
def ungated_sum(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "ungated-sum",
    en="The experts' outputs are added without their gates.",
    zh="专家的输出没有乘门控值就相加了。",
    seen="gates that are computed, returned and forgotten",
    variants=("raw",),
)
def ungated_sum_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "one-expert",
    en="You use the best expert only: k says how many.",
    zh="你只用了最好的那个专家：用几个由 k 决定。",
    seen="Switch's top-1 routing written down as the rule",
    variants=("renormalised",),
)
def one_expert(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(1, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "one-expert",
    en="You use the best expert only: k says how many.",
    zh="你只用了最好的那个专家：用几个由 k 决定。",
    seen="Switch's top-1 routing written down as the rule",
    variants=("raw",),
)
def one_expert_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(1, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * F.silu(x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "no-activation",
    en="The experts lost their silu.",
    zh="专家里漏了 silu。",
    seen="experts sketched as plain matrices",
    variants=("renormalised",),
)
def no_activation(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    weights = weights / weights.sum(-1, keepdim=True)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * (x[rows] @ w_experts[e])
    return output, gates


@misconception(
    "no-activation",
    en="The experts lost their silu.",
    zh="专家里漏了 silu。",
    seen="experts sketched as plain matrices",
    variants=("raw",),
)
def no_activation_raw(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    weights, experts = p.topk(k, dim=-1)
    gates = torch.zeros_like(p).scatter(1, experts, weights).to(x.dtype)
    output = x.new_zeros(len(x), w_experts.shape[-1])
    for e in range(len(w_experts)):
        rows = gates[:, e].nonzero().squeeze(-1)
        output[rows] += gates[rows, e, None] * (x[rows] @ w_experts[e])
    return output, gates


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent(
    "softmax-of-the-top-k",
    why="softmax over the chosen logits = the renormalised top-k of the softmax",
    variants=("renormalised",),
)
def softmax_of_the_top_k(x, w_router, w_experts, k):
    top, experts = (x @ w_router).topk(k)
    weights = top.float().softmax(-1).to(x.dtype)
    gates = torch.zeros(len(x), len(w_experts), dtype=x.dtype).scatter_(1, experts, weights)
    hidden = F.silu(torch.einsum("nc,nkcf->nkf", x, w_experts[experts]))
    return (weights[..., None] * hidden).sum(1), gates


@equivalent("token-by-token", why="a loop over tokens and their choices", variants=("renormalised",))
def token_by_token(x, w_router, w_experts, k):
    output, gates = x.new_zeros(len(x), w_experts.shape[2]), x.new_zeros(len(x), len(w_experts))
    for n, token in enumerate(x):
        logits = (token @ w_router).double()
        chosen = logits.argsort(descending=True)[:k]
        for e, weight in zip(chosen, logits[chosen].softmax(0), strict=True):
            gates[n, e] = weight
            output[n] += weight.to(x.dtype) * F.silu(token @ w_experts[e])
    return output, gates


@equivalent("masked-softmax", why="sets the other logits to −inf before the softmax", variants=("renormalised",))
def masked_softmax(x, w_router, w_experts, k):
    logits = (x @ w_router).float()
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(1, logits.topk(k).indices, True)
    gates = logits.masked_fill(~kept, -torch.inf).softmax(-1).to(x.dtype)
    rows, experts = kept.nonzero(as_tuple=True)
    hidden = F.silu(torch.bmm(x[rows, None], w_experts[experts]).squeeze(1))
    return x.new_zeros(len(x), w_experts.shape[2]).index_add(0, rows, gates[rows, experts, None] * hidden), gates


@equivalent("gathers-weights", why="gathers the chosen experts' matrices for each token", variants=("raw",))
def gathers_weights(x, w_router, w_experts, k):
    weights, experts = torch.softmax(x @ w_router, -1, dtype=torch.float32).topk(k)
    weights = weights.to(x.dtype)
    gates = torch.zeros(len(x), len(w_experts), dtype=x.dtype).scatter_(1, experts, weights)
    hidden = F.silu(torch.einsum("nc,nkcf->nkf", x, w_experts[experts]))
    return (weights[..., None] * hidden).sum(1), gates


@equivalent("exp-minus-logsumexp", why="writes the softmax as exp(logit − logsumexp), in float64", variants=("raw",))
def exp_minus_logsumexp(x, w_router, w_experts, k):
    logits = (x @ w_router).double()
    output, gates = x.new_zeros(len(x), w_experts.shape[2]), x.new_zeros(len(x), len(w_experts))
    for n in range(len(x)):
        for e in logits[n].argsort(descending=True)[:k].tolist():
            gates[n, e] = (logits[n, e] - logits[n].logsumexp(0)).exp()
            output[n] += gates[n, e] * F.silu(x[n] @ w_experts[e])
    return output, gates


@equivalent("threshold", why="keeps what is at least the k-th largest probability", variants=("raw",))
def threshold(x, w_router, w_experts, k):
    p = (x @ w_router).float().softmax(-1)
    gates = torch.where(p >= p.sort(descending=True).values[:, k - 1 : k], p, 0.0).to(x.dtype)
    rows, experts = gates.nonzero(as_tuple=True)
    hidden = F.silu(torch.bmm(x[rows, None], w_experts[experts]).squeeze(1))
    return x.new_zeros(len(x), w_experts.shape[2]).index_add(0, rows, gates[rows, experts, None] * hidden), gates


# Peers ------------------------------------------------------------------------------------------------------------


@peer("numpy", variants=("renormalised",))
def numpy_renormalised(x, w_router, w_experts, k):
    """Every expert on every token, and a mask: dense where the kata is sparse."""
    import numpy as np

    states, router, experts = (t.detach().double().numpy() for t in (x, w_router, w_experts))
    logits = states @ router
    places = np.argsort(np.argsort(-logits, axis=1), axis=1)
    kept = np.where(places < k, np.exp(logits), 0.0)
    gates = kept / kept.sum(1, keepdims=True)
    hidden = np.einsum("nc,ecf->nef", states, experts)
    output = np.einsum("ne,nef->nf", gates, hidden / (1 + np.exp(-hidden)))
    return torch.from_numpy(output).to(x.dtype), torch.from_numpy(gates).to(x.dtype)


@peer("numpy", variants=("raw",))
def numpy_raw(x, w_router, w_experts, k):
    """Every expert on every token, and a mask: dense where the kata is sparse."""
    import numpy as np

    states, router, experts = (t.detach().double().numpy() for t in (x, w_router, w_experts))
    logits = states @ router
    places = np.argsort(np.argsort(-logits, axis=1), axis=1)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    gates = np.where(places < k, p, 0.0)
    hidden = np.einsum("nc,ecf->nef", states, experts)
    output = np.einsum("ne,nef->nf", gates, hidden / (1 + np.exp(-hidden)))
    return torch.from_numpy(output).to(x.dtype), torch.from_numpy(gates).to(x.dtype)
