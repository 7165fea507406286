"""Learning byte-pair merges from a text, with two ways to break a tie."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise


def bpe_train_greater(text: str, num_merges: int, pattern: str = r" ?\S+|\s+") -> list[tuple[str, str]]:
    """Learn num_merges pairs from the pre-tokens that pattern finds in text; return them in order."""
    words = [list(word) for word in re.findall(pattern, text)]  # repeated ones each time
    merges: list[tuple[str, str]] = []
    while len(merges) < num_merges:
        counts = Counter(pair for tokens in words for pair in pairwise(tokens))
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for tokens in words:
            i = 0
            while i < len(tokens) - 1:
                if (tokens[i], tokens[i + 1]) == best:
                    tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
                i += 1
    return merges


def bpe_train_lowest_ids(text: str, num_merges: int, pattern: str = r" ?\S+|\s+") -> list[tuple[str, str]]:
    """Learn num_merges pairs from the pre-tokens that pattern finds in text; return them in order."""
    words = [list(word) for word in re.findall(pattern, text)]  # repeated ones each time
    alphabet = sorted({token for tokens in words for token in tokens})
    ids = {token: i for i, token in enumerate(alphabet)}
    merges: list[tuple[str, str]] = []
    while len(merges) < num_merges:
        counts = Counter(pair for tokens in words for pair in pairwise(tokens))
        if not counts:
            break
        best = min(counts, key=lambda p: (-counts[p], ids[p[0]], ids[p[1]]))
        merges.append(best)
        ids[best[0] + best[1]] = len(ids)
        for tokens in words:
            i = 0
            while i < len(tokens) - 1:
                if (tokens[i], tokens[i + 1]) == best:
                    tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
                i += 1
    return merges
