"""One test for each rule by which Anki treats a re-imported package, named as the rule. docs/decks.md lists them.

They are what the promises of the decks stand on: where a new Anki breaks one, the promise has to be looked at again.
"""

from __future__ import annotations

import dataclasses
import time
import zipfile
from pathlib import Path

import genanki
import pytest

from llmdrills.decks.lock import read_lock
from llmdrills.decks.notetypes import Field, NoteTypeSpec, Template, note_types
from llmdrills.decks.package import PackageDeck, PackageNote, package_bytes
from llmdrills.language import Language
from tests.helpers.anki_learner import ALWAYS, AnkiLearner
from tests.helpers.small_decks import Publisher, cloze, deck, note

HOUR = 3600


def changed(**changes: object):
    """Our note types with the question type changed."""

    def types(language: Language) -> dict:
        specs = dict(note_types(language))
        specs["question"] = dataclasses.replace(specs["question"], **changes)
        return specs

    return types


def with_field(spec: NoteTypeSpec) -> NoteTypeSpec:
    return dataclasses.replace(spec, fields=(*spec.fields, Field(499999, "Another")))


def raw_package(path: Path, spec: NoteTypeSpec, *notes: tuple[str, int, str], mtime: int, deck_name: str = "D") -> Path:
    """A package written without any of our care: (guid, mtime, front) by note."""
    home = PackageDeck(1_600_000_000_001, deck_name, "")
    made = [
        PackageNote(guid, 1_690_000_000_000 + i, mod, spec, home, (front, *[""] * (len(spec.fields) - 1)), (), (0,), i)
        for i, (guid, mod, front) in enumerate(notes)
    ]
    path.write_bytes(package_bytes(made, {spec.id: mtime}, {}))
    return path


def spec_named(*fields: str, model: int = 1790000000001, name: str = "Raw", ids: bool = True) -> NoteTypeSpec:
    return NoteTypeSpec(
        model,
        name,
        False,
        tuple(Field(900 + i, field) for i, field in enumerate(fields)),
        (Template(950, "Card 1", "{{" + fields[0] + "}}", "{{" + fields[-1] + "}}"),),
        "",
    )


def test_should_follow_rule_1_notes_are_matched_by_guid_alone(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a", "Old text"))
    assert learner.take(publisher.package).counts == (1, 0, 0, 0)
    nid = learner.nid("a")
    publisher.release(note("a", "Quite another text", "and answer"))
    assert learner.take(publisher.package).counts == (0, 1, 0, 0)
    assert learner.nid("a") == nid
    assert "Quite another text" in learner.question("a")


def test_should_follow_rule_1_a_guid_that_stands_twice_in_a_package_adds_both(tmp_path: Path, learner: AnkiLearner):
    learner.take(raw_package(tmp_path / "p.apkg", spec_named("F"), ("same", 1, "x"), ("same", 1, "y"), mtime=1))
    assert learner.col.note_count() == 2


def test_should_follow_rule_1_a_note_that_the_learner_deleted_comes_back(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"), note("b"))
    learner.take(publisher.package)
    learner.delete("a")
    assert learner.take(publisher.package).counts == (1, 0, 1, 0)


def test_should_follow_rule_2_only_a_strictly_greater_mtime_updates(tmp_path: Path, learner: AnkiLearner):
    spec = spec_named("F")
    learner.take(raw_package(tmp_path / "p.apkg", spec, ("g", 1000, "first"), mtime=1))
    same = raw_package(tmp_path / "q.apkg", spec, ("g", 1000, "second"), mtime=1)
    assert learner.take(same).counts == (0, 0, 1, 0)
    assert learner.take(same, notes=ALWAYS).counts == (0, 0, 1, 0)  # even then: the times are equal
    later = raw_package(tmp_path / "r.apkg", spec, ("g", 1001, "third"), mtime=1)
    assert learner.take(later).counts == (0, 1, 0, 0)
    assert learner.notes()["g"].fields[0] == "third"


def test_should_follow_rule_3_an_update_replaces_all_fields_and_all_tags(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"))
    learner.take(publisher.package)
    learner.edit("a", "my own words", field=1)
    learner.tag("a", "mine")
    publisher.release(note("a", "New"), release_time=int(time.time()) + HOUR)
    assert learner.take(publisher.package).counts == (0, 1, 0, 0)
    (state,) = learner.notes().values()
    assert "mine" not in state.tags
    assert state.fields[1] == "<p>an answer</p>"


@pytest.mark.parametrize("act", ["edit", "tag"])
def test_should_follow_rule_4_an_edit_or_a_tag_sets_the_mtime_and_an_older_update_is_skipped(
    publisher: Publisher, learner: AnkiLearner, act: str
):
    publisher.release(note("a"))
    learner.take(publisher.package)
    learner.edit("a", "mine") if act == "edit" else learner.tag("a", "leech")
    before = learner.notes()
    publisher.release(note("a", "New"))  # released before the learner's edit
    assert learner.take(publisher.package).counts == (0, 0, 1, 0)
    assert learner.notes() == before


def test_should_follow_rule_4_suspending_flagging_and_reviewing_leave_the_mtime_alone(
    publisher: Publisher, learner: AnkiLearner
):
    publisher.release(note("a"))
    learner.take(publisher.package)
    learner.review("a")
    learner.suspend("a")
    learner.flag("a")
    publisher.release(note("a", "New"))
    assert learner.take(publisher.package).counts == (0, 1, 0, 0)
    assert "New" in learner.question("a")


def test_should_follow_rule_5_an_existing_card_is_never_touched(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"), note("b"))
    learner.take(publisher.package)
    learner.review("a")
    learner.flag("a", 3)
    learner.move("a", "Mine")
    learner.suspend("b")
    cards, reviews = learner.card_states(), learner.reviews()
    publisher.release(note("b", "New b"), note("a", "New a"))
    assert learner.take(publisher.package).counts == (0, 2, 0, 0)
    assert learner.card_states() == cards
    assert learner.reviews() == reviews


def test_should_follow_rule_5_a_new_template_adds_cards_to_an_unchanged_note(
    publisher: Publisher, learner: AnkiLearner
):
    """The reserved template: it makes a card once `Reserved3` says something."""
    publisher.release(note("a"))
    learner.take(publisher.package)
    spec = note_types("en")["question"]
    lock = read_lock(publisher.root)
    assert lock
    line = lock.notes["a", "en"]
    fields = ("front", *[""] * (len(spec.fields) - 2), "reverse")
    home = PackageDeck(1, "LLM Drills::Basics", "")
    again = PackageNote(line.guid, line.nid, line.mtime, spec, home, fields, (), (0, 1), 0)
    path = publisher.root / "raw.apkg"
    path.write_bytes(package_bytes([again], {spec.id: publisher.time}, {}))
    assert learner.take(path).counts == (0, 0, 1, 0)
    assert learner.col.card_count() == 2


def test_should_follow_rule_5_a_dropped_cloze_leaves_its_card_to_empty_cards(
    publisher: Publisher, learner: AnkiLearner
):
    publisher.release(cloze("c", "{{c1::x}} {{c2::y}}"))
    learner.take(publisher.package)
    report = publisher.release(cloze("c", "{{c1::x}} y"))
    learner.take(publisher.package)
    _, second = learner.cards("c")
    assert learner.empty_cards() == {second}
    (forecast,) = report.forecasts[0].notes
    assert (forecast.cards_added, forecast.cards_emptied) == (0, 1)


def test_should_follow_rule_6_cards_arrive_new_in_the_order_of_the_deck(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("c"), note("a"), note("b"))
    learner.take(publisher.package)
    rows = learner.col.db.all("select n.flds, c.type, c.queue from cards c join notes n on n.id = c.nid order by c.due")
    assert [row[0].split("\x1f")[0] for row in rows] == [f"<p>What is {slug}?</p>" for slug in "cab"]
    assert all(row[1:] == [0, 0] for row in rows)


def test_should_follow_rule_7_decks_are_matched_by_name(publisher: Publisher, learner: AnkiLearner):
    publisher.release(deck("basics", note("a"), title="Old name"))
    learner.take(publisher.package)
    report = publisher.release(deck("basics", note("a", "new"), note("b"), title="New name"))
    learner.take(publisher.package)
    assert learner.deck_of("a") == "LLM Drills::Old name"
    assert learner.deck_of("b") == "LLM Drills::New name"
    assert report.forecasts[0].decks[0].renamed_from == "LLM Drills::Old name"


def test_should_follow_rule_7_the_description_is_replaced_by_a_new_one_and_the_preset_is_kept(
    publisher: Publisher, learner: AnkiLearner
):
    publisher.release(note("a"))
    learner.take(publisher.package)
    name = "LLM Drills::Basics"
    found = learner.col.decks.by_name(name)
    preset = learner.col.decks.add_config_returning_id("mine")
    found["conf"], found["desc"] = preset, "old words"
    learner.col.decks.save(found)
    publisher.release(note("a"))
    learner.take(publisher.package)
    found = learner.col.decks.by_name(name)
    assert (found["conf"], found["desc"]) == (preset, "About basics")


def test_should_follow_rule_8_a_note_missing_from_the_package_stays(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"), note("b"))
    learner.take(publisher.package)
    lock = read_lock(publisher.root)
    assert lock
    (publisher.root / "decks" / "deck.lock").write_text(lock.retire("b", "wrong").text())
    before = learner.notes()
    publisher.release(note("a"))
    assert learner.take(publisher.package).counts == (0, 0, 1, 0)
    assert learner.notes() == before


def test_should_follow_rule_9_fields_are_matched_by_id_where_both_sides_have_ids(
    publisher: Publisher, learner: AnkiLearner
):
    publisher.release(note("a"))
    learner.take(publisher.package)
    spec = note_types("en")["question"]
    fields = tuple(Field(f.id, f"{f.name}X") if f.name == "Reserved1" else f for f in spec.fields)
    schema = learner.schema()
    publisher.release(note("a"), types=changed(fields=fields, name="Another name", css=".card { color: red }"))
    learner.take(publisher.package)
    assert learner.schema() == schema
    names = {one.name for one in learner.col.models.all_names_and_ids()}
    assert "Another name" in names
    assert spec.name not in names
    assert "Reserved1X" in [field["name"] for field in learner.col.models.get(spec.id)["flds"]]


def test_should_follow_rule_10_a_newer_style_is_taken_without_a_full_sync(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"))
    learner.take(publisher.package)
    schema = learner.schema()
    spec = note_types("en")["question"]
    front = Template(spec.templates[0].id, "Card 1", "{{^Retired}}restyled {{Front}}{{/Retired}}", "{{Back}}")
    report = publisher.release(
        note("a"), types=changed(css=".card { color: red }", templates=(front, spec.templates[1]))
    )
    assert learner.take(publisher.package).counts == (0, 0, 1, 0)
    assert learner.schema() == schema
    assert "restyled" in learner.question("a")
    assert "color: red" in learner.col.get_card(learner.cards("a")[0]).question()
    assert [(kind.change, kind.verdict) for kind in report.forecasts[0].note_types] == [("restyled", "safe")]


def test_should_follow_rule_11_another_schema_forks_the_note_type_and_its_notes_conflict(
    publisher: Publisher, learner: AnkiLearner
):
    publisher.release(note("a"))
    learner.take(publisher.package)
    types = changed(fields=with_field(note_types("en")["question"]).fields)
    report = publisher.release(note("a", "edited"), note("b"), types=types)
    (forecast,) = report.forecasts[0].note_types
    assert forecast.verdict == "needs-option"
    assert forecast.settings
    assert "Merge note types: on" in forecast.settings.en
    log = learner.take(publisher.package)
    assert log.counts == (1, 0, 0, 1)
    assert learner.note_types() == {"LLM Drills Question (en)", "LLM Drills Question (en)+"}


def test_should_follow_rule_12_merging_skips_all_edits_unless_notes_are_updated_always(
    publisher: Publisher, tmp_path: Path
):
    publisher.release(note("a"))
    careless, careful = AnkiLearner(tmp_path / "careless"), AnkiLearner(tmp_path / "careful")
    try:
        careless.take(publisher.package)
        careful.take(publisher.package)
        types = changed(fields=with_field(note_types("en")["question"]).fields)
        publisher.release(note("a", "edited"), types=types)
        assert careless.take(publisher.package, merge=True).counts == (0, 0, 1, 0)
        assert "edited" not in careless.question("a")
        assert careful.take(publisher.package, merge=True, notes=ALWAYS).counts == (0, 1, 0, 0)
        assert "edited" in careful.question("a")
        assert careful.note_types() == {"LLM Drills Question (en)"}
    finally:
        careless.close()
        careful.close()


def test_should_follow_rule_13_a_field_with_an_id_is_renamed_in_place(publisher: Publisher, learner: AnkiLearner):
    """How a reserved field is put to use."""
    publisher.release(note("a"))
    learner.take(publisher.package)
    learner.review("a")
    schema, cards = learner.schema(), learner.card_states()
    spec = note_types("en")["question"]
    fields = tuple(Field(f.id, "Mnemonic") if f.name == "Reserved1" else f for f in spec.fields)
    templates = (
        dataclasses.replace(spec.templates[0], front="{{^Retired}}{{Front}} {{Mnemonic}}{{/Retired}}"),
        spec.templates[1],
    )
    report = publisher.release(note("a"), types=changed(fields=fields, templates=templates))
    learner.take(publisher.package)
    assert [(kind.change, kind.verdict) for kind in report.forecasts[0].note_types] == [("renamed", "safe")]
    assert learner.schema() == schema
    assert learner.card_states() == cards
    assert "Mnemonic" in [f["name"] for f in learner.col.models.by_name(spec.name)["flds"]]


@pytest.mark.parametrize("change", ["removed", "reordered"])
def test_should_follow_rule_13_removing_or_reordering_fields_forks(
    publisher: Publisher, learner: AnkiLearner, change: str
):
    publisher.release(note("a"))
    learner.take(publisher.package)
    fields = note_types("en")["question"].fields
    fields = fields[:-1] if change == "removed" else (*fields[:-2], fields[-1], fields[-2])
    spec = note_types("en")["question"]
    templates = (
        spec.templates[0],
        Template(spec.templates[1].id, "Reserved", "{{#Reserved2}}{{Reserved2}}{{/Reserved2}}", ""),
    )
    report = publisher.release(note("a", "edited"), types=changed(fields=fields, templates=templates))
    assert report.forecasts[0].note_types[0].verdict == "needs-option"
    assert learner.take(publisher.package).counts == (0, 0, 0, 1)


def test_should_follow_rule_13_another_sort_field_asks_for_a_full_sync_and_skips_edits(
    publisher: Publisher, learner: AnkiLearner
):
    publisher.release(note("a"))
    learner.take(publisher.package)
    schema = learner.schema()
    report = publisher.release(note("a", "edited"), types=changed(sort_field=1))
    assert report.forecasts[0].note_types[0].verdict == "needs-option"
    learner.take(publisher.package)
    assert learner.schema() != schema
    assert "edited" not in learner.question("a")


def test_should_follow_rule_13_another_note_type_id_conflicts(tmp_path: Path, learner: AnkiLearner):
    learner.take(raw_package(tmp_path / "p.apkg", spec_named("F"), ("g", 1000, "x"), mtime=1))
    other = spec_named("F", model=1790000000002)
    assert learner.take(raw_package(tmp_path / "q.apkg", other, ("g", 2000, "y"), mtime=2)).counts == (0, 0, 0, 1)


def test_should_follow_rule_14_a_name_collision_on_first_import_adds_a_plus_and_stamps_now(
    tmp_path: Path, learner: AnkiLearner
):
    mine = learner.col.models.new("Raw")
    learner.col.models.add_field(mine, learner.col.models.new_field("F"))
    template = learner.col.models.new_template("Card 1")
    template["qfmt"] = "{{F}}"
    learner.col.models.add_template(mine, template)
    learner.col.models.add(mine)
    spec = spec_named("F")
    learner.take(raw_package(tmp_path / "p.apkg", spec, ("g", 1000, "x"), mtime=1000))
    assert "Raw+" in {one.name for one in learner.col.models.all_names_and_ids()}
    restyled = dataclasses.replace(spec, css=".card { color: red }")
    learner.take(raw_package(tmp_path / "q.apkg", restyled, ("g", 1000, "x"), mtime=2000))
    assert "color: red" not in learner.col.models.get(spec.id)["css"]


def test_should_follow_rule_15_media_names_hold_a_hash_so_that_a_new_figure_is_seen(
    publisher: Publisher, learner: AnkiLearner
):
    figures = publisher.root / "decks" / "figures"
    figures.mkdir()
    (figures / "plot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><title>one</title></svg>")
    publisher.release(note("a", figure="plot"))
    learner.take(publisher.package)
    (figures / "plot.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><title>two</title></svg>")
    publisher.release(note("a", figure="plot"))
    assert learner.take(publisher.package).counts == (0, 1, 0, 0)
    shown = learner.sides(learner.cards("a")[0])[1]
    (name,) = [one for one in Path(learner.col.media.dir()).iterdir() if one.name in shown]
    assert "two" in name.read_text()


def test_should_follow_rule_16_ids_more_than_a_day_ahead_are_rewritten_so_such_a_release_is_refused(
    publisher: Publisher,
):
    from llmdrills.errors import SettingError

    with pytest.raises(SettingError, match="more than a day ahead"):
        publisher.release(note("a"), release_time=int(time.time()) + 3 * 24 * HOUR)


def test_should_follow_rule_16_our_ids_arrive_as_they_are(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"), note("b"), release_time=int(time.time()))
    learner.take(publisher.package)
    lock = read_lock(publisher.root)
    assert lock
    assert {line.nid for line in lock.notes.values()} == {state.nid for state in learner.notes().values()}


def test_should_follow_rule_17_one_import_is_one_undo(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"), note("b"))
    learner.take(publisher.package)
    learner.col.undo()
    assert learner.col.note_count() == 0


def test_should_follow_rule_18_the_legacy_collection_file_is_read(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"))
    with zipfile.ZipFile(publisher.package) as archive:
        assert archive.namelist() == ["collection.anki2", "media"]
    assert learner.take(publisher.package).counts == (1, 0, 0, 0)


def test_should_follow_rule_18_a_guid_made_of_the_fields_would_make_a_typo_fix_a_new_note(
    tmp_path: Path, learner: AnkiLearner
):
    """Why our guids are made of ids: this is what genanki does by default."""
    model = genanki.Model(
        1790000000003, "Stock", fields=[{"name": "F"}], templates=[{"name": "C", "qfmt": "{{F}}", "afmt": ""}]
    )
    for text in ("teh", "the"):
        home = genanki.Deck(1_600_000_000_002, "Stock")
        home.add_note(genanki.Note(model, [text]))
        genanki.Package(home).write_to_file(tmp_path / f"{text}.apkg")
        learner.take(tmp_path / f"{text}.apkg")
    assert learner.col.note_count() == 2


def test_should_make_the_card_of_a_template_that_is_gated_by_a_field(publisher: Publisher, learner: AnkiLearner):
    """genanki's own guess at the fields a card needs would write the note without any card."""
    publisher.release(note("a"), cloze("c", "{{c1::x}}"))
    assert learner.take(publisher.package).counts == (2, 0, 0, 0)
    assert learner.col.card_count() == 2


def test_should_not_let_a_note_change_its_type(publisher: Publisher):
    from llmdrills.errors import BuildError

    publisher.release(note("a"))
    with pytest.raises(BuildError, match="'a' was a question and is now a cloze"):
        publisher.release(cloze("a"))


def test_should_refuse_a_note_type_with_another_id(publisher: Publisher):
    from llmdrills.errors import BuildError

    publisher.release(note("a"))
    with pytest.raises(BuildError, match="another id"):
        publisher.release(note("a"), types=changed(id=1790000000009))
