"""What is read of a collection is what the real backend says of it, in every form in which it can be had."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from anki.collection import CardStats

from llmdrills.anki.copying import opened
from llmdrills.anki.live import read_path
from llmdrills.anki.reading import Collection
from llmdrills.decks.lock import read_lock
from llmdrills.errors import UsageError
from llmdrills.practice.moments import Moment
from llmdrills.practice.note_memory import CardMemory
from tests.helpers import busy_anki
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import Publisher, note, one_of_each

SLUGS = ("plain", "holes", "steps", "typed", "wrong-kernel")


def guids(publisher: Publisher) -> dict[str, str]:
    lock = read_lock(publisher.root)
    assert lock is not None
    return {line.note: line.guid for line in lock.notes.values()}


def read(path: Path, publisher: Publisher) -> Collection:
    return read_path(path, guids(publisher).values())


@pytest.fixture(params=[True, False], ids=["fsrs", "sm2"])
def reviewed(request: Any, publisher: Publisher, learner: AnkiLearner) -> AnkiLearner:
    """Weeks of reviews of some notes; one is new, one was failed, one suspended."""
    publisher.release(*one_of_each())
    learner.take(publisher.package)
    learner.col.set_config("fsrs", request.param)
    for days in (0, 1, 3, 7, 12):
        learner.pass_days(days)
        for slug in SLUGS[:4]:
            learner.review(slug)
    learner.answer(learner.cards("typed")[0], 0)
    learner.suspend("steps")
    learner.pass_days(2)
    return learner


def as_the_backend_says(learner: AnkiLearner, card: int) -> CardStats:
    return learner.col.card_stats_data(card)


def test_should_read_every_answer_and_memory_as_the_backend_has_them(
    reviewed: AnkiLearner, publisher: Publisher
) -> None:
    found = read(reviewed.file, publisher)
    now = time.time()
    compared = 0
    for slug, guid in guids(publisher).items():
        (one,) = found.notes[guid]
        assert one.nid == reviewed.nid(slug)
        assert one.tags == tuple(reviewed.col.get_note(one.nid).tags)
        assert dict(one.fields) == dict(reviewed.col.get_note(one.nid).items())
        assert [card.ordinal for card in one.cards] == [
            reviewed.col.get_card(card).ord for card in reviewed.cards(slug)
        ]
        for card, known in zip(reviewed.cards(slug), one.cards, strict=True):
            said = as_the_backend_says(reviewed, card)
            rows = reviewed.col.db.all("select id, ease from revlog where cid = ? order by id", card)
            assert [tuple(answer) for answer in known.answers] == [tuple(row) for row in rows]
            assert known.deck == reviewed.col.decks.name(reviewed.col.get_card(card).did)
            assert known.suspended == (reviewed.col.get_card(card).queue == -1)
            assert (known.memory is None) == (slug == "wrong-kernel")
            if known.memory is None or not said.HasField("memory_state"):
                continue
            memory = CardMemory(
                slug, "en", 0, 3, known.memory.stability, None, known.memory.decay, "fsrs", 0, "o",
                Moment(known.memory.last * 1000),
            )  # fmt: skip
            assert known.memory.method == "fsrs"
            assert memory.recall(Moment(int(now * 1e6))) == pytest.approx(said.fsrs_retrievability, abs=0.0005)
            compared += 1
    assert compared == (5 if reviewed.col.get_config("fsrs") else 0)


def test_should_mark_as_an_estimate_what_fsrs_did_not_compute(reviewed: AnkiLearner, publisher: Publisher) -> None:
    found = read(reviewed.file, publisher)
    fsrs = bool(reviewed.col.get_config("fsrs"))
    methods = {
        card.memory.method for notes in found.notes.values() for one in notes for card in one.cards if card.memory
    }
    assert methods == ({"fsrs"} if fsrs else {"interval"})
    (plain,) = found.notes[guids(publisher)["plain"]]
    memory = plain.cards[0].memory
    assert memory is not None
    if not fsrs:
        assert memory.stability == reviewed.col.get_card(reviewed.cards("plain")[0]).ivl


@pytest.mark.parametrize("form", ["folder", "legacy.apkg", "new.apkg", "legacy.colpkg", "new.colpkg"])
def test_should_read_the_same_in_every_form(
    reviewed: AnkiLearner, publisher: Publisher, tmp_path: Path, form: str
) -> None:
    before = read(reviewed.file, publisher)
    path = tmp_path / form
    given = reviewed.file.parent if form == "folder" else reviewed.export(path, legacy=form.startswith("legacy"))
    assert read(given, publisher).notes == before.notes
    assert len(before.notes) == 5


def test_should_read_the_note_types_as_the_backend_has_them(
    reviewed: AnkiLearner, publisher: Publisher, tmp_path: Path
) -> None:
    kind = reviewed.col.models.by_name("LLM Drills Question (en)")
    reviewed.col.models.add_field(kind, reviewed.col.models.new_field("Mine"))
    reviewed.col.models.update_dict(kind)
    legacy = reviewed.export(tmp_path / "legacy.apkg", legacy=True)  # where they stand in JSON
    for path in (reviewed.file, legacy):
        for (one,) in read(path, publisher).notes.values():
            model = reviewed.col.models.get(one.type.id)
            assert one.type.name == model["name"]
            assert list(one.type.fields) == [(part["id"], part["name"]) for part in model["flds"]]
            assert list(one.type.templates) == [(part["id"], part["name"]) for part in model["tmpls"]]


def test_should_read_nothing_of_the_placeholder_in_a_new_package(publisher: Publisher, learner: AnkiLearner) -> None:
    """Its collection.anki2 holds one note that tells an older Anki to update."""
    publisher.release(*one_of_each())
    learner.take(publisher.package)
    path = learner.export(publisher.root / "new.apkg")
    assert {"collection.anki21b", "collection.anki2"} <= set(zipfile.ZipFile(path).namelist())
    assert read(path, publisher).total == 5


def test_should_know_a_card_that_was_forgotten_on_purpose(publisher: Publisher, learner: AnkiLearner) -> None:
    publisher.release(note("plain"), note("other"))
    learner.take(publisher.package)
    learner.col.set_config("fsrs", True)
    for slug in ("plain", "other"):
        learner.review(slug)
    learner.pass_days(1)
    learner.col.sched.schedule_cards_as_new(learner.cards("plain"))
    (one,) = read(learner.file, publisher).notes[guids(publisher)["plain"]]
    assert one.cards[0].memory is not None
    assert one.cards[0].memory.method == "forgotten"
    assert len(one.cards[0].answers) == 1
    learner.review("plain")
    (one,) = read(learner.file, publisher).notes[guids(publisher)["plain"]]
    assert one.cards[0].memory is not None
    assert one.cards[0].memory.method == "fsrs"


def test_should_read_while_anki_holds_the_file_and_writes(publisher: Publisher, learner: AnkiLearner) -> None:
    """Another process has it open and answers cards; every copy is whole and holds what was answered before."""
    publisher.release(*(note(f"n{number}") for number in range(40)))
    learner.take(publisher.package)
    wanted = guids(publisher).values()
    learner.close()
    command = [sys.executable, str(Path(busy_anki.__file__)), str(learner.file)]
    looked = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as anki:
        assert anki.stdin is not None
        assert anki.stdout is not None
        assert anki.stdout.readline() == "open\n"
        with contextlib.closing(sqlite3.connect(f"file:{learner.file}?mode=ro", uri=True, timeout=0.1)) as other:  # noqa: SIM117
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("select 1 from notes")
        for _ in range(25):
            said = int([anki.stdout.readline() for _ in range(20)][-1])
            with opened(learner.file) as connection:
                assert connection.execute("pragma quick_check").fetchone()[0] == "ok"
            looked.append((said, answers(read_path(learner.file, wanted))))
        anki.stdin.close()
        last = int([line for line in anki.stdout if line.strip()][-1])
    assert all(said <= found for said, found in looked)
    assert [found for _, found in looked] == sorted(found for _, found in looked)
    assert answers(read_path(learner.file, wanted)) == last
    learner.col.reopen()


def answers(found: Collection) -> int:
    return sum(len(card.answers) for notes in found.notes.values() for one in notes for card in one.cards)


def test_should_change_nothing_of_what_is_read(reviewed: AnkiLearner, publisher: Publisher, tmp_path: Path) -> None:
    package = reviewed.export(tmp_path / "a.apkg")
    files = [package, *(file for file in reviewed.file.parent.iterdir() if file.is_file())]
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    read(reviewed.file, publisher)
    read(package, publisher)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files} == before
    assert {file for file in reviewed.file.parent.iterdir() if file.is_file()} == set(files) - {package}


def spoilt(path: Path, learner: AnkiLearner, how: str) -> Path:
    if how == "missing":
        return path / "none"
    if how == "text":
        path.write_text("no collection")
    elif how == "other database":
        with contextlib.closing(sqlite3.connect(path)) as other, other:
            other.execute("create table t (a)")
    elif how == "other zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "a")
    elif how == "empty":
        path.touch()
    else:
        package = learner.export(path.with_suffix(".apkg"))
        data = bytearray(package.read_bytes())
        place = data.index(b"collection.anki21b") + 40
        data[place : place + 200] = bytes(200)
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", ["missing", "text", "other database", "other zip", "empty", "damaged"])
def test_should_say_what_is_wrong_with_a_file_that_is_no_collection(
    publisher: Publisher, learner: AnkiLearner, tmp_path: Path, how: str
) -> None:
    publisher.release(note("plain"))
    learner.take(publisher.package)
    path = spoilt(tmp_path / "given", learner, how)
    with pytest.raises(UsageError) as caught:
        read(path, publisher)
    assert caught.value.todo
    assert caught.value.told("zh") != caught.value.told("en")


def test_should_count_no_answers_of_cards_of_others(publisher: Publisher, learner: AnkiLearner, tmp_path: Path) -> None:
    publisher.release(note("plain"))
    learner.take(publisher.package)
    learner.review("plain")
    card = learner.cards("plain")[0]
    rows = [(number, card + 1, 0, 3, 1, 1, 2500, 1000, 1) for number in range(1, 10_001)]
    learner.col.db.executemany("insert into revlog values (?,?,?,?,?,?,?,?,?)", rows)
    assert answers(read(learner.export(tmp_path / "c.colpkg"), publisher)) == 1
