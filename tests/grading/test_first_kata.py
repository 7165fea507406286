"""docs/first-kata.md is followed to the letter: its files are written and its commands run, in its order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.documents import files_and_commands, run


@pytest.mark.ships
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_should_lead_from_nothing_to_a_proven_kata(tmp_path: Path, root: Path) -> None:
    parts = files_and_commands((root / "docs" / "first-kata.md").read_text("utf-8"))
    assert [kind for kind, _, _ in parts].count("run") == 11
    here = tmp_path
    for kind, what, content in parts:
        if what.startswith("cd "):
            here /= what.removeprefix("cd ")
        elif kind == "run":
            run(what, content, here)
        elif kind == "write":
            assert (tmp_path / what).parent.is_dir()
            (tmp_path / what).write_text(content, "utf-8")
        else:
            path = tmp_path / what
            path.write_text(path.read_text("utf-8") + content, "utf-8")
    assert (tmp_path / "my-drills/drills/unit-vectors/draws.lock").is_file()
