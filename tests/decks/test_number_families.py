"""A note that gets a number family keeps its card: in the package, in the lock and in the real Anki."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build, package_path
from llmdrills.decks.lock import read_lock
from llmdrills.language import LANGUAGES, Language
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.last_release import released_lock

RELEASED = """\
deck: small
title: {en: Small, zh: 小}
notes:
  - id: cache
    type: number
    topic: systems
    front: {en: "A model has 32 layers. How many KiB for 4,000 tokens?", zh: "模型有 32 层，4000 个 token 占多少 KiB？"}
    answer: {value: 16000, unit: KiB, tolerance: 1%}
    back: {en: "4096 bytes each, 16000 KiB.", zh: "每个 4096 字节，共 16000 KiB。"}
    sources: [A book]
"""
FAMILY = """\
    family:
      quantities:
        layers: {choices: [8, 16, 32], card: 32}
        tokens: {low: 1000, high: 9000, step: 500, card: 4000}
      steps: {per: 2 * layers * 64}
      formula: per * tokens / 1024
"""
WITH_RANGES = (
    RELEASED.replace("has 32 layers", "has [[layers]] layers")
    .replace("for 4,000 tokens", "for [[tokens:,]] tokens")
    .replace("模型有 32 层，4000 个", "模型有 [[layers]] 层，[[tokens]] 个")
    .replace("value: 16000,", 'value: "[[kib:.0f]]",')
    .replace("4096", "[[per]]")
    .replace("16000 KiB", "[[kib:.0f]] KiB")
    .replace("    sources", FAMILY + "    sources")
)


class Author:
    """A workspace of one deck; each release comes a day after the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._day = folder, 1_700_000_000
        (folder / "decks").mkdir(parents=True)
        (folder / "drills").mkdir()

    def release(self, deck: str, language: Language) -> Path:
        (self.folder / "decks" / "small.yaml").write_text(deck, "utf-8")
        self._day += 86_400
        build(load_workspace(self.folder), self.folder / "build", BuildOptions(release_time=self._day))
        return package_path(self.folder / "build", language)

    def hashes(self) -> dict[tuple[str, str], str]:
        lock = read_lock(self.folder)
        assert lock is not None
        return {key: line.hash for key, line in lock.notes.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_leave_a_reviewed_card_as_it_is_when_its_note_gets_ranges(
    learner: AnkiLearner, tmp_path: Path, language: Language
) -> None:
    author = Author(tmp_path / "workspace")
    learner.take(author.release(RELEASED, language))
    learner.review("cache")
    (card,) = learner.cards("cache")
    notes, cards, reviews, sides = learner.notes(), learner.card_states(), learner.reviews(), learner.sides(card)
    hashes = author.hashes()

    for deck in (
        WITH_RANGES,
        WITH_RANGES.replace("[8, 16, 32]", "[4, 8, 32, 80]").replace("step: 500", "step: 250"),
        WITH_RANGES.replace("per * tokens / 1024", "tokens / 1024 * per"),
    ):
        log = learner.take(author.release(deck, language))
        assert (list(log.new), list(log.updated), list(log.conflicting)) == ([], [], [])
        assert author.hashes() == hashes
        assert (learner.notes(), learner.card_states(), learner.reviews()) == (notes, cards, reviews)
        assert learner.sides(card) == sides


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_update_the_card_where_an_author_changes_its_instance_and_keep_its_reviews(
    learner: AnkiLearner, tmp_path: Path, language: Language
) -> None:
    author = Author(tmp_path / "workspace")
    learner.take(author.release(WITH_RANGES, language))
    learner.review("cache")
    cards, reviews = learner.card_states(), learner.reviews()
    log = learner.take(author.release(WITH_RANGES.replace("card: 32}", "card: 16}"), language))
    assert (len(log.new), len(log.updated)) == (0, 1)
    assert "16" in learner.question("cache")
    assert (learner.card_states(), learner.reviews()) == (cards, reviews)


def test_should_build_the_same_bytes_whatever_was_asked_before(tmp_path: Path) -> None:
    first, second = (Author(tmp_path / name) for name in ("first", "second"))
    one = first.release(WITH_RANGES, "en").read_bytes()
    random.seed(1)
    note = load_workspace(first.folder).notes[0]
    assert note.family is not None
    assert len({note.family.draw(str(seed)).answer for seed in range(50)}) > 10
    assert second.release(WITH_RANGES, "en").read_bytes() == one


def test_should_have_given_ranges_to_notes_that_were_released(root: Path) -> None:
    """Their ids are those of the first release: nobody who learned one loses it."""
    families = {note.id for note in load_workspace(root).notes if note.family is not None}
    released = {line.note for line in released_lock().notes.values()}
    assert len(families & released) >= 20
