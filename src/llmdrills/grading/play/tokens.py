"""Text as the small model's tokens: words cut off, merged by byte pairs, and looked up. No torch.

Tokens 0 … 255 are the bytes, 256 ends a text, and the merges follow in the order in which they were learned.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

__all__ = ["END", "Tokens", "learn_merges", "words_of"]

END = 256
"""The token that ends a text."""

Pair = tuple[str, str]
Encode = Callable[[str, list[Pair]], list[str]]
"""A kernel of the kata bpe-encode: one word and the merges, to its tokens."""

_WORD = re.compile(r" ?[A-Za-z]+| ?[0-9]|[^A-Za-z0-9]")
"""A word with the space before it, one digit, or any other single character."""


def words_of(text: str) -> list[str]:
    """The pieces of a text that are encoded one by one; joined, they are the text."""
    return _WORD.findall(text)


class Tokens:
    """The vocabulary that some merges make."""

    def __init__(self, merges: Sequence[Pair]) -> None:
        self.merges = list(merges)
        self._texts = [bytes([byte]) for byte in range(256)] + [b""]
        self._ids: dict[str, int] = {chr(byte): byte for byte in range(128)}
        for left, right in merges:
            self._ids.setdefault(left + right, len(self._texts))
            self._texts.append((left + right).encode())

    def __len__(self) -> int:
        return len(self._texts)

    def encode(self, text: str, encode: Encode) -> list[int]:
        """The tokens of a text, each of its words encoded by `encode`.

        A piece that is no token is spelled byte by byte. Raises TypeError where the kernel gives no list of str.
        """
        known: dict[str, list[int]] = {}
        found: list[int] = []
        for word in words_of(text):
            if word not in known:
                known[word] = [one for piece in _pieces(encode(word, list(self.merges))) for one in self._id(piece)]
            found += known[word]
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self._texts[one] for one in ids).decode("utf-8", "replace")

    def _id(self, piece: str) -> list[int]:
        found = self._ids.get(piece)
        return list(piece.encode("utf-8", "surrogatepass")) if found is None else [found]


def _pieces(found: object) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(piece, str) for piece in found):
        raise TypeError(f"it returned {type(found).__name__}, and the model needs a list of str")
    return found


def learn_merges(texts: Sequence[str], count: int) -> list[Pair]:
    """The `count` merges that byte-pair encoding learns from ASCII texts; of equally frequent pairs, the smaller."""
    words = Counter(word for text in texts for word in words_of(text))
    split = {word: list(word) for word in words}
    merges: list[Pair] = []
    while len(merges) < count:
        pairs: Counter[Pair] = Counter()
        for word, often in words.items():
            for pair in zip(split[word], split[word][1:], strict=False):
                pairs[pair] += often
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for pieces in split.values():
            _merge(pieces, best)
    return merges


def _merge(pieces: list[str], pair: Pair) -> None:
    place = 0
    while place < len(pieces) - 1:
        if (pieces[place], pieces[place + 1]) == pair:
            pieces[place : place + 2] = [pair[0] + pair[1]]
        place += 1
