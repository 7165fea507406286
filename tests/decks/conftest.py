from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import Publisher


@pytest.fixture
def learner(tmp_path: Path) -> Iterator[AnkiLearner]:
    """An empty collection in the real Anki backend."""
    found = AnkiLearner(tmp_path / "collection")
    yield found
    found.close()


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """An empty workspace from which releases are built."""
    return Publisher(tmp_path / "workspace")
