"""A text that the small model writes: token by token, with the cache or without."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from llmdrills.grading.play.decoder import DTYPE, Cache, Decoder
from llmdrills.grading.play.grammar import ENDING
from llmdrills.grading.play.heldout import encoded
from llmdrills.grading.play.kernels import KernelFailed, Kernels
from llmdrills.grading.play.request import Writing
from llmdrills.grading.play.tokens import END, Tokens

__all__ = ["Written", "write"]

TOP_K, TOP_P = 40, 0.95


@dataclass(frozen=True)
class Written:
    """The prompt with what was written behind it. `why`: "stop", "length", or "nan" where the logits were no numbers.

    `seconds` are for the `tokens` that were written; the prompt is read before.
    """

    text: str
    tokens: int
    why: str
    seconds: float


def write(decoder: Decoder, kernels: Kernels, vocabulary: Tokens, wanted: Writing, *, cached: bool = True) -> Written:
    """Write on from the prompt until the story ends or `wanted.tokens` are written. Raises KernelFailed."""
    ids = [END, *encoded(wanted.prompt, vocabulary, kernels)]
    random = Random(wanted.seed)  # noqa: S311  # a story, no secret
    cache, stream = Cache(), list[tuple[int, str]]()
    logits = _step(decoder, ids, 0, cache)
    begun = time.perf_counter()
    shown, why = "", ""
    while not why:
        if not _are_numbers(logits):
            why = "nan"
            break
        chosen = _draw(_distribution(kernels, logits, wanted.temperature), random)
        ids.append(chosen)
        stream.append((chosen, vocabulary.decode([chosen])))
        shown, why = _judged(kernels, stream, wanted.tokens)
        if not why:
            cache = cache if cached else Cache()
            logits = _step(decoder, ids, len(ids) - 1 if cached else 0, cache)
    return Written(wanted.prompt + shown, len(stream), why, time.perf_counter() - begun)


def _step(decoder: Decoder, ids: list[int], known: int, cache: Cache) -> Tensor:
    """Logits (1, V) of the token after all of these, the first `known` of which are in the cache."""
    rows = decoder.rows(torch.ones(1, len(ids), dtype=torch.int64), len(ids) - known, alone=True)
    return decoder.logits(torch.tensor([ids[known:]]), rows, cache)[:, -1]


def _are_numbers(logits: Tensor) -> bool:
    return bool((logits > float("-inf")).any()) and not bool((logits.isnan() | (logits == float("inf"))).any())


def _distribution(kernels: Kernels, logits: Tensor, temperature: float) -> Tensor:
    kata = "sampling-parameters"
    found = kernels.tensor(kata, logits.shape, DTYPE, logits, temperature, TOP_K, TOP_P)
    if not (found >= 0).all() or not 0 < found.sum().item() < float("inf"):
        raise KernelFailed(kata, "what it returned are no probabilities: some are negative or NaN, or all are 0")
    return found[0]


def _draw(probabilities: Tensor, random: Random) -> int:
    """A token by its probability (V,), by one number of the generator: the same on every machine."""
    reached = probabilities.double().cumsum(0)
    place = int(torch.searchsorted(reached, random.random() * reached[-1].item(), right=True))
    last = int(probabilities.nonzero()[-1])  # what is rounded away at the end must not choose a token of weight 0
    return min(place, last)


def _judged(kernels: Kernels, stream: list[tuple[int, str]], most: int) -> tuple[str, str]:
    """The text that may be shown, and why it is over; "" while it is not."""
    kata = "stop-criteria"
    found = kernels.call(kata, [list(stream)], [f" {ENDING}"], [END], most)
    fits = type(found) is list and len(found) == 1 and type(found[0]) is tuple and len(found[0]) == 3
    text, read, why = found[0] if fits else (None, None, None)
    if type(text) is not str or type(read) is not int or why not in ("stop", "length", None):
        raise KernelFailed(kata, "it returned something else than one tuple (text, tokens read, reason) in a list")
    if why is None and len(stream) >= most:  # a kernel that never ends a text does not write for ever
        return text, "length"
    return text, why or ""
