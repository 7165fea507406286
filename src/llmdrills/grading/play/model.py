"""The whole small model: its file, its vocabulary, and what a set of kernels makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from llmdrills.grading.play.decoder import Decoder, loaded
from llmdrills.grading.play.digest import WEIGHTS
from llmdrills.grading.play.heldout import encoded, held_out, perplexity
from llmdrills.grading.play.kernels import Kernel, Kernels
from llmdrills.grading.play.request import Writing
from llmdrills.grading.play.shape import SHAPE
from llmdrills.grading.play.tokens import Tokens
from llmdrills.grading.play.weights import Checkpoint, read_weights
from llmdrills.grading.play.writing import Written, write

__all__ = ["Model", "Running"]


@dataclass(frozen=True)
class Model:
    """The file's tensors, the vocabulary, and how many tokens each held-out text has."""

    checkpoint: Checkpoint
    vocabulary: Tokens
    lengths: tuple[int, ...]

    @classmethod
    def read(cls, encode: Kernel, path: Path = WEIGHTS) -> Model:
        """From the file. `encode` is the reference of bpe-encode. Raises OSError, ValueError."""
        checkpoint, metadata = read_weights(path)
        vocabulary = Tokens([(left, right) for left, right in json.loads(metadata["merges"])])
        right = Kernels({"bpe-encode": cache_words(encode)})
        lengths = tuple(len(encoded(text, vocabulary, right)) for text in held_out())
        return cls(checkpoint, vocabulary, lengths)

    def run(self, kernels: Mapping[str, Kernel], before: Callable[[str], object] = str) -> Running:
        """The model with these kernels; the file's tensors are copied for it. Raises KernelFailed."""
        called = Kernels(kernels, before)
        with torch.no_grad():
            return Running(self, called, Decoder(SHAPE, loaded(self.checkpoint, SHAPE, called), called))


@dataclass(frozen=True)
class Running:
    """A model that has loaded its weights by its kernels."""

    model: Model
    kernels: Kernels
    decoder: Decoder

    def perplexity(self) -> float:
        """On the held-out texts. Raises KernelFailed."""
        with torch.no_grad():
            return perplexity(self.decoder, self.kernels, self.model.vocabulary, self.model.lengths)

    def write(self, wanted: Writing, *, cached: bool = True) -> Written:
        """A text. Raises KernelFailed."""
        with torch.no_grad():
            return write(self.decoder, self.kernels, self.model.vocabulary, wanted, cached=cached)


def cache_words(encode: Kernel) -> Kernel:
    """The same encoder, for one table of merges, with each word encoded once."""
    tables: list[object] = []

    @cache
    def pieces(word: str) -> tuple[str, ...]:
        return tuple(encode(word, tables[0]))

    def known(word: str, merges: list[tuple[str, str]]) -> list[str]:
        if not tables:
            tables.append(merges)
        return list(pieces(word))

    return known
