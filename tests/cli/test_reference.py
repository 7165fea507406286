"""docs/commands.md says what the commands' help says."""

from __future__ import annotations

import runpy
from pathlib import Path


def test_should_document_every_command_as_its_help_does(root: Path):
    made = runpy.run_path(str(root / "docs" / "make_commands.py"))["reference"]()
    assert (root / "docs" / "commands.md").read_text("utf-8") == made, "run `python docs/make_commands.py`"
