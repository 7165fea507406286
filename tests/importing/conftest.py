"""A workspace of somebody's own, the collection that they come from, and the one that they go to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.lint import lint
from llmdrills.content.model import Note
from llmdrills.content.scaffold import copy_workspace
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.inspection import inspect
from llmdrills.importing.importer import Imported, Wanted, import_file
from tests.cli.conftest import run  # noqa: F401  # a fixture
from tests.helpers.anki_author import AnkiAuthor
from tests.helpers.anki_learner import AnkiLearner

Take = Callable[..., Imported]


@pytest.fixture
def author(tmp_path: Path) -> Iterator[AnkiAuthor]:
    made = AnkiAuthor(tmp_path / "author")
    yield made
    made.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace in English."""
    copy_workspace(None, tmp_path / "workspace", namespace="imports", languages=("en",))
    return tmp_path / "workspace"


@pytest.fixture
def take(workspace: Path) -> Take:
    """`take(path, deck="x")`: imports, and holds the deck file against what `check --quick` says of it."""

    def _take(path: Path, **wanted: Any) -> Imported:
        done = import_file(Wanted(file=path, **{"topic": "retrieval", **wanted}), workspace)
        if done.written:
            loaded = load_workspace(workspace)
            assert [str(one) for one in (*lint(loaded), *inspect(loaded))] == []
        return done

    return _take


@pytest.fixture
def notes(workspace: Path) -> Callable[[], dict[str, Note]]:
    """The notes of the workspace by their fronts."""

    def _notes() -> dict[str, Note]:
        return {note.front.en: note for note in load_workspace(workspace).notes}

    return _notes


@pytest.fixture
def learner(workspace: Path, tmp_path: Path) -> Iterator[Callable[[], AnkiLearner]]:
    """Builds the workspace, and imports its package into a fresh collection."""
    made: list[AnkiLearner] = []

    def _learner() -> AnkiLearner:
        build(load_workspace(workspace), workspace / "build", BuildOptions(release_time=1_700_000_000))
        made.append(AnkiLearner(tmp_path / f"learner{len(made)}"))
        made[-1].take(workspace / "build" / "llmdrills-en.apkg")
        return made[-1]

    yield _learner
    for one in made:
        one.close()
