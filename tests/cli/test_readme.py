"""README.md and README.zh.md are executed: every `$ ` line runs, and its output is what stands there; … is anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.documents import checkout, matches, run, steps

READMES = ["README.md", "README.zh.md"]


@pytest.mark.parametrize("readme", READMES)
def test_should_do_what_the_readme_shows(readme: str, tmp_path: Path, root: Path):
    folder = checkout(root, tmp_path / "llmdrills", readme)
    commands = steps((root / readme).read_text("utf-8"))
    assert len(commands) > 8
    for command, expected in commands:
        run(command, expected, folder)


@pytest.mark.parametrize("page", [*READMES, "docs/tutorial.md", "docs/tutorial.zh.md"])
def test_should_name_files_that_exist(page: str, root: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", (root / page).read_text("utf-8")):
        assert ((root / page).parent / target).exists(), target


def test_should_run_the_same_commands_in_either_language(root: Path):
    english, chinese = ([command for command, _ in steps((root / name).read_text("utf-8"))] for name in READMES)
    assert chinese == ["llmdrills config set lang zh", *english]


def test_should_tell_a_different_output_apart():
    assert matches("a …\nb\n", "a 1\nb\n")
    assert matches("a\n…\nz\n", "a\nb\nc\nz\n")
    assert not matches("a …\nb\n", "a 1\nc\n")
    assert not matches("a\n", "a\nb\n")
