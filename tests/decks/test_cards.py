"""The cards of real packages in the real Anki: counts, decks, both sides rendered, both languages."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build
from llmdrills.language import LANGUAGES, Language
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.clozes import CLOZES
from tests.helpers.small_decks import Publisher, checklist, cloze, note, number, one_of_each

# What Anki writes on a card whose template or field it cannot use.
FAULTS = re.compile(r"front of this card is blank|No cloze|found on card|templates/errors|\{\{(?:c\d+::|[#^/]|[A-Z])")


@pytest.fixture
def shipped(root: Path, tmp_path: Path):
    """The shipped workspace, built elsewhere: its own lock must not move."""
    workspace = load_workspace(root)
    return workspace, build(workspace, tmp_path / "build", BuildOptions(read_only_content=True)), tmp_path / "build"


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_render_every_shipped_card_without_a_fault(shipped, learner: AnkiLearner, language: Language):
    workspace, report, folder = shipped
    log = learner.take(folder / f"llmdrills-{language}.apkg")
    (package,) = [one for one in report.packages if one.language == language and not one.upgrade]
    assert log.counts == (package.notes, 0, 0, 0)
    assert learner.col.note_count() == package.notes >= len(workspace.notes)
    assert learner.col.card_count() == package.cards
    assert not learner.empty_cards()
    for card in learner.col.find_cards(""):
        question, answer = learner.sides(card)
        for side in (question, answer):
            shown = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", side, flags=re.DOTALL)
            assert not FAULTS.search(shown), shown
            assert "[[" not in re.sub(r"\[\[type:Answer\]\]", "", shown)
            assert "$" not in re.sub(r"\\[(\[].*?\\[)\]]", "", shown, flags=re.DOTALL), shown
        assert len(answer) > len(re.sub(r"<details>.*</details>", "", question, flags=re.DOTALL))


def test_should_find_the_shipped_lock_up_to_date(root: Path, tmp_path: Path):
    """Whoever edits decks/ or drills/ commits the lock too. Holds with the pinned libraries."""
    report = build(load_workspace(root), tmp_path / "build", BuildOptions(frozen=True))
    assert not report.lock.stale


def test_should_name_shipped_decks_in_their_language(shipped, learner: AnkiLearner):
    workspace, _, folder = shipped
    for language in LANGUAGES:
        learner.take(folder / f"llmdrills-{language}.apkg")
        for deck in workspace.decks:
            assert f"LLM Drills::{deck.title[language]}" in learner.deck_names()


def test_should_let_both_languages_live_in_one_collection(publisher: Publisher, learner: AnkiLearner):
    publisher.release(*one_of_each(), languages=LANGUAGES)
    for language in LANGUAGES:
        log = learner.take(publisher.root / "build" / f"llmdrills-{language}.apkg")
        assert log.counts == (5, 0, 0, 0)
    assert learner.col.card_count() == 12
    assert len(learner.note_types()) == 10


def test_should_show_on_each_type_what_it_is_for(publisher: Publisher, learner: AnkiLearner):
    publisher.release(*one_of_each())
    learner.take(publisher.package)
    sides = {
        slug: learner.sides(learner.cards(slug)[0]) for slug in ("plain", "holes", "steps", "typed", "wrong-kernel")
    }
    assert "an answer" not in sides["plain"][0]
    assert "an answer" in sides["plain"][1]
    assert ">[...]</span>" in sides["holes"][0]
    assert sides["steps"][0].count("<details><summary>Item") == 3
    assert "<li>two</li>" in sides["steps"][1]
    assert "[[type:Answer]]" in sides["typed"][0]
    assert "within 1 %" in sides["typed"][0]
    assert "<b>42</b> bytes" in sides["typed"][1]
    assert "Spot the bug" in sides["wrong-kernel"][0]
    for _, answer in sides.values():
        assert '<a href="https://example.org/paper">A paper</a>' in answer
        assert "Transformer" in answer


def test_should_write_labels_in_the_language_of_the_package(publisher: Publisher, learner: AnkiLearner):
    publisher.release(*one_of_each(), languages=("zh",))
    learner.take(publisher.root / "build" / "llmdrills-zh.apkg")
    question, answer = learner.sides(learner.cards("typed")[0])
    assert 'lang="zh-CN"' in question
    assert "误差不超过 1 %" in question
    assert "来源：" in answer
    assert "Sources" not in answer


@pytest.mark.parametrize("name", CLOZES)
def test_should_hide_exactly_what_the_author_hid(publisher: Publisher, learner: AnkiLearner, name: str):
    source = CLOZES[name].source
    publisher.release(cloze("c", source))
    learner.take(publisher.package)
    cards = learner.cards("c")
    assert len(cards) == len(set(re.findall(r"\{\{c(\d)::", source)))
    for card in cards:
        question, answer = learner.sides(card)
        shown = answer.split('class="prompt">')[1].split("<hr")[0]
        assert not FAULTS.search(question)
        # Nothing is lost and nothing is left over: braces that were syntax are gone, the others are there.
        assert unescape(re.sub(r"<[^>]*>", "", shown)).strip() == CLOZES[name].shown


def test_should_update_exactly_the_edited_note_in_place(publisher: Publisher, learner: AnkiLearner):
    notes = one_of_each()
    publisher.release(*notes)
    learner.take(publisher.package)
    nid, others = learner.nid("plain"), learner.notes()
    report = publisher.release(note("plain", "Edited"), *notes[1:])
    log = learner.take(publisher.package)
    assert log.counts == (0, 1, 4, 0)
    assert log.updated == {nid}
    assert [one.id for one in report.forecasts[0].notes if one.status == "updated"] == ["plain"]
    now = learner.notes()
    assert {guid for guid in now if now[guid] != others[guid]} == {
        guid for guid, state in now.items() if state.nid == nid
    }


def test_should_report_a_cloze_that_hides_nothing_with_its_place(publisher: Publisher):
    from llmdrills.errors import BuildError

    with pytest.raises(BuildError, match=r"decks/test\.yaml:1:1: the cloze 'c' hides nothing"):
        publisher.release(cloze("c", "nothing hidden"))


def test_should_tag_topic_type_kata_and_readiness_items(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a", tags=("two words", "plain"), kata="rope-pairing", proves=("ready-moe",)))
    learner.take(publisher.package)
    (state,) = learner.notes().values()
    assert set(state.tags) == {
        "two-words",
        "plain",
        "llmdrills::topic::transformer",
        "llmdrills::type::question",
        "llmdrills::kata::rope-pairing",
        "llmdrills::proves::ready-moe",
    }


def test_should_keep_the_tolerance_of_a_number_in_words(publisher: Publisher, learner: AnkiLearner):
    publisher.release(number("n", "8192", "exact"), number("m", "3.5", "0.5"), checklist("c"))
    learner.take(publisher.package)
    assert "Tolerance: exact" in learner.question("n")
    assert "Tolerance: within 0.5" in learner.question("m")


def test_should_leave_nothing_for_ankis_own_database_check_to_fix(publisher: Publisher, learner: AnkiLearner):
    publisher.release(*one_of_each())
    learner.take(publisher.package)
    learner.review("holes")
    publisher.release(note("plain", "Edited"), *one_of_each()[1:])
    learner.take(publisher.package)
    before = (learner.notes(), learner.card_states())
    report, sound = learner.col.fix_integrity()
    assert sound
    assert report == "Database rebuilt and optimized."
    assert (learner.notes(), learner.card_states()) == before
    assert not learner.col.media.check().missing
