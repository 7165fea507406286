"""`llmdrills anki …` as a learner runs it, on the real collection."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.helpers.anki_learner import AnkiLearner

READINESS = """\
deck: readiness
title: {en: Readiness, zh: 自查}
notes:
  - id: ready-scale
    type: checklist
    topic: transformer
    front: {en: Explain the scale., zh: 解释缩放。}
    items:
      - {en: variance, zh: 方差}
      - {en: softmax, zh: softmax 饱和}
    sources: [{title: A book, url: "https://example.org/book"}]
"""


@pytest.fixture
def studied(run, small: Path, learner: AnkiLearner) -> Path:
    """A workspace whose package was imported and reviewed for some weeks."""
    (small / "decks" / "readiness.yaml").write_text(READINESS)
    deck = small / "decks" / "small.yaml"
    deck.write_text(deck.read_text() + "    proves: [ready-scale]\n")
    assert run("build", cwd=small).code == 0
    learner.col.set_config("fsrs", True)
    for language in ("en", "zh"):
        learner.take(small / "build" / f"llmdrills-{language}.apkg")
    for days in (0, 3, 9):
        learner.pass_days(days)
        learner.review_due()
    learner.review("scale")
    learner.review("ready-scale")
    return small


def test_should_import_and_answer_readiness(run, studied: Path, learner: AnkiLearner) -> None:
    first = run("readiness", "--json", cwd=studied).json
    assert (first["items"][0]["state"], first["items"][0]["notes_reviewed"]) == ("not-shown", None)
    assert "llmdrills anki import" in run("readiness", cwd=studied).out
    done: Ran = run("anki", "import", learner.file, cwd=studied)
    assert done.code == 0
    assert "6 of your notes are there, 6 of them reviewed" in done.out  # four are spot-the-bug notes of the kata
    said = run("readiness", "--json", cwd=studied).json["items"][0]
    assert (said["state"], said["notes_recalled"], said["shown"]) == ("ready", 2, True)
    assert "2 of 2 notes recalled in Anki" in run("readiness", cwd=studied).out
    assert "2 条" in run("readiness", "--lang", "zh", cwd=studied).out
    again = run("anki", "import", learner.export(studied / "c.colpkg"), "--json", cwd=studied).json
    assert (again["schema"], again["new"], again["remembered"], again["reviewed"]) == (1, 0, 0, 6)
    assert "6 notes reviewed in Anki" in run("stats", cwd=studied).out
    assert run("stats", "--json", cwd=studied).json["notes"]["notes"] == 6
    assert run("report", "page.html", "--lang", "zh", cwd=studied).code == 0
    assert "Anki 中记得的笔记" in (studied / "page.html").read_text("utf-8")


def test_should_say_where_nothing_is_ours(run, small: Path, learner: AnkiLearner) -> None:
    done = run("anki", "import", learner.file.parent, cwd=small)
    assert (done.code, done.out) == (0, "")
    assert "None of the notes there (0)" in done.err
    assert "工作区" in run("anki", "import", learner.file, "--lang", "zh", cwd=small).err


@pytest.mark.parametrize("words", [(), ("a.apkg", "--live"), ("missing.colpkg",), ("--live",)])
def test_should_say_what_is_missing(run, small: Path, words: tuple[str, ...]) -> None:
    env = {"LLMDRILLS_ANKI_URL": "http://127.0.0.1:9"}
    english, chinese = (run("anki", "import", *words, "--lang", lang, cwd=small, env=env) for lang in ("en", "zh"))
    assert english.code == chinese.code == 2
    assert english.err != chinese.err
    assert any("一" <= character <= "鿿" for character in chinese.err)


def edit(learner: AnkiLearner, old: str, new: str) -> None:
    note = learner.col.get_note(learner.col.find_notes("NoteId:scale note:*en*")[0])
    note.fields[1] = note.fields[1].replace(old, new)
    learner.col.update_note(note)


def test_should_pull_after_a_look_only(run, studied: Path, learner: AnkiLearner) -> None:
    deck = studied / "decks" / "small.yaml"
    before = deck.read_text()
    checked = run("check", "--quick", cwd=studied).out
    edit(learner, "variance", "spread")
    shown = run("anki", "pull", learner.file, cwd=studied)
    assert shown.code == 0
    assert "+    back: {en: To keep the spread at 1.," in shown.out
    assert "Nothing was written" in shown.err
    assert deck.read_text() == before
    assert "没有写入" in run("anki", "pull", learner.file, "--lang", "zh", cwd=studied).err
    said = run("anki", "pull", learner.file, "--json", cwd=studied).json
    assert (said["schema"], said["written"], len(said["changes"]), said["differences"]) == (1, False, 1, [])
    assert said["patch"] == shown.out
    assert deck.read_text() == before
    done = run("anki", "pull", learner.file, "--yes", cwd=studied)
    assert "Texts written: 1." in done.out
    assert deck.read_text() == before.replace("the variance at 1", "the spread at 1")
    assert run("check", "--quick", cwd=studied).out == checked
    assert run("build", cwd=studied).code == 0
    assert run("anki", "doctor", learner.file, cwd=studied).code == 0  # the release says what the learner wrote


def test_should_examine_with_an_exit_status(run, studied: Path, learner: AnkiLearner) -> None:
    assert run("anki", "doctor", learner.file, cwd=studied).code == 0
    edit(learner, "variance", "spread")
    ran = run("anki", "doctor", learner.file, "--lang", "zh", cwd=studied)
    assert ran.code == 1
    assert "导入" in ran.out
    assert run("anki", "doctor", learner.file, "--json", cwd=studied).json["counts"]["edited"] == 1


def test_should_not_pull_into_what_came_with_the_package(run, tmp_path: Path, learner: AnkiLearner) -> None:
    ran = run("anki", "pull", learner.file, cwd=tmp_path)
    assert ran.code == 2
    assert "llmdrills init" in ran.err
