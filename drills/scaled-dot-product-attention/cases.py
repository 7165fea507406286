"""Scaled dot-product attention: inputs, wrong kernels, and other right ones."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

# Cases


def ragged(lengths, S):
    """A key-padding mask (B, 1, 1, S): the first `lengths[b]` keys of row b are tokens."""
    return (torch.arange(S) < torch.tensor(lengths)[:, None])[:, None, None, :]


@case(why="every dimension differs, so neither a wrong axis nor a wrong width passes by luck")
def base(make: Inputs):
    return call(make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5))


@case(why="rows of different lengths: the mask's polarity and the place where it is applied show; B≠H")
def ragged_padding(make: Inputs):
    Q, K, V = make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5)
    return call(Q, K, V, ragged([4, 5], 6))


@case(why="B=H: a mask that lost a dimension still broadcasts, but row b's mask hits head b")
def as_many_heads_as_rows(make: Inputs):
    Q, K, V = make.normal(3, 3, 4, 8), make.normal(3, 3, 6, 8), make.normal(3, 3, 6, 5)
    return call(Q, K, V, ragged([2, 6, 4], 6))


@case(why="an int64 mask of 0/1, one for each query: `~mask` and `torch.where(mask, …)` take only bool")
def integer_mask(make: Inputs):
    Q, K, V = make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5)
    mask = make.integers(0, 2, 2, 1, 4, 6)
    mask[..., 2] = 1  # no empty row here
    mask[..., 4] = 0
    return call(Q, K, V, mask)


@case(why="a float mask of 0/1, shared by rows and heads: it is no additive bias")
def float_mask(make: Inputs):
    Q, K, V = make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5)
    return call(Q, K, V, torch.ones(4, 6).tril(diagonal=2))


@case(why="one query may see no key: softmax is 0/0 there, the contract says zeros")
def empty_row(make: Inputs):
    Q, K, V = make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5)
    mask = ragged([5, 3], 6).expand(2, 1, 4, 6).clone()
    mask[1, :, 2] = False
    return call(Q, K, V, mask)


@case(why="valid scores of −5000 and −200000: a finite stand-in for minus infinity beats them")
def very_low_scores(make: Inputs):
    # d = 16 and powers of two: every product, sum and scaling is exact, so only the masking is judged.
    Q = torch.ones(2, 3, 2, 16)
    Q[:, :, 1] = 40.0
    K = torch.full((2, 3, 5, 16), -1250.0)
    K[:, :, 1, 0] = -1249.75  # scores: −5000 and −4999.9375 for the first query, 40 times as much for the second
    K[:, :, 3:] = 0.0  # the hidden keys score 0: adding a finite number to that is not enough
    return call(Q, K, make.normal(2, 3, 5, 7), ragged([3, 3], 5))


@case(why="scores of several hundred: exp() overflows unless the row's maximum is taken off first")
def very_high_scores(make: Inputs):
    # Small whole numbers: the scores are exact in float32.
    Q, K = make.integers(-9, 10, 2, 3, 4, 16).float() * 8, make.integers(-9, 10, 2, 3, 6, 16).float()
    return call(Q, K, make.normal(2, 3, 6, 5))


@case(rtol=0.01, atol=0.01, why="float16: −1e9 does not exist there, and the results stay float16")
def half_precision(make: Inputs):
    Q, K, V = (make.normal(2, 3, n, d, dtype=torch.float16) for n, d in ((4, 8), (6, 8), (6, 5)))
    return call(Q, K, V, ragged([4, 5], 6))


@case(rtol=0.05, atol=0.05, why="bfloat16 without a mask: the results stay bfloat16")
def brain_float(make: Inputs):
    Q, K, V = (make.normal(2, 3, n, d, dtype=torch.bfloat16) for n, d in ((4, 8), (6, 8), (6, 5)))
    return call(Q, K, V)


@case(why="one query, one key of width 1: nothing may be squeezed away")
def one_of_each(make: Inputs):
    return call(make.normal(1, 2, 1, 1), make.normal(1, 2, 1, 1), make.normal(1, 2, 1, 3))


@case(why="an empty batch: every sequence is finished")
def empty_batch(make: Inputs):
    return call(make.normal(0, 3, 4, 8), make.normal(0, 3, 6, 8), make.normal(0, 3, 6, 5))


@case(why="heads split off by a transpose, and an expanded mask: nothing is contiguous")
def non_contiguous(make: Inputs):
    Q, K, V = (make.normal(2, n, 3, d).transpose(1, 2) for n, d in ((4, 8), (6, 8), (6, 5)))
    return call(Q, K, V, ragged([6, 3], 6).expand(2, 3, 4, 6))


@case(grads=(0, 1, 2), why="the gradients with respect to Q, K and V")
def gradients(make: Inputs):
    Q, K, V = make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5)
    return call(Q, K, V, ragged([4, 5], 6))


@case(fresh=True, why="sizes and lengths that nobody could have hard-coded")
def fresh(make: Inputs):
    B, H, L, S = make.size(2, 4), make.size(2, 5), make.size(2, 7), make.size(3, 9)
    d, d_v = make.size(3, 12), make.size(2, 9)
    lengths = [make.size(1, S - 1) for _ in range(B)]
    return call(make.normal(B, H, L, d), make.normal(B, H, S, d), make.normal(B, H, S, d_v), ragged(lengths, S))


# Misconceptions


@misconception(
    "no-scale",
    en="Divide the scores by √d_k: without it their variance is d_k, and the softmax saturates.",
    zh="分数要除以 √d_k：不除的话方差是 d_k，softmax 会饱和。",
    seen="first drafts written from memory: the formula's denominator is the part that is forgotten",
    fix="scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))",
)
def no_scale(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1)
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "scaled-by-width",
    en="Divide by √d_k, not by d_k: the standard deviation of a score is √d_k.",
    zh="要除以 √d_k，不是 d_k：分数的标准差才是 √d_k。",
    seen="the square root lost when copying the formula; muP does divide by d, as a choice of its own",
)
def scaled_by_width(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / Q.size(-1)
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "scaled-up",
    en="You multiply by √d_k; the scores must be divided by it.",
    zh="你乘上了 √d_k；分数应当除以它。",
    seen="`* d ** 0.5` written where `* d ** -0.5` was meant",
)
def scaled_up(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) * Q.size(-1) ** 0.5
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "scaled-by-value-width",
    en="The scale uses the keys' width d_k, not the values' width d_v.",
    zh="缩放用的是键的宽度 d_k，不是值的宽度 d_v。",
    seen="code where d_k = d_v always holds, so nobody notices",
)
def scaled_by_value_width(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(V.size(-1))
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "scaled-by-model-width",
    en="The scale uses the width of one head, d_k, not the model's width H·d_k.",
    zh="缩放用的是单个头的宽度 d_k，不是模型宽度 H·d_k。",
    seen="multi-head classes that keep `d_model` at hand and the head's width not",
    fix="scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))",
)
def scaled_by_model_width(Q, K, V, mask=None):
    d_model = Q.size(1) * Q.size(-1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(d_model)
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "softmax-over-queries",
    en="Each query's weights must sum to 1: the softmax runs over the keys, the last axis.",
    zh="每个查询的权重之和应为 1：softmax 要沿键的方向，也就是最后一维。",
    seen="`dim=` chosen without looking at which axis holds the keys",
    fix="weights = torch.softmax(scores, dim=-1)",
)
def softmax_over_queries(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))
    weights = torch.softmax(scores, dim=-2)
    weights = weights.nan_to_num(0.0)
    return weights @ V, weights


@misconception(
    "softmax-over-heads",
    en="softmax without the right `dim` normalises across heads; it must run over the keys, dim=-1.",
    zh="softmax 的 `dim` 不对，成了在头之间归一化；应当沿键的方向，即 dim=-1。",
    seen="`dim=1`, right for a (batch, classes) classifier, carried over to attention",
)
def softmax_over_heads(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))
    weights = torch.softmax(scores, dim=1).nan_to_num(0.0)
    return weights @ V, weights


@misconception(
    "mask-inverted",
    en="You attend to exactly the padding: here 1/True means attend.",
    zh="你恰好只看了填充位置：这里 1/True 表示可见。",
    seen="torch.nn.MultiheadAttention, whose key_padding_mask uses True = ignore",
    fix="hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0",
)
def mask_inverted(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask != 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "mask-added",
    en="Adding a 0/1 mask only shifts scores by 1; a hidden score must become −inf.",
    zh="把 0/1 掩码直接加上去，只会让分数差 1；要隐藏的分数必须变成 −inf。",
    seen="an additive mask (0 / −inf) and a boolean one taken for the same thing",
)
def mask_added(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores + mask.to(scores.dtype)
    weights = torch.softmax(scores, dim=-1)
    return weights @ V, weights


@misconception(
    "mask-multiplied",
    en="A score of zero still gets weight e⁰ = 1; a hidden score must become −inf.",
    zh="分数为 0 仍然有权重 e⁰ = 1；要隐藏的分数必须变成 −inf。",
    seen="masks of ReLU networks and losses, where multiplying by 0 does remove a term",
    fix='scores = scores.masked_fill(mask == 0, float("-inf"))',
)
def mask_multiplied(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores * mask.to(scores.dtype)
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights @ V, weights


@misconception(
    "mask-after-softmax",
    en="Masking after the softmax leaves rows that no longer sum to 1: hidden keys already took their share.",
    zh="softmax 之后再做掩码，每行的和不再是 1：被隐藏的键已经分走了权重。",
    seen="attention rewritten from a diagram that draws the mask as a last step",
)
def mask_after_softmax(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    weights = torch.softmax(scores, dim=-1)
    if mask is not None:
        weights = weights * (mask != 0)
    return weights @ V, weights


@misconception(
    "mask-ignored",
    en="The mask is never applied.",
    zh="掩码根本没有用上。",
    seen="`scores.masked_fill(…)` called without keeping its result: it is not in place",
    fix='scores = scores.masked_fill(mask == 0, float("-inf"))',
)
def mask_ignored(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores.masked_fill(mask == 0, float("-inf"))
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights @ V, weights


@misconception(
    "bool-mask-only",
    en="The mask may be 0/1 of any dtype: `torch.where(mask, …)` takes only bool. Compare with 0 first.",
    zh="掩码可以是任意 dtype 的 0/1：`torch.where(mask, …)` 只接受 bool。先与 0 比较。",
    seen="code tested with bool masks, then fed the int64 attention_mask of a tokenizer",
)
def bool_mask_only(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = torch.where(mask, scores, float("-inf"))
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights @ V, weights


@misconception(
    "mask-lost-a-dimension",
    en="Row b's mask hits head b: a (B, 1, 1, S) mask must keep its head dimension to broadcast.",
    zh="第 b 行的掩码作用到了第 b 个头上：(B, 1, 1, S) 掩码必须保留头这一维才能正确广播。",
    seen="`mask.squeeze(1)`, which raises unless B = H or B = 1, and is silently wrong when B = H",
)
def mask_lost_a_dimension(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        hidden = mask.squeeze(1) == 0 if mask.dim() == 4 else mask == 0
        scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights @ V, weights


@misconception(
    "empty-row-nan",
    en="A query that may see nothing gets 0/0 = NaN: the contract says zeros.",
    zh="什么都看不到的查询得到 0/0 = NaN：约定要求是零。",
    seen="the usual textbook implementation; a batch with a fully padded row turns the loss to NaN",
    fix="weights = torch.softmax(scores, dim=-1).masked_fill(mask == 0, 0.0)",
)
def empty_row_nan(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is None:
        mask = torch.ones_like(scores)
    scores = scores.masked_fill(mask == 0, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return weights @ V, weights


@misconception(
    "only-output-cleaned",
    en="The output of an empty row is zero, but its weights are still NaN: clean the weights, before they mix the values.",
    zh="空行的输出是零了，但权重仍是 NaN：应当在与值相乘之前清理权重。",
    seen="`nan_to_num` put on the last line as an afterthought",
)
def only_output_cleaned(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    return (weights @ V).nan_to_num(0.0), weights


@misconception(
    "minus-1e9",
    en='Your "minus infinity" is finite: −1e9 does not fit float16, and an empty row gets even weights.',
    zh="你的“负无穷”是有限的：float16 存不下 −1e9，空行还会得到均匀的权重。",
    seen="The Annotated Transformer and much code after it",
    fix='scores = scores.masked_fill(mask == 0, float("-inf"))',
)
def minus_1e9(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -1e9)
    weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return weights @ V, weights


@misconception(
    "smallest-finite-number",
    en="finfo.min keeps hidden keys out, but an empty row of equal scores gets even weights instead of zeros.",
    zh="finfo.min 能挡住被隐藏的键，但空行的分数全部相等，得到的是均匀权重而不是零。",
    seen="mask utilities of transformers, which fill with torch.finfo(dtype).min",
)
def smallest_finite_number(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim=-1)
    return weights @ V, weights


@misconception(
    "minus-10000",
    en='Your "minus infinity" is −10000: a valid score of −200000 loses against it.',
    zh="你的“负无穷”是 −10000：有效分数为 −200000 时会输给它。",
    seen="the original BERT code: (1 − mask) · −10000",
)
def minus_10000(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores + (1.0 - mask.to(scores.dtype)) * -10000.0
    weights = torch.softmax(scores, dim=-1)
    return weights @ V, weights


@misconception(
    "minus-100",
    en='Your "minus infinity" is −100: a valid score of −5000 loses against it.',
    zh="你的“负无穷”是 −100：有效分数为 −5000 时会输给它。",
    seen="a small fill value chosen so that it fits every dtype",
)
def minus_100(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -100.0)
    weights = torch.softmax(scores, dim=-1)
    return weights @ V, weights


@misconception(
    "naive-exp",
    en="exp() of raw scores overflows, or underflows to 0/0: take each row's maximum off first, as softmax does.",
    zh="直接对原始分数取 exp() 会上溢，或者下溢成 0/0：先减去每行的最大值，softmax 就是这样做的。",
    seen="softmax written out by its formula",
    fix="weights = torch.softmax(scores, dim=-1).nan_to_num(0.0)",
)
def naive_exp(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))
    weights = torch.exp(scores)
    total = weights.sum(dim=-1, keepdim=True)
    weights = weights / torch.where(total == 0, 1.0, total)
    return weights @ V, weights


@misconception(
    "query-scaled-in-place",
    en="`Q /= …` changes the caller's tensor: write `Q = Q / …`.",
    zh="`Q /= …` 改动了调用者的张量：应写成 `Q = Q / …`。",
    seen="augmented assignment taken for a rebinding",
    fix="Q = Q / math.sqrt(Q.size(-1))",
)
def query_scaled_in_place(Q, K, V, mask=None):
    Q /= math.sqrt(Q.size(-1))
    scores = Q @ K.transpose(-2, -1)
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "keys-reshaped",
    en="`reshape` cuts the keys' numbers into new rows; swapping two axes is `transpose(-2, -1)`.",
    zh="`reshape` 是把键的数字重新切成行；交换两个轴要用 `transpose(-2, -1)`。",
    seen="a shape error in `Q @ K` silenced with reshape",
)
def keys_reshaped(Q, K, V, mask=None):
    B, H, S, d = K.shape
    scores = Q @ K.reshape(B, H, d, S) / math.sqrt(d)
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V, weights


@misconception(
    "float32-results",
    en="Computing in float32 is fine, but the results must be cast back to the inputs' dtype.",
    zh="用 float32 计算没问题，但结果要转回输入的 dtype。",
    seen="upcasting for a stable softmax without the cast back",
)
def float32_results(Q, K, V, mask=None):
    scores = Q.float() @ K.float().transpose(-2, -1) / math.sqrt(Q.size(-1))
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0)
    return weights @ V.float(), weights


@misconception(
    "output-only",
    en="Return both, as a tuple: (output, weights).",
    zh="两者都要返回，组成元组：(output, weights)。",
    seen="torch.nn.functional.scaled_dot_product_attention, which returns the output alone",
)
def output_only(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    scores = scores.masked_fill(hidden, float("-inf"))
    return torch.softmax(scores, dim=-1).masked_fill(hidden, 0.0) @ V


# Equivalents


@equivalent("scaled-keys", why="scales K instead of the scores, and hides keys with an additive bias")
def scaled_keys(Q, K, V, mask=None):
    scores = Q @ (K / math.sqrt(K.shape[-1])).mT
    if mask is None:
        weights = F.softmax(scores, dim=-1)
    else:
        keep = mask.bool()
        weights = torch.where(keep, F.softmax(torch.where(keep, scores, -torch.inf), dim=-1), 0)
    return torch.matmul(weights, V), weights


@equivalent("einsum", why="einsum for both products, nan_to_num for the empty rows")
def einsum(Q, K, V, mask=None):
    scores = torch.einsum("bhld,bhsd->bhls", Q, K) * Q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(~mask.bool(), -torch.inf)
    weights = scores.softmax(-1).nan_to_num(0.0)
    return torch.einsum("bhls,bhsv->bhlv", weights, V), weights


@equivalent("float64-inside", why="computes in float64 and casts back at the end")
def float64_inside(Q, K, V, mask=None):
    scores = Q.double() @ K.double().transpose(-2, -1) / math.sqrt(Q.size(-1))
    hidden = torch.zeros_like(scores, dtype=torch.bool) if mask is None else mask == 0
    weights = torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1).masked_fill(hidden, 0.0)
    return (weights @ V.double()).to(Q.dtype), weights.to(Q.dtype)


@equivalent("softmax-by-hand", why="the maximum of the visible keys taken off, exp, and a sum that may be zero")
def softmax_by_hand(Q, K, V, mask=None):
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    keep = torch.ones_like(scores, dtype=torch.bool) if mask is None else (mask != 0).expand_as(scores)
    highest = scores.masked_fill(~keep, torch.finfo(scores.dtype).min).amax(dim=-1, keepdim=True)
    powers = torch.exp((scores - highest).masked_fill(~keep, 0.0)).masked_fill(~keep, 0.0)
    weights = powers / powers.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(scores.dtype).tiny)
    return weights @ V, weights


@equivalent("head-by-head", why="a loop over rows and heads that looks only at the keys a query may see")
def head_by_head(Q, K, V, mask=None):
    (B, H, L, d), S = Q.shape, K.size(2)
    keep = (torch.ones(1) if mask is None else mask).to(Q.device).expand(B, H, L, S) != 0
    weights = Q.new_zeros(B, H, L, S)
    for b in range(B):
        for h in range(H):
            for i in range(L):
                seen = keep[b, h, i]  # (S,), the keys that this query may see
                scores = K[b, h, seen] @ Q[b, h, i] / math.sqrt(d)
                weights[b, h, i, seen] = torch.softmax(scores, dim=0)
    return weights @ V, weights


# The peer


@peer("torch")
def torch_attention(Q, K, V, mask=None):
    keep = None if mask is None else mask != 0
    output = F.scaled_dot_product_attention(Q, K, V, attn_mask=keep)
    # Values that are the identity make the output the weights themselves.
    identity = torch.eye(K.size(2), dtype=V.dtype).expand(*K.shape[:2], -1, -1)
    return output, F.scaled_dot_product_attention(Q, K, identity, attn_mask=keep)
