"""Cases, equivalents and peer of the kata position-ids; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="padding on the left, as for generation: each row begins at 0 where its text begins",
    clauses=("mask", "position", "padding", "result"),
)
def base(make: Inputs) -> Call:
    return call(torch.tensor([[0, 0, 0, 1, 1], [1, 1, 1, 1, 1], [0, 1, 1, 1, 1]]))


@case(why="padding on the right: what follows the text is 0, and not its last position again", clauses=("padding",))
def right_padding(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]))


@case(
    why="padding between tokens, as after a turn that was padded on the right: the count goes on, the gap does not count",
    clauses=("anywhere", "position", "padding"),
)
def gaps(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1, 1]]))


@case(
    why="one decoded token: it stands behind the tokens of the cache, and the cache's padding does not count",
    clauses=("query-length", "position"),
)
def decode(make: Inputs) -> Call:
    return call(torch.tensor([[0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 1, 1, 1, 1, 1]]), 1)


@case(
    why="one decoded token behind a prompt that was padded on the right",
    clauses=("query-length", "anywhere", "position"),
)
def decode_behind_a_gap(make: Inputs) -> Call:
    return call(torch.tensor([[1, 1, 0, 0, 1], [1, 1, 1, 1, 1], [1, 0, 0, 0, 1]]), query_length=1)


@case(why="a second turn of four columns, padded too: counted over the whole row, then cut", clauses=("query-length",))
def chunk(make: Inputs) -> Call:
    return call(torch.tensor([[0, 0, 1, 1, 0, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0, 1], [0, 1, 1, 1, 1, 1, 1, 0]]), 4)


@case(why="the whole row asked for by its length", clauses=("query-length",))
def whole_row(make: Inputs) -> Call:
    return call(torch.tensor([[0, 1, 1, 1], [0, 0, 0, 1]]), query_length=4)


@case(why="a row of padding alone, beside a full one", clauses=("anywhere", "padding"))
def only_padding(make: Inputs) -> Call:
    return call(torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1]]))


@case(why="a bool mask", clauses=("mask", "result"))
def bool_mask(make: Inputs) -> Call:
    return call(torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]]).bool())


@case(why="an int8 mask over 300 tokens: the positions outgrow its dtype", clauses=("mask", "result"))
def int8_mask(make: Inputs) -> Call:
    return call(torch.tensor([[0] * 4 + [1] * 300], dtype=torch.int8), 6)


@case(why="a bfloat16 mask over 300 tokens: bfloat16 stops counting at 256", clauses=("mask", "position"))
def bfloat16_mask(make: Inputs) -> Call:
    return call(torch.tensor([[0] * 4 + [1] * 300, [0] * 40 + [1] * 264], dtype=torch.bfloat16), 3)


@case(why="a float16 mask over 2,100 tokens: float16 stops counting at 2,048", clauses=("mask", "position"))
def float16_mask(make: Inputs) -> Call:
    return call(torch.tensor([[0] * 3 + [1] * 2100], dtype=torch.float16), 3)


@case(why="as many rows as columns: a count along the wrong axis crashes nowhere", clauses=("position",))
def square(make: Inputs) -> Call:
    return call(torch.tensor([[0, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 1]]).float())


@case(why="one token alone: it stands at 0", clauses=("position", "result"))
def one_token(make: Inputs) -> Call:
    return call(torch.tensor([[1]]), 1)


@case(why="a mask that is a view of a longer one, in another layout", clauses=("always",))
def view(make: Inputs) -> Call:
    mask = torch.tensor([[1, 0, 0, 1, 1, 1], [1, 0, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1]])
    return call(mask.T.contiguous().T[:, 1:], 3)


@case(
    why="sizes and padding that nobody could have hard-coded",
    fresh=True,
    clauses=("position", "padding", "query-length"),
)
def fresh(make: Inputs) -> Call:
    B, S = make.size(2, 5), make.size(6, 12)
    return call(make.boolean(B, S, true=0.7).long(), make.size(2, S))


# Domain -----------------------------------------------------------------------------------------------------------

_DTYPES = (torch.int64, torch.int64, torch.bool, torch.int32, torch.int8, torch.uint8, torch.float32, torch.bfloat16)


@domain()
def any_call(draw: Draw) -> Call:
    S = draw.pick(1, 2, 3, 4, 5, 7, 300)
    B = draw.pick(1, 2, 3, S if S < 300 else 2)
    places = torch.arange(S)
    kind = draw.pick("left", "left", "right", "both", "anywhere", "none")
    draw.mark("padding", kind)
    if kind == "none":
        tokens = places.expand(B, S) >= 0
    elif kind == "anywhere":
        tokens = draw.boolean(B, S, true=0.6)
    else:
        first, last = draw.integers(0, S + 1, B, 1), draw.integers(0, S + 1, B, 1)
        tokens = (places >= first) if kind == "left" else (places < last)
        if kind == "both":
            tokens = (places >= torch.minimum(first, last)) & (places < torch.maximum(first, last))
    draw.mark("a row of padding", not bool(tokens.any(dim=1).all()))
    mask = draw.layout(tokens.to(draw.pick(*_DTYPES)))
    length = draw.option(None, 1, 1, 2, S, max(S - 1, 1))
    if length is None:
        return call(mask, None) if draw.given(0.2) else call(mask)
    length = min(length, S)
    draw.mark("asked for", "one" if length == 1 else "all" if length == S else "some")
    return call(mask, length) if draw.given(0.5) else call(mask, query_length=length)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("cumulative-sum", why="the idiom of generate(): a cumulative sum less 1, and padding filled")
def cumulative_sum(attention_mask, query_length=None):
    tokens = attention_mask.bool()
    positions = tokens.cumsum(dim=1) - 1
    positions = positions.masked_fill(~tokens, 0)
    L = query_length or tokens.shape[1]
    return positions[:, -L:]


@equivalent("product", why="multiplies the count by the mask instead of filling")
def product(attention_mask, query_length=None):
    tokens = attention_mask.to(torch.int64)
    before = tokens.cumsum(-1) - tokens
    return (before * tokens)[:, tokens.size(1) - (query_length or tokens.size(1)) :]


@equivalent("text-by-text", why="numbers the tokens of each row with arange, where they stand")
def text_by_text(attention_mask, query_length=None):
    B, S = attention_mask.shape
    out = torch.zeros(B, S, dtype=torch.long)
    for row in range(B):
        places = attention_mask[row].nonzero().flatten()
        out[row, places] = torch.arange(len(places))
    return out[:, -(query_length or S) :]


@equivalent("triangle", why="a product with a strict triangle counts the tokens before each")
def triangle(attention_mask, query_length=None):
    tokens = attention_mask.double()
    S = tokens.shape[1]
    before = torch.ones(S, S, dtype=torch.float64).triu(1)
    positions = ((tokens @ before) * tokens).long()
    return positions if query_length is None else positions[:, S - query_length :]


# Peer -------------------------------------------------------------------------------------------------------------


@peer("transformers")
def roberta(attention_mask, query_length=None):
    """RoBERTa counts its tokens from padding_idx + 1, and gives padding_idx to padding."""
    from transformers.models.roberta.modeling_roberta import RobertaEmbeddings

    positions = RobertaEmbeddings.create_position_ids_from_input_ids(attention_mask.long(), 0)
    return (positions - 1).clamp(min=0)[:, -(query_length or attention_mask.size(1)) :]
