"""Learners in the real Anki backend, workspaces to release from, and histories to import into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.practice.history import History
from tests.cli.conftest import run, small  # noqa: F401  # fixtures
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import Publisher


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[AnkiLearner]:
    """An empty collection, open in the backend as a running Anki holds it."""
    found = AnkiLearner(tmp_path / "collection")
    yield found
    found.close()


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "workspace")


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with History.open(tmp_path / "data" / "history.sqlite3") as opened:
        yield opened
