"""RoPE frequencies stretched for longer contexts: linear, Llama 3's bands, YaRN's ramp.

What is not covered: NTK-aware and dynamic bases, LongRoPE, DeepSeek's mscale, the rotation itself.
"""

from __future__ import annotations

import math

import torch


def rope_frequencies_linear(head_dim: int, rope_parameters: dict) -> tuple[torch.Tensor, float]:
    """The frequency of each pair, (head_dim/2,), and the factor that multiplies cos and sin."""
    theta = _plain_frequencies(head_dim, rope_parameters["rope_theta"])  # (D/2,)
    return theta / rope_parameters["factor"], 1.0  # as if every position were divided by the factor


def rope_frequencies_llama3(head_dim: int, rope_parameters: dict) -> tuple[torch.Tensor, float]:
    """The frequency of each pair, (head_dim/2,), and the factor that multiplies cos and sin."""
    low, high = rope_parameters["low_freq_factor"], rope_parameters["high_freq_factor"]
    theta = _plain_frequencies(head_dim, rope_parameters["rope_theta"])  # (D/2,)
    turns = rope_parameters["original_max_position_embeddings"] * theta / (2 * math.pi)  # L / wavelength
    # 1 where a pair turns at least `high` times within the original context, 0 where it turns at most `low` times.
    smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0)
    return (1 - smooth) * theta / rope_parameters["factor"] + smooth * theta, 1.0


def rope_frequencies_yarn(head_dim: int, rope_parameters: dict) -> tuple[torch.Tensor, float]:
    """The frequency of each pair, (head_dim/2,), and the factor that multiplies cos and sin."""
    base, factor = rope_parameters["rope_theta"], rope_parameters["factor"]
    length = rope_parameters["original_max_position_embeddings"]

    def pair_of(turns: float) -> float:  # the pair, between two whole numbers, that turns so often within the length
        return head_dim * math.log(length / (2 * math.pi * turns)) / (2 * math.log(base))

    low = pair_of(rope_parameters.get("beta_fast", 32.0))
    high = pair_of(rope_parameters.get("beta_slow", 1.0))
    if rope_parameters.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)

    theta = _plain_frequencies(head_dim, base)  # (D/2,)
    ramp = ((torch.arange(head_dim // 2) - low) / (high - low)).clamp(0.0, 1.0)  # (D/2,): 0 keeps, 1 interpolates
    mixed = (1 - ramp) * theta + ramp * theta / factor
    return mixed, rope_parameters.get("attention_factor", 0.1 * math.log(factor) + 1.0)


def _plain_frequencies(head_dim: int, base: float) -> torch.Tensor:
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim  # (D/2,): 0, 2/D, 4/D …
    return base**-exponents
