"""Whoever learns from the first release's packages imports today's: no note is lost, forked or moved."""

from __future__ import annotations

import dataclasses
import itertools
import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.computed import load_computed
from llmdrills.content.derive import bug_deck, bug_notes
from llmdrills.content.model import Kata, Workspace
from llmdrills.decks.build import BuildOptions, build, package_path
from llmdrills.decks.identity import guid_for
from llmdrills.decks.lock import Lock, read_lock
from llmdrills.language import LANGUAGES, Bilingual, Language
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.last_release import package, released_lock


class Today(NamedTuple):
    """The shipped decks as the next release, with one note reworded."""

    folder: Path
    lock: Lock
    reworded: str


@pytest.fixture(scope="module")
def today(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Today:
    copy = tmp_path_factory.mktemp("workspace")
    for name in ("decks", "drills"):
        shutil.copytree(root / name, copy / name)
    workspace = load_workspace(copy)
    first = workspace.decks[0].notes[0]
    built = reword(workspace, first.id)
    build(built, copy / "build", BuildOptions(release_time=int(time.time())))
    lock = read_lock(copy)
    assert lock is not None
    return Today(copy / "build", lock, first.id)


def reword(workspace: Workspace, note: str) -> Workspace:
    def changed(front: Bilingual) -> Bilingual:
        return Bilingual(f"{front.en} Say why.", f"{front.zh} 说明理由。")

    decks = tuple(
        dataclasses.replace(
            deck,
            notes=tuple(
                dataclasses.replace(one, front=changed(one.front)) if one.id == note else one for one in deck.notes
            ),
        )
        for deck in workspace.decks
    )
    return dataclasses.replace(workspace, decks=decks)


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_keep_every_note_and_its_scheduling_when_today_is_imported(
    today: Today, learner: AnkiLearner, language: Language
) -> None:
    released = {line.guid: line for line in released_lock().notes.values() if line.language == language}
    assert len(learner.take(package(language)).new) == len(released)
    slugs = sorted(line.note for line in released.values())
    for slug in {*slugs[::20], today.reworded}:
        learner.review(slug)
    learner.suspend(slugs[1])
    learner.flag(slugs[2], 3)
    notes, cards, reviews = learner.notes(), learner.card_states(), learner.reviews()
    types, schema = learner.note_types(), learner.schema()

    log = learner.take(package_path(today.folder, language))

    after = learner.notes()
    assert not log.conflicting
    assert set(notes) <= set(after)
    assert {guid: after[guid].nid for guid in notes} == {guid: state.nid for guid, state in notes.items()}
    assert len(log.new) == len(after) - len(notes)
    assert {key: learner.card_states().get(key) for key in cards} == cards
    assert learner.reviews() == reviews
    assert len(reviews) >= 10
    assert types <= learner.note_types()
    assert not [name for name in learner.note_types() if name.endswith("+")]
    assert learner.schema() == schema
    assert learner.nid(today.reworded) in log.updated


def test_should_keep_id_guid_and_type_of_every_released_note(today: Today) -> None:
    for key, released in released_lock().notes.items():
        line = today.lock.notes[key]
        assert (line.guid, line.nid, line.type) == (released.guid, released.nid, released.type)
        assert line.mtime >= released.mtime


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_derive_every_released_bug_note_with_its_guid(root: Path, language: Language) -> None:
    released = {
        (line.note, line.guid)
        for line in released_lock().notes.values()
        if (line.deck, line.language) == ("bugs", language)
    }
    assert len(released) == 77
    workspace = load_workspace(root)
    derived = bug_deck(workspace.katas, load_computed(root))
    assert derived is not None
    found = [(note.id, guid_for(workspace.namespace, language, note.id)) for note in derived.notes]
    assert len(found) == len(set(found))
    assert released <= set(found)


NEW = r"-new-\d$"


def more_slips(workspace: Workspace, count: int) -> Workspace:
    """The workspace with new cards in every kata that has one: copies of its first, under other ids."""

    def more(kata: Kata) -> Kata:
        first = next((slip for slip in kata.slips if slip.card), None)
        fresh = [dataclasses.replace(first, id=f"new-{at}", note="") for at in range(count)] if first else []
        return dataclasses.replace(kata, slips=(*kata.slips, *fresh))

    return dataclasses.replace(workspace, katas=tuple(map(more, workspace.katas)))


def new_cards(learner: AnkiLearner) -> list[str]:
    """The ids of the spot-the-bug notes in the order in which Anki takes new cards."""
    rows = learner.col.db.all("select c.id from cards c where c.type = 0 order by c.due, c.ord, c.id")
    notes = [learner.col.get_card(card).note()["NoteId"] for (card,) in rows]
    return [note for note in notes if note.startswith("bug-")]


def katas_of(workspace: Workspace, notes: list[str]) -> list[str]:
    katas = {note.id: note.kata or "" for note in bug_notes(workspace.katas)}
    return [katas[note] for note in notes]


def test_should_bring_the_cards_of_a_new_collection_interleaved_by_kata(
    root: Path, today: Today, learner: AnkiLearner
) -> None:
    learner.take(package_path(today.folder, "en"))
    workspace = load_workspace(root)
    order = new_cards(learner)
    assert order == [note.id for note in bug_notes(workspace.katas)]
    found = katas_of(workspace, order)
    asked = {kata.id for kata in workspace.katas if any(slip.card for slip in kata.slips)}
    assert set(found[: len(asked)]) == asked, "one of each kata comes before the second of any"


def test_should_bring_new_cards_to_an_older_collection_interleaved_by_kata(
    root: Path, tmp_path: Path, learner: AnkiLearner
) -> None:
    """0 lost, 0 forked, none moved; Anki gives a place to new cards alone."""
    for name in ("decks", "drills"):
        shutil.copytree(root / name, tmp_path / "workspace" / name)
    learner.take(package("en"))
    before, cards = new_cards(learner), learner.card_states()
    workspace = more_slips(load_workspace(tmp_path / "workspace"), 2)
    build(workspace, tmp_path / "build", BuildOptions(release_time=int(time.time()), languages=("en",)))

    log = learner.take(package_path(tmp_path / "build", "en"))

    assert not log.conflicting
    assert {key: learner.card_states().get(key) for key in cards} == cards
    after = new_cards(learner)
    assert [note for note in after if note in set(before)] == before
    fresh = [note for note in after if re.search(NEW, note)]
    found = katas_of(workspace, fresh)
    asked = len(set(found))
    assert len(found) == 2 * asked >= 20
    planned = [note.id for note in bug_notes(workspace.katas) if re.search(NEW, note.id)]
    assert fresh == planned
    neighbours = sum(one == other for one, other in itertools.pairwise(found))
    assert neighbours <= len(found) // 6, "a kata's new cards come apart, but for the last of the longest"
