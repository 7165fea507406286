"""One step of beam search: every beam is continued by every token, and the best are kept, whichever beams they are from.

What is not covered: a pool of finished beams beside the running ones, when to end, the cache's reordering itself.
"""

from __future__ import annotations

import torch


def beam_search_step(
    logits: torch.Tensor,
    sequences: torch.Tensor,
    scores: torch.Tensor,
    eos_token_id: int,
    length_penalty: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Continue the beams sequences (B, K, T) with sums scores (B, K) by logits (B, K, V); return the best K a row."""
    V = logits.size(-1)
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_probs = wide.log_softmax(dim=-1)  # (B, K, V)

    # A finished beam has one continuation, which costs nothing: eos once more, as padding.
    ended = sequences == eos_token_id  # (B, K, T): the first eos, and the padding behind it
    finished = ended.any(dim=-1, keepdim=True)  # (B, K, 1)
    padding = torch.full_like(log_probs[:1, :1], float("-inf"))  # (1, 1, V)
    padding[..., eos_token_id] = 0.0
    totals = scores[..., None] + torch.where(finished, padding, log_probs)  # (B, K, V)

    # The sum decides nothing alone: a longer beam has added more negative numbers.
    lengths = (~ended).sum(dim=-1, keepdim=True) + 1  # (B, K, 1): the first eos or the new token counts
    ranks = totals / lengths.to(totals.dtype) ** length_penalty  # (B, K, V)
    best = ranks.flatten(1).topk(logits.size(1)).indices  # (B, K), all beams of a row together

    beam_indices = best // V  # (B, K)
    history = sequences.gather(1, beam_indices[..., None].expand_as(sequences))  # (B, K, T)
    continued = torch.cat((history, (best % V)[..., None]), dim=-1)  # (B, K, T + 1)
    return continued, totals.flatten(1).gather(1, best), beam_indices
