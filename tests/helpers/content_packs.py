"""Content packs as strangers make them: a package with an entry point, built and installed by pip into a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from llmdrills.content.scaffold import copy_workspace, new_deck, new_kata

__all__ = ["install", "write_pack"]

_PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "{version}"

[project.entry-points."llmdrills.content"]
{name} = "{value}"

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""


def write_pack(
    folder: Path, *, name: str = "tiny", kata: str = "tiny-softmax", version: str = "1.0", value: str = ""
) -> Path:
    """The source of a package `NAME-pack` with one kata and one deck; importing it ends the program.

    Returns the folder of its content.
    """
    package = f"{name}_pack"
    content = folder / package / "content"
    copy_workspace(None, content)
    new_deck(content, f"{name}-words")
    new_kata(content, kata)
    (folder / package / "__init__.py").write_text("raise SystemExit('a stranger ran')\n")
    (folder / package / "helper.py").write_text("X = 1\n")
    project = _PROJECT.format(
        distribution=f"{name}-pack", version=version, name=name, value=value or f"{package}.content", package=package
    )
    (folder / "pyproject.toml").write_text(project)
    return content


def install(source: Path, target: Path) -> None:
    """Build and install it with pip, as a learner does; over another version of itself, too."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command = [*pip, "--upgrade", "--target", target, source]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
