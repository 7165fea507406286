"""Whether what runs a kata's attempts is installed, asked without importing it: a plan asks this every day."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.content.kata import Kata

__all__ = ["is_installed", "with_engines"]


def is_installed(kata: Kata) -> bool:
    """Whether the kata's engine is here. Which version it is, the grader says."""
    if kata.engine != "triton":
        return True  # torch is needed by every kata: where it is missing, the grader says so
    return sys.platform.startswith("linux") and importlib.util.find_spec("triton") is not None


def with_engines(katas: Iterable[Kata]) -> tuple[Kata, ...]:
    """The katas that can be graded here, as far as their engines go."""
    return tuple(kata for kata in katas if is_installed(kata))
