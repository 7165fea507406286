"""Whoever reviewed every note of the first release upgrades to today's decks: nothing learned is lost.

Notes were reworded, and some retired, since. The package must leave each review and each card as it was, and the
upgrade package must empty the retired notes and no others.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build, package_path
from llmdrills.decks.lock import read_lock
from llmdrills.language import LANGUAGES, Language
from tests.helpers.anki_learner import AnkiLearner, CardState
from tests.helpers.last_release import package, released_lock


class Today(NamedTuple):
    """Today's decks as the next release. `retired`: what of the first release it no longer holds, with the reason."""

    folder: Path
    retired: dict[str, str]


@pytest.fixture(scope="module")
def today(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Today:
    copy = tmp_path_factory.mktemp("workspace")
    for name in ("decks", "drills"):
        shutil.copytree(root / name, copy / name)
    build(load_workspace(copy), copy / "build", BuildOptions(release_time=int(time.time())))
    lock = read_lock(copy)
    assert lock is not None
    released = {line.note for line in released_lock().notes.values()}
    retired = {line.note: line.retired for line in lock.notes.values() if line.retired and line.note in released}
    return Today(copy / "build", retired)


@pytest.fixture
def reviewed(learner: AnkiLearner, language: Language) -> AnkiLearner:
    """A collection of the first release in which every card has a review, one is suspended and one flagged."""
    learner.take(package(language))
    slugs = sorted({line.note for line in released_lock().notes.values() if line.language == language})
    for slug in slugs:
        learner.review(slug)
    learner.suspend(slugs[0])
    learner.flag(slugs[1])
    assert len(learner.reviews()) == len(learner.card_states())
    return learner


def _lost(before: dict[tuple[str, int], CardState], learner: AnkiLearner) -> list[tuple[str, int]]:
    after = learner.card_states()
    return [key for key, state in before.items() if after.get(key) != state]


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_lose_no_review_and_fork_nothing_when_reworded_notes_arrive(
    today: Today, reviewed: AnkiLearner, language: Language
) -> None:
    notes, cards, reviews = reviewed.notes(), reviewed.card_states(), reviewed.reviews()
    types, schema = reviewed.note_types(), reviewed.schema()

    log = reviewed.take(package_path(today.folder, language))

    assert _lost(cards, reviewed) == []
    assert reviewed.reviews() == reviews
    assert not log.conflicting
    assert reviewed.note_types() == types
    assert reviewed.schema() == schema
    assert len(log.new) == len(reviewed.notes()) - len(notes)
    assert not reviewed.col.find_notes("tag:llmdrills::retired")
    assert not reviewed.empty_cards(), "a reworded cloze lost a deletion"


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_empty_the_retired_notes_alone_and_keep_their_reviews(
    today: Today, reviewed: AnkiLearner, language: Language
) -> None:
    reviewed.take(package_path(today.folder, language))
    cards, reviews = reviewed.card_states(), reviewed.reviews()
    retired = {card for slug in today.retired for card in reviewed.cards(slug)}
    assert len(retired) >= len(today.retired) > 0

    log = reviewed.take(package_path(today.folder, language, upgrade=True))

    assert _lost(cards, reviewed) == []
    assert not log.conflicting
    assert reviewed.empty_cards() == retired
    assert set(reviewed.col.find_cards("tag:llmdrills::retired")) == retired
    reviewed.empty_cards(delete=True)
    assert {state[0] for state in cards.values()} - {state[0] for state in reviewed.card_states().values()} == retired
    assert reviewed.reviews() == reviews


def test_should_give_learners_a_reason_for_each_retired_note(today: Today) -> None:
    assert [slug for slug, why in today.retired.items() if len(why.split()) < 5] == []
