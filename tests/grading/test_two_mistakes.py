"""Attempts with a mistake and something beside it, graded through the real processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from llmdrills.content.model import Kata
from llmdrills.grading import Grader
from llmdrills.grading.kernels.registry import load


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


SAMPLING = """
import torch

def sampling_distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)
    scores = logits / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        scores = scores.masked_fill(scores < scores.topk(k).values[..., -1:], -torch.inf)
    if 0 < top_p < 1:
        ranked, order = scores.softmax(-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        scores = scores.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), -torch.inf)
    return scores.softmax(-1)
"""
SPECULATIVE = """
def verify_draft(target, draft, drafted, uniforms):
    for i, token in enumerate(drafted.tolist()):
        if uniforms[i] < target[i, token]:
            continue
        rest = target[i].clone()
        rest[token] = 0
        return i, rest / rest.sum()
    return len(drafted), target[-1].clone()
"""
ATTENTION = """
def scaled_dot_product_attention(Q, K, V, mask=None):
    weights = (Q @ K.transpose(-2, -1) / K.size(-1) ** 0.5).softmax(-1)
    if mask is not None:
        weights = weights * mask
    return weights @ V, weights.to(Q.dtype)
"""


def test_should_name_two_mistakes_that_are_made_at_once(grader: Grader, shipped_kata: Callable[[str], Kata]) -> None:
    verdict = grader.grade(shipped_kata("sampling-parameters"), "standard", SAMPLING, seed=11)
    found = verdict.to_json()["diagnosis"]
    assert (found["id"], found["second"]) == ("zero-p-is-off", "divided-in-half-precision")
    assert found["explains"] == found["failing"]
    assert found["message"].startswith("Two mistakes. 1. p = 0 is no switch")
    assert "2. You divide in the logits' own type" in found["message"]


def test_should_look_for_a_second_mistake_where_a_further_draw_refutes_the_first(
    grader: Grader, shipped_kata: Callable[[str], Kata]
) -> None:
    verdict = grader.grade(shipped_kata("speculative-decoding"), "exact-law", SPECULATIVE, seed=11, language="zh")
    assert (verdict.diagnosis.id, verdict.diagnosis.second) == ("deterministic-draft", "nothing-left-to-normalise")
    assert verdict.diagnosis.message.startswith("有两处错误：（1）")


def test_should_say_where_a_mistake_does_not_explain_everything(
    grader: Grader, shipped_kata: Callable[[str], Kata]
) -> None:
    verdict = grader.grade(shipped_kata("scaled-dot-product-attention"), "standard", ATTENTION, seed=11)
    assert verdict.diagnosis.id == "mask-after-softmax"
    assert verdict.diagnosis.message.endswith("This explains every case in float32, but not all in other types.")


def test_should_join_two_edits_of_one_kernel_and_nothing_else(shipped_kata: Callable[[str], Kata]) -> None:
    loaded = load(shipped_kata("speculative-decoding"))
    assert loaded.both("exact-law", "deterministic-draft", "nothing-left-to-normalise") is not None
    assert loaded.both("exact-law", "comparison-reversed", "zero-accepted") is None  # the same line
    assert loaded.both("exact-law", "comparison-reversed", "inverted-ratio") is None  # another right kernel
    assert loaded.both("exact-law", "comparison-reversed", "no-such-slip") is None
