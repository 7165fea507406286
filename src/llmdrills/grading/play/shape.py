"""How the small model is built. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SHAPE", "Shape"]


@dataclass(frozen=True)
class Shape:
    """Sizes and constants of a decoder: RMSNorm, rotary positions, grouped attention, SwiGLU, a tied head.

    No two sizes are equal: a kernel that takes one for another is seen.
    """

    vocabulary: int = 512
    width: int = 128
    heads: int = 6
    kv_heads: int = 2
    head_width: int = 24
    hidden: int = 448
    windows: tuple[int | None, ...] = (None, 32, None, 32)
    """For each layer how many tokens a query sees, itself included; None: all before it."""
    eps: float = 1e-5
    base: float = 1000.0
    """Of the rotary frequencies. Texts are short: 10000 would leave half of the pairs nearly still."""


SHAPE = Shape()
