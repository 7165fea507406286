"""Mutants by one edit of the reference's text, and those that wrap it."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import call
from llmdrills.grading.kernels.wrappers import wrappers
from llmdrills.grading.proving.edits import text_edits


def test_should_word_two_edits_apart_when_a_line_holds_the_same_words_twice():
    # found when a mutant that nothing exposed hid behind one that every case exposes
    edits = list(text_edits("def widen(x, weight):\n    return x.to(promote(x.dtype))\n"))
    wordings = [(edit.line, edit.words) for edit in edits]
    assert {"`x` becomes `weight`", "`x` becomes `weight` (2)"} <= {words for _, words in wordings}
    assert len(set(wordings)) == len(wordings)


def _scaled(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x * weight


def test_should_turn_no_argument_that_has_one_dimension_in_every_call():
    found = wrappers(_scaled, [call(torch.ones(3, 3), torch.ones(3))], (), floating=True)
    words = {one.words for one in found}
    assert {"the first row of `x` for all", "`x` is transposed where it is square"} <= words
    assert not {"the first row of `weight` for all", "`weight` is transposed where it is square"} & words
