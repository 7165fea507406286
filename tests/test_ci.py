"""What CI runs is what a contributor runs, and what ships says one version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from llmdrills import __version__

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile, `$(BIN)` filled in."""
    found = re.search(rf"^{target}:[^\n]*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found, target
    return [line.lstrip("\t@").replace("$(BIN)", ".venv/bin") for line in found[1].splitlines()]


def test_should_run_before_a_commit_what_lint_runs() -> None:
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    hooks = [hook for repo in repos for hook in repo["hooks"]]
    assert [hook["entry"] for hook in hooks] == recipe("lint")
    assert {repo["repo"] for repo in repos} == {"local"}  # nothing is fetched
    assert {hook["language"] for hook in hooks} == {"system"}


def test_should_call_in_ci_only_targets_that_there_are() -> None:
    called = re.findall(r"^make ([\w-]+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    targets = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
    words = set(called)
    assert words == {"lint", "test", "test-wheel"}
    assert words <= targets
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())  # type: ignore[index]
    assert targets - phony == set()


def test_should_run_against_the_wheel_in_ci_what_a_stranger_does() -> None:
    listed = re.findall(r"tests/[\w/.]+", (ROOT / ".ci" / "run").read_text("utf-8"))
    marked = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if "@pytest.mark." + "ships" in path.read_text("utf-8")
    ]
    assert len(marked) >= 6
    assert [file for file in marked if not any(file == one or file.startswith(f"{one}/") for one in listed)] == []
    assert [one for one in listed if not (ROOT / one).exists()] == []


def test_should_say_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == __version__


def test_should_pin_every_direct_dependency_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    names = {name.lower().replace("_", "-") for name in pins}
    extras = [one for group in project["project"]["optional-dependencies"].values() for one in group]
    groups = [one for group in project["dependency-groups"].values() for one in group]
    direct = {re.match(r"[\w.-]+", one)[0].lower() for one in (*project["project"]["dependencies"], *extras, *groups)}  # type: ignore[index]
    assert direct - names == set()


def test_should_ship_in_the_sdist_all_that_its_tests_read() -> None:
    included = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["sdist"][
            "include"
        ]
    )
    there = {path.name for path in ROOT.iterdir()} - {".git", ".venv", "build", "dist", ".dmypy.json"}
    left = {name for name in there - included if not name.endswith("_cache") and name != ".hypothesis"}
    assert left <= {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"}  # hatchling takes or writes these always
