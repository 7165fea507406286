"""Grading attempts. The public way in:

    from llmdrills.grading import Grader

    with Grader() as grader:
        verdict = grader.grade(kata, "standard", Path("attempt.py"))

The rooms below, from the top: `client`, `player` and `proving` → `workers` → `kernels` → `judging` and `play` →
`protocol` → `authoring`, `rules`, `engines`. A room imports only what stands below it; tests/test_layers.py holds the
order. docs/architecture.md follows one attempt through them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmdrills.grading.client import Grader

__all__ = ["Grader"]


def __getattr__(name: str) -> Any:
    """Import the client when it is first asked for: starting the server early must not wait for it."""
    if name == "Grader":
        from llmdrills.grading.client import Grader

        return Grader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
