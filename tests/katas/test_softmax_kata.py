"""The kata online-softmax: proven here without the grader, against torch's attention, and its memory counted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from llmdrills.grading.rules.counting import Watch
from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("online-softmax")
attention = KATA.reference.blockwise_attention


@pytest.mark.parametrize("seed", [0, 1])
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, "key-padding", tmp_path, seed)


@pytest.mark.parametrize("block_size", [1, 2, 5, 11, 12, 64])
def test_should_not_depend_on_the_block_size(block_size: int) -> None:
    torch.manual_seed(0)
    Q, K, V, mask = torch.randn(2, 3, 4), torch.randn(2, 12, 4), torch.randn(2, 12, 5), torch.rand(2, 12) < 0.6
    full = torch.nn.functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask[:, None])
    torch.testing.assert_close(attention(Q, K, V, mask, block_size), full)


def largest_tensor(kernel: Any, made: Any) -> int:
    with Watch() as watch:
        kernel(*made.args, **made.kwargs)
    return watch.tally.largest


def full_matrix(Q: Any, K: Any, V: Any, key_mask: Any = None, block_size: int = 64) -> Any:
    scores = Q @ K.mT / math.sqrt(Q.shape[-1])
    return scores.masked_fill(~key_mask[:, None], -math.inf).softmax(-1) @ V


def test_should_admit_every_equivalent_to_the_memory_budget_and_reject_the_full_matrix(tmp_path: Path) -> None:
    (budget,) = KATA.yaml["budgets"]
    case = next(case for case in KATA.registered.cases if case.name == budget["case"])
    made = KATA.inputs(case, tmp_path)
    allowed = budget["largest_tensor"] * largest_tensor(attention, made)
    for right in KATA.registered.equivalents:
        assert largest_tensor(right.kernel, made) <= allowed, right.id
    torch.testing.assert_close(full_matrix(*made.args), attention(*made.args))
    assert largest_tensor(full_matrix, made) > 5 * allowed
