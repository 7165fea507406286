"""Grading attempts. The public way in, which docs/api.md describes:

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
    from llmdrills.grading.client import Cancelled, Grader, Limits, grade_once
    from llmdrills.grading.judging.verdict import Verdict

__all__ = ["Cancelled", "Grader", "Limits", "Verdict", "grade_once"]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: starting the server early must not wait for it."""
    if name in __all__:
        from llmdrills.grading import client
        from llmdrills.grading.judging import verdict

        return getattr(verdict if name == "Verdict" else client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
