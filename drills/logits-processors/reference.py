"""Repetition penalty, temperature and min-p, in the orders of transformers and of llama.cpp.

What is not covered: presence and frequency penalties, top-k and top-p (see the kata sampling-parameters), drawing.
"""

from __future__ import annotations

import torch


def process_logits_temperature_first(
    logits: torch.Tensor,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    repetition_penalty: float = 1.0,
    temperature: float = 1.0,
    min_p: float = 0.0,
) -> torch.Tensor:
    """The logits (B, V) of the next token as they are sampled from, after the tokens input_ids (B, T)."""
    scores = _penalised(logits, input_ids, attention_mask, repetition_penalty) / temperature  # (B, V)
    return scores.masked_fill(_improbable(scores, min_p), float("-inf"))


def process_logits_temperature_last(
    logits: torch.Tensor,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    repetition_penalty: float = 1.0,
    temperature: float = 1.0,
    min_p: float = 0.0,
) -> torch.Tensor:
    """The logits (B, V) of the next token as they are sampled from, after the tokens input_ids (B, T)."""
    scores = _penalised(logits, input_ids, attention_mask, repetition_penalty)  # (B, V)
    return scores.masked_fill(_improbable(scores, min_p), float("-inf")) / temperature


def _penalised(
    logits: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, penalty: float
) -> torch.Tensor:
    scores = logits.to(torch.promote_types(logits.dtype, torch.float32))  # (B, V)
    kept = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    counts = torch.zeros_like(scores).scatter_add(1, input_ids, kept.to(scores.dtype))  # (B, V): padding adds 0
    # A negative score is multiplied: dividing it would make the token more probable.
    lowered = torch.where(scores < 0, scores * penalty, scores / penalty)
    return torch.where(counts > 0, lowered, scores)


def _improbable(scores: torch.Tensor, min_p: float) -> torch.Tensor:
    probabilities = scores.softmax(dim=-1)  # (B, V)
    return probabilities < min_p * probabilities.amax(dim=-1, keepdim=True)  # (B, V), never the most probable
