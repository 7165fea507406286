"""Cases, equivalents and peer of the kata packed-sequence-mask; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="documents of different lengths, padding at the end, and rows that are packed differently",
    clauses=("ids", "mask", "documents", "positions", "returns"),
)
def base(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 1, 2, 2, 3, 0], [1, 1, 2, 2, 2, 2, 3]]))


@case(why="an encoder: a token sees all of its document, later tokens too", clauses=("documents", "positions"))
def encoder(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 1, 2, 2, 0], [1, 2, 2, 2, 2, 0], [1, 1, 2, 2, 3, 3]]), causal=False)


@case(why="ids in no order, and far apart: they are names, not numbers to count with", clauses=("ids", "positions"))
def ids_in_no_order(make: Inputs) -> Call:
    return call(torch.tensor([[7, 7, 2, 2, 2, 9], [70_000, 2_049, 2_048, 2_048, 4_464, 4_464]]))


@case(
    why="ids beyond 2²⁴ and 2³²: float32 and int32 take two of them for one",
    clauses=("ids", "documents"),
)
def huge_ids(make: Inputs) -> Call:
    row = [2**24 + 1, 2**24 + 1, 2**24, 2**24, 2**24]  # float32 holds no odd number there
    return call(torch.tensor([row, [5, 5, 2**32 + 5, 2**32 + 5, 0]]), False)


@case(why="documents of one token each: every position is 0", clauses=("ids", "positions"))
def single_tokens(make: Inputs) -> Call:
    return call(torch.tensor([[3, 1, 2, 4], [1, 2, 2, 3]]))


@case(why="one document fills the row: a plain triangle and a plain count", clauses=("documents", "positions"))
def one_document(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 1, 1, 1]]))


@case(
    why="padding before, between and after documents: nothing sees it, it sees nothing, and nobody counts it",
    clauses=("padding-ids", "padding", "positions"),
)
def padding_everywhere(make: Inputs) -> Call:
    return call(torch.tensor([[0, 0, 1, 1, 0, 2, 2, 2], [1, 1, 0, 0, 2, 0, 3, 0], [0, 4, 4, 4, 4, 4, 0, 0]]))


@case(why="a row of nothing but padding, without causal", clauses=("padding-ids", "padding", "positions"))
def only_padding(make: Inputs) -> Call:
    return call(torch.tensor([[0, 0, 0], [1, 1, 2]]), False)


@case(
    why="a row begins with the id that the row before ended with: they are two documents",
    clauses=("rows", "positions"),
)
def same_id_across_rows(make: Inputs) -> Call:
    return call(torch.tensor([[1, 2, 2, 2], [2, 2, 1, 1], [1, 1, 1, 3]]))


@case(why="one token in one row: nothing may be squeezed away", clauses=("mask", "returns"))
def one_token(make: Inputs) -> Call:
    return call(torch.tensor([[5]]))


@case(why="as many rows as tokens: a wrong axis crashes nowhere", clauses=("mask", "rows"))
def square(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 2, 2], [1, 2, 2, 2], [1, 1, 1, 0], [2, 1, 1, 0]]))


@case(why="int32 ids, as data loaders make them: the positions are int64 all the same", clauses=("ids", "positions"))
def int32(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 2, 2, 2], [4, 4, 4, 0, 0]], dtype=torch.int32), causal=True)


@case(why="a document of 300 tokens: a byte or a half type cannot count them", clauses=("positions",))
def long_document(make: Inputs) -> Call:
    return call(torch.tensor([[1] * 3 + [2] * 300 + [0] * 2]), causal=False)


@case(why="ids that are a view of a longer batch, in another layout", clauses=("always",))
def view(make: Inputs) -> Call:
    ids = torch.tensor([[9, 1, 1, 2, 2, 2, 0], [9, 9, 3, 3, 1, 1, 1]])
    return call(ids.T.contiguous().T[:, 1:])


@case(why="two calls of one shape in a row: the first result must not change", clauses=("always", "returns"))
def calls_in_a_row(make: Inputs) -> tuple[Call, ...]:
    return call(torch.tensor([[1, 1, 2, 2, 0]])), call(torch.tensor([[1, 2, 2, 2, 2]]))


@case(
    why="sizes and documents that nobody could have hard-coded",
    fresh=True,
    clauses=("ids", "documents", "positions", "padding"),
)
def fresh(make: Inputs) -> Call:
    return call(packed(make, make.size(2, 5), make.size(6, 12)))


# Domain -----------------------------------------------------------------------------------------------------------


def packed(make: Inputs, B: int, T: int) -> torch.Tensor:
    """Ids (B, T): each row holds documents of random lengths under random names, and now and then padding."""
    rows = []
    for _ in range(B):
        names = make.random.sample(range(1, 2 * T + 2), T)
        row: list[int] = []
        while len(row) < T:
            length = make.random.choice((1, 1, 2, 3, T))
            row += [0 if make.random.random() < 0.25 else names.pop()] * length
        rows.append(row[:T])
    return torch.tensor(rows)


@domain()
def any_call(draw: Draw) -> Call:
    T = draw.pick(1, 2, 3, 4, 5, 6, 8)
    B = draw.pick(1, 1, 2, 3, T)
    kind = draw.pick("packed", "packed", "packed", "one document", "sorted", "padded right")
    if kind == "packed":
        ids = packed(draw, B, T)
    elif kind == "one document":
        ids = draw.integers(1, 4, B, 1).expand(B, T).clone()
    else:
        ids = (draw.integers(0, 2, B, T).cumsum(dim=1) + 1).clone()
        if kind == "padded right":
            ids[torch.arange(T) >= draw.integers(0, T + 1, B, 1)] = 0
    draw.mark("padding", bool((ids == 0).any()))
    draw.mark("a row of padding", bool((ids == 0).all(dim=1).any()))
    ids = draw.layout(ids.to(draw.pick(torch.int64, torch.int64, torch.int32)))
    causal = draw.option(None, None, True, False, False)
    if causal is None:
        return call(ids)
    return call(ids, causal) if draw.given(0.4) else call(ids, causal=causal)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("counted-in-the-mask", why="counts the earlier tokens of the document in the mask itself")
def counted_in_the_mask(document_ids, causal=True):
    ids = document_ids
    same = ids[:, :, None] == ids[:, None, :]
    mask = same & (ids != 0)[:, None, :]
    later = torch.ones_like(mask).triu(1)
    position_ids = (mask & later.mT).sum(-1)
    if causal:
        mask = mask & ~later
    return mask[:, None], position_ids


@equivalent("document-by-document", why="fills block after block, as boundaries and cumulative lengths have it")
def document_by_document(document_ids, causal=True):
    B, T = document_ids.shape
    mask = torch.zeros(B, 1, T, T, dtype=torch.bool)
    position_ids = torch.zeros(B, T, dtype=torch.int64)
    for row in range(B):
        names, lengths = document_ids[row].unique_consecutive(return_counts=True)
        start = 0
        for name, length in zip(names.tolist(), lengths.tolist(), strict=True):
            stop = start + length
            if name:
                block = torch.ones(length, length, dtype=torch.bool)
                mask[row, 0, start:stop, start:stop] = block.tril() if causal else block
                position_ids[row, start:stop] = torch.arange(length)
            start = stop
    return mask, position_ids


@equivalent(
    "running-count", why="numbers the runs by a cumulative sum of the boundaries, and subtracts where each began"
)
def running_count(document_ids, causal=True):
    B, T = document_ids.shape
    boundary = torch.ones(B, T, dtype=torch.long)
    boundary[:, 1:] = (document_ids[:, 1:] != document_ids[:, :-1]).long()
    run = boundary.cumsum(1)
    tokens = document_ids.bool()
    mask = (run.unsqueeze(2) == run.unsqueeze(1)) & tokens.unsqueeze(1) & tokens.unsqueeze(2)
    if causal:
        mask = mask.tril()
    starts = (run.unsqueeze(2) > run.unsqueeze(1)).sum(-1)  # tokens of earlier runs
    position_ids = (torch.arange(T) - starts) * tokens
    return mask.unsqueeze(1), position_ids


@equivalent("token-by-token", why="plain loops over rows, queries and keys")
def token_by_token(document_ids, causal=True):
    rows = document_ids.tolist()
    mask, positions = [], []
    for row in rows:
        mask.append([[q == k != 0 and (j <= i or not causal) for j, k in enumerate(row)] for i, q in enumerate(row)])
        positions.append([row[:i].count(q) if q else 0 for i, q in enumerate(row)])
    return torch.tensor(mask).unsqueeze(1), torch.tensor(positions)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def flex_attention(document_ids, causal=True):
    """The document mask as FlexAttention's own guide writes it, cell by cell, and the positions by numpy."""
    import numpy as np
    from torch.nn.attention.flex_attention import create_mask

    def visible(b, h, i, j):
        seen = (document_ids[b, i] == document_ids[b, j]) & (document_ids[b, j] > 0)
        return seen & (i >= j) if causal else seen

    B, T = document_ids.shape
    mask = create_mask(visible, B, 1, T, T, device="cpu")
    positions = np.zeros((B, T), dtype=np.int64)
    for row, ids in enumerate(document_ids.numpy()):
        for name in np.unique(ids[ids != 0]):
            places = np.flatnonzero(ids == name)
            positions[row, places] = places - places[0]
    return mask, torch.from_numpy(positions)
