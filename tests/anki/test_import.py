"""Reviews come into the history once, and readiness, statistics and the day follow from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from llmdrills.anki.live import read_path
from llmdrills.anki.ours import our_guids
from llmdrills.content.kata_notes import KataNote
from llmdrills.content.model import Deck, Note, Workspace
from llmdrills.from_anki import Taken, take
from llmdrills.language import Bilingual
from llmdrills.practice import exchange, plan, stats
from llmdrills.practice.history import History
from llmdrills.practice.moments import Moment
from llmdrills.practice.note_memory import note_memories
from llmdrills.practice.note_reviews import of_note
from llmdrills.practice.rating import Rating
from llmdrills.readiness import Missing, Readiness, assess, keep_shown
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.kata_learner import KataLearner, make_kata
from tests.helpers.small_decks import Publisher, cloze, deck, note

NAMES = tuple(f"n{number}" for number in range(9))  # with the item itself, ten notes
KATA = make_kata("attention", proves=("item",))
MORE = make_kata("rope", proves=("item",))
DAY = 86_400 * 1_000_000


def notes(*names: str) -> tuple[Note, ...]:
    return tuple(note(name, proves=("item",), kata="attention") for name in names)


def the_workspace(publisher: Publisher, *extra: Note, core: tuple[str, ...] = ("attention",)) -> Workspace:
    basics = deck("basics", note("item", core=core), *notes(*NAMES), *extra)
    return Workspace(publisher.root, (basics,), (KATA, MORE), ("item",))


def decks(workspace: Workspace) -> tuple[Deck, ...]:
    return workspace.decks


@pytest.fixture
def workspace(publisher: Publisher, learner: AnkiLearner) -> Workspace:
    made = the_workspace(publisher)
    publisher.release(*made.decks)
    learner.take(publisher.package)
    learner.col.set_config("fsrs", True)
    return made


@pytest.fixture
def bring(history: History, learner: AnkiLearner, workspace: Workspace) -> Callable[[], Taken]:
    """Import what the collection holds now."""

    def run() -> Taken:
        ours = our_guids(workspace)
        return take(history, read_path(learner.file, ours), ours)

    return run


def katas_done(history: History, folder: Path, *days: int) -> None:
    """Clean passes of the core kata so many days ago."""
    learner = KataLearner(history, folder)
    for day in sorted(days, reverse=True):
        learner.clock = Moment.now().plus(-day * DAY)
        learner.passes(KATA, Rating.GOOD)


def ready(history: History, workspace: Workspace, days: int = 0) -> Readiness:
    return assess(workspace, history, Moment.now().plus(days * DAY))


def state(history: History, workspace: Workspace, days: int = 0) -> str:
    return ready(history, workspace, days).items[0].state


def study(learner: AnkiLearner, *names: str) -> None:
    """Weeks of reviews of those notes: at the end each is recalled well.

    It moves the past of the collection, so it comes before the first import.
    """
    for days in (0, 2, 5, 10):
        learner.pass_days(days)
        for name in names:
            learner.review(name)
    learner.pass_days(3)
    for name in names:
        for card in learner.cards(name):
            learner.answer(card)


# ---- once ------------------------------------------------------------------------------------------


def test_should_take_every_answer_once(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, tmp_path: Path, workspace: Workspace
) -> None:
    study(learner, "n0", "n1")
    first = bring()
    assert (first.notes, first.reviewed, first.reviews, first.new) == (10, 2, 10, 10)
    assert [(one.rating, one.source) for one in of_note(history, "n0")] == [(3, "anki")] * 5
    said = learner.col.db.list("select r.id from revlog r where cid = ? order by 1", learner.cards("n0")[0])
    assert [one.moment.at for one in of_note(history, "n0")] == [number * 1000 for number in said]
    counts = history.counts()
    again = bring()
    assert (again.new, again.remembered) == (0, 0)
    ours = our_guids(workspace)
    for name, legacy in (("new.apkg", False), ("old.apkg", True), ("new.colpkg", False), ("old.colpkg", True)):
        other = take(history, read_path(learner.export(tmp_path / name, legacy=legacy), ours), ours)
        assert (other.new, other.remembered) == (0, 0)
    assert history.counts() == counts
    learner.review("n0")
    assert (bring().new, bring().new) == (1, 0)


def test_should_count_english_and_chinese_of_a_note_once(
    history: History, tmp_path: Path, learner: AnkiLearner
) -> None:
    publisher = Publisher(tmp_path / "both")
    made = the_workspace(publisher)
    publisher.release(*made.decks, languages=("en", "zh"))
    learner.col.set_config("fsrs", True)
    for language in ("en", "zh"):
        learner.take(publisher.root / "build" / f"llmdrills-{language}.apkg")
    assert len(learner.cards("n0")) == 2
    study(learner, "n0")
    ours = our_guids(made)
    taken = take(history, read_path(learner.file, ours), ours)
    assert (taken.notes, taken.reviewed, taken.reviews) == (10, 1, 10)
    assert {one.language for one in of_note(history, "n0")} == {"en", "zh"}
    item = ready(history, made).items[0]
    assert item.anki is not None
    assert item.anki.recalled == ("n0",)
    # Forgotten in one language, it is still known in the other.
    learner.answer(learner.cards("n0")[0], 0)
    take(history, read_path(learner.file, ours), ours)
    known = note_memories(history, Moment.now())
    assert known is not None
    assert known["n0"].recall >= 0.9


def test_should_count_nothing_of_a_collection_of_others(history: History, workspace: Workspace, tmp_path: Path) -> None:
    other = AnkiLearner(tmp_path / "other")
    theirs = Publisher(tmp_path / "theirs")
    theirs.release(deck("basics", *notes(*NAMES)), deck("more", note("item")))
    (theirs.root / "decks" / "deck.lock").unlink()
    foreign = Workspace(theirs.root, (deck("basics", *notes(*NAMES)),), (), (), namespace="theirs")
    from llmdrills.decks.build import BuildOptions, build

    build(foreign, theirs.root / "build", BuildOptions(languages=("en",), new_lock=True))
    other.take(theirs.package)
    other.col.add_note(_basic(other), other.col.decks.id("Default"))
    other.review_due()
    ours = our_guids(workspace)
    taken = take(history, read_path(other.file, ours), ours)
    assert taken == Taken(0, 0, 0, 0, 0, 0)
    assert history.counts() == {}
    assert ready(history, workspace).items[0].anki is None
    other.close()


def _basic(learner: AnkiLearner):
    one = learner.col.new_note(learner.col.models.by_name("Basic"))
    one.fields = ["question", "answer"]
    return one


def test_should_take_reviews_to_another_machine(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, workspace: Workspace, tmp_path: Path
) -> None:
    study(learner, *NAMES, "item")
    katas_done(history, tmp_path, 4, 2)
    bring()
    assert state(history, workspace) == "ready"
    keep_shown(history, ready(history, workspace), Moment.now())
    with History.open(tmp_path / "laptop" / "history.sqlite3") as laptop:
        lines = list(exchange.export_lines(history))
        assert exchange.import_lines(laptop, lines).set_aside == ()
        assert state(laptop, workspace) == "ready"
        assert exchange.import_lines(laptop, lines).new == 0
        assert list(exchange.export_lines(laptop)) == lines
        ours = our_guids(workspace)
        assert take(laptop, read_path(learner.file, ours), ours).new == 0


# ---- readiness -------------------------------------------------------------------------------------


def test_should_ask_for_four_fifths_of_the_notes_where_anki_was_imported(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, workspace: Workspace, tmp_path: Path
) -> None:
    study(learner, *NAMES[:7])
    bring()
    katas_done(history, tmp_path, 4, 2)
    item = ready(history, workspace).items[0]
    assert (item.state, item.notes_reviewed, item.shown) == ("not-shown", 7, False)
    assert "learn 1 more of its 10 notes" in item.next.en
    assert item.missing == Missing(days=(), faded=(), learn=1, recall=0)
    learner.review(NAMES[7])
    bring()
    assert state(history, workspace) == "ready"
    assert ready(history, workspace).items[0].missing == Missing(days=(), faded=(), learn=0, recall=0)


def test_should_say_what_an_item_lacks(history: History, publisher: Publisher, tmp_path: Path) -> None:
    workspace = the_workspace(publisher, core=("attention", "rope"))
    assert ready(history, workspace).items[0].missing.days == (("attention", 2), ("rope", 2))
    katas_done(history, tmp_path, 4, 2)
    lacking = ready(history, workspace).items[0].missing
    assert lacking == Missing(days=(("rope", 2),), faded=(), learn=0, recall=0)
    assert lacking.to_json() == {
        "katas": [{"kata": "rope", "clean_days": 2}],
        "faded": [],
        "notes_to_learn": 0,
        "notes_to_recall": 0,
    }


def test_should_ask_for_the_core_katas_only(history: History, publisher: Publisher, tmp_path: Path) -> None:
    katas_done(history, tmp_path, 4, 2)
    one = ready(history, the_workspace(publisher)).items[0]
    assert one.state == "ready"
    assert [(kata.kata, kata.core, kata.state) for kata in one.katas] == [
        ("attention", True, "ready"),
        ("rope", False, "not-shown"),
    ]
    assert state(history, the_workspace(publisher, core=("attention", "rope"))) == "not-shown"
    assert state(history, the_workspace(publisher, core=())) == "not-shown"  # none named: those that prove it


def test_should_not_take_readiness_away_by_an_import(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, workspace: Workspace, tmp_path: Path
) -> None:
    katas_done(history, tmp_path, 4, 2)
    assert state(history, workspace) == "ready"
    keep_shown(history, ready(history, workspace), Moment.now())
    study(learner, "n0", "n1")
    bring()
    item = ready(history, workspace).items[0]
    assert (item.state, item.notes_reviewed, item.shown) == ("ready", 2, True)


def test_should_take_readiness_away_by_what_was_forgotten_alone(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, workspace: Workspace, tmp_path: Path
) -> None:
    katas_done(history, tmp_path, 4, 2)
    keep_shown(history, ready(history, workspace), Moment.now())
    study(learner, *NAMES)
    bring()
    assert state(history, workspace) == "ready"
    for name in NAMES[:3]:
        learner.answer(learner.cards(name)[0], 0)
    bring()
    item = ready(history, workspace).items[0]
    assert item.anki is not None
    assert set(item.anki.forgotten) == set(NAMES[:3])
    assert item.state == "fading"
    assert "NoteId:n0" in item.next.en
    assert item.next.zh != item.next.en
    for name in NAMES[:3]:
        learner.review(name)
    bring()
    assert state(history, workspace) == "ready"
    assert ready(history, workspace, days=90).items[0].anki.recalled == ()  # a quarter of a year without a review


def test_should_not_take_readiness_away_by_an_upgrade(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, workspace: Workspace, publisher: Publisher,
    tmp_path: Path,
) -> None:  # fmt: skip
    study(learner, *NAMES, "item")
    katas_done(history, tmp_path, 4, 2)
    bring()
    keep_shown(history, ready(history, workspace), Moment.now())
    newer = the_workspace(publisher, *notes(*(f"later-{n}" for n in range(9))), core=("attention", "rope"))
    assert state(history, newer) == "ready"
    gone = Workspace(publisher.root, newer.decks, (MORE,), ("item",))
    assert state(history, gone) == "ready"
    assert state(history, newer, days=400) == "fading"
    without = History.open(tmp_path / "new" / "history.sqlite3")
    exchange.import_lines(without, [one for one in exchange.export_lines(history) if '"kind": "shown"' not in one])
    assert state(without, newer) == "not-shown"
    without.close()


def test_should_not_stay_shown_by_a_pass_that_was_taken_back(
    history: History, publisher: Publisher, tmp_path: Path
) -> None:
    workspace = the_workspace(publisher)
    katas_done(history, tmp_path, 4, 2)
    keep_shown(history, ready(history, workspace), Moment.now())
    keep_shown(history, ready(history, workspace), Moment.now())
    assert history.counts()["shown"] == 1
    last = history.rows("SELECT id FROM reviews ORDER BY at DESC LIMIT 1")[0]["id"]
    history.append("undos", Moment.now(), review=last)
    assert state(history, workspace) == "not-shown"


def test_should_show_by_notes_alone_where_no_kata_proves_an_item(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, publisher: Publisher, workspace: Workspace
) -> None:
    basics = deck("basics", note("item"), *notes(*NAMES))
    alone = Workspace(publisher.root, (basics,), (), ("item",))
    assert state(history, alone) == "not-shown"
    study(learner, *NAMES)
    bring()
    assert state(history, alone) == "ready"


def test_should_ask_for_every_card_of_a_cloze(history: History, tmp_path: Path, learner: AnkiLearner) -> None:
    publisher = Publisher(tmp_path / "cloze")
    made = Workspace(publisher.root, (deck("basics", cloze("item")),), (), ("item",))
    publisher.release(*made.decks)
    learner.take(publisher.package)
    learner.col.set_config("fsrs", True)
    ours = our_guids(made)
    for number, expected in enumerate(("not-shown", "ready")):
        learner.answer(learner.cards("item")[number])
        take(history, read_path(learner.file, ours), ours)
        assert state(history, made) == expected
    # A deletion that is gone leaves a card behind, whose fading says nothing.
    text = Bilingual("The {{c1::first}}", "{{c1::第一}}")
    fewer = Workspace(publisher.root, (deck("basics", note("item", kind="cloze")),), (), ("item",))
    object.__setattr__(fewer.notes[0], "front", text)
    assert state(history, fewer) == "ready"


def test_should_mark_an_estimate_where_fsrs_is_off(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, workspace: Workspace
) -> None:
    learner.col.set_config("fsrs", False)
    study(learner, *NAMES[:3])
    assert bring().estimated == 3
    item = ready(history, workspace).items[0]
    assert item.anki is not None
    assert item.anki.estimated == 3
    assert item.to_json()["notes_estimated"] == 3
    figures = stats.gather(history, (KATA,), Moment.now())
    assert figures.notes is not None
    assert (figures.notes.answers, figures.notes.notes, figures.notes.estimated) == (15, 3, 3)
    assert figures.to_json()["notes"]["recalled"] == figures.notes.recalled


# ---- the day ---------------------------------------------------------------------------------------


def the_day(history: History) -> plan.Plan:
    known = [KataNote(name, "attention", (0,)) for name in NAMES]
    return plan.today(history, (KATA,), Moment.now(), notes=lambda: known)


def test_should_bring_a_kata_forward_whose_notes_fail(
    bring: Callable[[], Taken], history: History, learner: AnkiLearner, tmp_path: Path, workspace: Workspace
) -> None:
    katas_done(history, tmp_path, 9, 5, 4, 3)
    assert the_day(history).items == ()
    study(learner, *NAMES[:3])
    bring()
    assert the_day(history).items == ()
    for name in ("n1", "n2"):
        learner.answer(learner.cards(name)[0], 0)
    bring()
    (item,) = the_day(history).items
    assert (item.kata, item.reason, set(item.notes)) == ("attention", "notes", {"n1", "n2"})
    assert "fail in Anki" in item.why.en
    katas_done(history, tmp_path, 0)  # done again: it is not asked for twice
    assert the_day(history).items == ()


def test_should_name_the_notes_of_a_kata_that_is_failing(history: History, tmp_path: Path) -> None:
    learner = KataLearner(history, tmp_path)
    learner.clock = Moment.now().plus(-10 * DAY)
    learner.fails(KATA)
    (item,) = the_day(history).items
    assert item.notes == NAMES[:3]
    for days in (8, 6, 4):
        learner.clock = Moment.now().plus(-days * DAY)
        learner.fails(KATA)
    (leech,) = the_day(history).set_aside
    assert leech.notes == NAMES[:3]


def test_should_not_ask_for_notes_where_none_matter(history: History, tmp_path: Path) -> None:
    katas_done(history, tmp_path, 40, 30)

    def asked() -> list[KataNote]:
        raise AssertionError("the decks were read")

    assert plan.today(history, (KATA,), Moment.now(), notes=asked).items[0].notes == ()
