"""What is an author's own: languages, the root of the decks, name and style of the note types, topics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.lint import lint
from llmdrills.content.scaffold import copy_workspace, new_deck
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.lock import read_lock
from llmdrills.decks.preview.gallery import load_gallery
from llmdrills.decks.retire import retire_language
from llmdrills.errors import BuildError, ContentError
from llmdrills.paths import find_workspace
from tests.decks.test_retire import DECK
from tests.helpers.anki_learner import AnkiLearner

ONE = """\
deck: words
title: Wörter
notes:
  - id: w-one
    type: question
    topic: my-topic
    front: Was ist das?
    back: Ein Wort.
    sources: [A book]
"""


def begin(root: Path, file: str, deck: str = ONE) -> Path:
    (root / "decks").mkdir(parents=True, exist_ok=True)
    (root / "workspace.toml").write_text('namespace = "mine"\n' + file, "utf-8")
    (root / "decks/words.yaml").write_text(deck, "utf-8")
    return root


def packages(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "build").glob("*.apkg"))


def test_should_make_one_language_a_whole_product(tmp_path: Path, learner: AnkiLearner):
    root = tmp_path / "my notes"
    copy_workspace(None, root, languages=("en",))
    new_deck(root, "words")
    report = build(load_workspace(root), root / "build")
    assert packages(root) == ["llmdrills-en.apkg"]
    assert [forecast.language for forecast in report.forecasts] == ["en"]
    learner.take(root / "build" / "llmdrills-en.apkg")
    assert learner.deck_names() == {"my notes", "my notes::Words"}
    assert {card.language for card in load_gallery(root).cards} == {"en"}


def test_should_build_any_language_with_english_labels_and_an_authors_own_topic(tmp_path: Path, learner: AnkiLearner):
    root = begin(
        tmp_path / "w", 'languages = ["de"]\ndeck_root = "Meins"\n[topics]\nmy-topic = {en = "Mine", de = "Meines"}\n'
    )
    build(load_workspace(root), root / "build")
    assert packages(root) == ["llmdrills-de.apkg"]
    learner.take(root / "build" / "llmdrills-de.apkg")
    assert learner.deck_of("w-one") == "Meins::Wörter"
    asked = learner.question("w-one")
    assert 'lang="de"' in asked
    assert "Meines" in asked
    assert "Question" in asked
    assert learner.note_types() == {"LLM Drills Question (de)"}
    assert not build(load_workspace(root), root / "build").lock.stale


def test_should_keep_note_types_of_an_own_name_and_style_apart_from_the_shipped(tmp_path: Path, learner: AnkiLearner):
    root = begin(
        tmp_path / "w",
        'languages = ["en"]\nnote_type = "My Type"\ncss = "cards.css"\n[topics]\nmy-topic = "Mine"\n',
    )
    (root / "cards.css").write_text(".card { color: red; }")
    build(load_workspace(root), root / "build", BuildOptions(release_time=1_700_000_000))
    other = begin(
        tmp_path / "other", 'languages = ["en"]\n[topics]\nmy-topic = "Mine"\n', ONE.replace("w-one", "o-one")
    )
    (other / "workspace.toml").write_text((other / "workspace.toml").read_text().replace("mine", "other", 1))
    build(load_workspace(other), other / "build", BuildOptions(release_time=1_700_000_000))
    for one in (root, other):
        learner.take(one / "build" / "llmdrills-en.apkg")
    names = {one.name: learner.col.models.get(one.id)["css"] for one in learner.col.models.all_names_and_ids()}
    assert "color: red" in names["My Type Question (en)"]
    assert "color: red" not in names["LLM Drills Question (en)"]


def test_should_restyle_and_rename_released_note_types_in_place(tmp_path: Path, learner: AnkiLearner):
    root = begin(tmp_path / "w", 'languages = ["en"]\n[topics]\nmy-topic = "Mine"\n')
    build(load_workspace(root), root / "build", BuildOptions(release_time=1_700_000_000))
    learner.take(root / "build" / "llmdrills-en.apkg")
    learner.review("w-one")
    cards = learner.card_states()
    begin(root, 'languages = ["en"]\nnote_type = "My Type"\ncss = "cards.css"\n[topics]\nmy-topic = "Mine"\n')
    (root / "cards.css").write_text(".card { color: red; }")
    build(load_workspace(root), root / "build", BuildOptions(release_time=1_700_001_000))
    learner.take(root / "build" / "llmdrills-en.apkg")
    assert learner.card_states() == cards
    kinds = [one.name for one in learner.col.models.all_names_and_ids() if "Question" in one.name]
    assert kinds == ["My Type Question (en)"]
    assert "color: red" in learner.col.models.by_name(kinds[0])["css"]


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ('languages = ["english"]', "no list of languages"),
        ("languages = []", "no list of languages"),
        ('deck_root = "a{b}"', "no name for Anki"),
        ('css = "../x.css"', "`css` is"),
        ('css = "gone.css"', "cannot be read"),
        ('[topics]\n"Not a slug" = "x"', "no topic with a title"),
        ('languagez = ["en"]', "did you mean `languages`"),
        ("[waive]\nyes-no = 3", "no table of reasons"),
    ],
)
def test_should_say_what_is_wrong_with_the_workspace_file(tmp_path: Path, file: str, what: str):
    root = begin(tmp_path, file + "\n", ONE.replace("my-topic", "systems"))
    with pytest.raises(ContentError) as caught:
        load_workspace(root)
    assert what in str(caught.value)


def test_should_retire_what_a_deck_had_in_a_language_that_it_drops(tmp_path: Path, learner: AnkiLearner):
    (tmp_path / "decks").mkdir()
    file = tmp_path / "decks/basics.yaml"
    file.write_text(DECK, "utf-8")
    build(load_workspace(tmp_path), tmp_path / "build", BuildOptions(release_time=1_700_000_000))
    learner.take(tmp_path / "build" / "llmdrills-zh.apkg")
    with pytest.raises(BuildError, match="the deck is still written in 'zh'"):
        retire_language(tmp_path, "basics", "zh", "English only")
    english = DECK.replace(", zh: 基础", "").replace(", zh: 什么是 a？", "").replace("      zh: 答案。\n", "")
    english = english.replace(", zh: 什么是 b？", "").replace(", zh: 答案。", "")
    file.write_text(english.replace("notes:", "languages: [en]\nnotes:"), "utf-8")
    with pytest.raises(BuildError, match="llmdrills retire basics --in zh"):
        build(load_workspace(tmp_path), tmp_path / "build")
    retire_language(tmp_path, "basics", "zh", "English only")
    report = build(load_workspace(tmp_path), tmp_path / "build", BuildOptions(release_time=1_700_001_000))
    assert {one.language: one.count("retired") for one in report.forecasts} == {"en": 0, "zh": 2}
    assert packages(tmp_path) == ["llmdrills-en.apkg", "llmdrills-zh-upgrade.apkg"]
    learner.take(tmp_path / "build" / "llmdrills-zh-upgrade.apkg")
    assert len(learner.empty_cards()) == 2
    lock = read_lock(tmp_path)
    assert lock
    assert {line.language: line.retired for line in lock.notes.values()} == {"en": "", "zh": "English only"}


def test_should_drop_a_language_from_a_deck_into_which_a_note_was_moved(tmp_path: Path):
    (tmp_path / "decks").mkdir()
    first, second = tmp_path / "decks/basics.yaml", tmp_path / "decks/others.yaml"
    head, one, other = re.split(r"(?m)^  # About .*$", DECK)
    first.write_text(head + one + other, "utf-8")
    build(load_workspace(tmp_path), tmp_path / "build", BuildOptions(release_time=1_700_000_000))
    first.write_text(head + one, "utf-8")
    english = re.sub(", zh: [^}]*", "", head.replace("basics", "others") + other)
    second.write_text(english.replace("notes:", "languages: [en]\nnotes:"), "utf-8")
    retire_language(tmp_path, "others", "zh", "English only")
    build(load_workspace(tmp_path), tmp_path / "build", BuildOptions(release_time=1_700_001_000))
    lock = read_lock(tmp_path)
    assert lock
    assert {key: line.retired for key, line in lock.notes.items()} == {
        ("a", "en"): "",
        ("a", "zh"): "",
        ("b", "en"): "",
        ("b", "zh"): "English only",
    }


@pytest.mark.parametrize("name", ["more.yml", "sub/more.yaml"])
def test_should_never_build_the_shipped_decks_where_an_authors_own_are_not_read(tmp_path: Path, name: str):
    root = begin(tmp_path, "", ONE.replace("my-topic", "systems").replace("notes:", "languages: [de]\nnotes:"))
    other = root / "decks" / name
    other.parent.mkdir(exist_ok=True)
    other.write_text("deck: more")
    assert [one.rule for one in lint(load_workspace(root)) if "more" in str(one.file)] == ["unread-deck"]
    (root / "workspace.toml").write_text('namespace = "mine"\n[waive]\nunread-deck = "a draft"\n')
    assert [one for one in lint(load_workspace(root)) if one.rule == "unread-deck"] == []
    (root / "decks/words.yaml").unlink()
    assert find_workspace(None, root / "decks") == root.resolve()
    with pytest.raises(ContentError) as caught:
        load_workspace(root)
    assert "this file is not read: decks are the files decks/NAME.yaml" in str(caught.value)
