"""The kata beam-search-step, step after step, against transformers' own beam search on a tiny model."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch

from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("beam-search-step")
B, V, PROMPT, STEPS = 2, 13, 3, 4


@functools.cache
def model() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=V, n_positions=16, n_embd=16, n_layer=2, n_head=2, initializer_range=0.5)
    return GPT2LMHeadModel(config).eval()


def prompts() -> torch.Tensor:
    return torch.randint(1, V, (B, PROMPT), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("beams", [2, 5])
def test_should_find_the_beams_that_transformers_finds(beams: int) -> None:
    ids = prompts()
    given = {"attention_mask": torch.ones_like(ids), "pad_token_id": 0, "max_new_tokens": STEPS, "do_sample": False}
    kept = {"num_beams": beams, "num_return_sequences": beams, "output_scores": True, "return_dict_in_generate": True}
    with torch.no_grad():
        due = model().generate(
            ids, **given, **kept, eos_token_id=None, suppress_tokens=[0], length_penalty=0.0, renormalize_logits=True
        )
    sequences = torch.zeros(B, beams, 0, dtype=torch.int64)
    scores = torch.full((B, beams), float("-inf"))
    scores[:, 0] = 0.0
    for _ in range(STEPS):
        texts = torch.cat((ids[:, None].expand(-1, beams, -1), sequences), dim=-1)
        with torch.no_grad():
            logits = model()(texts.flatten(0, 1)).logits[:, -1].view(B, beams, V)
        # Token 0 is the end of the text here, and banned: transformers keeps finished beams in a pool of their own.
        logits[..., 0] = float("-inf")
        sequences, scores, parents = KATA.reference.beam_search_step(logits, sequences, scores, 0)
    assert torch.equal(sequences.flatten(0, 1), due.sequences[:, PROMPT:])
    assert parents.shape == (B, beams)
    torch.testing.assert_close(scores.flatten(), due.sequences_scores)
