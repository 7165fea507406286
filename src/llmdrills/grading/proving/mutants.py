"""Every mutant of one variant's reference: edits of its text, and wrappers around it.

Where another engine than torch runs attempts, the edits are those of the solution; the wrappers stay around the
reference, for they compute with torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from llmdrills.content.definitions import own_text
from llmdrills.content.pythonfile import parse
from llmdrills.content.references import find_reference
from llmdrills.content.report import Report
from llmdrills.grading.authoring import Call, Kernel
from llmdrills.grading.kernels.launches import marked
from llmdrills.grading.kernels.registry import LoadedKata
from llmdrills.grading.kernels.slips import known_by_name
from llmdrills.grading.kernels.wrappers import wrappers
from llmdrills.grading.proving.edits import text_edits

__all__ = ["MOST_LAUNCHING", "Mutant", "mutants"]

MOST_LAUNCHING = 200
"""So many edits of a Triton kernel are run: each takes tens of milliseconds a call."""


@dataclass(frozen=True)
class Mutant:
    """A wrong kernel that the framework makes: its kind, its wording, and what makes a fresh one.

    `line` is the line of the reference's own text that was edited; 0 where no edit makes it.
    """

    kind: str
    words: str
    line: int
    make: Callable[[], Kernel]

    @property
    def id(self) -> str:
        """What tells it from the others of its variant."""
        return f"line {self.line}: {self.words}" if self.line else self.words


def mutants(loaded: LoadedKata, variant: str, calls: Sequence[Call], *, floating: bool) -> list[Mutant]:
    """All mutants of a variant, in the order of the reference's lines; wrappers come last.

    `calls` are some of the variant's: they show what the arguments are; `floating` says whether results hold
    floating-point numbers.
    """
    reference, solution = loaded.references[variant], loaded.solutions[variant]
    found = find_reference(_parsed(loaded), solution.__name__)
    assert found is not None  # noqa: S101  # the solution was loaded from this file
    names = dict(solution.__globals__)
    gradients = loaded.variant(variant).variant.gradients
    edited = []
    for at, edit in enumerate(text_edits(own_text(found.file, found.function))):
        called = f"<mutant {at}>"
        make = _maker(compile(edit.text, called, "exec"), names, solution.__name__)
        if loaded.kata.engine == "triton":
            known_by_name(called, edit.text)
            make = _once(make)
        edited.append(Mutant(edit.kind, edit.words, edit.line, make))
    if loaded.kata.engine == "triton":
        edited = _spread(edited, MOST_LAUNCHING)
    around = list(wrappers(reference, calls, gradients, floating=floating))
    if loaded.kata.engine == "triton":  # which precision the reference computes in says nothing of a kernel's
        around = [one for one in around if one.kind != "precision" or one.words.startswith("the result")]
    return [*edited, *(Mutant(one.kind, one.words, 0, one.make) for one in around)]


def _parsed(loaded: LoadedKata) -> Any:
    report = Report(loaded.kata.folder)
    file = parse(loaded.kata.solution_file, report)
    report.raise_if_any()
    return file


def _spread(edited: list[Mutant], most: int) -> list[Mutant]:
    """At most so many, from all lines alike, the same each time."""
    if len(edited) <= most:
        return edited
    return [edited[at * len(edited) // most] for at in range(most)]


def _once(make: Callable[[], Kernel]) -> Callable[[], Kernel]:
    """Make it once, marked as one that launches: Triton compiles each kernel anew, and none keeps anything."""
    return functools.cache(lambda: marked(make(), "triton"))


def _maker(code: CodeType, names: dict[str, Any], entry: str) -> Callable[[], Kernel]:
    def make() -> Kernel:
        space = dict(names)
        exec(code, space)  # noqa: S102  # our own edit of the author's kernel
        kernel: Kernel = space[entry]
        return kernel

    return make
