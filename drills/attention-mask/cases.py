"""The attention mask: inputs, wrong kernels, and other right ones."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

# Cases


def padded(lengths, S, left=False):
    """A padding mask (B, S) of 0/1: row b has `lengths[b]` tokens, at the end if `left` is padded."""
    tokens = torch.arange(S) < torch.tensor(lengths)[:, None]
    return (tokens.flip(-1) if left else tokens).long()


@case(why="a square triangle without padding: token i sees 0 … i")
def square(make: Inputs):
    return call(torch.ones(2, 5, dtype=torch.long), 5)


@case(why="L=2, S=5: with a cache the last query sees every key, so the triangle is aligned to the lower right")
def with_a_cache(make: Inputs):
    return call(torch.ones(3, 5, dtype=torch.long), 2)


@case(why="one decoded token sees the whole cache")
def decode(make: Inputs):
    return call(torch.ones(2, 6, dtype=torch.long), 1)


@case(why="ragged padding on the right: it hides keys, and the padded queries' rows are built like any other")
def right_padding(make: Inputs):
    return call(padded([4, 6, 2], 6), 6)


@case(why="padding on the left, as for generation: the first rows come out empty")
def left_padding(make: Inputs):
    return call(padded([4, 6, 3], 6, left=True), 6)


@case(why="left padding with a cache: the two must be joined on the keys' axis")
def padding_with_a_cache(make: Inputs):
    return call(padded([4, 7, 5], 7, left=True), 3)


@case(why="B=L: padding that lost an axis still broadcasts, but hides the wrong rows")
def as_many_queries_as_rows(make: Inputs):
    return call(padded([4, 2, 5], 5), 3)


@case(why="causal=False: an encoder's query sees every token, later ones too")
def encoder(make: Inputs):
    return call(padded([3, 5], 5), 5, causal=False)


@case(why="causal=False with fewer queries than keys: still L rows, and every token visible")
def encoder_with_fewer_queries(make: Inputs):
    return call(padded([3, 6], 6), 2, causal=False)


@case(why="a window of 3 counts the query itself")
def sliding_window(make: Inputs):
    return call(torch.ones(2, 7, dtype=torch.long), 7, window=3)


@case(why="a window of 1: each token sees itself alone")
def window_of_one(make: Inputs):
    return call(torch.ones(2, 4, dtype=torch.long), 4, window=1)


@case(why="a window with a cache counts back from where the query stands")
def window_with_a_cache(make: Inputs):
    return call(torch.ones(2, 8, dtype=torch.long), 3, window=4)


@case(why="a window over padding counts positions, not tokens")
def window_over_padding(make: Inputs):
    return call(padded([5, 7], 7), 4, window=3)


@case(why="a window wider than the sequence changes nothing")
def wide_window(make: Inputs):
    return call(padded([3, 4], 4), 4, window=9)


@case(raises="ValueError", why="a window without causal has no direction to count in")
def window_needs_causal(make: Inputs):
    return call(torch.ones(2, 5, dtype=torch.long), 5, causal=False, window=3)


@case(why="a bool padding mask")
def bool_padding(make: Inputs):
    return call(padded([4, 2], 5).bool(), 5)


@case(why="a float padding mask of 0/1")
def float_padding(make: Inputs):
    return call(padded([4, 2], 5).float(), 3, window=2)


@case(why="a row of padding alone: no key anywhere")
def nothing_but_padding(make: Inputs):
    return call(padded([0, 3], 4), 4)


@case(why="one row, one token: nothing may be squeezed away")
def one_token(make: Inputs):
    return call(torch.ones(1, 1, dtype=torch.long), 1)


@case(fresh=True, why="sizes, padding and a window that nobody could have hard-coded")
def fresh(make: Inputs):
    B, S = make.size(2, 5), make.size(5, 11)
    L, window = make.size(2, S - 1), make.size(2, 4)
    return call(padded([make.size(1, S) for _ in range(B)], S, left=True), L, window=window)


# Misconceptions


@misconception(
    "upper-left",
    en="Your triangle starts at the upper left: with a cache the last query sees every key, so query i stands at i + S − L.",
    zh="你的三角形对齐的是左上角：有缓存时最后一个查询能看到所有键，查询 i 的位置是 i + S − L。",
    seen="torch's is_causal=True with L ≠ S, and tril without a diagonal",
    fix="query = torch.arange(S - L, S, device=padding_mask.device)[:, None]",
)
def upper_left(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(L, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "strict-triangle",
    en="A token sees itself: compare with <=, not with <.",
    zh="token 能看到自己：比较要用 <=，不是 <。",
    seen="tril(diagonal=-1), and the first row of every sequence left empty",
    fix="seen = key <= query if causal else (key >= 0).expand(L, S)",
)
def strict_triangle(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key < query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "loose-triangle",
    en="Each token sees one key of the future: token i sees 0 … i.",
    zh="每个 token 多看到了一个未来的键：token i 只能看到 0 … i。",
    seen="triu(diagonal=2) inverted, or labels shifted in the loss and in the mask",
)
def loose_triangle(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query + 1 if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "upside-down",
    en="The triangle is upside down: you see the future instead of the past.",
    zh="三角形上下颠倒：你看到的是未来而不是过去。",
    seen="triu used for a mask in which True means attend; it is right where True means ignore",
    fix="seen = key <= query if causal else (key >= 0).expand(L, S)",
)
def upside_down(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key >= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "inverted",
    en="The result is inverted: True means attend.",
    zh="结果反了：True 表示可见。",
    seen="torch.nn.MultiheadAttention and torch.nn.Transformer, where True means ignore",
)
def inverted(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return ~((padding_mask != 0)[:, None, None, :] & seen)


@misconception(
    "padding-inverted",
    en="In padding_mask 1 is a token and 0 is padding: you hide the tokens.",
    zh="padding_mask 里 1 是 token，0 是填充：你隐藏的是 token。",
    seen="key_padding_mask of torch.nn.MultiheadAttention, which marks the padding",
)
def padding_inverted(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask == 0)[:, None, None, :] & seen


@misconception(
    "padding-ignored",
    en="The padding is still visible: hide it with (B, 1, 1, S).",
    zh="填充仍然可见：要用 (B, 1, 1, S) 把它隐藏。",
    seen="code tested with one sentence at a time",
)
def padding_ignored(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return seen.expand(padding_mask.size(0), 1, L, S)


@misconception(
    "causal-ignored",
    en="Queries see the future: causal=True allows only keys up to the query's own position.",
    zh="查询能看到未来：causal=True 只允许看到自己及之前的键。",
    seen="an encoder's mask reused in a decoder",
)
def causal_ignored(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "always-causal",
    en="causal=False must let a query see later tokens too.",
    zh="causal=False 时查询也应当能看到后面的 token。",
    seen="a decoder's mask reused in an encoder",
)
def always_causal(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "padding-hides-queries-too",
    en="Padding hides keys only: an outer product also empties the rows of padded queries.",
    zh="填充只隐藏键：用外积会把填充位置的查询那一行也清空。",
    seen="mask[:, :, None] * mask[:, None, :], as in early BERT ports",
)
def padding_hides_queries_too(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    tokens = (padding_mask != 0)[:, None, None, :]
    queries = (padding_mask != 0)[:, None, -L:, None]
    return tokens & queries & seen


@misconception(
    "padding-hides-queries",
    en="The padding lies along the wrong axis: it hides keys, (B, 1, 1, S), not queries.",
    zh="填充放错了轴：它隐藏的是键，形状应为 (B, 1, 1, S)，而不是查询。",
    seen="mask[:, None, :, None] written for mask[:, None, None, :]",
)
def padding_hides_queries(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    queries = (padding_mask != 0)[:, None, -L:, None]
    return queries & seen


@misconception(
    "padding-lost-an-axis",
    en="Row b's padding hits query b: (B, S) needs two axes, (B, 1, 1, S).",
    zh="第 b 行的填充作用到了第 b 个查询上：(B, S) 要补两个轴，变成 (B, 1, 1, S)。",
    seen="`padding_mask & seen`, which raises unless B = L or B = 1",
)
def padding_lost_an_axis(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return ((padding_mask != 0) & seen).expand(padding_mask.size(0), 1, L, S)


@misconception(
    "first-row-for-all",
    en="You use the first row's padding for the whole batch.",
    zh="你把第一行的填充用于整个 batch。",
    seen="a mask built once for a batch of equal lengths",
)
def first_row_for_all(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask[:1] != 0)[:, None, None, :].expand(padding_mask.size(0), 1, 1, S) & seen


@misconception(
    "joined-by-or",
    en="A key must pass every rule: join them with &, not with |.",
    zh="一个键必须同时满足每条规则：要用 & 合并，不是 |。",
    seen="masks that mark what is hidden, which are joined by |",
    fix="return (padding_mask != 0)[:, None, None, :] & seen",
)
def joined_by_or(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] | seen


@misconception(
    "window-one-too-wide",
    en="The window counts the query itself: window keys in all, so the distance is below it.",
    zh="窗口把查询自己也算在内：总共 window 个键，所以距离要小于 window。",
    seen="query - key <= window: window keys and the query",
    fix="seen = seen & (query - key < window)",
)
def window_one_too_wide(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key <= window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "window-one-too-narrow",
    en="The window counts the query itself once: you left one key out.",
    zh="窗口包含查询自己，一共 window 个键：你少算了一个。",
    seen="the query counted twice",
)
def window_one_too_narrow(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < max(window - 1, 1))
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "window-both-ways",
    en="The window narrows the causal triangle; |i − j| < window alone shows the future.",
    zh="窗口是在因果三角形上再收窄；单用 |i − j| < window 会看到未来。",
    seen="Longformer's two-sided window taken for a decoder's",
)
def window_both_ways(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = (query - key).abs() < window
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "window-from-the-upper-left",
    en="The window counts back from where the query stands, i + S − L, not from i.",
    zh="窗口要从查询所在的位置 i + S − L 往回数，而不是从 i。",
    seen="the offset added to the triangle and forgotten in the window",
    fix="seen = seen & (query - key < window)",
)
def window_from_the_upper_left(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - (S - L) - key < window) & (key >= query - (S - L) - window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "window-ignored",
    en="The window is never applied.",
    zh="窗口没有起作用。",
    seen="a sliding-window model run by code that knows only full attention",
)
def window_ignored(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "window-counts-tokens",
    en="The window counts positions; padding between counts too.",
    zh="窗口按位置数，中间的填充也算。",
    seen="positions taken from a cumulative sum of the padding mask",
)
def window_counts_tokens(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    seen = seen.expand(padding_mask.size(0), 1, L, S)
    if window is not None:
        count = (padding_mask != 0).long().cumsum(-1)
        seen = seen & (count[:, None, -L:, None] - count[:, None, None, :] < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "window-without-causal-accepted",
    en="A window needs causal=True: raise ValueError otherwise.",
    zh="窗口必须配合 causal=True：否则应抛出 ValueError。",
    seen="an argument that is silently ignored",
)
def window_without_causal_accepted(padding_mask, query_length, causal=True, window=None):
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "cache-forgotten",
    en="The keys are the whole cache, S of them; you built the mask for the L new tokens alone.",
    zh="键是整个缓存，共 S 个；你只为新来的 L 个 token 建了掩码。",
    seen="prefill code called again for a second chunk",
)
def cache_forgotten(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    padding_mask = padding_mask[:, -query_length:]
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "whole-square",
    en="You return all S rows: the queries are the last L positions only.",
    zh="你返回了全部 S 行：查询只是最后 L 个位置。",
    seen="the training mask used for decoding, without the slice",
)
def whole_square(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S = L = padding_mask.size(1)
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


@misconception(
    "diagonal-forced",
    en="A padded key stays hidden, from itself too: the rows of padded queries are built like any other.",
    zh="填充的键始终隐藏，对它自己也一样：填充位置的查询那一行照常构造。",
    seen="the diagonal switched on so that no row is empty, against NaN in the softmax",
)
def diagonal_forced(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return ((padding_mask != 0)[:, None, None, :] | (key == query)) & seen


@misconception(
    "additive",
    en="Return bool, True = attend; 0 and −inf is another convention.",
    zh="要返回 bool，True 表示可见；0 和 −inf 是另一种约定。",
    seen="masks that are added to the scores, as transformers' eager attention wants them",
)
def additive(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    keep = (padding_mask != 0)[:, None, None, :] & seen
    return torch.zeros(keep.shape, device=keep.device).masked_fill(~keep, float("-inf"))


@misconception(
    "integers-returned",
    en="Return bool: 0/1 integers are no boolean mask for torch's attention.",
    zh="要返回 bool：torch 的注意力不把 0/1 整数当作布尔掩码。",
    seen="`*` or tril on integer tensors",
)
def integers_returned(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return padding_mask.long()[:, None, None, :] * seen


@misconception(
    "no-head-axis",
    en="The result needs a head axis: (B, 1, L, S).",
    zh="结果要有头的维度：(B, 1, L, S)。",
    seen="code for one head",
)
def no_head_axis(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = key <= query if causal else (key >= 0).expand(L, S)
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, :] & seen


# Equivalents


@equivalent("tril", why="tril with a diagonal for the triangle, and a second one for the far side of the window")
def with_tril(padding_mask, query_length, causal=True, window=None):
    B, S = padding_mask.shape
    if not causal:
        if window is not None:
            raise ValueError("window")
        return padding_mask.bool().view(B, 1, 1, S).expand(B, 1, query_length, S)
    offset = S - query_length
    seen = torch.ones(query_length, S, dtype=torch.bool, device=padding_mask.device).tril(offset)
    if window is not None:
        seen = seen.triu(offset - window + 1)
    return padding_mask.bool()[:, None, None] & seen[None, None]


@equivalent("cell-by-cell", why="loops over every row, query and key")
def cell_by_cell(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("window")
    B, S = padding_mask.shape
    mask = torch.zeros(B, 1, query_length, S, dtype=torch.bool, device=padding_mask.device)
    for b in range(B):
        for i in range(query_length):
            last = i + S - query_length if causal else S - 1
            first = 0 if window is None else max(0, last - window + 1)
            for j in range(first, last + 1):
                mask[b, 0, i, j] = bool(padding_mask[b, j])
    return mask


@equivalent("hidden-cells", why="marks what is hidden, joins with |, and turns it round at the end")
def hidden_cells(padding_mask, query_length, causal=True, window=None):
    S = padding_mask.shape[1]
    distance = torch.arange(S - query_length, S, device=padding_mask.device).unsqueeze(1) - torch.arange(
        S, device=padding_mask.device
    )
    hidden = padding_mask.eq(0).unsqueeze(1).unsqueeze(1)
    hidden = hidden | (distance < 0 if causal else torch.zeros_like(distance, dtype=torch.bool))
    if window is not None:
        if not causal:
            raise ValueError("window")
        hidden = hidden | (distance >= window)
    return hidden.logical_not()


@equivalent("the-last-rows-of-the-square", why="builds the square mask of training and keeps its last L rows")
def the_last_rows_of_the_square(padding_mask, query_length, causal=True, window=None):
    if window and not causal:
        raise ValueError("window")
    B, S = padding_mask.shape
    i, j = torch.meshgrid(torch.arange(S), torch.arange(S), indexing="ij")
    square = torch.ones(S, S, dtype=torch.bool) if not causal else (i >= j) & (i - j < (window or S))
    rows = square[-query_length:].to(padding_mask.device)
    return torch.logical_and(rows.expand(B, 1, query_length, S), padding_mask[:, None, None, :])


# The peer


@peer("transformers", skips={"window-needs-causal": "its functions join any rules that they are given"})
def masking_utilities(padding_mask, query_length, causal=True, window=None):
    from transformers.masking_utils import (
        and_masks,
        causal_mask_function,
        padding_mask_function,
        sliding_window_overlay,
    )

    B, S = padding_mask.shape
    rules = [padding_mask_function(padding_mask.bool())]
    rules += [causal_mask_function] if causal else []
    rules += [sliding_window_overlay(window)] if window is not None else []
    rows = torch.arange(B)[:, None, None, None]
    query = torch.arange(S - query_length, S)[None, None, :, None]
    key = torch.arange(S)[None, None, None, :]
    return and_masks(*rules)(rows, 0, query, key).expand(B, 1, query_length, S)
