"""Cases, wrong kernels, equivalents and peer of the kata kv-cache-step."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from reference import kv_cache_step

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer


def after(make: Inputs, *chunks: int, sizes: tuple[int, int, int, int] = (2, 6, 8, 4), base: float = 10000.0) -> Call:
    """The call that takes the last of `chunks`, with the cache that the reference made of those before it."""
    batch, c, d, d_v = sizes
    x = make.normal(batch, sum(chunks), c)
    weights = [make.normal(c, size, std=c**-0.5) for size in (d, d, d_v)]
    cache, seen = None, 0
    for chunk in chunks[:-1]:
        seen += chunk
        _, cache = kv_cache_step(x[:, :seen], *weights, cache, base)
    return call(x, *weights, cache) if base == 10000.0 else call(x, *weights, cache, base)


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="prefill: no cache yet, five tokens at once, causal among themselves")
def prefill(make: Inputs) -> Call:
    return after(make, 5)


@case(why="4 + 1 + 1 + 1 tokens, the last step: what one pass over seven gives")
def fourth_step(make: Inputs) -> Call:
    return after(make, 4, 1, 1, 1)


@case(why="4 + 3 tokens: a chunk needs its own positions, its own order and a triangle at the lower right")
def chunk(make: Inputs) -> Call:
    return after(make, 4, 3)


@case(why="a chunk longer than the cache")
def long_chunk(make: Inputs) -> Call:
    return after(make, 2, 5, sizes=(1, 5, 6, 4))


@case(why="the very first token: it attends to itself, at position 0")
def first_token(make: Inputs) -> Call:
    return after(make, 1, sizes=(3, 5, 4, 2))


@case(why="the second token: a cache of one")
def second_token(make: Inputs) -> Call:
    return after(make, 1, 1, sizes=(1, 5, 4, 6))


@case(why="base 500000, as in Llama 3: the base is a parameter")
def other_base(make: Inputs) -> Call:
    return after(make, 6, 2, base=500000.0)


@case(why="one pair of components: the smallest head")
def one_pair(make: Inputs) -> Call:
    return after(make, 3, 2, sizes=(2, 4, 2, 6))


# Angles near 400 are known to 3e-5 in float32.
@case(why="399 tokens cached and one new: the operations are counted", atol=1e-3)
def long_prefix(make: Inputs) -> Call:
    return after(make, 399, 1, sizes=(2, 16, 8, 6))


@case(why="sizes and chunks of its own", fresh=True)
def fresh(make: Inputs) -> Call:
    return after(make, make.size(3, 6), make.size(1, 2), make.size(2, 4), sizes=(make.size(2, 3), 7, 8, 6))


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "position-reset",
    en="Decoding restarted at position 0: the new tokens stand after the P cached ones.",
    zh="位置又从 0 开始了：新 token 排在缓存里的 P 个 token 之后。",
    seen="generation loops that pass only the new token and let the model number it",
    fix="positions = torch.arange(past, x.shape[1])",
)
def position_reset(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(new.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > torch.arange(past, x.shape[1])[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "position-one-late",
    en="Your positions are one too high: the first new token stands at P, because counting starts at 0.",
    zh="位置多了 1：从 0 开始数，第一个新 token 的位置就是 P。",
    seen="positions taken from a length after the append",
)
def position_one_late(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1]) + (1 if cache is not None else 0)
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > torch.arange(past, x.shape[1])[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "position-one-early",
    en="Your positions are one too low: P − 1 belongs to the last cached token.",
    zh="位置少了 1：P − 1 是缓存里最后一个 token 的位置。",
    seen="`cache_length − 1` taken for the new token",
)
def position_one_early(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1]) - (1 if cache is not None else 0)
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > torch.arange(past, x.shape[1])[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "one-position-for-the-chunk",
    en="Every token of the chunk gets position P: they stand at P, P + 1, P + 2, …",
    zh="这一批 token 全用了位置 P：它们的位置依次是 P、P + 1、P + 2……",
    seen="decode code, written for one token, that is reused for chunked prefill",
)
def one_position_for_the_chunk(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.full((new.shape[1],), past)
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > torch.arange(past, x.shape[1])[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "unrotated-k",
    en="The new keys enter the cache unrotated, beside rotated ones. Rotate k as well as q.",
    zh="新的键没有旋转就进了缓存，和已旋转的键混在一起。q 和 k 都要旋转。",
    seen="cache code that appends before it applies RoPE",
    fix="q, k = rotate(q), rotate(k)",
)
def unrotated_k(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q = rotate(q)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "unrotated-q",
    en="The keys are rotated but the query is not: the score then depends on absolute positions.",
    zh="键旋转了，查询没有：分数就依赖绝对位置了。",
    seen="hand-written decode loops",
)
def unrotated_q(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    k = rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "rotated-v",
    en="You rotate v: only q and k carry positions, values are mixed as they are.",
    zh="你旋转了 v：只有 q 和 k 带位置信息，值原样参与加权。",
    seen="a loop over (q, k, v) that treats all three alike",
    fix="q, k = rotate(q), rotate(k)",
)
def rotated_v(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])

    def rotate(t):
        angles = positions[:, None] * base ** (-torch.arange(0, t.shape[-1], 2) / t.shape[-1])
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k, v = rotate(q), rotate(k), rotate(v)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "rotated-cache",
    en="The cached keys are rotated already, and you rotate them again: rotate the new ones, then append.",
    zh="缓存里的键已经旋转过，你又转了一次：先旋转新的键，再追加。",
    seen="RoPE applied after the concatenation",
)
def rotated_cache(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, keys = rotate(q), k if cache is None else torch.cat((cache[0], k), dim=1)
    angles = torch.arange(x.shape[1])[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])
    keys = rotate(keys)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "raw-keys-cached",
    en="You attend with rotated keys and cache the raw ones: the next step will take them for rotated.",
    zh="注意力用的是旋转后的键，存进缓存的却是未旋转的：下一步会把它们当成已旋转的。",
    seen="caches written before RoPE and read after it",
)
def raw_keys_cached(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    raw, q, k = k, rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (torch.cat((keys[:, :past], raw), dim=1), values)


@misconception(
    "cache-replaced",
    en="The new keys and values replace the cache: append them, or the model forgets everything before this step.",
    zh="新的键值把缓存覆盖了：应当追加，否则模型会忘掉之前的一切。",
    seen="`cache = (k, v)` at the end of a forward pass",
)
def cache_replaced(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys, values = k, v
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(past, x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "prepended",
    en="You put the new keys before the old ones: softmax does not mind the order, but the causal mask and the next step do.",
    zh="新的键被放到了旧的前面：softmax 不在乎顺序，因果掩码和下一步却在乎。",
    seen="arguments of torch.cat in the wrong order",
)
def prepended(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((k, cache[0]), dim=1)
    values = v if cache is None else torch.cat((v, cache[1]), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "blind-to-itself",
    en="The new tokens attend to the old cache only: append first, then attend. A token sees itself.",
    zh="新 token 只看到了旧的缓存：先追加，再做注意力。token 能看到自己。",
    seen="steps that update the cache last",
)
def blind_to_itself(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) >= max(past, 1)
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "stale-cache",
    en="You return the cache that you were given: the next step will not know these tokens.",
    zh="返回的还是传进来的旧缓存：下一步不知道这些新 token。",
    seen="functional code that forgets to hand the new state back",
)
def stale_cache(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values) if cache is None else cache


@misconception(
    "upper-left-causal",
    en="Your triangle starts at the upper left: with P cached keys, query i of this step is token P + i.",
    zh="你的三角是左上对齐的：缓存里有 P 个键时，这一步的第 i 个查询是第 P + i 个 token。",
    seen="torch.tril on a mask that is not square, and is_causal=True",
    fix="later = torch.ones(new.shape[1], x.shape[1]).tril(diagonal=past) == 0",
)
def upper_left_causal(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.ones(new.shape[1], x.shape[1]).tril() == 0
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "no-mask-in-the-chunk",
    en="The tokens of a chunk see each other's future: one token needs no mask, several do.",
    zh="同一批 token 看到了彼此的未来：一个 token 不需要掩码，多个就需要。",
    seen="decode code, written for one token, that is reused for chunked prefill",
)
def no_mask_in_the_chunk(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    return scores.softmax(-1) @ values, (keys, values)


@misconception(
    "prefix-appended-again",
    en="You project all of x and append it to a cache that holds its prefix already: every old token is there twice.",
    zh="你投影了整个 x，又追加到已含前缀的缓存里：每个旧 token 都出现了两次。",
    seen="the full input_ids passed together with past_key_values",
)
def prefix_appended_again(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(keys.shape[1]) > past + positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "hard-coded-base",
    en="You rotate with base 10000 whatever base says: Llama 3 uses 500000.",
    zh="不管 base 是多少，你都用了 10000：Llama 3 用的是 500000。",
    seen="a constant that once was right",
)
def hard_coded_base(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * 10000.0 ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "last-slot-overwritten",
    en="The new keys overwrite the end of the cache instead of growing it (and change the caller's tensors).",
    zh="新的键覆盖了缓存的末尾，而没有让它变长（还改动了调用者的张量）。",
    seen="preallocated caches with an index that was not advanced",
)
def last_slot_overwritten(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys, values = (k, v) if cache is None else cache
    keys[:, -k.shape[1] :], values[:, -v.shape[1] :] = k[:, -keys.shape[1] :], v[:, -keys.shape[1] :]
    scores = q @ keys.transpose(1, 2) / math.sqrt(q.shape[-1])
    later = torch.arange(x.shape[1] - keys.shape[1], x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


@misconception(
    "no-scale",
    en="Divide the scores by √D.",
    zh="分数要除以 √D。",
    seen="attention written in a hurry",
)
def no_scale(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = 0 if cache is None else cache[0].shape[1]
    new = x[:, past:]
    q, k, v = new @ w_q, new @ w_k, new @ w_v
    positions = torch.arange(past, x.shape[1])
    angles = positions[:, None] * base ** (-torch.arange(0, q.shape[-1], 2) / q.shape[-1])

    def rotate(t):
        a, b = t.chunk(2, dim=-1)
        return torch.cat((a * angles.cos() - b * angles.sin(), b * angles.cos() + a * angles.sin()), dim=-1)

    q, k = rotate(q), rotate(k)
    keys = k if cache is None else torch.cat((cache[0], k), dim=1)
    values = v if cache is None else torch.cat((cache[1], v), dim=1)
    scores = q @ keys.transpose(1, 2)
    later = torch.arange(x.shape[1]) > positions[:, None]
    return scores.masked_fill(later, -math.inf).softmax(-1) @ values, (keys, values)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("complex-rotation", why="rotates by multiplying complex numbers, and attends with torch's own kernel")
def complex_rotation(x, w_q, w_k, w_v, cache=None, base=10000.0):
    past = cache[0].shape[1] if cache else 0
    half = w_q.shape[1] // 2
    angles = torch.outer(torch.arange(past, x.shape[1]), base ** (-torch.arange(half) / half))
    turn = torch.polar(torch.ones_like(angles), angles)

    def rotate(t):
        turned = torch.complex(t[..., :half].contiguous(), t[..., half:].contiguous()) * turn
        return torch.cat((turned.real, turned.imag), -1)

    new = x[:, past:]
    keys, values = rotate(new @ w_k), new @ w_v
    if cache:
        keys, values = torch.cat([cache[0], keys], 1), torch.cat([cache[1], values], 1)
    mask = torch.ones(x.shape[1] - past, x.shape[1], dtype=torch.bool).tril(past)
    return F.scaled_dot_product_attention(rotate(new @ w_q), keys, values, attn_mask=mask), (keys, values)


@equivalent("token-by-token", why="takes the new tokens one after the other, so that no mask is needed")
def token_by_token(x, w_q, w_k, w_v, cache=None, base=10000.0):
    keys = cache[0] if cache else x.new_zeros(x.shape[0], 0, w_k.shape[1])
    values = cache[1] if cache else x.new_zeros(x.shape[0], 0, w_v.shape[1])
    half, outputs = w_q.shape[1] // 2, []
    for position in range(keys.shape[1], x.shape[1]):
        angle = position * base ** (-torch.arange(half) / half)
        cos, sin = angle.cos().repeat(2), angle.sin().repeat(2)
        q, k = x[:, position] @ w_q, x[:, position] @ w_k
        q = q * cos + torch.cat((-q[:, half:], q[:, :half]), 1) * sin
        k = k * cos + torch.cat((-k[:, half:], k[:, :half]), 1) * sin
        keys = torch.cat((keys, k[:, None]), 1)
        values = torch.cat((values, (x[:, position] @ w_v)[:, None]), 1)
        weights = torch.einsum("bd,bnd->bn", q, keys).div(math.sqrt(2 * half)).softmax(-1)
        outputs.append(torch.einsum("bn,bnv->bv", weights, values))
    return torch.stack(outputs, 1), (keys, values)


@equivalent(
    "preallocated", why="fills a buffer of the final length instead of concatenating, and rotates q and k as one tensor"
)
def preallocated(x, w_q, w_k, w_v, cache=None, base=10000.0):
    batch, total, _ = x.shape
    past = 0 if cache is None else cache[0].shape[1]
    keys, values = x.new_empty(batch, total, w_k.shape[1]), x.new_empty(batch, total, w_v.shape[1])
    if cache is not None:
        keys[:, :past], values[:, :past] = cache
    both = torch.stack((x[:, past:] @ w_q, x[:, past:] @ w_k))
    a, b = both.chunk(2, -1)
    angle = torch.arange(past, total)[:, None] / base ** (torch.arange(a.shape[-1]) / a.shape[-1])
    q, k = torch.cat((a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()), -1)
    keys[:, past:], values[:, past:] = k, x[:, past:] @ w_v
    scores = (q * w_q.shape[1] ** -0.5) @ keys.mT
    scores += torch.full((total - past, total), -math.inf).triu(past + 1)
    return scores.softmax(-1) @ values, (keys, values)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("numpy")
def without_a_cache(x, w_q, w_k, w_v, cache=None, base=10000.0):
    """One pass over everything, in float64, with complex rotations: what caching must not change."""
    import numpy as np

    states, total = x.detach().double().numpy(), x.shape[1]
    q, k, v = (states @ w.detach().double().numpy() for w in (w_q, w_k, w_v))
    half = q.shape[-1] // 2
    turn = np.exp(1j * np.outer(np.arange(total), base ** (-np.arange(half) / half)))
    q, k = ((t[..., :half] + 1j * t[..., half:]) * turn for t in (q, k))
    scores = (q @ k.conj().swapaxes(-1, -2)).real / np.sqrt(2 * half)
    scores = np.where(np.tri(total, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    output = weights / weights.sum(-1, keepdims=True) @ v
    past = 0 if cache is None else cache[0].shape[1]
    arrays = output[:, past:], np.concatenate((k.real, k.imag), -1), v
    new, keys, values = (torch.from_numpy(np.ascontiguousarray(array)).to(x.dtype) for array in arrays)
    return new, (keys, values)
