"""Sampling parameters: inputs, wrong kernels, and other right ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from reference import sampling_distribution

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

# Cases


def logits_of(*probabilities):
    """The logits of given probabilities: their logarithms."""
    return torch.tensor(probabilities).log()


@case(why="no filter, temperature 1: a plain softmax over the last axis of three")
def plain(make: Inputs):
    return call(make.normal(2, 3, 7, std=2.0))


@case(why="unsorted .1 .5 .15 .25 with p=.6: .5 is not enough, .25 crosses and stays; ids are not ranks")
def nucleus(make: Inputs):
    return call(logits_of(0.1, 0.5, 0.15, 0.25), top_p=0.6)


@case(why="two rows in different orders: each has its own nucleus")
def nucleus_of_each_row(make: Inputs):
    rows = [logits_of(0.1, 0.5, 0.15, 0.25), logits_of(0.36, 0.3, 0.02, 0.32)]
    return call(torch.stack(rows), top_p=0.65)


@case(why="p=1e-9: the top token always stays")
def tiny_p(make: Inputs):
    return call(make.normal(2, 5), top_p=1e-9)


@case(why="p=0 is no switch: again only the top token stays")
def zero_p(make: Inputs):
    return call(make.normal(2, 5), top_p=0.0)


@case(rtol=1e-4, atol=1e-15, why="p=1 is off: a sum that rounds to 1 early must not cost the rare tokens their share")
def nothing_lost_at_one(make: Inputs):
    return call(torch.tensor([-18.0, 0.0, -20.0, -1.0, -19.0]), top_p=1.0)


@case(why="temperature 2 flattens before p=.8 looks: logits 3 2 1 0 keep three tokens, not two")
def temperature_comes_first(make: Inputs):
    return call(torch.tensor([3.0, 2.0, 1.0, 0.0]), temperature=2.0, top_p=0.8)


@case(why="temperature alone: 2 flattens, and 3 logits in 2 rows stay in their rows")
def hot(make: Inputs):
    return call(make.normal(2, 3, std=2.0), temperature=2.0)


@case(why="temperature 0.5 sharpens")
def cool(make: Inputs):
    return call(make.normal(2, 3, std=2.0), temperature=0.5)


@case(why="temperature 0 is greedy: no division, and the filters have no say")
def greedy(make: Inputs):
    return call(make.normal(2, 3, 6), temperature=0.0, top_k=3, top_p=0.9, min_tokens_to_keep=2)


@case(why="temperature 0 with two equal maxima: all mass on the first")
def greedy_tie(make: Inputs):
    return call(torch.tensor([[0.5, 2.0, -1.0, 2.0], [3.0, 3.0, 1.0, 3.0]]), temperature=0.0)


@case(why="top-k leaves .4 and .3, which become .57 and .43: p=.5 is then reached by one token")
def renormalised_between_filters(make: Inputs):
    return call(logits_of(0.1, 0.4, 0.3, 0.2), top_k=2, top_p=0.5)


@case(why="k=1: off by one shows at once")
def top_one(make: Inputs):
    return call(make.normal(2, 5), top_k=1)


@case(why="k=3 of 6 in two rows: each row has its own threshold")
def top_three(make: Inputs):
    return call(make.normal(2, 6, std=2.0) + torch.tensor([[0.0], [9.0]]), top_k=3)


@case(why="as many rows as tokens: a threshold that lost its axis broadcasts along the wrong one")
def as_many_rows_as_tokens(make: Inputs):
    return call(make.normal(4, 4, std=2.0), top_k=2)


@case(why="two logits tie at the k-th place: both stay")
def tie_at_k(make: Inputs):
    return call(torch.tensor([1.0, 3.0, 2.0, 0.5, 2.0]), top_k=2)


@case(why="equal probabilities at the edge of the nucleus: the shortest prefix takes only the first of them")
def tie_in_the_nucleus(make: Inputs):
    return call(logits_of(0.2, 0.1, 0.2, 0.3, 0.2), top_p=0.6)


@case(why="k=50 of 4: clamped, not an error")
def more_than_the_vocabulary(make: Inputs):
    return call(make.normal(2, 4), top_k=50)


@case(why="at least 2 stay though p=.1 asks for one")
def floor_under_p(make: Inputs):
    return call(logits_of(0.1, 0.5, 0.15, 0.25), top_p=0.1, min_tokens_to_keep=2)


@case(why="at least 3 stay though k asks for one")
def floor_under_k(make: Inputs):
    return call(make.normal(2, 6), top_k=1, min_tokens_to_keep=3)


@case(why="logits of −inf stay at zero, though k and the floor ask for more tokens than are alive")
def dead_tokens(make: Inputs):
    dead = float("-inf")
    logits = torch.tensor([[dead, 1.0, dead, 0.3, dead], [0.2, dead, 1.5, dead, -0.4]])
    return call(logits, temperature=1.5, top_k=4, top_p=0.3, min_tokens_to_keep=3)


@case(why="logits of a thousand: exp() without the maximum taken off overflows")
def huge_logits(make: Inputs):
    return call(torch.tensor([[1000.0, 1001.0, 998.0], [-1000.0, -1002.0, -999.0]]), top_p=0.8)


@case(why="all three at once over leading axes (2, 3)")
def everything(make: Inputs):
    ranked = torch.tensor([2.3, 1.7, 1.2, 0.8, 0.1, -0.6, -1.1])
    rows = [ranked[make.permutation(7)] for _ in range(6)]
    return call(torch.stack(rows).view(2, 3, 7), temperature=0.7, top_k=5, top_p=0.85)


@case(why="no row at all")
def no_rows(make: Inputs):
    return call(make.normal(0, 5), top_k=2, top_p=0.9)


@case(why="a vocabulary of one token")
def one_token(make: Inputs):
    return call(make.normal(3, 1), temperature=0.7, top_k=2, top_p=0.5)


@case(rtol=0.01, atol=0.002, why="float16 in, float16 out")
def half_precision(make: Inputs):
    logits = torch.tensor([[2.0, 0.5, 1.0, -1.0], [0.0, 3.0, -2.0, 1.0]], dtype=torch.float16)
    return call(logits, temperature=1.25, top_k=3, top_p=0.8)


@case(fresh=True, why="a vocabulary and parameters that nobody could have hard-coded")
def fresh(make: Inputs):
    logits = make.normal(make.size(2, 4), make.size(6, 12), std=1.5)
    temperature, k = make.size(5, 20) / 10, make.size(3, 6)
    # p stays away from every cumulative sum, so that rounding decides nothing.
    sums = sampling_distribution(logits, temperature, k).sort(dim=-1, descending=True).values.cumsum(dim=-1)
    candidates = torch.linspace(0.3, 0.95, 66)
    gaps = (sums.flatten()[:, None] - candidates).abs().amin(dim=0)
    return call(logits, temperature, k, float(candidates[gaps.argmax()]))


# Misconceptions


@misconception(
    "crossing-token-dropped",
    en="The nucleus must just reach p: the token that crosses p stays.",
    zh="核的累计概率要刚好达到 p：跨过 p 的那个 token 要保留。",
    seen="`cumsum > top_p` used as the mask, without the shift by one that transformers' older code had",
    fix="drop = ranked.cumsum(dim=-1) - ranked >= top_p",
)
def crossing_token_dropped(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) > top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "one-token-too-many",
    en="You keep one token after p was reached: the shortest prefix stops at the token that reaches p.",
    zh="达到 p 之后你又多留了一个 token：最短前缀应在达到 p 的那个 token 处结束。",
    seen="the shift by one applied twice: once by subtracting, once by slicing",
)
def one_token_too_many(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., 1:] = drop[..., :-1].clone()
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "ascending-sort",
    en="Sort in descending order: you filled the nucleus from the least likely token up.",
    zh="要按降序排列：你是从概率最小的 token 开始填充核的。",
    seen="torch.sort's default order; transformers sorts so too, but compares with 1 − p",
    fix="ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)",
)
def ascending_sort(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "masked-by-rank",
    en="You masked by rank, not by token id: scatter the mask back through `order`.",
    zh="你是按名次而不是按 token id 屏蔽的：要用 `order` 把掩码 scatter 回去。",
    seen="tests whose logits were already sorted",
    fix='logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))',
)
def masked_by_rank(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(drop, float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "gathered-instead-of-scattered",
    en="`gather` sorts the mask a second time; the way back from ranks to token ids is `scatter`.",
    zh="`gather` 等于把掩码又排了一次序；从名次换回 token id 要用 `scatter`。",
    seen="the two mixed up; both agree when the order is its own inverse, as when two tokens are swapped",
)
def gathered_instead_of_scattered(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(drop.gather(-1, order), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "nothing-left",
    en="Everything is masked when the top token alone exceeds p, and softmax gives NaN: the top token always stays.",
    zh="最大的 token 一个就超过 p 时，你把所有 token 都屏蔽了，softmax 得到 NaN：最大的 token 必须保留。",
    seen="nucleus code that was never run with a small p",
)
def nothing_left(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) > top_p
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "equal-tokens-all-kept",
    en="A threshold on the probability keeps every token that ties with the last one: the shortest prefix takes only the first.",
    zh="用概率阈值比较，会留下与末位并列的所有 token：最短前缀只取其中靠前的。",
    seen="top-p turned into `probabilities >= cutoff` to spare the scatter",
)
def equal_tokens_all_kept(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        probabilities = logits.softmax(dim=-1)
        ranked = probabilities.sort(dim=-1, descending=True).values
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        cutoff = ranked.masked_fill(drop, 2.0).amin(dim=-1, keepdim=True)
        logits = logits.masked_fill(probabilities < cutoff, float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "last-of-equals-first",
    en="Equal tokens must keep their order: flipping an ascending sort puts the last of them first.",
    zh="概率相等的 token 要保持原有顺序：把升序结果翻转，会让最后一个排到最前。",
    seen="`sort().flip(-1)` in place of `sort(descending=True, stable=True)`",
)
def last_of_equals_first(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, stable=True)
        ranked, order = ranked.flip(-1), order.flip(-1)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "rare-tokens-lost-at-one",
    en="p = 1 is off, but your sum rounds to 1 early and the rarest tokens go: skip the filter when p ≥ 1.",
    zh="p = 1 表示关闭，但你的累计和会提前舍入到 1，把最罕见的 token 丢掉：p ≥ 1 时应跳过过滤。",
    seen="float32 sums over a large vocabulary",
)
def rare_tokens_lost_at_one(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    drop = ranked.cumsum(dim=-1) - ranked >= top_p
    drop[..., :min_tokens_to_keep] = False
    logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "temperature-after-the-filters",
    en="p saw the untempered distribution: temperature comes first.",
    zh="p 看到的是未经温度调整的分布：温度要放在最前面。",
    seen="llama.cpp, whose default sampler chain applies temperature last",
)
def temperature_after_the_filters(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return (logits / temperature).softmax(dim=-1)


@misconception(
    "top-p-before-top-k",
    en="Top-k comes first, and its rest is renormalised before top-p measures it.",
    zh="先做 top-k，剩下的重新归一化之后再由 top-p 衡量。",
    seen="both filters written from their descriptions, in the other order",
)
def top_p_before_top_k(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "filtered-logits-zero",
    en="Zero is a live logit: it still gets e⁰. A filtered token needs −inf.",
    zh="0 是一个有效的 logit，仍会得到 e⁰ 的份额。要去掉的 token 必须设为 −inf。",
    seen="filters for probabilities, where 0 is right, applied to logits",
    fix='logits = logits.masked_fill(logits < kth, float("-inf"))',
)
def filtered_logits_zero(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        kth = logits.topk(k).values[..., -1:]
        logits = logits.masked_fill(logits < kth, 0.0)
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "not-renormalised",
    en="What is left no longer sums to 1: renormalise after filtering.",
    zh="剩下的概率之和不再是 1：过滤之后要重新归一化。",
    seen="probabilities zeroed and handed to code that renormalises silently, as multinomial does",
    fix="return probabilities / probabilities.sum(dim=-1, keepdim=True)",
)
def not_renormalised(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    probabilities = logits.softmax(dim=-1)
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        hidden = logits < logits.topk(k).values[..., -1:]
        probabilities = probabilities.masked_fill(hidden, 0.0)
    if top_p < 1:
        share = probabilities / probabilities.sum(dim=-1, keepdim=True)
        ranked, order = share.sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        probabilities = probabilities.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), 0.0)
    return probabilities


@misconception(
    "temperature-multiplied",
    en="Temperature divides the logits: above 1 it flattens, below 1 it sharpens.",
    zh="温度是用来除 logits 的：大于 1 变平，小于 1 变尖。",
    seen="code in terms of the inverse temperature β, which does multiply",
    fix="logits = logits / temperature",
)
def temperature_multiplied(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits * temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "temperature-ignored",
    en="The temperature changes nothing: dividing probabilities and renormalising gives them back as they were.",
    zh="温度没有起作用：对概率做除法再归一化，得到的还是原来的概率。",
    seen="temperature applied to the probabilities instead of the logits",
)
def temperature_ignored(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    probabilities = logits.softmax(dim=-1) / temperature
    return probabilities / probabilities.sum(dim=-1, keepdim=True)


@misconception(
    "divided-by-zero",
    en="Temperature 0 divides by zero: it means argmax.",
    zh="温度为 0 时发生了除以零：它的含义是 argmax。",
    seen="temperature=0 passed as an API user would, to code that only divides",
)
def divided_by_zero(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "zero-made-tiny",
    en="A tiny temperature is not argmax: equal maxima share the mass, and the contract gives all of it to the first.",
    zh="极小的温度不等于 argmax：并列的最大值会平分概率，而约定要求全部落在第一个上。",
    seen="`max(temperature, 1e-5)` as a guard against division by zero",
)
def zero_made_tiny(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    logits = logits / max(temperature, 1e-5)
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "k-not-clamped",
    en="k may exceed the vocabulary: clamp it.",
    zh="k 可能大于词表大小：要截断。",
    seen="topk's error `selected index k out of range`",
)
def k_not_clamped(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = max(top_k, min_tokens_to_keep)
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "one-more-than-k",
    en="You keep k + 1 tokens: with descending order, the k-th largest has index k − 1.",
    zh="你保留了 k + 1 个 token：降序排列时，第 k 大的下标是 k − 1。",
    seen="`sorted_logits[..., k]` taken as the threshold",
)
def one_more_than_k(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1) - 1)
        threshold = logits.sort(dim=-1, descending=True).values[..., k : k + 1]
        logits = logits.masked_fill(logits < threshold, float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "k-th-dropped",
    en="You keep fewer than k: the k-th largest stays, so drop what is below it, not what equals it.",
    zh="你保留的不足 k 个：第 k 大的要留下，只去掉比它小的，不要去掉与它相等的。",
    seen="`<=` where `<` was meant; k = 1 then leaves nothing",
    fix='logits = logits.masked_fill(logits < kth, float("-inf"))',
)
def kth_dropped(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        kth = logits.topk(k).values[..., -1:]
        logits = logits.masked_fill(logits <= kth, float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "exactly-k",
    en="Tokens that tie with the k-th stay too: compare with its value instead of taking k indices.",
    zh="与第 k 个并列的 token 也要保留：应与它的值比较，而不是取 k 个下标。",
    seen="samplers that scatter topk's indices; transformers keeps ties",
)
def exactly_k(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        best = logits.topk(k)
        logits = torch.full_like(logits, float("-inf")).scatter(-1, best.indices, best.values)
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "zero-k-is-one",
    en='top_k = 0 means off, not "keep as few as possible".',
    zh="top_k = 0 表示关闭，而不是“保留得越少越好”。",
    seen="the filter applied without asking whether it is on",
)
def zero_k_is_one(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
    logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "threshold-lost-its-axis",
    en="The k-th value of each row must keep its axis, [..., -1:], or it is compared along the vocabulary.",
    zh="每行的第 k 个值要保留这一维，写成 [..., -1:]，否则会沿词表方向去比较。",
    seen="`values[..., -1]`, which raises unless there is one row, or as many rows as tokens",
)
def threshold_lost_its_axis(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "floor-ignored",
    en="The floor was ignored: at least min_tokens_to_keep stay after each filter.",
    zh="忽略了下限：每次过滤后至少要保留 min_tokens_to_keep 个。",
    seen="the parameter accepted and never used",
)
def floor_ignored(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(top_k, logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :1] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "floor-only-under-p",
    en="The floor holds for top-k as well: k is at least min_tokens_to_keep.",
    zh="下限对 top-k 同样有效：k 至少为 min_tokens_to_keep。",
    seen="min_tokens_to_keep taken for a parameter of top-p alone",
)
def floor_only_under_p(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(top_k, logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits.softmax(dim=-1)


@misconception(
    "exp-overflows",
    en="exp() of raw logits overflows: use softmax, which takes the maximum off first.",
    zh="直接对 logits 取 exp() 会溢出：用 softmax，它会先减去最大值。",
    seen="the softmax written out by its formula",
)
def exp_overflows(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    weights = (logits / temperature).exp()
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), weights.size(-1))
        weights = weights.masked_fill(weights < weights.topk(k).values[..., -1:], 0.0)
    if top_p < 1:
        share = weights / weights.sum(dim=-1, keepdim=True)
        ranked, order = share.sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        weights = weights.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), 0.0)
    return weights / weights.sum(dim=-1, keepdim=True)


@misconception(
    "written-into-logits",
    en="You wrote into the caller's logits: divide into a new tensor.",
    zh="你改动了调用者的 logits：除法的结果应放进新的张量。",
    seen="`logits /= temperature` and indexed assignment of −inf, as in many gists",
    fix="logits = logits / temperature",
)
def written_into_logits(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits /= temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits[logits < logits.topk(k).values[..., -1:]] = float("-inf")
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits[torch.zeros_like(drop).scatter(-1, order, drop)] = float("-inf")
    return logits.softmax(dim=-1)


@misconception(
    "logits-returned",
    en="Return probabilities: the filtered logits still need a softmax.",
    zh="要返回概率：过滤后的 logits 还需要做一次 softmax。",
    seen="transformers' logits warpers, which hand on logits",
)
def logits_returned(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    logits = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        logits = logits.masked_fill(logits < logits.topk(k).values[..., -1:], float("-inf"))
    if top_p < 1:
        ranked, order = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        logits = logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return logits


# Equivalents


@equivalent(
    "probabilities-throughout", why="zeroes probabilities and divides by their sum, instead of −inf and softmax"
)
def probabilities_throughout(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    V = logits.shape[-1]
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), V).to(logits.dtype)
    scaled = logits / temperature
    probabilities = F.softmax(scaled, dim=-1)
    if top_k:
        k = min(max(top_k, min_tokens_to_keep), V)
        probabilities = probabilities * (scaled >= scaled.topk(k, dim=-1).values[..., -1, None])
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    if top_p < 1:
        ranked, order = torch.sort(probabilities, dim=-1, descending=True, stable=True)
        keep = F.pad(ranked.cumsum(-1)[..., :-1], (1, 0)) < top_p
        keep[..., :min_tokens_to_keep] = True
        probabilities = torch.zeros_like(ranked).scatter(-1, order, ranked * keep)
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    return probabilities


@equivalent(
    "ascending-like-transformers",
    why="sorts upwards and drops while the sum stays within 1 − p; the order of ties kept by a flip",
)
def ascending_like_transformers(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1)
    scores = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), scores.size(-1))
        scores = scores.masked_fill(scores < torch.topk(scores, k)[0][..., -1, None], -torch.inf)
    if top_p < 1:
        backwards = scores.flip(-1)
        ranked, order = backwards.sort(dim=-1, stable=True)
        drop = ranked.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        drop[..., -min_tokens_to_keep:] = False
        scores = backwards.masked_fill(drop.scatter(-1, order, drop), -torch.inf).flip(-1)
    return scores.softmax(dim=-1)


@equivalent("ranks", why="counts how many stay and compares each token's rank with it; float64 inside")
def ranks(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    V = logits.size(-1)
    if temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return (torch.arange(V, device=logits.device) == best).to(logits.dtype)
    scores = logits.double() / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), V)
        larger = (scores.unsqueeze(-2) > scores.unsqueeze(-1)).sum(-1)  # (..., V): how many are above each token
        scores = torch.where(larger < k, scores, -torch.inf)
    if top_p < 1:
        probabilities = scores.softmax(-1)
        order = probabilities.argsort(dim=-1, descending=True, stable=True)
        reached = probabilities.gather(-1, order).cumsum(-1) < top_p
        stay = (reached.sum(-1, keepdim=True) + 1).clamp(min=min_tokens_to_keep)
        scores = scores.masked_fill(order.argsort(dim=-1) >= stay, -torch.inf)
    return scores.softmax(-1).to(logits.dtype)


@equivalent("row-by-row", why="plain Python over lists of floats, one row at a time")
def row_by_row(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    V = logits.size(-1)

    def one(row):
        if temperature == 0:
            return [float(i == row.index(max(row))) for i in range(V)]
        row = [value / temperature for value in row]
        order = sorted(range(V), key=lambda i: -row[i])  # sorted() is stable
        if top_k > 0:
            kth = row[order[min(max(top_k, min_tokens_to_keep), V) - 1]]
            order = [i for i in order if row[i] >= kth]
        weights = [2.718281828459045 ** (row[i] - row[order[0]]) for i in order]
        if top_p < 1:
            mass, kept = 0.0, []
            for i, weight in zip(order, weights, strict=True):
                if mass >= top_p and len(kept) >= min_tokens_to_keep:
                    break
                kept.append(i)
                mass += weight / sum(weights)
            order, weights = kept, weights[: len(kept)]
        result = [0.0] * V
        for i, weight in zip(order, weights, strict=True):
            result[i] = weight / sum(weights)
        return result

    rows = [one(row) for row in logits.double().reshape(-1, V).tolist()]
    return torch.tensor(rows, dtype=logits.dtype, device=logits.device).reshape(logits.shape)


@equivalent(
    "softmax-of-the-top-k", why="works on topk's values alone, when no tie is cut, and scatters the result into zeros"
)
def softmax_of_the_top_k(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    V = logits.size(-1)
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.max(dim=-1, keepdim=True).indices, 1.0)
    values, order = (logits / temperature).sort(dim=-1, descending=True, stable=True)
    k = min(max(top_k, min_tokens_to_keep), V) if top_k > 0 else V
    values = values.masked_fill(values < values[..., k - 1 : k], float("-inf"))
    share = values.softmax(dim=-1)
    if top_p < 1:
        late = share.cumsum(dim=-1).roll(1, dims=-1) >= top_p
        late[..., :1] = False
        late[..., :min_tokens_to_keep] = False
        share = values.masked_fill(late, float("-inf")).softmax(dim=-1)
    return torch.zeros_like(logits).scatter(-1, order, share)


# The peer


@peer(
    "transformers",
    skips={
        "greedy": "temperature 0 is refused: generate() switches sampling off instead",
        "greedy-tie": "temperature 0 is refused: generate() switches sampling off instead",
        "tie-in-the-nucleus": "equal tokens stay in no promised order",
        "zero-p": "p = 0 is refused by newer releases",
    },
)
def warpers(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    from transformers.generation.logits_process import (
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    chain = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k > 0:
        chain.append(TopKLogitsWarper(top_k, min_tokens_to_keep=min_tokens_to_keep))
    if top_p < 1:
        chain.append(TopPLogitsWarper(top_p, min_tokens_to_keep=min_tokens_to_keep))
    rows = logits.reshape(-1, logits.size(-1))
    return chain(None, rows).softmax(dim=-1).reshape(logits.shape)
