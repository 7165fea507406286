"""Katas to grade against, and a look at processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmdrills.content.katafile import read_kata
from llmdrills.content.model import Kata
from llmdrills.content.report import Report

ROOT = Path(__file__).parents[2]


def _load(folder: Path) -> Kata:
    report = Report(folder.parents[1])
    kata = read_kata(folder, report).kata
    report.raise_if_any()
    assert kata is not None
    return kata


@pytest.fixture(scope="session")
def shipped_kata() -> Callable[[str], Kata]:
    """A kata of drills/, by name, whatever state the others are in."""
    return lambda name: _load(ROOT / "drills" / name)


@pytest.fixture(scope="session")
def tiny_kata() -> Callable[[str], Kata]:
    """A kata of tests/grading/katas/, by name."""
    return lambda name: _load(Path(__file__).parent / "katas" / name)


@pytest.fixture(scope="session")
def processes() -> Callable[[int], list[int]]:
    """The children of a process that are not yet dead."""

    def children(pid: int) -> list[int]:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        return [int(child) for child in found if _state(int(child)) not in ("Z", "X", "")]

    return children


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return ""
