"""What `llmdrills start --repair` writes, for every shipped kata: a file that fails for exactly its mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmdrills.content.catalogue import with_slips
from llmdrills.content.load import kata_folders
from llmdrills.content.model import Kata
from llmdrills.content.repair import choose, repair_text
from llmdrills.grading.client import Grader

KATAS = sorted(folder.name for folder in kata_folders(Path(__file__).parents[2]))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


@pytest.mark.slow
@pytest.mark.parametrize("name", KATAS)
def test_should_begin_a_kata_from_a_file_that_fails_for_exactly_its_mistake(
    name: str, shipped_kata: Callable[[str], Kata], grader: Grader
) -> None:
    """The diagnosis names the slip, or one that no call tells apart from it."""
    kata = with_slips(shipped_kata(name))
    wrong = []
    for seed, variant in enumerate(kata.variants):
        for slip in choose(kata, variant, seed, most=1):
            text = repair_text(kata, variant, "en", seed, (slip,))
            verdict = grader.grade(kata, variant.id, text.encode())
            found = verdict.diagnosis.id if verdict.diagnosis else None
            same = {slip.id, slip.same_as or slip.id}
            same |= {one.id for one in kata.slips if one.same_as in same} | set(verdict.report["undecided"])
            if verdict.passed or found not in same:
                wrong.append((variant.id, slip.id, verdict.outcome, found))
    assert wrong == []
