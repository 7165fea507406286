"""The attention mask: inputs, other right kernels, and the peer."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer

# Cases


def padded(lengths, S, left=False):
    """A padding mask (B, S) of 0/1: row b has `lengths[b]` tokens, at the end if `left` is padded."""
    tokens = torch.arange(S) < torch.tensor(lengths)[:, None]
    return (tokens.flip(-1) if left else tokens).long()


def mixed(lengths, S):
    """The same, padded on the left in even rows and on the right in odd ones."""
    rows = [padded([length], S, left=at % 2 == 0) for at, length in enumerate(lengths)]
    return torch.cat(rows)


@case(why="a square triangle without padding: token i sees 0 … i", clauses=("causal", "returns"))
def square(make: Inputs):
    return call(torch.ones(2, 5, dtype=torch.long), 5)


@case(
    why="L=2, S=5: with a cache the last query sees every key, so the triangle is aligned to the lower right",
    clauses=("queries", "causal", "returns"),
)
def with_a_cache(make: Inputs):
    return call(torch.ones(3, 5, dtype=torch.long), 2)


@case(why="one decoded token sees the whole cache", clauses=("queries", "causal"))
def decode(make: Inputs):
    return call(torch.ones(2, 6, dtype=torch.long), 1)


@case(
    why="ragged padding on the right: it hides keys, and the padded queries' rows are built like any other",
    clauses=("padding", "keys-only"),
)
def right_padding(make: Inputs):
    return call(padded([4, 6, 2], 6), 6)


@case(why="padding on the left, as for generation: the first rows come out empty", clauses=("padding", "keys-only"))
def left_padding(make: Inputs):
    return call(padded([4, 6, 3], 6, left=True), 6)


@case(why="left padding with a cache: the two must be joined on the keys' axis", clauses=("padding", "queries"))
def padding_with_a_cache(make: Inputs):
    return call(padded([4, 7, 5], 7, left=True), 3)


@case(why="B=L: padding that lost an axis still broadcasts, but hides the wrong rows", clauses=("padding",))
def as_many_queries_as_rows(make: Inputs):
    return call(padded([4, 2, 5], 5), 3)


@case(why="causal=False: an encoder's query sees every token, later ones too", clauses=("causal", "padding"))
def encoder(make: Inputs):
    return call(padded([3, 5], 5), 5, causal=False)


@case(why="causal=False, fewer queries than keys: still L rows, every token visible", clauses=("causal", "queries"))
def encoder_with_fewer_queries(make: Inputs):
    return call(padded([3, 6], 6), 2, causal=False)


@case(why="a window of 3 counts the query itself", clauses=("window",))
def sliding_window(make: Inputs):
    return call(torch.ones(2, 7, dtype=torch.long), 7, window=3)


@case(why="a window of 1: each token sees itself alone", clauses=("window",))
def window_of_one(make: Inputs):
    return call(torch.ones(2, 4, dtype=torch.long), 4, window=1)


@case(why="a window with a cache counts back from where the query stands", clauses=("window", "queries"))
def window_with_a_cache(make: Inputs):
    return call(torch.ones(2, 8, dtype=torch.long), 3, window=4)


@case(why="a window over padding counts positions, not tokens", clauses=("window-positions",))
def window_over_padding(make: Inputs):
    return call(padded([5, 7], 7), 4, window=3)


@case(why="a window wider than the sequence changes nothing", clauses=("window",))
def wide_window(make: Inputs):
    return call(padded([3, 4], 4), 4, window=9)


@case(raises="ValueError", why="a window without causal has no direction to count in", clauses=("window-needs-causal",))
def window_needs_causal(make: Inputs):
    return call(torch.ones(2, 5, dtype=torch.long), 5, causal=False, window=3)


@case(why="a bool padding mask", clauses=("padding",))
def bool_padding(make: Inputs):
    return call(padded([4, 2], 5).bool(), 5)


@case(why="a float padding mask of 0/1", clauses=("padding",))
def float_padding(make: Inputs):
    return call(padded([4, 2], 5).float(), 3, window=2)


@case(why="a row of padding alone: no key anywhere", clauses=("padding", "keys-only"))
def nothing_but_padding(make: Inputs):
    return call(padded([0, 3], 4), 4)


@case(why="one row, one token: nothing may be squeezed away", clauses=("returns",))
def one_token(make: Inputs):
    return call(torch.ones(1, 1, dtype=torch.long), 1)


@case(
    why="one decoded token with padding and a window: all three rules hold for one query too",
    clauses=("padding", "queries", "window"),
)
def decode_with_everything(make: Inputs):
    return call(mixed([3, 7, 5], 7), 1, window=4)


@case(why="a window of 1 for one decoded token: it sees itself alone, or nothing if it is padding", clauses=("window",))
def decode_with_window_of_one(make: Inputs):
    return call(padded([6, 4], 6), 1, window=1)


@case(why="one decoded token over padding, without a window", clauses=("padding", "queries"))
def decode_over_padding(make: Inputs):
    return call(padded([4, 6], 6, left=True), 1)


@case(why="one query of an encoder: every token, and no padding", clauses=("causal", "padding"))
def encoder_one_query(make: Inputs):
    return call(padded([3, 6], 6), 1, causal=False)


@case(
    raises="ValueError",
    why="a window wider than the sequence hides nothing, but needs causal=True all the same",
    clauses=("window-needs-causal",),
)
def wide_window_needs_causal(make: Inputs):
    return call(torch.ones(2, 5, dtype=torch.long), 2, causal=False, window=8)


@case(why="padding on the left of one row and on the right of another, as int8", clauses=("padding", "keys-only"))
def padding_on_both_sides(make: Inputs):
    return call(mixed([4, 6, 3], 6).to(torch.int8), 4)


@case(why="every size is 4: none may be told by its size", clauses=("padding", "queries", "window", "window-positions"))
def every_size_alike(make: Inputs):
    return call(mixed([3, 4, 2, 3], 4), 4, window=2)


@case(why="one row alone, with a cache, padding and a window", clauses=("padding", "window"))
def one_row(make: Inputs):
    return call(padded([5], 7, left=True), 3, window=3)


@case(why="the padding mask is a view of a longer one, in another layout", clauses=("always",))
def non_contiguous(make: Inputs):
    return call(padded([7, 5, 8], 9, left=True).T.contiguous().T[:, 1:], 5, window=3)


@case(
    fresh=True,
    why="sizes, padding and a window that nobody could have hard-coded",
    clauses=("padding", "queries", "causal", "window"),
)
def fresh(make: Inputs):
    B, S = make.size(2, 5), make.size(5, 11)
    L, window = make.size(1, S), make.size(1, 4)
    return call(padded([make.size(1, S) for _ in range(B)], S, left=True), L, window=window)


# Domain


def drawn_padding(draw: Draw, B, S):
    """A padding mask (B, S): each row padded at either end or at both, or not at all, or nothing but padding."""
    kind = draw.pick("both", "both", "right", "left", "none", "all")
    positions = torch.arange(S)
    first, last = draw.integers(0, S + 1, B, 1), draw.integers(0, S + 1, B, 1)
    if kind == "both":
        return (positions >= torch.minimum(first, last)) & (positions < torch.maximum(first, last))
    tokens = positions < (last if kind in ("right", "left") else torch.full((B, 1), S if kind == "none" else 0))
    return tokens.flip(-1) if kind == "left" else tokens


@domain(raises=("ValueError",))
def any_call(draw: Draw):
    B, S = draw.pick(1, 2, 2, 3, 4), draw.pick(1, 2, 3, 4, 5, 6, 8)
    L = draw.pick(1, 1, S, S, min(B, S), draw.size(1, S), draw.size(1, S))
    kind = draw.pick(
        *[torch.int64] * 3, torch.bool, torch.int8, torch.uint8, torch.int32, torch.float32, torch.bfloat16
    )
    given = {}
    causal = draw.option(None, True, False)
    if causal is not None:
        given["causal"] = causal
    if draw.given(0.65 if causal is not False else 0.3):
        given["window"] = draw.option(None, 1, 2, 3, L, S, max(S - L, 1), S + 1, S + 5, 1000)
    padding = drawn_padding(draw, B, S)
    draw.mark(
        "padding", "none" if bool(padding.all()) else "an empty row" if not bool(padding.any(-1).all()) else "some"
    )
    padding = draw.layout(padding.to(kind))
    if draw.given(0.2):  # by position
        window = (given["window"],) if "window" in given else ()
        return call(padding, L, given.get("causal", True), *window)
    return call(padding, L, **given)


# Equivalents


@equivalent("comparisons", why="positions compared, one rule a line")
def comparisons(padding_mask, query_length, causal=True, window=None):
    if window is not None and not causal:
        raise ValueError("a window needs causal=True")
    S, L = padding_mask.size(1), query_length
    query = torch.arange(S - L, S, device=padding_mask.device)[:, None]
    key = torch.arange(S, device=padding_mask.device)
    seen = (key >= 0).expand(L, S)
    if causal:
        seen = key <= query
    if window is not None:
        seen = seen & (query - key < window)
    return (padding_mask != 0)[:, None, None, :] & seen


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


@peer(
    "transformers",
    skips={
        "window-needs-causal": "its functions join any rules that they are given",
        "wide-window-needs-causal": "its functions join any rules that they are given",
    },
)
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
