"""Cases, wrong kernels, equivalents and peer of the kata online-softmax."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="every dimension differs and the last block is short")
def base(make: Inputs) -> Call:
    return call(make.normal(2, 3, 8), make.normal(2, 10, 8), make.normal(2, 10, 5), block_size=4)


@case(why="scores rise from block to block: the maximum sits in the last one, and all before it must be rescaled")
def maximum_last(make: Inputs) -> Call:
    K = make.normal(2, 9, 4) + torch.arange(9).view(1, 9, 1)
    return call(make.normal(2, 5, 4, mean=1.0, std=0.2), K, make.normal(2, 9, 3), block_size=2)


@case(why="from +200 down to −200: only the highest maximum so far may be taken out", atol=2e-4)
def steep_fall(make: Inputs) -> Call:
    K = 20.0 * torch.tensor([1.0] * 3 + [0.0] * 3 + [-1.0]).view(1, 7, 1) + make.normal(2, 7, 4, std=0.05)
    return call(make.normal(2, 2, 4, mean=5.0, std=0.05), K, make.normal(2, 7, 6), block_size=3)


@case(why="every score is near −200: a maximum that starts at 0 leaves nothing", atol=2e-4)
def all_very_negative(make: Inputs) -> Call:
    Q = make.normal(2, 3, 4, mean=20.0, std=0.05)
    return call(Q, make.normal(2, 5, 4, mean=-5.0, std=0.05), make.normal(2, 5, 6), block_size=2)


@case(why="one query scores near +150, its neighbour near −150: each needs its own maximum", atol=2e-4)
def unlike_rows(make: Inputs) -> Call:
    Q = torch.tensor([15.0, -15.0, 1.0]).view(1, 3, 1) + make.normal(2, 3, 4, std=0.05)
    return call(Q, make.normal(2, 7, 4, mean=5.0, std=0.05), make.normal(2, 7, 5), block_size=4)


@case(why="left padding covers the first block of one row and the last block of the other")
def masked_blocks(make: Inputs) -> Call:
    mask = torch.ones(2, 10, dtype=torch.bool)
    mask[0, :5] = False
    mask[1, 7:] = False
    mask[1, 2] = False
    return call(make.normal(2, 4, 8), make.normal(2, 10, 8), make.normal(2, 10, 6), mask, 3)


@case(why="one row has no key to attend to: zeros, says the contract")
def empty_row(make: Inputs) -> Call:
    mask = make.boolean(3, 7)
    mask[:, 4] = True
    mask[1] = False
    return call(make.normal(3, 2, 4), make.normal(3, 7, 4), make.normal(3, 7, 5), mask, 2)


@case(why="one block holds everything")
def one_block(make: Inputs) -> Call:
    return call(make.normal(1, 3, 4), make.normal(1, 5, 4), make.normal(1, 5, 2), block_size=64)


@case(why="blocks of a single key")
def blocks_of_one(make: Inputs) -> Call:
    return call(make.normal(2, 1, 3), make.normal(2, 5, 3), make.normal(2, 5, 4), make.boolean(2, 5), 1)


@case(why="no keys at all: zeros")
def no_keys(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4), make.normal(2, 0, 4), make.normal(2, 0, 5))


@case(why="float16, 600 keys: a sum kept in half precision goes astray")
def float16(make: Inputs) -> Call:
    half = torch.float16
    Q, K = make.normal(1, 4, 8, dtype=half), make.normal(1, 600, 8, dtype=half)
    return call(Q, K, make.normal(1, 600, 5, mean=1.0, dtype=half), block_size=32)


@case(why="bfloat16 with a mask: the result comes back in bfloat16")
def bfloat16(make: Inputs) -> Call:
    half = torch.bfloat16
    Q, K = make.normal(2, 3, 8, dtype=half), make.normal(2, 40, 8, dtype=half)
    return call(Q, K, make.normal(2, 40, 5, mean=1.0, dtype=half), make.boolean(2, 40), 16)


@case(why="1024 keys and 256 queries: the largest tensor is counted")
def long_context(make: Inputs) -> Call:
    return call(make.normal(1, 256, 8), make.normal(1, 1024, 8), make.normal(1, 1024, 6), make.boolean(1, 1024), 64)


@case(why="sizes, blocks and mask of its own", fresh=True)
def fresh(make: Inputs) -> Call:
    b, length, keys = make.size(2, 3), make.size(4, 6), make.size(11, 17)
    mask = make.boolean(b, keys, true=0.7)
    K = make.normal(b, keys, 8) * make.uniform(keys, 1, low=0.5, high=3.0)
    return call(make.normal(b, length, 8), K, make.normal(b, keys, 7), mask, make.size(2, 5))


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "output-not-rescaled",
    en="The weighted sum still stands against the old maximum: multiply it by exp(m_old − m_new), like the sum.",
    zh="加权和仍是相对旧最大值的：要像指数和那样乘以 exp(m_old − m_new)。",
    seen="first drafts of FlashAttention from memory",
    fix="mixed = mixed * shrink + weights @ V[:, block].float()",
)
def output_not_rescaled(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "sum-not-rescaled",
    en="The running sum still stands against the old maximum: multiply it by exp(m_old − m_new), like the output.",
    zh="指数和仍是相对旧最大值的：要像加权和那样乘以 exp(m_old − m_new)。",
    seen="first drafts of FlashAttention from memory",
)
def sum_not_rescaled(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "nothing-rescaled",
    en="You track the maximum but never rescale: each block was weighed against another maximum. Multiply both sums by exp(m_old − m_new).",
    zh="你维护了最大值却从不缩放：每一块都是相对不同的最大值算的。两个和都要乘以 exp(m_old − m_new)。",
    seen="code that is right only when the largest score comes first",
)
def nothing_rescaled(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        weights = torch.exp(scores - shift)
        total = total + weights.sum(-1, keepdim=True)
        mixed = mixed + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "maximum-from-zero",
    en="The running maximum starts at 0, so a row of −200s underflows to nothing. Start at −inf.",
    zh="当前最大值从 0 开始，一整行 −200 会下溢成 0。应当从 −inf 开始。",
    seen="accumulators all made by torch.zeros",
    fix="peak = q.new_full((*q.shape[:2], 1), -math.inf)",
)
def maximum_from_zero(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_zeros(*q.shape[:2], 1)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "nan-on-masked-block",
    en="−inf − (−inf): a block with nothing to attend to makes the row NaN for good. Shift by 0 while the maximum is −inf.",
    zh="−inf − (−inf)：整块都不可见时，这一行从此变成 NaN。最大值还是 −inf 时改用 0 作偏移。",
    seen="left padding longer than a block",
    fix="shift = highest.masked_fill(highest == -math.inf, 0.0)",
)
def nan_on_masked_block(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "rescale-inverted",
    en="You rescale by exp(m_new − m_old): what was summed must shrink when the maximum rises, not grow.",
    zh="缩放因子写成了 exp(m_new − m_old)：最大值升高时，已累加的部分应当缩小而不是放大。",
    seen="signs written from memory",
)
def rescale_inverted(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(shift - peak), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "maximum-never-kept",
    en="You never store the new maximum, so every block starts again from −inf and only the last one counts.",
    zh="新的最大值没有保存：每一块都从 −inf 重新开始，最后只剩最后一块。",
    seen="a loop whose last line was lost",
)
def maximum_never_kept(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "maximum-of-this-block",
    en="You rescale to this block's maximum even when it is lower: exp(m_old − m_block) then overflows. Take the maximum of both.",
    zh="这一块的最大值更低时你也照样用它：exp(m_old − m_block) 会溢出。应取两者中较大的。",
    seen="merge code tested on small scores, where it is exact",
    fix="highest = torch.maximum(peak, scores.amax(-1, keepdim=True))",
)
def maximum_of_this_block(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = scores.amax(-1, keepdim=True)
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "no-maximum",
    en="Without taking the maximum out, exp(200) is infinite in float32.",
    zh="不减最大值的话，exp(200) 在 float32 里就是无穷大。",
    seen="the textbook formula, blocked as it stands",
)
def no_maximum(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    total, mixed = q.new_zeros(*q.shape[:2], 1), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        weights = torch.exp(scores)
        total = total + weights.sum(-1, keepdim=True)
        mixed = mixed + weights @ V[:, block].float()
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "one-maximum-for-all-rows",
    en="One maximum for all queries: a row whose scores lie far below it underflows to 0. Each query has its own.",
    zh="所有查询共用一个最大值：分数远低于它的行会下溢成 0。每个查询应当有自己的最大值。",
    seen="`.max()` without a dimension",
)
def one_maximum_for_all_rows(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.max())
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "divides-every-block",
    en="You normalise inside the loop, and then scale the normalised value as if it were the sum. Divide once, after the loop.",
    zh="你在循环里就做了归一化，之后又把它当成未归一化的和继续缩放。只在循环结束后除一次。",
    seen="FlashAttention 1's update with its factor l_old left out",
)
def divides_every_block(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = (mixed * shrink + weights @ V[:, block].float()) / total.clamp(min=1e-30)
        peak = highest
    return mixed.to(Q.dtype)


@misconception(
    "tail-dropped",
    en="Keys after the last full block are never read: block_size need not divide S.",
    zh="最后不足一块的键没有读到：block_size 不一定整除 S。",
    seen="loops over S // block_size",
)
def tail_dropped(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1] - block_size + 1, block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "no-scale",
    en="Divide the scores by √d.",
    zh="分数要除以 √d。",
    seen="attention written in a hurry",
)
def no_scale(Q, K, V, key_mask=None, block_size=64):
    q = Q.float()
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "finite-mask",
    en="Your minus infinity is finite: a query with nothing to attend to averages all of V instead of giving zeros.",
    zh="你的负无穷是有限值：没有可见键的查询会得到 V 的平均，而不是全零。",
    seen="masks filled with −1e9",
)
def finite_mask(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -1e9)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "mask-multiplied",
    en="A masked score becomes 0, and exp(0) is still a weight: masked scores must be −inf.",
    zh="被屏蔽的分数变成了 0，而 exp(0) 仍有权重：应当置为 −inf。",
    seen="masks applied as scores * mask",
)
def mask_multiplied(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores * key_mask[:, None, block]
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "mask-not-sliced-by-block",
    en="Every block is masked by the first block's part of key_mask: slice it by the block, like K and V.",
    zh="每一块用的都是 key_mask 的第一段：要像 K、V 一样按块切片。",
    seen="a mask prepared before the loop",
)
def mask_not_sliced_by_block(Q, K, V, key_mask=None, block_size=64):
    q = Q.float() / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].float().transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, : scores.shape[-1]], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block].float()
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "half-accumulation",
    en="The running values stay in half precision: after a few hundred keys the sum stops growing. Lift to float32 first.",
    zh="累加量停留在半精度：几百个键之后，和就不再增长了。先转成 float32。",
    seen="kernels that allocate accumulators in the input's dtype",
)
def half_accumulation(Q, K, V, key_mask=None, block_size=64):
    q = Q / math.sqrt(Q.shape[-1])
    peak = q.new_full((*q.shape[:2], 1), -math.inf)
    total, mixed = torch.zeros_like(peak), q.new_zeros(*q.shape[:2], V.shape[-1])
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = q @ K[:, block].transpose(1, 2)
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        shift = highest.masked_fill(highest == -math.inf, 0.0)
        shrink, weights = torch.exp(peak - shift), torch.exp(scores - shift)
        total = total * shrink + weights.sum(-1, keepdim=True)
        mixed = mixed * shrink + weights @ V[:, block]
        peak = highest
    return (mixed / total.masked_fill(total == 0, 1.0)).to(Q.dtype)


@misconception(
    "mean-of-block-softmaxes",
    en="You average the blocks' own softmaxes: a block of low scores then weighs as much as one of high scores.",
    zh="你对各块自己的 softmax 求了平均：低分的块和高分的块权重一样了。",
    seen="chunked attention that treats chunks as independent",
)
def mean_of_block_softmaxes(Q, K, V, key_mask=None, block_size=64):
    outputs = []
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = Q.float() @ K[:, block].float().transpose(1, 2) / math.sqrt(Q.shape[-1])
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        outputs.append(scores.softmax(-1).nan_to_num(0.0) @ V[:, block].float())
    return torch.stack(outputs).mean(0).to(Q.dtype)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("merges-by-logsumexp", why="a softmax per block, merged by the blocks' logsumexp, as in split-K decoding")
def merges_by_logsumexp(Q, K, V, key_mask=None, block_size=64):
    out = Q.new_zeros(*Q.shape[:2], V.shape[-1], dtype=torch.float32)
    mass = torch.full((*Q.shape[:2], 1), -math.inf)
    for start in range(0, K.shape[1], block_size):
        block = slice(start, start + block_size)
        scores = Q.float() @ K[:, block].float().mT / math.sqrt(Q.shape[-1])
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, block], -math.inf)
        new = scores.logsumexp(-1, keepdim=True)
        both = torch.logaddexp(mass, new)
        part = scores.softmax(-1).nan_to_num(0.0) @ V[:, block].float()
        out = out * (mass - both).exp().nan_to_num(0.0) + part * (new - both).exp().nan_to_num(0.0)
        mass = both
    return out.to(Q.dtype)


@equivalent("two-passes", why="finds the maximum in a first pass over the blocks, and sums in a second")
def two_passes(Q, K, V, key_mask=None, block_size=64):
    def scores_of(start):
        scores = Q.double() @ K[:, start : start + block_size].double().mT / math.sqrt(Q.shape[-1])
        if key_mask is None:
            return scores
        return scores.masked_fill(~key_mask[:, None, start : start + block_size], -math.inf)

    starts = range(0, K.shape[1], block_size)
    peak = torch.full((*Q.shape[:2], 1), -1e300, dtype=torch.float64)
    for start in starts:
        peak = torch.maximum(peak, scores_of(start).amax(-1, keepdim=True))
    total, mixed = torch.zeros_like(peak), peak.new_zeros(*Q.shape[:2], V.shape[-1])
    for start in starts:
        weights = torch.exp(scores_of(start) - peak)
        total = total + weights.sum(-1, keepdim=True)
        mixed = mixed + weights @ V[:, start : start + block_size].double()
    return torch.where(total == 0, 0.0, mixed / total).to(Q.dtype)


@equivalent(
    "scaled-keys-and-a-column-of-ones", why="scales K, walks backwards, and gets the sum from a column of ones beside V"
)
def scaled_keys_and_a_column_of_ones(Q, K, V, key_mask=None, block_size=64):
    q, size = Q.float(), V.shape[-1]
    peak, sums = q.new_full((*Q.shape[:2], 1), -math.inf), q.new_zeros(*Q.shape[:2], size + 1)
    for start in reversed(range(0, K.shape[1], block_size)):
        k, v = K[:, start : start + block_size].float(), V[:, start : start + block_size].float()
        scores = torch.einsum("bld,bsd->bls", q, k / math.sqrt(Q.shape[-1]))
        if key_mask is not None:
            scores.masked_fill_(~key_mask[:, start : start + block_size].unsqueeze(1), -math.inf)
        highest = torch.maximum(peak, scores.amax(-1, keepdim=True))
        scores = torch.where(scores == -math.inf, 0.0, (scores - highest).exp())
        shrink = torch.where(peak == -math.inf, 0.0, (peak - highest).exp())
        sums = sums * shrink + scores @ F.pad(v, (0, 1), value=1.0)
        peak = highest
    return (sums[..., :size] / sums[..., size:].clamp(min=1e-30)).to(Q.dtype)


@equivalent("queries-in-blocks-too", why="tiles the queries as well, one batch row at a time")
def queries_in_blocks_too(Q, K, V, key_mask=None, block_size=64):
    out = torch.zeros(*Q.shape[:2], V.shape[-1], dtype=Q.dtype)
    for b in range(Q.shape[0]):
        for top in range(0, Q.shape[1], block_size):
            q = Q[b, top : top + block_size].float() * Q.shape[-1] ** -0.5
            peak, total, mixed = torch.full((len(q),), -1e30), torch.zeros(len(q)), torch.zeros(len(q), V.shape[-1])
            for start in range(0, K.shape[1], block_size):
                scores = q @ K[b, start : start + block_size].float().T
                if key_mask is not None:
                    scores[:, ~key_mask[b, start : start + block_size]] = -math.inf
                highest = torch.maximum(peak, scores.amax(1))
                weights, shrink = (scores - highest[:, None]).exp(), (peak - highest).exp()
                total = total * shrink + weights.sum(1)
                mixed = mixed * shrink[:, None] + weights @ V[b, start : start + block_size].float()
                peak = highest
            out[b, top : top + block_size] = (mixed / total.clamp(min=1e-30)[:, None]).to(Q.dtype)
    return out


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def sdpa(Q, K, V, key_mask=None, block_size=64):
    mask = None if key_mask is None else key_mask[:, None, :]  # (B, 1, S)
    return F.scaled_dot_product_attention(Q.float(), K.float(), V.float(), attn_mask=mask).to(Q.dtype)
