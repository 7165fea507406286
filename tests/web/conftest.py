"""A small workspace with a kata, cards and an exam; the page's server in this process, and as the real command."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmdrills.cli.console import speak
from llmdrills.cli.options import place
from llmdrills.content.catalogue import load_catalogue
from llmdrills.content.starter import solution_text
from llmdrills.practice.history import History
from llmdrills.web.api import Api
from llmdrills.web.server import WebServer
from tests.helpers.exam_workspace import KATA, make_exam_workspace
from tests.helpers.web_client import WebClient, WebProcess


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    return make_exam_workspace(tmp_path_factory.mktemp("web") / "ws", root)


@pytest.fixture(scope="session")
def solution(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """`solution("cast-first")`: the reference of a variant."""
    (kata,) = load_catalogue(workspace, tmp_path_factory.mktemp("cache"))

    def _solution(variant: str) -> str:
        found = kata.variant(variant)
        assert found is not None
        return solution_text(kata, found, "en")

    return _solution


@contextlib.contextmanager
def _serving(workspace: Path, home: Path) -> Iterator[WebServer]:
    """In this process, with a history of its own; torch starts when a kata is opened, and not before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMDRILLS_HOME", str(home))
        here = place(workspace)
    with History.open(here.locations.history_file) as history:
        running = WebServer(Api(here, history))
        running.start()
        yield running
        running.close()
    speak("en")


@pytest.fixture
def server(workspace: Path, home: Path) -> Iterator[WebServer]:
    """For this test alone."""
    with _serving(workspace, home) as running:
        yield running


@pytest.fixture
def client(server: WebServer) -> WebClient:
    """It has entered."""
    return _entered(server)


@pytest.fixture(scope="module")
def shared_server(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """For tests that leave it as it is."""
    with _serving(workspace, tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def shared(shared_server: WebServer) -> WebClient:
    """It has entered a server that nothing changes."""
    return _entered(shared_server)


def _entered(server: WebServer) -> WebClient:
    found = WebClient(server.address)
    assert found.enter().status == 200
    return found


@pytest.fixture(scope="module")
def running(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """The real command, for a module of tests."""
    found = WebProcess(workspace, tmp_path_factory.mktemp("home"))
    yield found
    found.end()


@pytest.fixture(scope="session")
def kata() -> str:
    return KATA


@pytest.fixture
def run_in_workspace(workspace: Path, home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`run_in_workspace("rate", "rms-norm")`: another command, over the same history."""

    def _run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "llmdrills", *words, "-w", str(workspace)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    return _run
