"""Kernels of a kata at work: one kernel's answer to one question, and the wrong kernels' answers, each asked once."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from llmdrills.grading.authoring import Kernel
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.launches import OURS
from llmdrills.grading.kernels.registry import LoadedKata
from llmdrills.grading.protocol.answer import JOINT, Answer, Question

__all__ = ["WrongAnswers", "ask"]


def ask(loaded: LoadedKata, caller: Caller, kernel: Kernel, question: Question) -> Answer:
    """One kernel's answer, with the kata's own `reference` importable and its warnings silenced."""
    with loaded.importable(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return caller.ask(kernel, question)


class WrongAnswers:
    """What the wrong kernels of a variant answer, or `only` those; each is asked a question once.

    Two slips at once go by their ids joined by `JOINT`.
    """

    def __init__(
        self, loaded: LoadedKata, variant: str, device: str = "cpu", *, only: Collection[str] | None = None
    ) -> None:
        self._loaded = loaded
        self._variant = variant
        self._caller = Caller(device, str(loaded.kata.cases_file), limits=OURS)
        self._of_two = Caller(device, str(loaded.kata.cases_file))  # nobody has seen two slips at once come to an end
        self._kernels: dict[str, Kernel | None] = {
            w.id: w.kernel for w in loaded.variant(variant).wrong if only is None or w.id in only
        }
        self._known: dict[tuple[str, str], Answer] = {}
        self.names = tuple(self._kernels)

    def has(self, name: str) -> bool:
        """Whether there is such a kernel; a pair of slips is made when it is asked for first."""
        if name not in self._kernels and JOINT in name:
            self._kernels[name] = self._loaded.both(self._variant, *name.split(JOINT))
        return self._kernels.get(name) is not None

    def ask(self, name: str, question: Question) -> Answer:
        """The answer of the kernel of that name, which there must be; questions are told apart by theirs."""
        key = (name, question.name)
        kernel = self._kernels[name]
        if key not in self._known and kernel is not None:
            caller = self._of_two if JOINT in name else self._caller
            self._known[key] = ask(self._loaded, caller, kernel, question)
        return self._known[key]
