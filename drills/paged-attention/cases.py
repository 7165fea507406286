"""Cases, equivalents and peer of the kata paged-attention; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

NAN, INFINITE = float("nan"), float("inf")


def served(
    make: Inputs,
    *lens: int,
    P: int = 4,
    H: int = 4,
    kv: int = 2,
    D: int = 3,
    D_v: int = 5,
    spare: int = 2,
    wide: int = 1,
    padding: tuple[int, ...] = (-1,),
    garbage: float | None = None,
    std: float = 1.0,
    shared: int = 0,
) -> tuple[torch.Tensor, ...]:
    """Arguments for sequences of these lengths, in shuffled blocks, `spare` of them unused.

    `wide` entries of padding follow the longest table; the first `shared` blocks of each sequence are those of the
    first one. Places without a token hold `garbage`, or numbers like any other.
    """
    counts = [-(-n // P) for n in lens]
    total = sum(counts) + spare
    order = make.permutation(max(total, 1)).tolist()
    width = max(counts, default=0) + wide
    tables = torch.tensor(padding).repeat(len(lens) * width)[: len(lens) * width].view(len(lens), width).clone()
    written = torch.zeros(max(total, 1), P, dtype=torch.bool)
    for b, (count, n) in enumerate(zip(counts, lens, strict=True)):
        for j in range(count):
            same = b > 0 and j < shared and (j + 1) * P <= min(n, lens[0])
            tables[b, j] = tables[0, j] if same else order.pop()
            written[tables[b, j], : n - j * P] = True
    caches = [make.normal(max(total, 1), P, kv, size, std=std) for size in (D, D_v)]
    if garbage is not None:
        caches = [cache.masked_fill(~written[:, :, None, None], garbage) for cache in caches]
    return make.normal(len(lens), H, D, std=std), *caches, tables, torch.tensor(lens, dtype=torch.int64)


# Cases ------------------------------------------------------------------------------------------------------------


# numpy is right here, and cannot take what asks for gradients: so the first case is not repeated with such inputs.
@case(
    derive=False,
    why="three sequences in shuffled blocks, two of which end in the middle of one",
    clauses=("query", "cache", "lengths", "tables", "attention"),
)
def base(make: Inputs) -> Call:
    return call(*served(make, 6, 11, 8))


@case(why="one token of one sequence: one place of one block", clauses=("lengths", "result"))
def one_token(make: Inputs) -> Call:
    return call(*served(make, 1, P=3, spare=1))


@case(
    why="a length that is a multiple of the block: the last block is full, and no other follows", clauses=("lengths",)
)
def full_blocks(make: Inputs) -> Call:
    return call(*served(make, 8, 4, wide=0))


@case(why="one token more than a block holds", clauses=("lengths", "tables"))
def one_over(make: Inputs) -> Call:
    return call(*served(make, 5, 9))


@case(why="padding that names no block: reading it is out of bounds", clauses=("tables",))
def padding_out_of_range(make: Inputs) -> Call:
    return call(*served(make, 3, 8, 4, wide=2, padding=(99_999, -77, 12)))


@case(why="padding that names blocks of others, 0 too: a table's width says nothing of the length", clauses=("tables",))
def padding_names_blocks(make: Inputs) -> Call:
    return call(*served(make, 3, 8, 2, wide=2, padding=(0, 1, 2)))


@case(why="no entry of padding, and every length in the table's last block", clauses=("tables", "lengths"))
def exact_width(make: Inputs) -> Call:
    return call(*served(make, 9, 10, 11, wide=0, spare=0))


@case(why="NaN in all places that no token was written to", clauses=("garbage",))
def never_written(make: Inputs) -> Call:
    return call(*served(make, 6, 3, 9, garbage=NAN))


@case(why="infinite numbers in all places that no token was written to", clauses=("garbage",))
def infinite_places(make: Inputs) -> Call:
    return call(*served(make, 2, 7, garbage=INFINITE, P=3))


@case(why="what an earlier request has left is large: its scores would win", clauses=("garbage",))
def large_garbage(make: Inputs) -> Call:
    return call(*served(make, 5, 10, garbage=1e4))


@case(why="a common beginning: two sequences read the same blocks, and go on in their own", clauses=("sharing",))
def shared_prefix(make: Inputs) -> Call:
    return call(*served(make, 10, 9, 6, shared=2))


@case(why="blocks in descending order, and a neighbour's between them", clauses=("sharing", "tables"))
def any_order(make: Inputs) -> Call:
    query, keys, values, _, lens = served(make, 10, 7, spare=3)
    return call(query, keys, values, torch.tensor([[6, 3, 1, -1], [5, 0, -1, -1]]), lens)


@case(why="six query heads over two KV heads: neighbours share one", clauses=("heads",))
def grouped(make: Inputs) -> Call:
    return call(*served(make, 7, 4, H=6, kv=2))


@case(why="one KV head for all", clauses=("heads",))
def one_kv_head(make: Inputs) -> Call:
    return call(*served(make, 6, 5, H=3, kv=1))


@case(why="as many KV heads as query heads", clauses=("heads",))
def all_heads(make: Inputs) -> Call:
    return call(*served(make, 6, 5, H=3, kv=3))


@case(why="a scale of the caller's own", clauses=("attention",))
def own_scale(make: Inputs) -> Call:
    return call(*served(make, 6, 5), 0.25)


@case(why="a scale of 0 is a scale: all tokens weigh the same", clauses=("attention",))
def zero_scale(make: Inputs) -> Call:
    return call(*served(make, 6, 5), scale=0.0)


@case(why="a negative scale is one, too: the smallest product wins", clauses=("attention",))
def negative_scale(make: Inputs) -> Call:
    return call(*served(make, 6, 5), scale=-0.75)


@case(why="scores in the hundreds: exp needs the row's maximum taken out", atol=2e-3, clauses=("attention",))
def large_scores(make: Inputs) -> Call:
    return call(*served(make, 6, 9, std=12.0, D=4))


@case(
    why="scores of −100,000: what is masked weighs nothing beside them either, so −10,000 does not hide it",
    clauses=("attention", "garbage"),
)
def low_scores(make: Inputs) -> Call:
    query, keys, values, tables, lens = served(make, 3, 6, D=4)
    keys = (
        make.integers(0, 4, *keys.shape) / 256 - 97.65625
    )  # every score is a whole number, which float32 holds exactly
    return call(torch.full_like(query, 256.0), keys, values, tables, lens, 1.0)


@case(why="empty slots between the others, whose tables are padding alone", clauses=("result", "lengths"))
def empty_slots(make: Inputs) -> Call:
    return call(*served(make, 0, 5, 0, padding=(-1, 99_999)))


@case(why="an empty slot alone, and NaN wherever it could read", clauses=("result", "garbage"))
def only_an_empty_slot(make: Inputs) -> Call:
    return call(*served(make, 0, garbage=NAN))


@case(why="blocks with one place: a table of tokens", clauses=("cache",))
def one_place(make: Inputs) -> Call:
    return call(*served(make, 3, 5, P=1))


@case(why="a block that holds every sequence whole", clauses=("cache", "lengths"))
def one_block_each(make: Inputs) -> Call:
    return call(*served(make, 3, 1, 5, P=8, wide=0))


@case(why="every size is 4: a wrong axis crashes nowhere", clauses=("cache", "heads"))
def equal_sizes(make: Inputs) -> Call:
    query, keys, values, tables, lens = served(make, 6, 4, 7, 3, H=4, kv=4, D=4, D_v=4, spare=0, wide=2)
    return call(query, keys[:4], values[:4], tables.clamp(max=3), lens)


@case(why="no sequence", clauses=("always",))
def no_sequences(make: Inputs) -> Call:
    query, keys, values, tables, lens = served(make, 5, 6)
    return call(query[:0], keys, values, tables[:0], lens[:0])


@case(why="caches, tables and queries that are views of other storage", clauses=("always",))
def views(make: Inputs) -> Call:
    query, keys, values, tables, lens = served(make, 6, 11, 8)
    both = torch.stack((keys, keys.flip(0))).transpose(2, 3).contiguous()  # (2, N, H_kv, P, D): head by head
    query = query.transpose(0, 1).contiguous().transpose(0, 1)
    values = values.permute(2, 0, 3, 1).contiguous().permute(1, 3, 0, 2)
    return call(query, both[0].transpose(1, 2), values, torch.cat((tables, tables), 1)[:, : tables.shape[1]], lens)


@case(why="a sequence grows by a token at a time, through the end of its block", clauses=("always", "lengths"))
def three_steps(make: Inputs) -> tuple[Call, ...]:
    query, keys, values, tables, lens = served(make, 9, 4)
    steps = ((7, 2), (8, 3), (9, 4))
    return tuple(
        call(make.normal(*query.shape), keys, values, tables, torch.tensor(lens_now, dtype=lens.dtype))
        for lens_now in steps
    )


@case(why="sizes and lengths of its own", fresh=True, clauses=("lengths", "tables", "heads"))
def fresh(make: Inputs) -> Call:
    kv, P = make.size(2, 3), make.size(2, 5)
    lens = [make.size(1, 3 * P) for _ in range(make.size(2, 4))]
    return call(*served(make, *lens, P=P, kv=kv, H=kv * make.size(2, 3), D=make.size(4, 6), D_v=make.size(2, 3)))


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    P, kv = draw.pick(1, 2, 3, 4, 5), draw.pick(1, 1, 2, 3)
    H, D = kv * draw.pick(1, 1, 2, 3), draw.pick(1, 2, 3, 4, P)
    count = draw.pick(0, 1, 1, 2, 2, 3, 4, H)
    lens = [draw.pick(0, 1, 2, P - 1, P, P + 1, 2 * P, 2 * P + 1, 3 * P - 1) for _ in range(count)]
    kind = draw.pick("−1", "−1", "0", "other blocks", "no blocks", "mixed")
    padding = {"−1": (-1,), "0": (0,), "other blocks": (1, 0, 2), "no blocks": (500, -90)}.get(kind, (-1, 700, 0, 1))
    left = draw.pick("numbers", "numbers", "large", "NaN", "infinite")
    draw.mark("padding", kind)
    draw.mark("left there", left)
    draw.mark("an empty slot", 0 in lens)
    draw.mark("a full last block", any(n and n % P == 0 for n in lens))
    query, keys, values, tables, seq_lens = served(
        draw,
        *lens,
        P=P,
        H=H,
        kv=kv,
        D=D,
        D_v=draw.pick(1, 2, 3, D),
        spare=draw.pick(0, 3),
        wide=draw.pick(0, 1, 2) if any(lens) else 1,
        padding=padding,
        garbage={"large": 1e4, "NaN": NAN, "infinite": -INFINITE}.get(left),
        std=draw.pick(1.0, 1.0, 3.0),
        shared=draw.pick(0, 0, 1, 2),
    )
    inputs = [draw.layout(tensor) for tensor in (query, keys, values, tables, seq_lens)]
    scale = draw.option(0.5, 1.0, 0.125, 0.0, -1.0)
    if draw.given(0.4):
        return call(*inputs, scale) if draw.given(0.5) else call(*inputs, scale=scale)
    return call(*inputs, None) if draw.given(0.2) else call(*inputs)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-by-one", why="a loop over the sequences, each cut to its length: nothing is masked")
def one_by_one(query, key_cache, value_cache, block_tables, seq_lens, scale=None):
    B, H, D = query.shape
    N, P, H_kv, D_v = value_cache.shape
    if scale is None:
        scale = D**-0.5
    output = torch.zeros(B, H, D_v)
    for b in range(B):
        n = int(seq_lens[b])
        if n == 0:
            continue
        used = block_tables[b, : (n + P - 1) // P]
        k = key_cache[used].flatten(0, 1)[:n]
        v = value_cache[used].flatten(0, 1)[:n]
        k = k.repeat_interleave(H // H_kv, 1)
        v = v.repeat_interleave(H // H_kv, 1)
        s = torch.einsum("hd,nhd->hn", query[b], k)
        w = torch.softmax(s * scale, -1)
        output[b] = torch.einsum("hn,nhd->hd", w, v)
    return output


@equivalent("slots", why="computes for each token its slot in the flat cache, as slot mappings do")
def slots(query, key_cache, value_cache, block_tables, seq_lens, scale=None):
    B, H, D = query.shape
    P, H_kv = key_cache.shape[1:3]
    scale = D**-0.5 if scale is None else scale
    flat_k = key_cache.reshape(-1, H_kv, D)
    flat_v = value_cache.reshape(-1, H_kv, value_cache.shape[-1])
    rows = []
    for b in range(B):
        t = torch.arange(int(seq_lens[b]))
        slot = block_tables[b][t // P] * P + t % P
        q = query[b].view(H_kv, H // H_kv, D)
        s = torch.einsum("hgd,nhd->hgn", q, flat_k[slot])
        w = torch.softmax(s * scale, -1)
        o = torch.einsum("hgn,nhd->hgd", w, flat_v[slot])
        rows.append(o.flatten(0, 1))
    if not rows:
        return torch.zeros(0, H, value_cache.shape[-1])
    return torch.stack(rows)


@equivalent("padded", why="pads the gathered sequences with zeros and masks them in torch's own attention")
def padded(query, key_cache, value_cache, block_tables, seq_lens, scale=None):
    if len(query) == 0:
        return query.new_zeros(0, query.shape[1], value_cache.shape[-1])
    P, most = key_cache.shape[1], max(int(seq_lens.max()), 1)
    mask = torch.arange(most) < seq_lens[:, None]
    index = torch.arange(most) // P
    blocks = torch.where(mask, block_tables[:, index], 0)
    gathered = [c[blocks, torch.arange(most) % P].where(mask[..., None, None], 0) for c in (key_cache, value_cache)]
    k, v = (g.transpose(1, 2) for g in gathered)
    group = query.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    out = F.scaled_dot_product_attention(query.unsqueeze(2), k, v, attn_mask=mask[:, None, None], scale=scale)
    return out.squeeze(2).where((seq_lens > 0)[:, None, None], 0)


@equivalent("block-by-block", why="walks over a sequence's blocks and merges their softmaxes online, as kernels do")
def block_by_block(query, key_cache, value_cache, block_tables, seq_lens, scale=None):
    B, H, D = query.shape
    _, P, H_kv, D_v = value_cache.shape
    out = torch.zeros(B, H, D_v)
    head = torch.arange(H) // (H // H_kv)
    for b, n in enumerate(seq_lens.tolist()):
        top, total, sums = torch.full((H,), -torch.inf), torch.zeros(H), torch.zeros(H, D_v)
        for j, start in enumerate(range(0, n, P)):
            here = min(P, n - start)
            k = key_cache[int(block_tables[b, j]), :here][:, head]  # (here, H, D)
            v = value_cache[int(block_tables[b, j]), :here][:, head]
            s = (query[b] * k).sum(-1) * (1 / D**0.5 if scale is None else scale)  # (here, H)
            new = torch.maximum(top, s.amax(0))
            p, old = (s - new).exp(), (top - new).exp()
            total, sums, top = total * old + p.sum(0), sums * old[:, None] + (p[..., None] * v).sum(0), new
        if n:
            out[b] = sums / total[:, None]
    return out


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def contiguous_attention(query, key_cache, value_cache, block_tables, seq_lens, scale=None):
    """torch's own attention on each sequence, copied token by token into one piece."""
    P, rows = key_cache.shape[1], []
    for q, table, n in zip(query, block_tables.tolist(), seq_lens.tolist(), strict=True):
        places = [(table[t // P], t % P) for t in range(n)]
        if not places:
            rows.append(q.new_zeros(len(q), value_cache.shape[-1]))
            continue
        k, v = (torch.stack([c[place] for place in places], 1)[None] for c in (key_cache, value_cache))
        rows.append(F.scaled_dot_product_attention(q[None, :, None], k, v, scale=scale, enable_gqa=True)[0, :, 0])
    return torch.stack(rows) if rows else query.new_zeros(0, query.shape[1], value_cache.shape[-1])
