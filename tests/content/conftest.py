"""The workspace that the tests of this room spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.content_folder import CASES, DECK, KATA, READINESS, REFERENCE, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A workspace without problems: two decks, one kata, one figure."""
    made = Folder(tmp_path / "workspace")
    made.write("decks/small.yaml", DECK).write("decks/readiness.yaml", READINESS)
    made.write("decks/figures/tiles.en.light.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    made.write("drills/twice/kata.yaml", KATA).write("drills/twice/reference.py", REFERENCE)
    return made.write("drills/twice/cases.py", CASES)
