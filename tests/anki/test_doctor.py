"""Each kind of note that a collection can hold is told from the others, and the advice given for it works."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.anki.doctor import ADVICE, KINDS, TITLES, Report, examine
from llmdrills.anki.live import read_path
from llmdrills.cli.anki_view import doctor_text
from llmdrills.content.model import Deck, Note
from llmdrills.decks.build import BuildOptions, planned
from llmdrills.decks.lock import read_lock
from tests.helpers.anki_learner import ALWAYS, AnkiLearner
from tests.helpers.small_decks import Publisher, cloze, deck, note

NAMES = ("plain", "other", "third", "holes")


def the_notes(**changed: Note) -> tuple[Note, ...]:
    made = {**{name: note(name) for name in NAMES[:3]}, "holes": cloze("holes"), **changed}
    return tuple(made.values())


def look(publisher: Publisher, learner: AnkiLearner, *decks: Deck) -> Report:
    lock = read_lock(publisher.root)
    assert lock is not None
    options = BuildOptions(languages=("en",), release_time=publisher.time)
    released = [one for release in planned(publisher.workspace(*decks), options) for one in release.notes]
    guids = [line.guid for line in lock.notes.values()]
    return examine(lock, released, read_path(learner.file, guids))


@pytest.fixture
def basics(publisher: Publisher, learner: AnkiLearner) -> Deck:
    made = deck("basics", *the_notes())
    publisher.release(made)
    learner.take(publisher.package)
    return made


def kinds(report: Report, name: str = "") -> dict[str, str]:
    return {one.kind: one.details for one in report.states if not name or one.note == name}


def test_should_find_a_release_as_it_was_imported(publisher: Publisher, learner: AnkiLearner, basics: Deck) -> None:
    report = look(publisher, learner, basics)
    assert report.healthy
    assert kinds(report) == {"current": ""}
    assert (report.found, report.absent) == (4, ())


def test_should_not_mind_reviews_flags_and_suspension(publisher: Publisher, learner: AnkiLearner, basics: Deck) -> None:
    learner.review("plain")
    learner.flag("other")
    learner.suspend("third")
    assert kinds(look(publisher, learner, basics)) == {"current": ""}


def test_should_tell_an_older_release_and_lead_to_the_newer(
    publisher: Publisher, learner: AnkiLearner, basics: Deck
) -> None:
    newer = deck("basics", *the_notes(plain=note("plain", "Why?")))
    publisher.release(newer)
    assert kinds(look(publisher, learner, newer), "plain") == {"older": ""}
    assert learner.take(publisher.package).counts == (0, 1, 3, 0)
    assert look(publisher, learner, newer).healthy


def test_should_tell_an_edit_and_name_the_field(publisher: Publisher, learner: AnkiLearner, basics: Deck) -> None:
    learner.edit("plain", "<p>My own words</p>", field=1)
    report = look(publisher, learner, basics)
    assert kinds(report, "plain") == {"edited": "Back"}
    assert not report.healthy
    assert learner.take(publisher.package).counts == (0, 0, 4, 0)
    assert learner.take(publisher.package, notes=ALWAYS).counts == (0, 1, 3, 0)
    assert look(publisher, learner, basics).healthy


def test_should_tell_a_tag(publisher: Publisher, learner: AnkiLearner, basics: Deck) -> None:
    learner.tag("plain", "leech")
    assert kinds(look(publisher, learner, basics), "plain") == {"tagged": "leech"}


def test_should_tell_an_own_field_and_an_own_note_type(
    publisher: Publisher, learner: AnkiLearner, basics: Deck
) -> None:
    kind = learner.col.models.by_name("LLM Drills Question (en)")
    learner.col.models.add_field(kind, learner.col.models.new_field("Mine"))
    learner.col.models.update_dict(kind)
    assert {one.kind for one in look(publisher, learner, basics).states if one.note == "plain"} == {"own-field"}
    assert kinds(look(publisher, learner, basics), "plain") == {"own-field": "Mine"}
    assert kinds(look(publisher, learner, basics), "holes") == {"current": ""}
    learner.col.models.remove_field(kind, kind["flds"][-1])
    learner.col.models.update_dict(kind)
    basic = learner.col.models.by_name("Basic")
    nid = learner.nid("other")
    from anki.models import ChangeNotetypeRequest

    info = learner.col.models.change_notetype_info(old_notetype_id=kind["id"], new_notetype_id=basic["id"])
    request = ChangeNotetypeRequest()
    request.CopyFrom(info.input)
    request.note_ids.extend([nid])
    learner.col.models.change_notetype_of_notes(request)
    found = [one for one in look(publisher, learner, basics).states if one.note == "other"]
    assert [(one.kind, one.details) for one in found] == [("forked", "Basic")]


def test_should_tell_a_template_of_ones_own_from_surplus_cards(
    publisher: Publisher, learner: AnkiLearner, basics: Deck
) -> None:
    kind = learner.col.models.by_name("LLM Drills Question (en)")
    template = learner.col.models.new_template("Mine") | {"qfmt": "{{Back}}?", "afmt": "{{Front}}"}
    learner.col.models.add_template(kind, template)
    learner.col.models.update_dict(kind)
    assert len(learner.cards("plain")) == 2
    report = look(publisher, learner, basics)
    assert kinds(report, "plain") == {"own-field": "Mine"}
    newer = deck("basics", *the_notes(plain=note("plain", "Why?")))
    publisher.release(newer)
    assert len(learner.take(publisher.package).conflicting) == 3  # as the doctor said
    kind = learner.col.models.by_name("LLM Drills Question (en)")  # and now what it advises
    learner.col.models.remove_template(kind, kind["tmpls"][-1])
    learner.col.models.update_dict(kind)
    assert learner.take(publisher.package).counts == (0, 1, 3, 0)
    assert look(publisher, learner, newer).healthy


def test_should_not_take_a_renamed_field_for_one_of_ones_own(
    publisher: Publisher, learner: AnkiLearner, basics: Deck
) -> None:
    kind = learner.col.models.by_name("LLM Drills Question (en)")
    learner.col.models.rename_field(kind, next(one for one in kind["flds"] if one["name"] == "Back"), "Answer")
    learner.col.models.update_dict(kind)
    assert kinds(look(publisher, learner, basics)) == {"current": ""}
    learner.edit("plain", "<p>Mine</p>", field=1)
    assert kinds(look(publisher, learner, basics), "plain") == {"edited": "Back"}
    newer = deck("basics", *the_notes(other=note("other", "Why?")))
    publisher.release(newer)
    assert kinds(look(publisher, learner, newer), "other") == {"older": ""}
    assert learner.take(publisher.package).counts == (0, 1, 3, 0)  # Anki takes it for the same


def test_should_tell_a_retired_note_that_an_import_cannot_empty(
    publisher: Publisher, learner: AnkiLearner, basics: Deck
) -> None:
    from llmdrills.decks.files import prepare
    from llmdrills.decks.lock import lock_file

    kind = learner.col.models.by_name("LLM Drills Question (en)")
    learner.col.models.add_field(kind, learner.col.models.new_field("Mine"))
    learner.col.models.update_dict(kind)
    lock = read_lock(publisher.root)
    assert lock is not None
    prepare(lock_file(publisher.root), lock.retire("plain", "merged").text().encode()).commit()
    less = deck("basics", *the_notes()[1:])
    publisher.release(less)
    learner.take(publisher.upgrade)
    assert kinds(look(publisher, learner, less), "plain") == {"retired": "merged", "own-field": "Mine"}


def test_should_tell_a_moved_a_deleted_and_a_second_note(
    publisher: Publisher, learner: AnkiLearner, basics: Deck
) -> None:
    learner.move("plain", "Mine::ML")
    learner.delete("other")
    twin = learner.col.new_note(learner.col.models.by_name("LLM Drills Question (en)"))
    first = learner.col.get_note(learner.nid("third"))
    twin.fields, twin.guid = first.fields, first.guid
    learner.col.add_note(twin, learner.col.decks.id("Twins"))
    learner.col.db.execute("update notes set guid = ? where id = ?", first.guid, twin.id)
    report = look(publisher, learner, basics)
    assert kinds(report, "plain") == {"current": "", "moved": "Mine::ML"}
    assert kinds(report, "other") == {"missing": ""}
    assert kinds(report, "third")["twice"] == "2×"


def test_should_tell_cards_too_few_and_too_many(publisher: Publisher, learner: AnkiLearner, basics: Deck) -> None:
    learner.col.remove_cards_and_orphaned_notes([learner.cards("holes")[0]])
    assert kinds(look(publisher, learner, basics), "holes") == {"current": "", "cards": "−1"}
    learner.take(publisher.package)
    assert look(publisher, learner, basics).healthy
    shorter = deck("basics", *the_notes(holes=cloze("holes", "The {{c1::first}} alone")))
    publisher.release(shorter)
    learner.take(publisher.package)
    assert kinds(look(publisher, learner, shorter), "holes") == {"current": "", "cards": "+2"}
    learner.empty_cards(delete=True)
    assert look(publisher, learner, shorter).healthy


def test_should_tell_a_retired_note_until_it_is_gone(publisher: Publisher, learner: AnkiLearner, basics: Deck) -> None:
    from llmdrills.decks.files import prepare
    from llmdrills.decks.lock import lock_file

    lock = read_lock(publisher.root)
    assert lock is not None
    prepare(lock_file(publisher.root), lock.retire("plain", "merged").text().encode()).commit()
    less = deck("basics", *the_notes()[1:])
    publisher.release(less)
    assert kinds(look(publisher, learner, less), "plain") == {"retired": "merged"}
    learner.take(publisher.upgrade)
    assert kinds(look(publisher, learner, less), "plain") == {"emptied": "merged"}
    learner.empty_cards(delete=True)
    assert kinds(look(publisher, learner, less), "plain") == {}
    assert look(publisher, learner, less).healthy


def test_should_not_ask_for_a_language_that_is_not_there(tmp_path: Path, learner: AnkiLearner) -> None:
    publisher = Publisher(tmp_path / "both")
    basics = deck("basics", *the_notes())
    publisher.release(basics, languages=("en", "zh"))
    learner.take(publisher.package)
    report = look(publisher, learner, basics)
    assert (report.absent, report.healthy) == (("zh",), True)


def test_should_say_every_kind_in_both_languages() -> None:
    assert set(TITLES) == set(ADVICE) == set(KINDS)
    words = {"package": "p", "upgrade": "u", "language": "en", "example": "e"}
    for kind in KINDS:
        for text in (TITLES[kind], ADVICE[kind].format(**words)):
            assert text.en
            assert any("一" <= character <= "鿿" for character in text.zh)


def test_should_name_the_menus(publisher: Publisher, learner: AnkiLearner, basics: Deck) -> None:
    learner.edit("plain", "<p>My own words</p>")
    report = look(publisher, learner, basics)
    assert "File → Import, build/llmdrills-en.apkg, Update notes: Always" in doctor_text(report, "en")
    assert "文件 → 导入" in doctor_text(report, "zh")
    assert report.to_json()["counts"] == {"current": 3, "edited": 1}
