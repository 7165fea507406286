"""When a stream of tokens stops, and which of its text may be shown by then.

What is not covered: detokenising (each token comes with its text), a minimum of tokens, the stop string in the result.
"""

from __future__ import annotations


def stop_criteria(
    streams: list[list[tuple[int, str]]],
    stop_strings: list[str],
    stop_token_ids: list[int],
    max_tokens: int,
) -> list[tuple[str, int, str | None]]:
    """For each stream of (id, text) the text that may be shown, the tokens that were read, and why it stopped."""
    return [_one_stream(stream, stop_strings, stop_token_ids, max_tokens) for stream in streams]


def _one_stream(
    stream: list[tuple[int, str]], stop_strings: list[str], stop_token_ids: list[int], max_tokens: int
) -> tuple[str, int, str | None]:
    text = ""
    for count, (token_id, piece) in enumerate(stream, 1):
        if token_id in stop_token_ids:
            return text, count, "stop"  # its own text is no part of the answer
        text += piece
        # All of the text is searched: a stop string may have begun many tokens ago, and end in the middle of this one.
        places = [text.find(stop) for stop in stop_strings if stop in text]
        if places:
            return text[: min(places)], count, "stop"
        if count == max_tokens:
            return text, count, "length"
    return text[: len(text) - _held_back(text, stop_strings)], len(stream), None


def _held_back(text: str, stop_strings: list[str]) -> int:
    """How many characters at the end of text may be the beginning of a stop string: the most that are."""
    starts = [stop[:size] for stop in stop_strings for size in range(len(stop))]
    return max((len(start) for start in starts if text.endswith(start)), default=0)
