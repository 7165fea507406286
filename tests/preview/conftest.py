"""The shipped cards, and the server that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.decks.preview.gallery import Gallery, load_gallery
from llmdrills.decks.preview.server import PreviewServer


@pytest.fixture(scope="session")
def gallery(root: Path) -> Gallery:
    """The shipped cards."""
    found = load_gallery(root)
    assert not found.problems
    return found


@pytest.fixture(scope="session")
def server(gallery: Gallery) -> Iterator[PreviewServer]:
    """The preview of the shipped workspace."""
    running = PreviewServer(gallery)
    running.start()
    yield running
    running.close()
