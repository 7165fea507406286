"""A browser, and the shipped cards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from llmdrills.decks.preview.gallery import Gallery, load_gallery
from llmdrills.decks.preview.server import PreviewServer


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, headless; a missing one fails in CI and skips elsewhere."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "chromium is not installed: `sh tests/install-browser.sh`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=flags)
        yield started
        started.close()


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
