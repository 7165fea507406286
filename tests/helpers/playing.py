"""The small model's kernels, and files of a learner's in their places."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from llmdrills.content.catalogue import with_slips
from llmdrills.content.load import load_katas
from llmdrills.content.model import Kata
from llmdrills.grading.play.parts import PARTS
from llmdrills.grading.play.request import PlacedKernel

ROOT = Path(__file__).resolve().parents[2]


@cache
def katas() -> dict[str, Kata]:
    """The katas of the parts, with their slips."""
    known = {kata.id: kata for kata in load_katas(ROOT)}
    return {part.kata: with_slips(known[part.kata]) for part in PARTS}


def kernels(*others: PlacedKernel) -> list[PlacedKernel]:
    """The reference of every part, but for these."""
    placed = {part.kata: PlacedKernel(katas()[part.kata], part.variant) for part in PARTS}
    placed.update({one.kata.id: one for one in others})
    return list(placed.values())


def mine(kata: str, source: str) -> PlacedKernel:
    """A file of a learner's in that part."""
    variant = next(part.variant for part in PARTS if part.kata == kata)
    return PlacedKernel(katas()[kata], variant, "mine", source=source.encode(), file="mine.py")


def slip(kata: str, name: str) -> PlacedKernel:
    """A slip in that part."""
    variant = next(part.variant for part in PARTS if part.kata == kata)
    return PlacedKernel(katas()[kata], variant, "slip", name)
