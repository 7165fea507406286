"""Cases, equivalents and peers of the kata embedding-retrieval; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def texts(
    make: Inputs, lengths: list[int], width: int, size: int, *, left: bool = False, mixed: bool = False
) -> tuple[Any, Any]:
    """Token states and their mask. Texts differ in length and in norm, and the padding has large states of its own.

    Padding stands on the right, or on the left, or `mixed`: on the left in every other text.
    """
    mask = torch.zeros(len(lengths), width, dtype=torch.int64)
    for row, length in enumerate(lengths):
        at_end = row % 2 == 0 if mixed else left
        mask[row, width - length if at_end else 0 : width if at_end else length] = 1
    centre = make.normal(len(lengths), 1, size) * make.uniform(len(lengths), 1, 1, low=0.5, high=3.0)
    states = centre + make.normal(len(lengths), width, size, std=0.7)
    return torch.where(mask[..., None] == 1, states, make.normal(len(lengths), width, size, mean=2.0)), mask


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="ragged texts, padded on the right; norms differ; three of five documents are asked for",
    clauses=("states", "masks", "pooling", "norms", "result"),
)
def base(make: Inputs) -> Call:
    return call(*texts(make, [4, 2], 4, 8), *texts(make, [7, 3, 5, 2, 6], 7, 8), 3)


@case(why="padding on the left: the first position is no token, the last one always is", clauses=("masks", "pooling"))
def left_padding(make: Inputs) -> Call:
    return call(*texts(make, [3, 1, 2], 3, 6, left=True), *texts(make, [5, 2, 4, 3], 5, 6, left=True), 2)


@case(
    why="padding on the left in one text, on the right in the next: the side belongs to each text",
    clauses=("masks", "pooling"),
)
def mixed_padding(make: Inputs) -> Call:
    return call(*texts(make, [2, 3, 1], 4, 6, mixed=True), *texts(make, [3, 2, 4, 1], 5, 6, mixed=True), 3)


@case(why="one document has no token: it scores 0, between the similar and the dissimilar ones", clauses=("empty",))
def empty_document(make: Inputs) -> Call:
    return call(*texts(make, [3, 2], 3, 5), *texts(make, [4, 0, 2, 3], 4, 5), 4)


@case(why="a query has no token: it scores 0 with its one document, and 0 is no NaN", clauses=("empty",))
def empty_query(make: Inputs) -> Call:
    # One document: with more of them all would be tied.
    return call(*texts(make, [3, 0, 2], 3, 5), *texts(make, [4], 4, 5), 2)


@case(why="more documents asked for than there are", clauses=("result",))
def more_than_there_are(make: Inputs) -> Call:
    return call(*texts(make, [2, 3, 1, 3], 3, 6), *texts(make, [3, 4], 4, 6), 10)


@case(why="a bool mask, and the best document only", clauses=("masks", "result"))
def bool_mask(make: Inputs) -> Call:
    queries, query_mask = texts(make, [2, 5, 3], 5, 7)
    documents, document_mask = texts(make, [4, 6, 1, 3], 6, 7)
    return call(queries, query_mask.bool(), documents, document_mask.bool(), 1)


@case(why="an int8 mask beside one in float16: 0 and 1 of any dtype", clauses=("masks",))
def small_masks(make: Inputs) -> Call:
    queries, query_mask = texts(make, [2, 4, 3], 4, 6)
    documents, document_mask = texts(make, [4, 2, 5, 3], 5, 6)
    return call(queries, query_mask.to(torch.int8), documents, document_mask.half(), 3)


@case(why="texts of one token: pooling changes nothing", clauses=("pooling", "norms"))
def one_token(make: Inputs) -> Call:
    return call(*texts(make, [1], 1, 4), *texts(make, [1, 1, 1], 1, 4), 2)


@case(why="every size is 4: nothing crashes that is transposed", clauses=("states", "result"))
def equal_sizes(make: Inputs) -> Call:
    return call(*texts(make, [4, 2, 3, 1], 4, 4), *texts(make, [3, 4, 1, 2], 4, 4, left=True), 4)


@case(why="one query, one document, one channel: the cosine is a sign", clauses=("norms", "result"))
def one_channel(make: Inputs) -> Call:
    queries, documents = torch.tensor([[[2.0], [1.5]]]), torch.tensor([[[-0.25], [-3.0], [-1.0]]])
    return call(queries, torch.ones(1, 2), documents, torch.ones(1, 3), 1)


@case(why="short vectors: a small number added to the norm changes their cosines", clauses=("norms",))
def short_vectors(make: Inputs) -> Call:
    queries, query_mask = texts(make, [4, 2], 4, 8)
    documents, document_mask = texts(make, [5, 3, 4], 5, 8)
    return call(queries * 1e-3, query_mask, documents * 1e-3, document_mask, 3)


@case(why="no queries: an empty answer of the right shape", clauses=("always",))
def no_queries(make: Inputs) -> Call:
    return call(make.normal(0, 3, 4), torch.ones(0, 3), *texts(make, [2, 3], 3, 4), 1)


@case(why="no documents: each query has none to return", clauses=("always", "result"))
def no_documents(make: Inputs) -> Call:
    return call(*texts(make, [2, 3], 3, 4), make.normal(0, 5, 4), torch.ones(0, 5), 3)


@case(why="float16 states near 300 over 400 tokens: their sum overflows", clauses=("states", "float32-inside"))
def float16_long(make: Inputs) -> Call:
    queries, query_mask = texts(make, [4, 6], 6, 5)
    documents, document_mask = texts(make, [400, 250, 320], 400, 5)
    shift = torch.tensor([300.0, -250.0, 0.0, 200.0, -100.0])
    states = (documents * 8 + shift).to(torch.float16)
    return call((queries * 8).to(torch.float16), query_mask, states, document_mask, 2)


@case(why="bfloat16 states: the cosines are as exact as in float32", clauses=("states", "float32-inside", "result"))
def bfloat16(make: Inputs) -> Call:
    queries, query_mask = texts(make, [4, 2, 5], 5, 6)
    documents, document_mask = texts(make, [6, 3, 5, 2], 6, 6)
    return call(queries.bfloat16(), query_mask, documents.bfloat16(), document_mask, 3)


@case(why="sizes, lengths and padding of its own", fresh=True, clauses=("masks", "pooling", "norms", "result"))
def fresh(make: Inputs) -> Call:
    m, n, size, width = make.size(2, 3), make.size(5, 7), make.size(8, 10), make.size(5, 6)
    left = make.random.random() < 0.5
    queries = texts(make, [make.size(1, 4) for _ in range(m)], 4, size, left=left)
    return call(
        *queries, *texts(make, [make.size(1, width) for _ in range(n)], width, size, left=left), make.size(2, 4)
    )


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("embeds-inside", why="pools and normalises in one inner function", variants=("mean",))
def embeds_inside(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@equivalent("embeds-inside-last", why="pools and normalises in one inner function", variants=("last-token",))
def embeds_inside_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@equivalent("sum-for-mean", why="never divides by the count: the norm takes it out again", variants=("mean",))
def sum_for_mean(queries, query_mask, documents, document_mask, k):
    left, right = (
        F.normalize(torch.einsum("ntd,nt->nd", states.float(), mask.float()), dim=1)
        for states, mask in ((queries, query_mask), (documents, document_mask))
    )
    scores, indices = torch.sort(left @ right.T, dim=1, descending=True)
    return scores[:, :k], indices[:, :k]


@equivalent("cosine-similarity", why="lets torch compute the cosines", variants=("mean",))
def cosine_similarity(queries, query_mask, documents, document_mask, k):
    def pool(states, mask):
        kept = states.double().masked_fill(~mask.bool()[..., None], 0)
        return kept.sum(1) / mask.bool().sum(1, keepdim=True).clamp(min=1)

    left, right = pool(queries, query_mask), pool(documents, document_mask)
    scores = F.cosine_similarity(left[:, None], right[None], dim=-1).float()
    indices = scores.argsort(dim=1, descending=True)[:, :k]
    return scores.gather(1, indices), indices


@equivalent(
    "text-by-text",
    why="selects each text's tokens and averages them, and divides the scores by both norms",
    variants=("mean",),
)
def text_by_text(queries, query_mask, documents, document_mask, k):
    def pool(states, mask):
        rows = [row.float()[kept != 0] for row, kept in zip(states, mask, strict=True)]
        means = [row.mean(0) if len(row) else row.new_zeros(row.shape[1]) for row in rows]
        return torch.stack(means) if means else states.float()[:, 0]

    left, right = pool(queries, query_mask), pool(documents, document_mask)
    norms = left.norm(dim=1)[:, None] * right.norm(dim=1)
    scores = torch.where(norms == 0, 0.0, left @ right.T / norms)
    values, indices = scores.topk(min(k, len(right)))
    return values, indices


@equivalent("largest-position", why="finds the last token as the largest position times mask", variants=("last-token",))
def largest_position(queries, query_mask, documents, document_mask, k):
    def pool(states, mask):
        last = (torch.arange(mask.shape[1]) * mask.bool()).argmax(1)
        picked = states.float().gather(1, last[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)
        return F.normalize(picked * mask.bool().any(1)[:, None], dim=1)

    scores, indices = torch.sort(pool(queries, query_mask) @ pool(documents, document_mask).T, dim=1, descending=True)
    return scores[:, :k], indices[:, :k]


@equivalent("cosine-similarity-last", why="lets torch compute the cosines, in float64", variants=("last-token",))
def cosine_similarity_last(queries, query_mask, documents, document_mask, k):
    def pool(states, mask):
        out = states.new_zeros(states.shape[0], states.shape[2], dtype=torch.float64)
        for row, position in mask.bool().nonzero().tolist():
            out[row] = states[row, position]  # later positions overwrite earlier ones
        return out

    left, right = pool(queries, query_mask), pool(documents, document_mask)
    scores = F.cosine_similarity(left[:, None], right[None], dim=-1).float()
    indices = scores.argsort(dim=1, descending=True)[:, :k]
    return scores.gather(1, indices), indices


@equivalent(
    "one-hot",
    why="a product with a one-hot row that marks where the count of tokens is complete",
    variants=("last-token",),
)
def one_hot(queries, query_mask, documents, document_mask, k):
    def pool(states, mask):
        kept = mask.int()
        hot = ((kept.cumsum(1) == kept.sum(1, keepdim=True)) & (kept == 1)).float()
        return F.normalize((states.float() * hot[..., None]).sum(1), dim=1)

    values, indices = (pool(queries, query_mask) @ pool(documents, document_mask).T).topk(min(k, len(documents)))
    return values, indices


# Domain -----------------------------------------------------------------------------------------------------------

_MASKS = (
    torch.bool,
    torch.int64,
    torch.int32,
    torch.int8,
    torch.uint8,
    torch.float64,
    torch.float32,
    torch.half,
    torch.bfloat16,
)


@domain(variants=("mean", "last-token"))
def any_call(draw: Draw) -> Call:
    m, n = draw.pick(0, 1, 1, 2, 3, 4), draw.pick(0, 1, 1, 2, 3, 4, 5)
    size = draw.pick(2, 3, 4, 8) if n > 1 else draw.pick(1, 2, 4)  # cosines of one channel are all 1 or −1: ties
    # Without tokens a text scores 0 with everything: two such documents would be tied, and so would all with a query.
    query_lengths, queries = _batch(draw, m, size, empty=m if n < 2 else 0)
    document_lengths, documents = _batch(draw, n, size, empty=1)
    draw.mark("a query without tokens", 0 in query_lengths)
    draw.mark("a document without tokens", 0 in document_lengths)
    return call(*queries, *documents, max(1, draw.option(1, 1, 2, n - 1, n, n + 1, n + 3)))


def _batch(draw: Draw, count: int, size: int, *, empty: int) -> tuple[list[int], tuple[Any, Any]]:
    """The lengths of the texts, at most `empty` of which are 0, and their states and mask."""
    width = draw.pick(1, 2, 3, 4, size, 7)
    lengths = [draw.random.choice((1, width, draw.random.randint(1, width))) for _ in range(count)]
    for row in range(min(empty, count)):
        if draw.chance(0.3):
            lengths[(row + 1) % count] = 0
    left, mixed = draw.chance(0.5), draw.chance(0.4)
    draw.mark("padding", "mixed" if mixed else "left" if left else "right")
    states, mask = texts(draw, lengths, width, size, left=left, mixed=mixed)
    scale = draw.pick(1.0, 1.0, 1e-3, 300.0)  # in float16, squares and sums of these drown or overflow
    draw.mark("size", scale)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    return lengths, (draw.layout((states * scale).to(dtype)), draw.layout(mask.to(draw.pick(*_MASKS))))


# Peers ------------------------------------------------------------------------------------------------------------


@peer("numpy", variants=("mean",))
def numpy_mean(queries, query_mask, documents, document_mask, k):
    import numpy as np

    def embed(states, mask):
        vectors = np.zeros((len(states), states.shape[2]))
        for row, (tokens, kept) in enumerate(zip(states.detach().double().numpy(), mask.bool().numpy(), strict=True)):
            if kept.any():
                vectors[row] = tokens[kept].mean(axis=0)
                vectors[row] /= np.sqrt((vectors[row] ** 2).sum())
        return vectors

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    order = np.argsort(-scores, axis=1)[:, :k]
    return torch.from_numpy(np.take_along_axis(scores, order, axis=1)).float(), torch.from_numpy(order)


@peer("numpy", variants=("last-token",))
def numpy_last(queries, query_mask, documents, document_mask, k):
    import numpy as np

    def embed(states, mask):
        vectors = np.zeros((len(states), states.shape[2]))
        for row, (tokens, kept) in enumerate(zip(states.detach().double().numpy(), mask.bool().numpy(), strict=True)):
            if kept.any():
                vectors[row] = tokens[kept][-1]
                vectors[row] /= np.sqrt((vectors[row] ** 2).sum())
        return vectors

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    order = np.argsort(-scores, axis=1)[:, :k]
    return torch.from_numpy(np.take_along_axis(scores, order, axis=1)).float(), torch.from_numpy(order)
