"""The kata speculative-decoding: proven here without the grader; the law enumerated; and transformers' own sampler."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("speculative-decoding")
verify = KATA.reference.verify_draft
P = torch.tensor([0.5, 0.35, 0.15])
Q = torch.tensor([0.2, 0.25, 0.55])
AFTER = torch.tensor([[0.1, 0.3, 0.6], [0.6, 0.1, 0.3], [0.25, 0.5, 0.25]])  # row x: the law of what follows token x


@pytest.mark.parametrize("seed", [0, 1])
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, "exact-law", tmp_path, seed)


def law(kernel: Any, steps: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """The law of the first token, and of the second where both came from one call, over three tokens.

    One draft; the uniform runs over the midpoints of a grid, so that each probability is exact to 1/steps.
    """
    first, both = torch.zeros(3), torch.zeros(3, 3)
    for token in range(3):
        target = torch.stack((P, AFTER[token]))
        for i in range(steps):
            weight = Q[token] / steps
            kept, after = kernel(target, Q[None], torch.tensor([token]), torch.tensor([(i + 0.5) / steps]))
            if kept:
                first[token] += weight
                both[token] += weight * after
            else:
                first += weight * after
    return first, both / both.sum(dim=1, keepdim=True)


def test_should_have_the_law_of_the_large_model_in_its_output() -> None:
    first, second = law(verify)
    torch.testing.assert_close(first, P, rtol=0, atol=5e-3)
    torch.testing.assert_close(second, AFTER)


@pytest.mark.parametrize(
    "name",
    ["accepts-everything", "inverted-ratio", "resamples-from-target", "absolute-difference", "likelier-or-nothing"],
)
def test_should_bend_the_law_by_a_shortcut(name: str) -> None:
    kernel = next(wrong.kernel for wrong in KATA.wrong(KATA.variants[0]) if wrong.id == name)
    first, _ = law(kernel)
    assert (first - P).abs().max() > 0.02


@pytest.mark.parametrize("seed", range(8))
def test_should_agree_with_the_sampler_of_transformers(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = pytest.importorskip("transformers.generation.utils")._speculative_sampling
    torch.manual_seed(seed)
    target, draft = torch.randn(5, 6).softmax(-1), torch.randn(4, 6).softmax(-1)
    drafted = torch.multinomial(draft, 1)[:, 0]
    uniforms = torch.rand(4)
    drawn_from: list[torch.Tensor] = []

    def first_token(probabilities: torch.Tensor, num_samples: int) -> torch.Tensor:
        drawn_from.append(probabilities)
        return torch.zeros(1, num_samples, dtype=torch.int64)

    monkeypatch.setattr(torch, "rand_like", lambda like: uniforms.view_as(like))
    monkeypatch.setattr(torch, "multinomial", first_token)
    older = {"is_done_candidate": False} if "is_done_candidate" in inspect.signature(sampler).parameters else {}
    _, kept = sampler(drafted[None], draft.log()[None], 4, target.log()[None], **older)
    ours, after = verify(target, draft, drafted, uniforms)
    assert ours == int(kept)
    torch.testing.assert_close(after, drawn_from[0][0], rtol=1e-4, atol=1e-6)


def test_should_draw_from_the_large_model_where_rounding_leaves_no_residual() -> None:
    draft = torch.tensor([[0.25, 0.5, 0.25]])
    target = torch.cat((draft - torch.tensor([[2.0**-25, 0.0, 0.0]]), draft))
    kept, after = verify(target, draft, torch.tensor([0]), torch.tensor([1 - 2.0**-24]))
    assert kept == 0
    torch.testing.assert_close(after, target[0])
