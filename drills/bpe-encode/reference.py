"""Encoding one word by byte-pair merges, in the order of their ranks."""

from __future__ import annotations

import math


def bpe_encode(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Merge the characters of word by the ranked pairs of merges; return the tokens."""
    ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    while len(tokens) > 1:
        # min returns the first of equal ranks: the leftmost occurrence.
        best = min(range(len(tokens) - 1), key=lambda i: ranks.get((tokens[i], tokens[i + 1]), math.inf))
        if (tokens[best], tokens[best + 1]) not in ranks:
            break
        tokens[best : best + 2] = [tokens[best] + tokens[best + 1]]
    return tokens
