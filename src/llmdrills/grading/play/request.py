"""What the small model is asked to do, and what came of it, as both travel between processes. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from llmdrills.content.model import Kata

__all__ = ["CLOSING", "FIRST_BEAT", "PROMPT", "SHORT", "Origin", "PlacedKernel", "PlayJob", "Writing"]

PROMPT = "Once there was a girl named Mia."
FIRST_BEAT = 8
"""Bytes of the count of calls in the beat file; the number of the part that is called stands behind them."""

Origin = Literal["mine", "reference", "slip"]


@dataclass(frozen=True)
class Writing:
    """The text to write: on from the prompt, at most `tokens`, drawn at that temperature with that seed."""

    prompt: str = PROMPT
    tokens: int = 120
    temperature: float = 0.8
    seed: int = 0


SHORT = Writing(tokens=48)
"""What is written for the table of slips: enough to see that a text breaks."""
CLOSING = Writing(
    prompt="Mia had a blue pony called Sizo and a friend named Ruth.\nAt night Mia and Ruth went home, and Sizo the",
    tokens=40,
    temperature=0.0,
)
"""The other text of the table: greedy, and at its end the story is over."""


@dataclass(frozen=True)
class PlacedKernel:
    """The kernel of one part: the kata's reference, one of its slips, or a file of the learner's."""

    kata: Kata
    variant: str
    origin: Origin = "reference"
    slip: str = ""
    source: bytes = b""
    file: str = ""


@dataclass(frozen=True)
class PlayJob:
    """All that the player's process is told. `memory` is in bytes, on top of what the process has."""

    nonce: bytes
    kernels: tuple[PlacedKernel, ...]
    writing: Writing
    memory: int
    uncached: bool = True
