"""What the report says beforehand is what Anki does."""

from __future__ import annotations

import json

from llmdrills.decks.retire import retire
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import Publisher, checklist, cloze, deck, note, number


def test_should_forecast_ankis_import_log_deck_by_deck(publisher: Publisher, learner: AnkiLearner):
    publisher.release(deck("x", note("a"), note("b"), cloze("c")), deck("y", checklist("d"), number("e")))
    learner.take(publisher.package)
    nids = {slug: learner.nid(slug) for slug in "abcde"}
    retire(publisher.root, "e", "wrong")
    report = publisher.release(
        deck("x", note("a"), note("b", "edited"), cloze("c", "{{c1::x}} {{c2::y}} {{c3::z}}"), note("f")),
        deck("y", checklist("d")),
    )
    (forecast,) = report.forecasts
    said = {one.id: one.status for one in forecast.notes}
    assert said == {
        "a": "unchanged",
        "b": "updated",
        "c": "updated",
        "d": "unchanged",
        "e": "retired",
        "f": "new",
    }
    assert [(one.deck, one.new, one.updated, one.unchanged, one.retired) for one in forecast.decks] == [
        ("x", 1, 2, 1, 0),
        ("y", 0, 0, 1, 1),
    ]
    cards = learner.col.card_count()
    log = learner.take(publisher.package)
    assert log.updated == {nids["b"], nids["c"]}
    assert log.duplicate == {nids["a"], nids["d"]}
    assert len(log.new) == 1
    assert learner.col.card_count() - cards == 2 == sum(one.cards_added for one in forecast.notes)
    assert learner.take(publisher.upgrade).updated == {nids["e"]}


def test_should_report_as_data(publisher: Publisher):
    publisher.release(note("a"), note("b"))
    retire(publisher.root, "b", "wrong")
    shown = json.loads(json.dumps(publisher.release(note("a", "edited")).to_json()))
    assert shown["schema"] == 1
    assert shown["lock"]["moved"] is True
    (forecast,) = shown["forecasts"]
    assert forecast["counts"] == {"new": 0, "updated": 1, "unchanged": 0, "retired": 1}
    assert {one["id"]: one["why"] for one in forecast["notes"]} == {"a": "", "b": "wrong"}
    assert {(package["upgrade"], package["notes"], package["cards"]) for package in shown["packages"]} == {
        (False, 1, 1),
        (True, 2, 1),
    }
    assert all(len(package["digest"]) == 64 for package in shown["packages"])


def test_should_not_report_an_earlier_tombstone_as_news(publisher: Publisher):
    publisher.release(note("a"), note("b"))
    retire(publisher.root, "b", "wrong")
    publisher.release(note("a"))
    report = publisher.release(note("a"))
    assert [one.id for one in report.forecasts[0].notes] == ["a"]
    assert [package.upgrade for package in report.packages] == [False, True]


def test_should_report_progress_to_the_end(publisher: Publisher):
    told: list[tuple[str, int, int]] = []
    publisher.release(
        *[note(f"n-{number}") for number in range(250)],
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert told == [("render en", 100, 250), ("render en", 200, 250), ("render en", 250, 250), ("write packages", 1, 1)]


def test_should_leave_a_deck_in_one_language_out_of_the_others_package(publisher: Publisher):
    report = publisher.release(
        deck("x", note("a")), deck("y", note("b"), note("c"), languages=("zh",)), languages=("en", "zh")
    )
    assert [package.notes for package in report.packages] == [1, 3]
