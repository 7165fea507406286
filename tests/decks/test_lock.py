"""The lock: what keeps an unchanged note unchanged, merges, and says what to do when it can't be used."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdrills.decks.build import release_time_from_environment
from llmdrills.decks.lock import Lock, NoteLine, lock_file, parse_lock, read_lock
from llmdrills.errors import BuildError, LockError, SettingError
from llmdrills.language import LANGUAGES
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import RELEASED_AT, Publisher, cloze, deck, note, one_of_each


def times(publisher: Publisher) -> dict[str, int]:
    lock = read_lock(publisher.root)
    assert lock
    return {line.note: line.mtime for line in lock.notes.values() if line.language == publisher.language}


def test_should_keep_the_time_of_unchanged_content_and_give_changed_content_the_releases(publisher: Publisher):
    publisher.release(note("a"), note("b"))
    first = publisher.time
    publisher.release(note("a"), note("b", "changed"))
    assert times(publisher) == {"a": first, "b": publisher.time}


def test_should_let_a_time_always_grow_even_when_the_release_is_older(publisher: Publisher):
    publisher.release(note("a"), release_time=RELEASED_AT)
    publisher.release(note("a", "two"), release_time=RELEASED_AT)
    assert times(publisher) == {"a": RELEASED_AT + 1}
    publisher.release(note("a", "three"), release_time=RELEASED_AT - 5000)
    assert times(publisher) == {"a": RELEASED_AT + 2}


def test_should_take_source_date_epoch_for_the_release_time(publisher: Publisher, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    assert publisher.release(note("a"), release_time=None).release_time == 1_600_000_000
    assert times(publisher) == {"a": 1_600_000_000}


@pytest.mark.parametrize("value", ["soon", "-5", "0", "1.5"])
def test_should_report_a_source_date_epoch_that_is_no_time(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(SettingError, match="seconds since 1970"):
        release_time_from_environment()


def test_should_move_the_lock_for_a_change_only_and_say_so_in_the_report(publisher: Publisher):
    assert publisher.release(note("a")).lock.moved
    text = lock_file(publisher.root).read_bytes()
    assert not publisher.release(note("a")).lock.moved
    assert lock_file(publisher.root).read_bytes() == text
    assert publisher.release(note("a", "new")).lock.moved


def test_should_change_no_times_by_moving_and_reordering(publisher: Publisher):
    publisher.release(deck("x", note("a"), note("b")), deck("y", note("c")))
    before = times(publisher)
    report = publisher.release(deck("x", note("b")), deck("y", note("c"), note("a")))
    assert times(publisher) == before
    (moved,) = [one for one in report.forecasts[0].notes if one.moved_from]
    assert (moved.id, moved.moved_from, moved.deck, moved.status) == ("a", "x", "y", "unchanged")


def test_should_write_one_line_a_note_and_language_in_a_stable_order(publisher: Publisher):
    publisher.release(*one_of_each(), languages=LANGUAGES)
    lines = [json.loads(line) for line in lock_file(publisher.root).read_text("utf-8").splitlines()]
    notes = [(line["note"], line["language"]) for line in lines if "note" in line]
    assert notes == sorted(notes)
    assert len(notes) == 10
    shuffled = Publisher(publisher.root.parent / "other")
    shuffled.release(*reversed(one_of_each()), languages=("zh",))
    shuffled.release(*one_of_each(), languages=LANGUAGES)
    assert [line["note"] for line in lines if "note" in line] == [
        json.loads(line)["note"]
        for line in lock_file(shuffled.root).read_text("utf-8").splitlines()
        if '"note":' in line
    ]


def test_should_leave_the_other_ones_lines_when_one_language_is_built(publisher: Publisher):
    publisher.release(note("a"), languages=LANGUAGES)
    lock = read_lock(publisher.root)
    publisher.release(note("a", "changed"), languages=("zh",))
    after = read_lock(publisher.root)
    assert lock
    assert after
    assert after.notes["a", "en"] == lock.notes["a", "en"]
    assert after.notes["a", "zh"] != lock.notes["a", "zh"]


def test_should_merge_two_branches_in_git_that_change_different_notes(publisher: Publisher, tmp_path: Path):
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
            cwd=publisher.root,
            check=True,
            capture_output=True,
        )

    names = [f"note-{letter}" for letter in "abcdefghij"]
    notes = {name: note(name) for name in names}
    publisher.release(*notes.values())
    (publisher.root / ".gitattributes").write_text("decks/deck.lock merge=union\n")
    git("init", "-b", "main")
    git("add", "decks", ".gitattributes")
    git("commit", "-m", "one")
    git("checkout", "-b", "other")
    publisher.release(*(notes | {"note-b": note("note-b", "other")}).values())
    git("commit", "-am", "other")
    git("checkout", "main")
    publisher.release(*(notes | {"note-i": note("note-i", "main"), "note-z": note("note-z")}).values())
    git("commit", "-am", "main")
    git("merge", "other")
    merged = notes | {"note-b": note("note-b", "other"), "note-i": note("note-i", "main"), "note-z": note("note-z")}
    assert not publisher.release(*merged.values()).lock.stale


def test_should_join_changes_of_neighbours_by_the_union_merge_of_this_repository(publisher: Publisher, root: Path):
    """With .gitattributes both sides' lines stay, and the newer of a note counts."""
    assert "decks/deck.lock merge=union" in (root / ".gitattributes").read_text("utf-8")

    def git(*words: str) -> None:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        subprocess.run(command, cwd=publisher.root, check=True, capture_output=True)

    publisher.release(note("a"), note("b"))
    (publisher.root / ".gitattributes").write_text("decks/deck.lock merge=union\n")
    git("init", "-b", "main")
    git("add", "decks", ".gitattributes")
    git("commit", "-m", "one")
    git("checkout", "-b", "other")
    publisher.release(note("a", "A"), note("b"))
    git("commit", "-am", "other")
    git("checkout", "main")
    publisher.release(note("a"), note("b", "B"))
    git("commit", "-am", "main")
    git("merge", "other")
    report = publisher.release(note("a", "A"), note("b", "B"))
    assert report.forecasts[0].count("unchanged") == 2


def test_should_count_the_newer_line_of_a_note_that_stands_twice(publisher: Publisher):
    publisher.release(note("a"))
    old = lock_file(publisher.root).read_text("utf-8")
    publisher.release(note("a", "new"))
    new = lock_file(publisher.root).read_text("utf-8")
    both = new + "".join(line + "\n" for line in old.splitlines() if '"note":' in line or '"sum"' in line)
    assert parse_lock(both, Path("x")) == parse_lock(new, Path("x"))


def test_should_give_different_ids_to_two_notes_of_two_branches_with_one(publisher: Publisher):
    publisher.release(note("a"), note("b"))
    lock = read_lock(publisher.root)
    assert lock
    nid = lock.notes["a", "en"].nid
    lock.notes["b", "en"] = lock.notes["b", "en"]._replace(nid=nid)
    lock_file(publisher.root).write_text(lock.text(), "utf-8")
    publisher.release(note("a"), note("b"))
    after = read_lock(publisher.root)
    assert after
    assert len({line.nid for line in after.notes.values()}) == 2


def test_should_name_the_line_of_conflict_markers_and_the_way_back(publisher: Publisher):
    publisher.release(note("a"))
    file = lock_file(publisher.root)
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([lines[0], "<<<<<<< HEAD", *lines[1:], "=======", ">>>>>>> other"]) + "\n", "utf-8")
    with pytest.raises(LockError, match=r"deck\.lock:2: a merge left conflict markers here: delete the marker lines"):
        publisher.release(note("a"))
    file.write_text(
        "\n".join(line for line in file.read_text("utf-8").splitlines() if line[:1] not in "<=>") + "\n", "utf-8"
    )
    assert not publisher.release(note("a")).lock.stale


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "is damaged"),
        (lambda text: text.replace('"mtime": 17', '"mtime": "17', 1), "is damaged"),
        (lambda text: text.replace('"guid": "', '"guid": 5, "x": "', 1), "is not whole"),
        (lambda text: "", "not the first line"),
        (lambda text: text.split("\n", 1)[1], "not the first line"),
        (lambda text: text.replace('"llmdrills_lock": 2', '"llmdrills_lock": 9'), "update llmdrills"),
        (lambda text: text + "[]\n", "is damaged"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "is not whole: its end is cut off"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-2]), "is not whole: its end is cut off"),
        (
            lambda text: "".join(line for line in text.splitlines(keepends=True) if '"note":' not in line),
            r"is not whole: its last line counts 3 lines, and there are 2.*--accept-lock",
        ),
        (lambda text: text.replace('"hash": "', '"hash": "0', 1), "its lines are not those"),
        (lambda text: text + '{"what": 1, "language": "en"}\n', "neither a note"),
        (lambda text: "\x00" + text, "is damaged"),
        (lambda text: text.replace('"type": "question"', '"type": "quiz"'), "is not whole"),
    ],
)
def test_should_name_the_line_of_a_damaged_lock_and_the_way_back(publisher: Publisher, damage, message: str):
    publisher.release(note("a"))
    file = lock_file(publisher.root)
    file.write_text(damage(file.read_text("utf-8")), "utf-8")
    packages = publisher.package.read_bytes()
    with pytest.raises(LockError, match=message) as caught:
        publisher.release(note("a"))
    assert caught.value.todo
    assert publisher.package.read_bytes() == packages


@given(st.data())
def test_should_give_no_traceback_for_any_damage_to_the_lock(data):
    line = NoteLine("a", "en", "g!#$%", "question", "d", "00ff", 5, 6, (0, 1))
    text = Lock("n", {("a", "en"): line, ("b", "zh"): line._replace(note="b", language="zh", retired='wh"y')}).text()
    place = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 20))
    mutated = text[:place] + data.draw(st.text(max_size=5)) + text[place + length :]
    # LockError is what is allowed; where the damage is none, what was read can be written and read again.
    with contextlib.suppress(LockError):
        lock = parse_lock(mutated, Path("deck.lock"))
        assert parse_lock(lock.text(), Path("deck.lock")) == lock


def test_should_report_a_lock_that_is_not_utf8(publisher: Publisher):
    publisher.release(note("a"))
    lock_file(publisher.root).write_bytes(b"\xff\xfe")
    with pytest.raises(LockError, match="not UTF-8"):
        publisher.release(note("a"))


def test_should_report_a_lost_lock_until_a_new_one_is_asked_for(publisher: Publisher):
    publisher.release(note("a"))
    lock_file(publisher.root).unlink()
    with pytest.raises(LockError, match=r"is lost.*--new-lock"):
        publisher.release(note("a"))
    report = publisher.release(note("a"), new_lock=True)
    assert report.lock.created
    assert report.lock.moved


def test_should_know_by_git_that_a_lock_is_lost_even_without_packages(publisher: Publisher):
    publisher.release(note("a"))
    for words in (["init"], ["add", "decks"], ["-c", "user.name=t", "-c", "user.email=t@e", "commit", "-m", "x"]):
        subprocess.run(["git", *words], cwd=publisher.root, check=True, capture_output=True)
    lock_file(publisher.root).unlink()
    publisher.package.unlink()
    with pytest.raises(LockError, match="is lost"):
        publisher.release(note("a"))


def test_should_refuse_a_lock_of_another_namespace(publisher: Publisher):
    publisher.release(note("a"))
    lock_file(publisher.root).write_text(
        lock_file(publisher.root).read_text("utf-8").replace('"namespace": "llmdrills"', '"namespace": "mine"'), "utf-8"
    )
    with pytest.raises(LockError, match="was written for the namespace 'mine'"):
        publisher.release(note("a"))


def test_should_fail_and_write_nothing_when_frozen_and_the_lock_is_stale(publisher: Publisher):
    publisher.release(note("a"))
    assert not publisher.release(note("a"), frozen=True).lock.stale
    before = {path: path.read_bytes() for path in publisher.root.rglob("*") if path.is_file()}
    with pytest.raises(LockError, match=r"is stale \(1 note differ: a\).*commit decks/deck\.lock"):
        publisher.release(note("a", "changed"), frozen=True)
    with pytest.raises(LockError, match="is stale"):
        publisher.release(note("a"), note("b"), frozen=True)
    assert before == {path: path.read_bytes() for path in publisher.root.rglob("*") if path.is_file()}


def test_should_report_a_note_that_vanished_without_retire(publisher: Publisher):
    publisher.release(note("a"), note("b"), note("c"))
    with pytest.raises(BuildError, match=r"notes 'b', 'c' were in the last release and are gone.*llmdrills retire b"):
        publisher.release(note("a"))


def test_should_keep_times_and_lock_of_content_that_came_with_the_wheel(publisher: Publisher):
    publisher.release(note("a"))
    before, lock = times(publisher), lock_file(publisher.root).read_bytes()
    # Another version of a library renders something else: for a learner that is no edit.
    report = publisher.release(note("a", "rendered by a newer library"), read_only_content=True)
    assert (times(publisher), lock_file(publisher.root).read_bytes()) == (before, lock)
    assert not report.lock.moved
    assert report.forecasts[0].count("unchanged") == 1


def test_should_write_nothing_in_a_dry_run(publisher: Publisher, tmp_path: Path):
    publisher.release(note("a"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    report = publisher.release(note("a", "new"), note("b"), dry_run=True, cache_dir=tmp_path / "cache")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert report.lock.stale
    assert not report.lock.moved
    assert (report.forecasts[0].count("new"), report.forecasts[0].count("updated")) == (1, 1)
    assert json.loads(json.dumps(report.to_json()))["dry_run"] is True


def test_should_make_guids_of_namespace_language_and_id_alone():
    from llmdrills.decks.identity import guid_for

    made = {
        guid_for(namespace, language, f"note-{number}")
        for namespace in ("llmdrills", "own")
        for language in LANGUAGES
        for number in range(2000)
    }
    assert len(made) == 8000
    assert guid_for("llmdrills", "en", "attention-cost") == "FIj#yGZ3q)"
    assert not any(set(guid) & set("\"'\\ ,") for guid in made)


def test_should_still_say_what_is_wrong_with_a_line_when_a_lock_that_is_not_whole_is_accepted(publisher: Publisher):
    publisher.release(note("a"))
    file = lock_file(publisher.root)
    text = file.read_text("utf-8")
    for damaged, message in (
        (text.replace('"guid": "', '"guid": 5, "x": "', 1), "is damaged"),
        (text.replace('"type": "question", "deck"', '"type": "quiz", "deck"'), "unknown type 'quiz'"),
        (text + '{"what": 1, "language": "en"}\n', "neither a note"),
    ):
        file.write_text(damaged, "utf-8")
        with pytest.raises(LockError, match=message):
            publisher.release(note("a"), accept_lock=True)
    file.write_text("".join(text.splitlines(keepends=True)[:-1]), "utf-8")
    report = publisher.release(note("a"), accept_lock=True)
    assert (report.forecasts[0].count("unchanged"), file.read_text("utf-8")) == (1, text)


def test_should_accept_and_rewrite_what_a_union_merge_leaves(publisher: Publisher):
    publisher.release(note("a"), note("b"))
    one = lock_file(publisher.root).read_text("utf-8")
    publisher.release(note("a"), note("b", "B"))
    other = lock_file(publisher.root).read_text("utf-8")
    first = one.replace('"llmdrills_lock": 2', '"llmdrills_lock": 1').splitlines()[0]
    union = "\n".join([first, *dict.fromkeys([*other.splitlines(), *one.splitlines()])]) + "\n"
    assert (union.count('"sum"'), union.count('"llmdrills_lock"')) == (2, 2)
    lock_file(publisher.root).write_text(union, "utf-8")
    assert not publisher.release(note("a"), note("b", "B"), frozen=True).lock.stale
    report = publisher.release(note("a"), note("b", "B"))
    assert (report.lock.moved, report.lock.stale) == (True, False)
    assert lock_file(publisher.root).read_text("utf-8") == other


def test_should_accept_a_merge_of_a_side_that_still_wrote_the_first_format(publisher: Publisher):
    publisher.release(note("a"), note("b"))
    text = lock_file(publisher.root).read_text("utf-8")
    (other,) = [line.replace('"mtime": 17', '"mtime": 16') for line in text.splitlines() if '"note": "b"' in line]
    lock_file(publisher.root).write_text(text + other + "\n", "utf-8")
    assert not publisher.release(note("a"), note("b"), frozen=True).lock.stale


def test_should_refuse_the_lines_of_two_workspaces_in_one_lock(publisher: Publisher):
    publisher.release(note("a"))
    text = lock_file(publisher.root).read_text("utf-8")
    lock_file(publisher.root).write_text(text.splitlines()[0].replace('llmdrills"', 'other"') + "\n" + text, "utf-8")
    with pytest.raises(LockError, match="lines of two workspaces, 'llmdrills' and 'other'"):
        publisher.release(note("a"))


def test_should_read_the_lock_of_the_first_format_and_update_nothing(publisher: Publisher, learner: AnkiLearner):
    publisher.release(note("a"), cloze("c"))
    learner.take(publisher.package)
    text = lock_file(publisher.root).read_text("utf-8")
    lines = [re.sub(r', "hidden": \[[^\]]*\]', "", line) for line in text.splitlines()[:-1]]
    old = "\n".join(lines).replace('"llmdrills_lock": 2', '"llmdrills_lock": 1') + "\n"
    assert "hidden" not in old
    lock_file(publisher.root).write_text(old, "utf-8")
    assert not publisher.release(note("a"), cloze("c"), frozen=True).lock.moved
    report = publisher.release(note("a"), cloze("c"))
    assert (report.lock.moved, report.forecasts[0].count("unchanged")) == (True, 2)
    assert lock_file(publisher.root).read_text("utf-8") == text
    assert learner.take(publisher.package).counts == (0, 0, 2, 0)


def test_should_take_back_from_git_what_a_merge_of_one_side_lost(publisher: Publisher, learner: AnkiLearner):
    def git(*words: str) -> None:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        subprocess.run(command, cwd=publisher.root, check=True, capture_output=True)

    publisher.release(note("a", "v1"), note("b"))
    git("init", "-b", "main")
    git("add", "decks")
    git("commit", "-m", "one")
    git("checkout", "-b", "other")
    publisher.release(note("a", "v2"), note("b"))
    learner.take(publisher.package)  # released to learners from the branch
    git("commit", "-am", "other")
    git("checkout", "main")
    publisher.time -= 900
    publisher.release(note("a", "v1"), note("b", "B"))
    git("commit", "-am", "main")
    git("merge", "-s", "ours", "other")
    publisher.time += 10
    report = publisher.release(note("a", "v1"), note("b", "B"))  # the merge also took the older text
    assert report.forecasts[0].count("updated") == 1
    learner.take(publisher.package)
    assert "v1" in learner.question("a")
