"""Whoever fails a kata with a form that its textbook variant passes is told so, and which line asks for more."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.grading import Grader

ROOT = Path(__file__).parents[2]
KATAS = {kata.id: kata for kata in load_katas(ROOT)}
COURSE = {
    "scaled-dot-product-attention": """
        import math
        import torch
        import torch.nn.functional as F

        def scaled_dot_product_attention(Q, K, V, mask=None):
            scores = torch.matmul(Q, K.transpose(-2, -1)) / math.sqrt(Q.size(-1))
            if mask is not None:
                scores = scores.masked_fill(mask == 0, float("-inf"))
            weights = F.softmax(scores, dim=-1)
            return torch.matmul(weights, V), weights
        """,
    "rotary-embedding": """
        import torch

        def apply_rotary_embedding(x, seq_len, dim):
            inv_freq = 1.0 / (10000 ** (torch.arange(0, dim, 2).float() / dim))
            angles = torch.einsum("i,j->ij", torch.arange(seq_len).float(), inv_freq)
            sin = angles.sin()[None, None].expand(x.size(0), x.size(1), -1, -1)
            cos = angles.cos()[None, None].expand(x.size(0), x.size(1), -1, -1)
            x1, x2 = x[..., ::2], x[..., 1::2]
            return torch.stack([x1 * cos - x2 * sin, x1 * sin + x2 * cos], dim=-1).flatten(-2)
        """,
}


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


@pytest.mark.parametrize("name", COURSE)
def test_should_pass_the_courses_own_answer_in_the_textbook_variant_alone(grader: Grader, name: str):
    source = textwrap.dedent(COURSE[name])
    assert grader.grade(KATAS[name], "textbook", source, seed=3).passed
    verdict = grader.grade(KATAS[name], "standard", source, seed=3)
    assert verdict.outcome == "wrong"
    assert verdict.report["passes"] == "textbook"
    assert (
        "It passes the variant `textbook`. `standard` asks for more: the line of the contract above." in verdict.message
    )
    assert verdict.clauses[0].text.split()[0] in verdict.message


def test_should_say_it_in_chinese_too(grader: Grader):
    source = textwrap.dedent(COURSE["rotary-embedding"])
    verdict = grader.grade(KATAS["rotary-embedding"], "standard", source, seed=3, language="zh")
    assert "它能通过变体 `textbook`。`standard` 的要求更多：上面这一行约定。" in verdict.message


def test_should_say_nothing_of_it_to_whoever_fails_both(grader: Grader):
    source = textwrap.dedent(COURSE["scaled-dot-product-attention"]).replace(" / math.sqrt(Q.size(-1))", "")
    verdict = grader.grade(KATAS["scaled-dot-product-attention"], "standard", source, seed=3)
    assert verdict.report["passes"] == ""
    assert "textbook" not in verdict.message
