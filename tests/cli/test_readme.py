"""README.md is executed: every `$ ` line runs, in order, and its output is what stands there; … is anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps(text: str) -> list[tuple[str, str]]:
    """(command, expected output), in order."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def matches(expected: str, got: str) -> bool:
    """Line by line; a line that is only … stands for any lines, within a line it is any characters."""
    pattern = ""
    for line in expected.rstrip("\n").split("\n"):
        part = r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        pattern += part
    return re.fullmatch(pattern, got.rstrip("\n") + "\n") is not None


@pytest.fixture
def checkout(tmp_path: Path, root: Path) -> Path:
    """What a reader has in front of them, without the tests."""
    for part in ("decks", "drills", "docs"):
        shutil.copytree(root / part, tmp_path / "llmdrills" / part)
    shutil.copy(root / "README.md", tmp_path / "llmdrills")
    return tmp_path / "llmdrills"


def test_should_do_what_the_readme_shows(checkout: Path, root: Path):
    script = Path(sys.executable).parent / "llmdrills"
    path = f"{script.parent}:{os.environ['PATH']}"
    commands = steps((root / "README.md").read_text("utf-8"))
    assert len(commands) > 8
    for command, expected in commands:
        ran = subprocess.run(
            command,
            shell=True,
            cwd=checkout,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode in {0, 1}, (command, ran.stderr)
        assert matches(expected or "…", ran.stdout), f"$ {command}\n{ran.stdout}\n--- is not\n{expected}"


def test_should_name_files_that_exist(root: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", (root / "README.md").read_text("utf-8")):
        assert (root / target).exists(), target


def test_should_tell_a_different_output_apart():
    assert matches("a …\nb\n", "a 1\nb\n")
    assert matches("a\n…\nz\n", "a\nb\nc\nz\n")
    assert not matches("a …\nb\n", "a 1\nc\n")
    assert not matches("a\n", "a\nb\n")
