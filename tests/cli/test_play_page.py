"""docs/play.md: its commands run, its figures are those of the model, and its table is the one of drills/play.json."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from llmdrills.grading.play.parts import PARTS
from llmdrills.grading.play.weights import read_weights
from tests.helpers.documents import checkout, run, steps


@pytest.mark.slow
def test_should_do_what_the_page_shows(tmp_path: Path, root: Path):
    folder = checkout(root, tmp_path / "llmdrills")
    commands = steps((root / "docs" / "play.md").read_text("utf-8"))
    assert len(commands) == 3
    for command, expected in commands:
        run(command, expected, folder)


def test_should_show_the_table_that_is_committed(root: Path):
    made = runpy.run_path(str(root / "docs" / "make_play.py"))["page"]()
    assert (root / "docs" / "play.md").read_text("utf-8") == made, "run `python docs/make_play.py`"


def test_should_say_how_large_the_model_is_how_long_it_was_trained_and_how_good_it_is(root: Path):
    text = (root / "docs" / "play.md").read_text("utf-8")
    weights, metadata = read_weights()
    assert f"with {sum(w.numel() for w in weights.values()):,} parameters" in text
    assert f"# {metadata['steps']} steps of 16 stories" in text
    assert f"had not seen, {metadata['loss']} (" in text


def test_should_say_what_every_part_does(root: Path):
    text = (root / "docs" / "play.md").read_text("utf-8")
    for part in PARTS:
        assert f"| `{part.kata}` ({part.variant}) | {part.does.en} |" in text
