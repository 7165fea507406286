"""docs/notebook.md is a notebook: its cells are run in a real kernel, in order, and show what stands below them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.helpers.kernels import kernel

CELL = re.compile(r"^```python\n((?:(?!^```).)*)^```\n\n<!-- cell:(.*?) ?-->", re.MULTILINE | re.DOTALL)


def test_should_run_as_the_page_shows(root: Path, home: Path) -> None:
    cells = CELL.findall((root / "docs" / "notebook.md").read_text("utf-8"))
    assert len(cells) == 7
    with kernel(root, LLMDRILLS_LANG="en") as up:
        for source, expected in cells:
            ran = up.run(source.rstrip("\n"))
            assert ran.error == ""
            assert expected.strip() in ran.all if expected.strip() else ran.all == ""
