"""The pages with cells are run in a real kernel, in order, and show what stands below them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.documents import cells
from tests.helpers.kernels import kernel


@pytest.mark.ships
@pytest.mark.parametrize(
    ("page", "language", "count"), [("notebook.md", "en", 7), ("tutorial.md", "en", 6), ("tutorial.zh.md", "zh", 6)]
)
def test_should_run_as_the_page_shows(
    page: str, language: str, count: int, root: Path, home: Path, tmp_path: Path
) -> None:
    found = cells((root / "docs" / page).read_text("utf-8"))
    assert len(found) == count
    # Nothing of a checkout is there: the katas are those that came with the package.
    with kernel(tmp_path, LLMDRILLS_LANG=language) as up:
        for source, expected in found:
            ran = up.run(source)
            assert ran.error == ""
            assert expected in ran.all if expected else ran.all == ""
