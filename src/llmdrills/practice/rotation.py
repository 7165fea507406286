"""Which variants of a kata take turns.

A variant that is `weaker_than` another asks for less of the same: a textbook form, say. It is practised only when it is
asked for by name, and moves no schedule: whoever passes it has not shown the kata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Variant

__all__ = ["in_rotation", "is_easier", "stronger"]


def stronger(kata: Kata, variant: str) -> str:
    """The variant that this one is an easier form of; itself where it is none."""
    found = kata.variant(variant)
    return (found.weaker_than if found else "") or variant


def is_easier(kata: Kata, variant: str) -> bool:
    """Whether it is an easier form of another variant."""
    return stronger(kata, variant) != variant


def in_rotation(kata: Kata) -> tuple[Variant, ...]:
    """The variants that take turns, in the order written."""
    return tuple(variant for variant in kata.variants if not is_easier(kata, variant.id)) or kata.variants
