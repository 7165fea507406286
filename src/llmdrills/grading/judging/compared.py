"""Answers compared with what is expected, each once, as early as they come. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llmdrills.grading.judging.compare import compare

if TYPE_CHECKING:
    from llmdrills.grading.judging.findings import Finding
    from llmdrills.grading.protocol.answer import Answer, Expected

__all__ = ["Compared"]


class Compared:
    """What was found in the answers of one attempt. `device` is where its tensors are due; `only_whether` stops at the
    first thing that is wrong with an answer, and says little of it.

    Call it with an answer as soon as that has come: the process that answers goes on meanwhile. `on_failure` is called
    once, at the first answer that is wrong.
    """

    def __init__(
        self, device: str, on_failure: Callable[[], None] | None = None, *, only_whether: bool = False
    ) -> None:
        self._device = device
        self._only_whether = only_whether
        self._on_failure = on_failure
        self._found: dict[int, tuple[Answer, tuple[Finding, ...]]] = {}  # by the answer's id: it is kept beside

    def __call__(self, due: Expected, answer: Answer) -> tuple[Finding, ...]:
        """What is wrong with the answer."""
        known = self._found.get(id(answer))
        if known is None:
            known = self._found[id(answer)] = (
                answer,
                tuple(compare(due, answer, self._device, only_whether=self._only_whether)),
            )
            if known[1] and not due.left_out and self._on_failure is not None:
                on_failure, self._on_failure = self._on_failure, None
                on_failure()
        return known[1]
