"""The kata embedding-retrieval: proven without the grader, against torch's cosine, and on an encoder's states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("embedding-retrieval")
by_mean, by_last = KATA.reference.retrieve_by_mean, KATA.reference.retrieve_by_last_token


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("variant", KATA.variants)
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(variant: str, seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, variant, tmp_path, seed)


@pytest.mark.parametrize("kernel", [by_mean, by_last])
def test_should_not_depend_on_what_stands_in_the_padding(kernel: Any) -> None:
    torch.manual_seed(0)
    queries, documents = torch.randn(2, 3, 6), torch.randn(4, 5, 6)
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 1, 1, 1]])
    noisy = torch.where(mask[..., None] == 1, documents, torch.full_like(documents, 1e4))
    whole = torch.ones(2, 3)
    torch.testing.assert_close(kernel(queries, whole, documents, mask, 4), kernel(queries, whole, noisy, mask, 4))


def test_should_score_by_torchs_cosines_of_the_means() -> None:
    torch.manual_seed(0)
    queries, documents = torch.randn(3, 4, 6), torch.randn(5, 2, 6)
    cosines = torch.nn.functional.cosine_similarity(queries.mean(1)[:, None], documents.mean(1)[None], dim=-1)
    scores, indices = by_mean(queries, torch.ones(3, 4), documents, torch.ones(5, 2), 5)
    torch.testing.assert_close(scores, cosines.gather(1, indices))
    assert bool((scores.diff(dim=1) <= 0).all())


def test_should_rank_a_batch_of_an_encoder_as_its_texts_one_by_one() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    encoder = transformers.BertModel(config).eval()
    lengths = [3, 6, 2, 5]
    ids = torch.randint(1, 50, (4, 6))
    mask = (torch.arange(6) < torch.tensor(lengths)[:, None]).long()
    with torch.no_grad():
        padded = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        alone = [encoder(input_ids=ids[i : i + 1, :n]).last_hidden_state for i, n in enumerate(lengths)]
    query, whole = alone[0], torch.ones(1, 3)
    scores, indices = by_mean(query, whole, padded, mask, 4)
    single = [by_mean(query, whole, states, torch.ones(states.shape[:2]), 1)[0].item() for states in alone]
    torch.testing.assert_close(scores[0], torch.tensor(single)[indices[0]], rtol=1e-4, atol=1e-5)
    assert int(indices[0, 0]) == 0
