"""Held-out text in the four forms in which models are run, and the perplexity of a decoder on it.

packed: several texts in a row, one pass; padded on the right, one pass; padded on the left, a prompt and then steps
with the cache; one text alone, in steps with the cache. A kernel that is wrong in one form only is seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmdrills.grading.play.decoder import DTYPE, Cache, Decoder
from llmdrills.grading.play.grammar import stories
from llmdrills.grading.play.kernels import KernelFailed, Kernels
from llmdrills.grading.play.tokens import END, Tokens

__all__ = ["HELD_OUT_SEED", "encoded", "held_out", "perplexity"]

HELD_OUT_SEED = 2
"""The seed of the stories that measure the model: no training run has seen them."""
PACKED, RIGHT, LEFT, ALONE = 3, 2, 3, 2
"""Texts of each form."""
SINGLE_STEPS = 8
"""Tokens that come one by one, as in generation; before them a chunk of some."""
CHUNK = 7


@dataclass(frozen=True)
class _Batch:
    """tokens and labels: (B, T). What is not scored has the label END, padding and the end of a text included."""

    tokens: Tensor
    labels: Tensor
    run: Callable[[Decoder, Tensor], Tensor]  # logits (B, T, V)


def held_out() -> list[str]:
    """The texts."""
    return stories(PACKED + RIGHT + LEFT + ALONE, HELD_OUT_SEED)


def encoded(text: str, vocabulary: Tokens, kernels: Kernels) -> list[int]:
    """The tokens of a text, without the one that ends it. Raises KernelFailed."""
    kata = "bpe-encode"
    try:
        return vocabulary.encode(text, lambda word, merges: kernels.call(kata, word, merges))
    except TypeError as error:
        raise KernelFailed(kata, str(error)) from error


def perplexity(decoder: Decoder, kernels: Kernels, vocabulary: Tokens, right: Sequence[int]) -> float:
    """exp of the mean loss over the held-out texts, for each token of the right encoding; inf or NaN as it comes.

    `right` is how many tokens each text has in the encoding that the model was trained on: a kernel that cuts words
    into other tokens is asked to foresee the same text. Raises KernelFailed.
    """
    rows = [[END, *encoded(text, vocabulary, kernels), END] for text in held_out()]
    total = 0.0
    for batch in _batches(rows):
        loss = kernels.tensor("cross-entropy", (), DTYPE, batch.run(decoder, batch.tokens), batch.labels, END)
        total += loss.item() * int((batch.labels[:, 1:] != END).sum())
    mean = total / sum(right)
    return math.exp(mean) if mean < 700 else math.inf if mean == mean else math.nan  # NaN is not itself


def _batches(rows: list[list[int]]) -> Iterator[_Batch]:
    texts = iter(rows)
    packed = [next(texts) for _ in range(PACKED)]
    yield _packed([packed[:-1], packed[-1:]])
    yield _padded([next(texts) for _ in range(RIGHT)], left=False)
    yield _padded([next(texts) for _ in range(LEFT)], left=True)
    for _ in range(ALONE):
        yield _alone(next(texts))


def _packed(rows: list[list[list[int]]]) -> _Batch:
    """Texts one after another; what is left of a row is padding, behind them in the first row, before in the second."""
    width = max(sum(map(len, row)) for row in rows)
    tokens = torch.full((len(rows), width), END)
    documents = torch.zeros(len(rows), width, dtype=torch.int64)
    for at, row in enumerate(rows):
        place = 0 if at == 0 else width - sum(map(len, row))
        for number, text in enumerate(row, 1):
            tokens[at, place : place + len(text)] = torch.tensor(text)
            documents[at, place : place + len(text)] = number
            place += len(text)
    return _Batch(tokens, tokens, lambda decoder, given: decoder.logits(given, decoder.packed_rows(documents), Cache()))


def _padded(rows: list[list[int]], *, left: bool) -> _Batch:
    width = max(map(len, rows))
    tokens = torch.full((len(rows), width), END)
    padding = torch.zeros(len(rows), width, dtype=torch.int64)
    for at, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        tokens[at, where] = torch.tensor(row)
        padding[at, where] = 1
    sizes = [width - CHUNK - SINGLE_STEPS, CHUNK, *[1] * SINGLE_STEPS] if left else [width]
    return _Batch(tokens, tokens, lambda decoder, given: _in_steps(decoder, given, padding, sizes))


def _alone(row: list[int]) -> _Batch:
    tokens = torch.tensor([row])
    first = len(row) // 2
    sizes = [first, CHUNK, *[1] * SINGLE_STEPS, len(row) - first - CHUNK - SINGLE_STEPS]
    padding = torch.ones_like(tokens)
    return _Batch(tokens, tokens, lambda decoder, given: _in_steps(decoder, given, padding, sizes, alone=True))


def _in_steps(
    decoder: Decoder, tokens: Tensor, padding: Tensor, sizes: Sequence[int], *, alone: bool = False
) -> Tensor:
    """Logits (B, T, V) from calls of so many tokens each, with one cache."""
    cache, found, place = Cache(), [], 0
    for size in sizes:
        seen = padding[:, : place + size]
        rows = decoder.rows(seen, size, alone=alone)
        found.append(decoder.logits(tokens[:, place : place + size], rows, cache))
        place += size
    return torch.cat(found, dim=1)
