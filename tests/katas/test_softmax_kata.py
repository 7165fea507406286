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
    held = frozenset({"block-size-fixed", "blocks-kept-in-a-list"})  # right values, too much memory
    plain.prove(KATA, "key-padding", tmp_path, seed, only_costly=held)


@pytest.mark.parametrize("block_size", [1, 2, 5, 11, 12, 64])
def test_should_not_depend_on_the_block_size(block_size: int) -> None:
    torch.manual_seed(0)
    Q, K, V, mask = torch.randn(2, 3, 4), torch.randn(2, 12, 4), torch.randn(2, 12, 5), torch.rand(2, 12) < 0.6
    full = torch.nn.functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask[:, None])
    torch.testing.assert_close(attention(Q, K, V, mask, block_size), full)


def memory(kernel: Any, made: Any) -> tuple[int, int]:
    """The largest tensor that the call allocates, and what is alive at once, in elements."""
    with Watch(given=[*made.args, *made.kwargs.values()]) as watch:
        kernel(*made.args, **made.kwargs)
    return watch.tally.largest, watch.tally.alive


def full_matrix(Q: Any, K: Any, V: Any, key_mask: Any = None, block_size: int = 64) -> Any:
    scores = Q @ K.mT / math.sqrt(Q.shape[-1])
    if key_mask is not None:
        scores = scores.masked_fill(~key_mask[:, None], -math.inf)
    return scores.softmax(-1) @ V


def list_of_blocks(Q: Any, K: Any, V: Any, key_mask: Any = None, block_size: int = 64) -> Any:
    blocks = [Q @ part.mT / math.sqrt(Q.shape[-1]) for part in K.split(block_size, 1)]
    if key_mask is not None:
        masks = key_mask[:, None].split(block_size, -1)
        blocks = [scores.masked_fill(~mask, -math.inf) for scores, mask in zip(blocks, masks, strict=True)]
    top = torch.stack([scores.amax(-1, keepdim=True) for scores in blocks]).amax(0)
    weights = [(scores - top).exp() for scores in blocks]
    parts = zip(weights, V.split(block_size, 1), strict=True)
    return sum(weight @ part for weight, part in parts) / sum(weight.sum(-1, keepdim=True) for weight in weights)


@pytest.mark.parametrize("budget", KATA.yaml["budgets"], ids=lambda budget: budget["case"])
def test_should_admit_every_equivalent_to_the_memory_budget_and_reject_whoever_holds_the_matrix(
    budget: dict[str, Any], tmp_path: Path
) -> None:
    case = next(case for case in KATA.registered.cases if case.name == budget["case"])
    made = KATA.inputs(case, tmp_path)
    largest, alive = (
        budget[what] * spent for what, spent in zip(("largest_tensor", "alive"), memory(attention, made), strict=True)
    )
    for right in KATA.registered.equivalents:
        spent = memory(right.kernel, made)
        assert spent[0] <= largest, right.id
        assert spent[1] <= alive, right.id
    for wrong in (full_matrix, list_of_blocks):
        torch.testing.assert_close(wrong(*made.args, **made.kwargs), attention(*made.args, **made.kwargs))
    assert memory(full_matrix, made)[0] > 5 * largest
    assert memory(list_of_blocks, made)[1] > 2 * alive


@pytest.mark.parametrize("constant", [16, 64])
def test_should_reject_a_block_size_that_is_a_constant(constant: int, tmp_path: Path) -> None:
    over = 0
    for budget in KATA.yaml["budgets"]:
        made = KATA.inputs(next(case for case in KATA.registered.cases if case.name == budget["case"]), tmp_path)
        given = dict(zip(("Q", "K", "V", "key_mask"), made.args, strict=False))

        def constant_blocks(*_args: Any, **_kwargs: Any) -> Any:
            return attention(**given, block_size=constant)  # noqa: B023  # called at once

        over += memory(constant_blocks, made)[0] > budget["largest_tensor"] * memory(attention, made)[0]
    assert over
