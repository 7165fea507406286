"""The kata checkpoint-conversion: its two directions undo each other, and leave attention scores as they were."""

from __future__ import annotations

import torch

from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("checkpoint-conversion")
ROTARY = plain.KataUnderTest("rotary-embedding")
H, H_KV, D, C, T = 6, 2, 8, 10, 5
AT = "model.layers.0.self_attn."


def some_weights() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    rows = {"q_proj": H * D, "k_proj": H_KV * D, "v_proj": H_KV * D}
    weights = {f"{AT}{name}.weight": torch.randn(size, C, generator=draw) for name, size in rows.items()}
    weights |= {f"{AT}{name}.bias": torch.randn(size, generator=draw) for name, size in rows.items()}
    return weights | {f"{AT}{name}.weight": torch.rand(D, generator=draw) + 0.5 for name in ("q_norm", "k_norm")}


def heads(weights: dict[str, torch.Tensor], name: str, x: torch.Tensor, count: int) -> torch.Tensor:
    """Projected, split and normalised: (1, count, T, D)."""
    made = torch.nn.functional.linear(x, weights[f"{AT}{name}_proj.weight"], weights[f"{AT}{name}_proj.bias"])
    split = made.view(1, T, count, D).transpose(1, 2)
    return torch.nn.functional.rms_norm(split, (D,)) * weights[f"{AT}{name}_norm.weight"]


def scores(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    return queries @ keys.repeat_interleave(H // H_KV, dim=1).mT


def rotated_in_halves(x: torch.Tensor) -> torch.Tensor:
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    angles = torch.arange(T)[:, None] * 10000.0 ** (-torch.arange(0, D, 2) / D)
    both = torch.cat((angles, angles), dim=-1)[None]
    turned: torch.Tensor = apply_rotary_pos_emb(x, x, both.cos(), both.sin())[0]
    return turned


def rotated_as_neighbours(x: torch.Tensor) -> torch.Tensor:
    turned: torch.Tensor = ROTARY.reference.apply_rotary_embedding(x, T, D)
    return turned


def test_should_leave_attention_scores_as_they_were() -> None:
    weights = some_weights()
    x = torch.randn(T, C, generator=torch.Generator().manual_seed(1))
    converted = KATA.reference.convert_to_neighbours(weights, H, H_KV)
    before = [rotated_in_halves(heads(weights, *part)) for part in (("q", x, H), ("k", x, H_KV))]
    after = [rotated_as_neighbours(heads(converted, *part)) for part in (("q", x, H), ("k", x, H_KV))]
    torch.testing.assert_close(scores(*after), scores(*before))
    unconverted = [rotated_as_neighbours(heads(weights, *part)) for part in (("q", x, H), ("k", x, H_KV))]
    assert not torch.allclose(scores(*unconverted), scores(*before), atol=1e-3)


def test_should_undo_one_direction_by_the_other() -> None:
    weights = some_weights()
    there = KATA.reference.convert_to_neighbours(weights, H, H_KV)
    back = KATA.reference.convert_to_halves(there, H, H_KV)
    assert any(not torch.equal(there[name], weights[name]) for name in weights)
    assert all(torch.equal(back[name], weights[name]) for name in weights)
