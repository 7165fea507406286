"""The katas of masks, positions, heads and windows: their references against models and layers of real libraries."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers import plain_harness as plain

NAMES = ("packed-sequence-mask", "position-ids", "sliding-window-cache", "multi-head-attention", "alibi-bias")
KATAS = {name: plain.KataUnderTest(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(name: str, tmp_path: Path) -> None:
    plain.prove(KATAS[name], "standard", tmp_path, 0)


def tiny_gpt2() -> torch.nn.Module:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "vocab_size": 50}
    config = transformers.GPT2Config(**sizes, initializer_range=0.5, attn_implementation="eager")
    model: torch.nn.Module = transformers.GPT2LMHeadModel(config).eval()
    return model


def test_should_give_a_text_in_a_padded_batch_the_logits_that_it_has_alone() -> None:
    model, texts = tiny_gpt2(), [[5, 6, 7], [8, 9, 10, 11, 12]]
    batch, mask = torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 5, dtype=torch.long)
    for row, text in enumerate(texts):
        batch[row, -len(text) :], mask[row, -len(text) :] = torch.tensor(text), 1
    positions = KATAS["position-ids"].reference.position_ids(mask)
    with torch.no_grad():
        alone = model(torch.tensor([texts[0]])).logits[0, -1]
        together = model(batch, attention_mask=mask, position_ids=positions).logits[0, -1]
        by_column = model(batch, attention_mask=mask, position_ids=torch.arange(5).expand(2, 5)).logits[0, -1]
    torch.testing.assert_close(together, alone)
    assert (by_column - alone).abs().max() > 0.01


def test_should_give_each_packed_document_the_logits_that_it_has_alone() -> None:
    model, documents = tiny_gpt2(), [[5, 6, 7], [8, 9, 10, 11], [12]]
    ids = torch.tensor([[1, 1, 1, 2, 2, 2, 2, 3, 0, 0]])
    tokens = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12, 0, 0]])
    mask, positions = KATAS["packed-sequence-mask"].reference.packed_sequence_mask(ids)
    added = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    with torch.no_grad():
        packed = model(tokens, attention_mask=added, position_ids=positions).logits[0]
        alone = torch.cat([model(torch.tensor([document])).logits[0] for document in documents])
    torch.testing.assert_close(packed[:8], alone)


@pytest.mark.parametrize("chunks", [(1,) * 9, (4, 1, 4), (2, 7), (5, 3, 1)])
@pytest.mark.parametrize(("window", "sinks"), [(1, 0), (1, 2), (3, 0), (3, 1), (4, 2), (2, 4), (20, 3)])
def test_should_give_the_same_outputs_in_chunks_as_at_once(window: int, sinks: int, chunks: tuple[int, ...]) -> None:
    step = KATAS["sliding-window-cache"].reference.sliding_window_step
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, 9, 4, dtype=torch.float64)
    whole, last = step(q, k, v, window, sinks)
    outputs, cache, seen = [], None, 0
    for chunk in chunks:
        output, cache = step(*(t[:, :, seen : seen + chunk] for t in (q, k, v)), window, sinks, cache)
        outputs.append(output)
        seen += chunk
    torch.testing.assert_close(torch.cat(outputs, dim=2), whole)
    assert cache is not None
    for kept, due in zip(cache, last, strict=True):
        torch.testing.assert_close(kept, due)


@pytest.mark.parametrize("window", [2, 3, 5])
def test_should_keep_without_sinks_what_transformers_keeps(window: int) -> None:
    cache_utils = pytest.importorskip("transformers.cache_utils")
    step = KATAS["sliding-window-cache"].reference.sliding_window_step
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, 9, 4)
    layer, cache = cache_utils.DynamicSlidingWindowLayer(sliding_window=window), None
    for first, last in ((0, 4), (4, 5), (5, 9)):
        new = [t[:, :, first:last] for t in (q, k, v)]
        layer.update(*new[1:])
        _, cache = step(*new, window, 0, cache)
        assert torch.equal(cache[0], layer.keys)
        assert torch.equal(cache[1], layer.values)


@pytest.mark.parametrize("crossed", [False, True])
def test_should_compute_the_multi_head_attention_of_torch(crossed: bool) -> None:
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(12, 3, bias=False, kdim=5, vdim=5, batch_first=True)
    if not crossed:
        theirs = torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True)
    x, context = torch.randn(2, 4, 12), torch.randn(2, 6, 5) if crossed else None
    source = x if context is None else context
    mask = (torch.rand(4, source.size(1)) < 0.5) | (torch.arange(source.size(1)) == 1)
    if crossed:
        weights = (theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight)
    else:
        weights = theirs.in_proj_weight.chunk(3)
    ours = KATAS["multi-head-attention"].reference.multi_head_attention(
        x, *(w.T for w in weights), theirs.out_proj.weight.T, 3, context, mask
    )
    torch.testing.assert_close(ours, theirs(x, source, source, attn_mask=~mask)[0])


@pytest.mark.parametrize("heads", [1, 3, 8, 12, 40, 112])
def test_should_weigh_keys_as_bloom_does(heads: int) -> None:
    bloom = pytest.importorskip("transformers.models.bloom.modeling_bloom")
    torch.manual_seed(0)
    scores, future = torch.randn(heads, 5, 5), torch.ones(5, 5, dtype=torch.bool).triu(1)
    theirs = scores + bloom.build_alibi_tensor(torch.ones(1, 5), heads, torch.float32)
    ours = scores + KATAS["alibi-bias"].reference.alibi_bias(heads, 5)
    torch.testing.assert_close(ours.softmax(-1), theirs.masked_fill(future, -torch.inf).softmax(-1))
