"""Cases, wrong kernels, equivalents and peers of the kata embedding-retrieval."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer


def texts(make: Inputs, lengths: list[int], width: int, size: int, *, left: bool = False) -> tuple[Any, Any]:
    """Token states and their mask. Texts differ in length and in norm, and the padding has large states of its own."""
    mask = torch.zeros(len(lengths), width, dtype=torch.int64)
    for row, length in enumerate(lengths):
        mask[row, width - length if left else 0 : width if left else length] = 1
    centre = make.normal(len(lengths), 1, size) * make.uniform(len(lengths), 1, 1, low=0.5, high=3.0)
    states = centre + make.normal(len(lengths), width, size, std=0.7)
    return torch.where(mask[..., None] == 1, states, make.normal(len(lengths), width, size, mean=2.0)), mask


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="ragged texts, padded on the right; norms differ; three of five documents are asked for")
def base(make: Inputs) -> Call:
    return call(*texts(make, [4, 2], 4, 8), *texts(make, [7, 3, 5, 2, 6], 7, 8), 3)


@case(why="padding on the left: the first position is no token, the last one always is")
def left_padding(make: Inputs) -> Call:
    return call(*texts(make, [3, 1, 2], 3, 6, left=True), *texts(make, [5, 2, 4, 3], 5, 6, left=True), 2)


@case(why="one document has no token: it scores 0, between the similar and the dissimilar ones")
def empty_document(make: Inputs) -> Call:
    return call(*texts(make, [3, 2], 3, 5), *texts(make, [4, 0, 2, 3], 4, 5), 4)


@case(why="more documents asked for than there are")
def more_than_there_are(make: Inputs) -> Call:
    return call(*texts(make, [2, 3, 1, 3], 3, 6), *texts(make, [3, 4], 4, 6), 10)


@case(why="a bool mask, and the best document only")
def bool_mask(make: Inputs) -> Call:
    queries, query_mask = texts(make, [2, 5, 3], 5, 7)
    documents, document_mask = texts(make, [4, 6, 1, 3], 6, 7)
    return call(queries, query_mask.bool(), documents, document_mask.bool(), 1)


@case(why="texts of one token: pooling changes nothing")
def one_token(make: Inputs) -> Call:
    return call(*texts(make, [1], 1, 4), *texts(make, [1, 1, 1], 1, 4), 2)


@case(why="no queries: an empty answer of the right shape")
def no_queries(make: Inputs) -> Call:
    return call(make.normal(0, 3, 4), torch.ones(0, 3), *texts(make, [2, 3], 3, 4), 1)


@case(why="float16 states near 300 over 400 tokens: their sum overflows")
def float16_long(make: Inputs) -> Call:
    queries, query_mask = texts(make, [4, 6], 6, 5)
    documents, document_mask = texts(make, [400, 250, 320], 400, 5)
    shift = torch.tensor([300.0, -250.0, 0.0, 200.0, -100.0])
    states = (documents * 8 + shift).to(torch.float16)
    return call((queries * 8).to(torch.float16), query_mask, states, document_mask, 2)


@case(why="sizes, lengths and padding of its own", fresh=True)
def fresh(make: Inputs) -> Call:
    m, n, size, width = make.size(2, 3), make.size(5, 7), make.size(8, 10), make.size(5, 6)
    left = make.random.random() < 0.5
    queries = texts(make, [make.size(1, 4) for _ in range(m)], 4, size, left=left)
    return call(
        *queries, *texts(make, [make.size(1, width) for _ in range(n)], width, size, left=left), make.size(2, 4)
    )


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "padding-in-the-mean",
    en="Padding has states too, and you average over them: multiply by the mask before you sum.",
    zh="填充位置也有状态，你把它们也平均进去了：求和之前要乘上 mask。",
    seen="last_hidden_state.mean(1) in a first notebook",
    variants=("mean",),
)
def padding_in_the_mean(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        pooled = states.float().mean(1)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "mask-inverted",
    en="You pool exactly the padding: 1 marks a token.",
    zh="你池化的恰好是填充：1 才是 token。",
    seen="masks of the nn.Transformer kind, where True means ignore",
    variants=("mean",),
)
def mask_inverted(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = (1 - mask.float()).unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "first-token",
    en="You take the first token's state, as BERT's [CLS] pooling does: this encoder was trained with the mean of all tokens.",
    zh="你取了第一个 token 的状态，那是 BERT 的 [CLS] 池化：这里的编码器是用所有 token 的平均训练的。",
    seen="code for BERT's [CLS]",
    variants=("mean",),
)
def first_token(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        pooled = states[:, 0].float()
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "maximum",
    en="You take the maximum of each channel: the mean is asked for.",
    zh="你取的是每个通道的最大值：这里要的是平均。",
    seen="max pooling, which some models do use",
    variants=("mean",),
)
def maximum(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = states.float().masked_fill(weights == 0, -math.inf).amax(1).nan_to_num(neginf=0.0)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "last-position",
    en="The last position of a padded row is padding: take the last one whose mask is 1.",
    zh="填充行的最后一个位置是填充：要取 mask 为 1 的最后一个位置。",
    seen="states[:, -1], which is right for left padding only",
    variants=("last-token",),
    fix="last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)",
)
def last_position(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "right-padding-assumed",
    en="The number of tokens minus one is the last token only when padding is on the right.",
    zh="token 数减一只有在右填充时才是最后一个 token 的位置。",
    seen="attention_mask.sum(1) - 1",
    variants=("last-token",),
    fix="last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)",
)
def right_padding_assumed(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.int().sum(1).clamp(min=1) - 1
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "one-before-the-last",
    en="You take the token before the last one.",
    zh="你取的是倒数第二个 token。",
    seen="an index corrected by one twice",
    variants=("last-token",),
)
def one_before_the_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = (mask.shape[1] - 2 - mask.int().flip(1).argmax(1)).clamp(min=0)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "not-normalised",
    en="A dot product without norms: long vectors win whatever they say. Divide each embedding by its L2 norm.",
    zh="没有归一化的内积：长的向量不管说什么都占优。每个嵌入要除以自己的 L2 范数。",
    seen="an index of raw embeddings searched by inner product",
    variants=("mean",),
    fix="return F.normalize((states.float() * weights).sum(1), dim=-1)",
)
def not_normalised(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        return (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "not-normalised",
    en="A dot product without norms: long vectors win whatever they say. Divide each embedding by its L2 norm.",
    zh="没有归一化的内积：长的向量不管说什么都占优。每个嵌入要除以自己的 L2 范数。",
    seen="an index of raw embeddings searched by inner product",
    variants=("last-token",),
)
def not_normalised_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        return states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "only-queries-normalised",
    en="Only the query is normalised: the documents' lengths still decide the ranking.",
    zh="只归一化了查询：文档向量的长度仍在左右排名。",
    seen="normalisation added at query time, after the index was built",
    variants=("mean",),
)
def only_queries_normalised(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled if states is documents else pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "only-queries-normalised",
    en="Only the query is normalised: the documents' lengths still decide the ranking.",
    zh="只归一化了查询：文档向量的长度仍在左右排名。",
    seen="normalisation added at query time, after the index was built",
    variants=("last-token",),
)
def only_queries_normalised_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled if states is documents else pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "norm-over-the-batch",
    en="You normalise each channel over the batch: the norm belongs to each text, over its D channels.",
    zh="你在 batch 维上对每个通道归一化：范数应当对每段文本、在 D 个通道上求。",
    seen="norm(dim=0)",
    variants=("mean",),
    fix="return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)",
)
def norm_over_the_batch(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm(dim=0, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "norm-over-the-batch",
    en="You normalise each channel over the batch: the norm belongs to each text, over its D channels.",
    zh="你在 batch 维上对每个通道归一化：范数应当对每段文本、在 D 个通道上求。",
    seen="norm(dim=0)",
    variants=("last-token",),
)
def norm_over_the_batch_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=0, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "norm-over-everything",
    en="One norm for the whole batch: each text has its own.",
    zh="整个 batch 共用了一个范数：每段文本应当有自己的。",
    seen="norm() without a dimension",
    variants=("mean",),
)
def norm_over_everything(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm().clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "norm-over-everything",
    en="One norm for the whole batch: each text has its own.",
    zh="整个 batch 共用了一个范数：每段文本应当有自己的。",
    seen="norm() without a dimension",
    variants=("last-token",),
)
def norm_over_everything_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm().clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "squared-norm",
    en="You divide by the square of the norm: take the root.",
    zh="你除以了范数的平方：要开方。",
    seen="x / (x * x).sum()",
    variants=("mean",),
)
def squared_norm(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.pow(2).sum(-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "squared-norm",
    en="You divide by the square of the norm: take the root.",
    zh="你除以了范数的平方：要开方。",
    seen="x / (x * x).sum()",
    variants=("last-token",),
)
def squared_norm_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.pow(2).sum(-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "nan-for-an-empty-text",
    en="A text without tokens is 0/0 here, and topk ranks NaN above everything: it must score 0.",
    zh="没有 token 的文本在这里是 0/0，而 topk 会把 NaN 排在最前：它应当得 0 分。",
    seen="an empty chunk in the index",
    variants=("mean",),
)
def nan_for_an_empty_text(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1)
        return pooled / pooled.norm(dim=-1, keepdim=True)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "nan-for-an-empty-text",
    en="A text without tokens is 0/0 here, and topk ranks NaN above everything: it must score 0.",
    zh="没有 token 的文本在这里是 0/0，而 topk 会把 NaN 排在最前：它应当得 0 分。",
    seen="an empty chunk in the index",
    variants=("last-token",),
)
def nan_for_an_empty_text_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


@misconception(
    "worst-first",
    en="You return the least similar documents: cosine is a similarity, the higher the better.",
    zh="你返回的是最不相似的文档：余弦是相似度，越大越好。",
    seen="an ascending sort, as for distances",
    variants=("mean",),
)
def worst_first(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1, largest=False)
    return values, indices


@misconception(
    "worst-first",
    en="You return the least similar documents: cosine is a similarity, the higher the better.",
    zh="你返回的是最不相似的文档：余弦是相似度，越大越好。",
    seen="an ascending sort, as for distances",
    variants=("last-token",),
)
def worst_first_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1, largest=False)
    return values, indices


@misconception(
    "distance",
    en="You rank by Euclidean distance: the order is the same for unit vectors, the scores are not. The contract asks for cosines.",
    zh="你按欧氏距离排序：对单位向量来说次序相同，得分却不同。约定要的是余弦。",
    seen="an L2 index over normalised vectors",
    variants=("mean",),
)
def distance(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = torch.cdist(embed(queries, query_mask), embed(documents, document_mask))
    values, indices = scores.topk(min(k, len(documents)), dim=1, largest=False)
    return values, indices


@misconception(
    "distance",
    en="You rank by Euclidean distance: the order is the same for unit vectors, the scores are not. The contract asks for cosines.",
    zh="你按欧氏距离排序：对单位向量来说次序相同，得分却不同。约定要的是余弦。",
    seen="an L2 index over normalised vectors",
    variants=("last-token",),
)
def distance_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = torch.cdist(embed(queries, query_mask), embed(documents, document_mask))
    values, indices = scores.topk(min(k, len(documents)), dim=1, largest=False)
    return values, indices


@misconception(
    "k-not-clamped",
    en="topk fails when k exceeds the number of documents: return what there is.",
    zh="k 超过文档数时 topk 会报错：有多少返回多少。",
    seen="a fixed k on a small index",
    variants=("mean",),
)
def k_not_clamped(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(k, dim=1)
    return values, indices


@misconception(
    "k-not-clamped",
    en="topk fails when k exceeds the number of documents: return what there is.",
    zh="k 超过文档数时 topk 会报错：有多少返回多少。",
    seen="a fixed k on a small index",
    variants=("last-token",),
)
def k_not_clamped_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(k, dim=1)
    return values, indices


@misconception(
    "queries-ranked",
    en="You rank the queries for each document: the best documents for each query are asked for.",
    zh="你为每篇文档给查询排了名：要的是为每个查询找文档。",
    seen="topk over the wrong dimension",
    variants=("mean",),
)
def queries_ranked(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (states.float() * weights).sum(1) / weights.sum(1).clamp(min=1)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.T.topk(min(k, len(queries)), dim=1)
    return values, indices


@misconception(
    "queries-ranked",
    en="You rank the queries for each document: the best documents for each query are asked for.",
    zh="你为每篇文档给查询排了名：要的是为每个查询找文档。",
    seen="topk over the wrong dimension",
    variants=("last-token",),
)
def queries_ranked_last(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        last = mask.shape[1] - 1 - mask.int().flip(1).argmax(1)
        pooled = states[torch.arange(len(states)), last].float() * mask.bool().any(1, keepdim=True)
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.T.topk(min(k, len(queries)), dim=1)
    return values, indices


@misconception(
    "half-accumulation",
    en="You sum hundreds of states in float16, which ends at 65504: go to float32 before you pool.",
    zh="你用 float16 累加了几百个状态，而它最大只有 65504：先转 float32 再池化。",
    seen="encoders run in half precision",
    variants=("mean",),
)
def half_accumulation(queries, query_mask, documents, document_mask, k):
    def embed(states, mask):
        weights = mask.float().unsqueeze(-1)
        pooled = (
            (states * weights.to(states.dtype)).cumsum(1)[:, -1] / weights.sum(1).clamp(min=1).to(states.dtype)
        ).float()
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    scores = embed(queries, query_mask) @ embed(documents, document_mask).T
    values, indices = scores.topk(min(k, len(documents)), dim=1)
    return values, indices


# Right kernels, written differently -------------------------------------------------------------------------------


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
