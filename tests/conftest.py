"""What every test gets: a home of its own, and no settings of whoever runs it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before anything imports triton, as torch's own modules may: its kernels are then interpreted, in any order of tests.
os.environ.setdefault("TRITON_INTERPRET", "1")

# A shell that starts the tests in the background has Ctrl-C ignored, which every process that they start would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
# The last three say how much is tried; `make soak` sets two of them.
_SET_BY_US = {"LLMDRILLS_HOME", "LLMDRILLS_KILLS", "LLMDRILLS_HISTORIES", "LLMDRILLS_STUDENTS"}


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty LLMDRILLS_HOME; the variables that change what is printed are gone."""
    folder = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if (name.startswith("LLMDRILLS_") and name not in _SET_BY_US) or name in {
            "EDITOR",
            "FORCE_COLOR",
            "NO_COLOR",
            "SOURCE_DATE_EPOCH",
            "TMUX",
            "VISUAL",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("LLMDRILLS_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout: the workspace that is shipped."""
    return ROOT


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's chromium, headless; a missing one fails in CI and skips elsewhere."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "chromium is not installed: `sh tests/install-browser.sh`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    from playwright.sync_api import sync_playwright  # only where a browser is asked for

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="session")
def built_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with a stranger's content pack in it, built and installed by pip once."""
    from tests.helpers.content_packs import install, write_pack  # only where a pack is asked for

    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder / "source")
    install(folder / "source", folder / "site")
    return folder / "site"


@pytest.fixture
def pack_site(built_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that every command of the test finds; importing the pack ends the program."""
    copy = tmp_path / "site"
    shutil.copytree(built_pack, copy)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(copy), os.environ.get("PYTHONPATH")])))
    return copy
