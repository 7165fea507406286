"""Retirement: out of the deck file, into the lock, off the learner's hands."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.cut import cut, places
from llmdrills.decks.lock import lock_file, read_lock
from llmdrills.decks.retire import retire
from llmdrills.errors import BuildError, LockError
from tests.helpers import random_decks
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
    assert retire(written, "a", "wrong too").removed
    assert not (written / "decks" / "basics.yaml").exists()
    report = build(load_workspace(written), written / "build", BuildOptions(release_time=1_700_001_000))
    assert [forecast.count("retired") for forecast in report.forecasts] == [2, 2]


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


HEADING_AT_THE_END = """\
deck: basics
title: Basics
languages: [en]
notes:
  - id: b-one
    front: One?
    back: |
      First line.

  - id: b-two
    front: Two?
    back: |
      Use this:

      # Heading of two
  # About three.
  - id: b-three
    front: Three?
    back: the last
"""


def _notes_of(text: str) -> list[dict[str, object]]:
    return list(yaml.safe_load(text)["notes"])


def _cut_of(folder: Path, text: str, slug: str) -> str:
    (folder / "decks").mkdir(exist_ok=True)
    (folder / "decks" / "basics.yaml").write_bytes(text.encode())
    (found,) = places(folder, slug)
    assert found.rest is not None
    return found.rest


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_should_take_a_heading_at_the_end_of_a_block_text_for_text(tmp_path: Path, end: str):
    text = HEADING_AT_THE_END.replace("\n", end)
    start, stop = text.index("  - id: b-two"), text.index("  # About three")
    assert _cut_of(tmp_path, text, "b-two") == text[:start] + text[stop:]


def test_should_keep_a_comment_a_comment_when_the_note_before_ends_in_a_block_text(tmp_path: Path):
    text = HEADING_AT_THE_END.replace("  # About three.", "      # About three.").replace("Heading of two", "two")
    text = text.replace("      # two\n", "    extra: more\n")
    rest = _cut_of(tmp_path, text, "b-two")
    assert _notes_of(rest) == [_notes_of(text)[0], _notes_of(text)[2]]
    assert "\n  # About three.\n" in rest


def test_should_refuse_to_cut_where_the_others_would_change(tmp_path: Path):
    text = 'deck: d\nnotes:\n- {id: a,\n   front: x}\n- id: b\n  front: "y\n    z"\n- id: c\n  front: w\n'
    assert _notes_of(_cut_of(tmp_path, text, "a")) == _notes_of(text)[1:]
    anchored = "notes:\n- id: a\n  front: &x text\n- id: b\n  front: *x\n"
    (tmp_path / "decks" / "basics.yaml").write_text(anchored)
    with pytest.raises(BuildError, match=r"basics\.yaml:2: without this note, the others .* delete it by hand"):
        list(places(tmp_path, "a"))
    assert (tmp_path / "decks" / "basics.yaml").read_text() == anchored


@pytest.mark.parametrize("seeds", [range(300), pytest.param(range(300, 6000), marks=pytest.mark.slow)])
def test_should_change_nothing_else_whatever_the_file_is_like(seeds: range):
    changed, refused = [], 0
    for seed in seeds:
        rng = random.Random(seed)
        text, written = random_decks.deck(rng, "d", rng.randint(2, 5))
        tree = yaml.compose(text, Loader=yaml.CSafeLoader)
        assert tree is not None
        place = rng.randrange(len(written))
        try:
            found = cut(Path("d.yaml"), text, tree, place)
        except BuildError:
            refused += 1
            continue
        notes = _notes_of(text)
        assert found.rest is not None
        if (
            _notes_of(found.rest) != notes[:place] + notes[place + 1 :]
            or len(text) - len(found.rest) > len(found.text) + 40
        ):
            changed.append(seed)
        changed += [seed] if text.count("\r\n") and found.rest.count("\n") != found.rest.count("\r\n") else []
    assert changed == []
    assert refused * 50 <= len(seeds)
