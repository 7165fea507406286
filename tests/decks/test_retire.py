"""Retirement: out of the deck file, into the lock, off the learner's hands."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.lock import lock_file, read_lock
from llmdrills.decks.retire import retire
from llmdrills.errors import BuildError, LockError
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import Publisher, checklist, cloze, note, number, one_of_each

DECK = """\
# The first deck.
deck: basics
title: {en: Basics, zh: 基础}
notes:
  # About a.
  - id: a
    type: question
    topic: transformer
    front: {en: What is a?, zh: 什么是 a？}
    back:
      en: |
        An answer.

        - with a list
      zh: 答案。
    sources: [A paper]

  # About b, which stays.
  - id: b
    type: question
    topic: transformer
    front: {en: What is b?, zh: 什么是 b？}
    back: {en: An answer., zh: 答案。}
    sources: [A paper]
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A workspace on disk, released once."""
    root = tmp_path / "workspace"
    (root / "decks").mkdir(parents=True)
    (root / "drills").mkdir()
    (root / "decks" / "basics.yaml").write_text(DECK, "utf-8")
    build(load_workspace(root), root / "build", BuildOptions(release_time=1_700_000_000))
    return root


def test_should_take_the_note_out_of_its_file_and_leave_the_text_around_it(written: Path):
    done = retire(written, "a", "it was wrong")
    text = (written / "decks" / "basics.yaml").read_text("utf-8")
    start, end = DECK.index("  - id: a"), DECK.index("\n  # About b")
    assert text == DECK[:start] + DECK[end:]
    assert (done.line, done.text) == (6, DECK[start:end])
    assert done.languages == ("en", "zh")
    lock = read_lock(written)
    assert lock
    assert {line.retired for line in lock.notes.values() if line.note == "a"} == {"it was wrong"}
    report = build(load_workspace(written), written / "build", BuildOptions(release_time=1_700_001_000))
    assert [forecast.count("retired") for forecast in report.forecasts] == [1, 1]
    assert (written / "build" / "llmdrills-zh-upgrade.apkg").exists()


def test_should_retire_the_last_note_of_a_file_and_the_only_one(written: Path):
    retire(written, "b", "wrong")
    text = (written / "decks" / "basics.yaml").read_text("utf-8")
    assert text.endswith("    sources: [A paper]\n\n  # About b, which stays.\n")
    load_workspace(written)
    retire(written, "a", "wrong too")
    assert "notes: []" in (written / "decks" / "basics.yaml").read_text("utf-8")


def test_should_retire_a_note_that_is_gone_already(written: Path):
    file = written / "decks" / "basics.yaml"
    file.write_text(DECK[: DECK.index("\n  # About b")], "utf-8")
    with pytest.raises(BuildError, match="note 'b' was in the last release and is gone"):
        build(load_workspace(written), written / "build")
    assert retire(written, "b", "merged into a").file is None
    build(load_workspace(written), written / "build")


def test_should_bring_a_note_back_by_restoring_its_text(written: Path):
    retire(written, "a", "wrong")
    build(load_workspace(written), written / "build", BuildOptions(release_time=1_700_001_000))
    (written / "decks" / "basics.yaml").write_text(DECK, "utf-8")
    report = build(load_workspace(written), written / "build", BuildOptions(release_time=1_700_002_000))
    (back,) = [one for one in report.forecasts[0].notes if one.id == "a"]
    assert (back.status, back.restored) == ("updated", True)
    assert not (written / "build" / "llmdrills-en-upgrade.apkg").exists()


def test_should_change_nothing_when_a_retirement_is_taken_back_before_a_release(written: Path):
    before = lock_file(written).read_bytes()
    retire(written, "a", "a mistake")
    (written / "decks" / "basics.yaml").write_text(DECK, "utf-8")
    build(load_workspace(written), written / "build", BuildOptions(release_time=1_700_002_000))
    assert lock_file(written).read_bytes() == before


@pytest.mark.parametrize(
    ("id", "why", "message"),
    [
        ("a", "  ", "needs a reason"),
        ("aa", "x", "no released note is called 'aa': did you mean 'a'"),
        ("quite-another", "x", "no released note"),
    ],
)
def test_should_refuse_what_cannot_be_retired(written: Path, id: str, why: str, message: str):  # noqa: A002  # the word of the design
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    with pytest.raises(BuildError, match=message):
        retire(written, id, why)
    assert before == {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}


def test_should_say_why_a_note_was_retired_when_it_is_retired_twice(written: Path):
    retire(written, "a", "it was wrong")
    with pytest.raises(BuildError, match="retired already: it was wrong"):
        retire(written, "a", "again")


def test_should_say_that_nothing_was_released_when_retiring_before_any_release(tmp_path: Path):
    (tmp_path / "decks").mkdir()
    with pytest.raises(LockError, match=r"there is no .*deck\.lock: nothing was released yet"):
        retire(tmp_path, "a", "x")


def _retire_all_but(publisher: Publisher, *kept: str) -> None:
    lock = read_lock(publisher.root)
    assert lock
    for slug in {line.note for line in lock.notes.values()} - set(kept):
        lock = lock.retire(slug, "wrong & <old>")
    lock_file(publisher.root).write_text(lock.text(), "utf-8")


def test_should_let_empty_cards_offer_every_type_after_the_upgrade_package(publisher: Publisher, learner: AnkiLearner):
    notes = (*one_of_each(), note("stays"))
    publisher.release(*notes)
    learner.take(publisher.package)
    for one in notes:
        learner.review(one.id)
    reviews, stays = learner.reviews(), learner.cards("stays")
    _retire_all_but(publisher, "stays")
    report = publisher.release(note("stays"))
    assert report.forecasts[0].count("retired") == 5
    assert learner.take(publisher.package).counts == (0, 0, 1, 0)
    assert not learner.empty_cards()
    assert learner.take(publisher.upgrade).counts == (0, 5, 1, 0)
    assert len(learner.empty_cards()) == 6 == sum(one.cards_emptied for one in report.forecasts[0].notes)
    assert set(learner.col.find_cards("tag:llmdrills::retired")) == learner.empty_cards()
    learner.empty_cards(delete=True)
    assert learner.col.find_cards("") == stays
    assert learner.reviews() == reviews  # what was learned stays in the history


def test_should_give_a_new_learner_no_blank_cards_by_an_upgrade_package(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"), cloze("c"), checklist("l"), number("n"))
    _retire_all_but(publisher, "a")
    publisher.release(note("a"))
    learner.take(publisher.upgrade)
    assert learner.col.card_count() == 1
    assert not learner.empty_cards()


def test_should_bring_a_restored_note_back_to_those_who_cleared_it_and_to_those_who_did_not(
    publisher: Publisher, tmp_path: Path
):
    publisher.release(note("a"), cloze("c"))
    tidy, lazy = AnkiLearner(tmp_path / "tidy"), AnkiLearner(tmp_path / "lazy")
    try:
        for learner in (tidy, lazy):
            learner.take(publisher.package)
            learner.review("c")
        _retire_all_but(publisher, "a")
        publisher.release(note("a"))
        for learner in (tidy, lazy):
            learner.take(publisher.upgrade)
        tidy.empty_cards(delete=True)
        cards = lazy.card_states()
        publisher.release(note("a"), cloze("c"))
        assert tidy.take(publisher.package).counts == (1, 0, 1, 0)
        assert lazy.take(publisher.package).counts == (0, 1, 1, 0)
        assert lazy.card_states() == cards
        assert len(tidy.cards("c")) == len(lazy.cards("c")) == 2
    finally:
        tidy.close()
        lazy.close()
