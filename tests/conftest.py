"""What every test gets: a home of its own, and no settings of whoever runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_SET_BY_US = {"LLMDRILLS_HOME", "LLMDRILLS_KILLS", "LLMDRILLS_HISTORIES"}  # the last two: how long `make soak` runs


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
