"""Grouped-query attention: inputs, wrong kernels, and other right ones."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

# Cases


def ragged(lengths, S):
    """A key-padding mask (B, 1, 1, S): the first `lengths[b]` keys of row b are tokens."""
    return (torch.arange(S) < torch.tensor(lengths)[:, None])[:, None, None, :]


@case(why="6 query heads on 2: the order of the groups shows, which 4 on 1 would hide")
def six_on_two(make: Inputs):
    return call(make.normal(3, 6, 4, 8), make.normal(3, 2, 7, 8), make.normal(3, 2, 7, 5))


@case(why="12 on 4: groups of three, so that the group's size and the number of groups cannot be mistaken")
def twelve_on_four(make: Inputs):
    return call(make.normal(2, 12, 3, 8), make.normal(2, 4, 5, 8), make.normal(2, 4, 5, 6))


@case(why="4 on 1: multi-query attention")
def multi_query(make: Inputs):
    return call(make.normal(2, 4, 3, 8), make.normal(2, 1, 6, 8), make.normal(2, 1, 6, 5))


@case(why="3 on 3: ordinary multi-head attention")
def multi_head(make: Inputs):
    return call(make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5))


@case(raises="ValueError", why="5 on 2 does not divide")
def uneven(make: Inputs):
    return call(make.normal(2, 5, 4, 8), make.normal(2, 2, 6, 8), make.normal(2, 2, 6, 5))


@case(why="ragged key padding: the mask's polarity and place show")
def ragged_padding(make: Inputs):
    Q, K, V = make.normal(3, 6, 4, 8), make.normal(3, 2, 7, 8), make.normal(3, 2, 7, 5)
    return call(Q, K, V, ragged([4, 7, 2], 7))


@case(why="B = H_kv: a mask that lacks the groups' axis still broadcasts, but row b's mask hits key/value head b")
def as_many_rows_as_heads(make: Inputs):
    Q, K, V = make.normal(2, 6, 4, 8), make.normal(2, 2, 7, 8), make.normal(2, 2, 7, 5)
    return call(Q, K, V, ragged([3, 6], 7))


@case(why="a causal mask with a cache: each query has its own keys")
def causal(make: Inputs):
    Q, K, V = make.normal(2, 6, 3, 8), make.normal(2, 2, 5, 8), make.normal(2, 2, 5, 4)
    return call(Q, K, V, torch.ones(3, 5, dtype=torch.bool).tril(diagonal=2).expand(2, 1, 3, 5))


@case(why="one decoded token, one key, width 1: nothing may be squeezed away")
def one_of_each(make: Inputs):
    return call(make.normal(1, 4, 1, 1), make.normal(1, 2, 1, 1), make.normal(1, 2, 1, 3))


@case(rtol=0.05, atol=0.05, why="bfloat16 in, bfloat16 out")
def brain_float(make: Inputs):
    Q, K, V = (make.normal(2, h, n, 8, dtype=torch.bfloat16) for h, n in ((6, 3), (2, 5), (2, 5)))
    return call(Q, K, V)


@case(why="heads split off by a transpose: nothing is contiguous")
def non_contiguous(make: Inputs):
    Q, K, V = (make.normal(2, n, h, d).transpose(1, 2) for n, h, d in ((4, 6, 8), (7, 2, 8), (7, 2, 5)))
    return call(Q, K, V)


@case(grads=(0, 1, 2), why="the gradients: each shared head collects those of its whole group")
def gradients(make: Inputs):
    Q, K, V = make.normal(2, 6, 3, 8), make.normal(2, 2, 5, 8), make.normal(2, 2, 5, 4)
    return call(Q, K, V, ragged([5, 3], 5))


@case(fresh=True, why="head counts and sizes that nobody could have hard-coded")
def fresh(make: Inputs):
    B, heads, group = make.size(2, 4), make.size(2, 4), make.size(2, 4)
    L, S, d, d_v = make.size(2, 5), make.size(3, 8), make.size(3, 9), make.size(2, 8)
    Q, K, V = make.normal(B, heads * group, L, d), make.normal(B, heads, S, d), make.normal(B, heads, S, d_v)
    return call(Q, K, V, ragged([make.size(1, S) for _ in range(B)], S))


# Misconceptions


@misconception(
    "tiled",
    en="You tiled the heads, 0 1 0 1 0 1: neighbours share a head, 0 0 0 1 1 1, so use repeat_interleave.",
    zh="你把头按轮次平铺成了 0 1 0 1 0 1：应当是相邻的共用，0 0 0 1 1 1，要用 repeat_interleave。",
    seen="`repeat` or `tile`; a checkpoint still loads and the shapes are right",
    fix="K, V = K.repeat_interleave(group, dim=1), V.repeat_interleave(group, dim=1)",
)
def tiled(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    group = Q.size(1) // K.size(1)
    K, V = K.repeat(1, group, 1, 1), V.repeat(1, group, 1, 1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


@misconception(
    "values-tiled",
    en="Keys and values must be shared in the same way: your keys are interleaved, your values tiled.",
    zh="键和值必须用同样的方式共用：你的键是相邻重复，值却是整轮平铺。",
    seen="one of two lines changed",
)
def values_tiled(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    group = Q.size(1) // K.size(1)
    K, V = K.repeat_interleave(group, dim=1), V.repeat(1, group, 1, 1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


@misconception(
    "repeated-by-head-count",
    en="Each head is repeated H_q / H_kv times, not H_kv times.",
    zh="每个头要重复 H_q / H_kv 次，而不是 H_kv 次。",
    seen="the number of groups taken for the size of a group; right when both are equal",
    fix="group = Q.size(1) // K.size(1)",
)
def repeated_by_head_count(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    group = K.size(1)
    K, V = K.repeat_interleave(group, dim=1), V.repeat_interleave(group, dim=1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


@misconception(
    "first-head-for-all",
    en="Every query head uses key/value head 0: that is multi-query attention, and the other heads are wasted.",
    zh="所有查询头都用了第 0 个键值头：那是多查询注意力，其余的键值头都浪费了。",
    seen="broadcasting arranged for H_kv = 1",
)
def first_head_for_all(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    scores = Q @ K[:, :1].transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V[:, :1]


@misconception(
    "heads-averaged",
    en="The shared heads are not averaged at run time: each group attends with its own head.",
    zh="共用的头不是在运行时取平均：每一组使用自己的那个头。",
    seen="the paper's mean-pooling, which converts a checkpoint once, taken for the forward pass",
)
def heads_averaged(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    K, V = K.mean(dim=1, keepdim=True), V.mean(dim=1, keepdim=True)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


@misconception(
    "mask-lacks-the-groups-axis",
    en="Scores have five axes here, (B, H_kv, G, L, S): unsqueeze the mask, or row b's mask hits key/value head b.",
    zh="这里的分数有五个轴 (B, H_kv, G, L, S)：掩码也要补一个轴，否则第 b 行的掩码会作用到第 b 个键值头上。",
    seen="a four-axis mask broadcast from the right; silent when B = H_kv or B = 1",
    fix='scores = scores.masked_fill(~mask.unsqueeze(2), float("-inf"))',
)
def mask_lacks_the_groups_axis(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    Q = Q.unflatten(1, (K.size(1), -1))
    scores = Q @ K.unsqueeze(2).transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return (torch.softmax(scores, dim=-1) @ V.unsqueeze(2)).flatten(1, 2)


@misconception(
    "groups-joined-crosswise",
    en="The heads come back in another order: join (H_kv, G), in this order, into H_q.",
    zh="输出的头换了顺序：应当按 (H_kv, G) 的次序合并成 H_q。",
    seen="a transpose too many before the final reshape",
)
def groups_joined_crosswise(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    Q = Q.unflatten(1, (K.size(1), -1))
    scores = Q @ K.unsqueeze(2).transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask.unsqueeze(2), float("-inf"))
    return (torch.softmax(scores, dim=-1) @ V.unsqueeze(2)).transpose(1, 2).flatten(1, 2)


@misconception(
    "keys-of-other-heads-joined",
    en="Heads do not see each other's keys: you joined all key/value heads into one long sequence.",
    zh="头与头之间看不到彼此的键：你把所有键值头接成了一个长序列。",
    seen="H_kv folded into the sequence axis to make the shapes fit",
)
def keys_of_other_heads_joined(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    if mask is not None:
        mask = mask.repeat(1, 1, 1, K.size(1))
    K, V = K.flatten(1, 2).unsqueeze(1), V.flatten(1, 2).unsqueeze(1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


@misconception(
    "scaled-by-group-width",
    en="The scale uses the width of one head, √d; sharing heads does not change it.",
    zh="缩放用的是单个头的宽度 √d；共用头不会改变它。",
    seen="d taken from a tensor whose last axis joins a whole group",
)
def scaled_by_group_width(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    group = Q.size(1) // K.size(1)
    K, V = K.repeat_interleave(group, dim=1), V.repeat_interleave(group, dim=1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1) * group)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


@misconception(
    "mask-ignored",
    en="The mask is never applied.",
    zh="掩码根本没有用上。",
    seen="`scores.masked_fill(…)` called without keeping its result: it is not in place",
)
def mask_ignored(Q, K, V, mask=None):
    if Q.size(1) % K.size(1):
        raise ValueError("H_q must be a multiple of H_kv")
    group = Q.size(1) // K.size(1)
    K, V = K.repeat_interleave(group, dim=1), V.repeat_interleave(group, dim=1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    return torch.softmax(scores, dim=-1) @ V


@misconception(
    "uneven-accepted",
    en="When H_kv does not divide H_q some query heads have no group: raise ValueError.",
    zh="H_kv 不能整除 H_q 时，有的查询头没有归属：应抛出 ValueError。",
    seen="an index h · H_kv // H_q, which accepts everything",
)
def uneven_accepted(Q, K, V, mask=None):
    H_q, H_kv = Q.size(1), K.size(1)
    shared = [h * H_kv // H_q for h in range(H_q)]
    scores = Q @ K[:, shared].transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V[:, shared]


@misconception(
    "uneven-crashes",
    en="An uneven split must raise ValueError, with words, before the shapes clash.",
    zh="除不尽时应当先抛出带说明的 ValueError，而不是等到形状对不上才报错。",
    seen="no check at all: torch complains about sizes two lines later",
)
def uneven_crashes(Q, K, V, mask=None):
    group = Q.size(1) // K.size(1)
    K, V = K.repeat_interleave(group, dim=1), V.repeat_interleave(group, dim=1)
    scores = Q @ K.transpose(-2, -1) / math.sqrt(Q.size(-1))
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1) @ V


# Equivalents


@equivalent("repeat-interleave", why="copies each shared head for its group, then ordinary attention")
def repeat_interleave(Q, K, V, mask=None):
    group, rest = divmod(Q.size(1), K.size(1))
    if rest:
        raise ValueError("uneven")
    K, V = K.repeat_interleave(group, dim=1), V.repeat_interleave(group, dim=1)
    scores = (Q * Q.size(-1) ** -0.5) @ K.mT
    if mask is not None:
        scores = torch.where(mask, scores, -torch.inf)
    return scores.softmax(-1) @ V


@equivalent("expand-and-reshape", why="repeat_kv of transformers: an expanded axis, reshaped; float64 inside")
def expand_and_reshape(Q, K, V, mask=None):
    B, H, S, _ = K.shape
    if Q.size(1) % H != 0:
        raise ValueError("uneven")
    group = Q.size(1) // H
    keys, values = (x.double()[:, :, None].expand(B, H, group, S, -1).reshape(B, H * group, S, -1) for x in (K, V))
    scores = torch.einsum("bhld,bhsd->bhls", Q.double(), keys) / math.sqrt(Q.size(-1))
    scores = scores if mask is None else scores.masked_fill(mask.logical_not(), -torch.inf)
    return (F.softmax(scores, dim=-1) @ values).to(Q.dtype)


@equivalent("groups-stacked-as-rows", why="lays a group's queries under each other, so that no key is copied")
def groups_stacked_as_rows(Q, K, V, mask=None):
    (B, H_q, L, d), (H, S) = Q.shape, K.shape[1:3]
    if H_q % H:
        raise ValueError("uneven")
    scores = Q.reshape(B, H, H_q // H * L, d) @ K.transpose(-2, -1) / math.sqrt(d)
    if mask is not None:
        scores = scores.masked_fill(~mask.expand(B, 1, L, S).repeat(1, 1, H_q // H, 1), -torch.inf)
    return (scores.softmax(dim=-1) @ V).reshape(B, H_q, L, V.size(-1))


@equivalent("head-by-head", why="a loop over the query heads that picks the shared head by index")
def head_by_head(Q, K, V, mask=None):
    H_q, H = Q.size(1), K.size(1)
    if H_q % H:
        raise ValueError("uneven")
    outputs = []
    for h in range(H_q):
        k, v = K[:, h * H // H_q], V[:, h * H // H_q]
        scores = Q[:, h] @ k.transpose(-2, -1) / math.sqrt(Q.size(-1))
        if mask is not None:
            scores = scores.masked_fill(~mask[:, 0], -torch.inf)
        outputs.append(scores.softmax(-1) @ v)
    return torch.stack(outputs, dim=1)


# The peer


@peer("torch", skips={"uneven": "it raises RuntimeError"})
def torch_attention(Q, K, V, mask=None):
    return F.scaled_dot_product_attention(Q, K, V, attn_mask=mask, enable_gqa=True)
