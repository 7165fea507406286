"""Histories and learners, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmdrills.practice.history import History
from tests.helpers.kata_learner import KataLearner


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "data" / "history.sqlite3") as opened:
        yield opened


@pytest.fixture
def learner(history: History, tmp_path: Path) -> KataLearner:
    return KataLearner(history, tmp_path / "practice")


@pytest.fixture
def new_learner(tmp_path: Path) -> Iterator[Callable[[str], KataLearner]]:
    """Learners on machines of their own, by name."""
    opened = []

    def make(name: str) -> KataLearner:
        history = History.open(tmp_path / name / "history.sqlite3")
        opened.append(history)
        return KataLearner(history, tmp_path / name / "practice")

    yield make
    for history in opened:
        history.close()
