"""A running Anki, asked through AnkiConnect's protocol: what is read, what is imported, and what goes wrong."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmdrills.anki.connect import ADDON, AnkiConnect
from llmdrills.anki.live import read_live, read_path
from llmdrills.anki.ours import Ours
from llmdrills.anki.push import check_own_words, compare, expect, push
from llmdrills.cli.anki_view import expected_lines
from llmdrills.decks.files import prepare
from llmdrills.decks.lock import Lock, lock_file, read_lock
from llmdrills.errors import UsageError
from tests.helpers.anki_connect import AddOn
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import Publisher, note, one_of_each

Open = Callable[..., AddOn]


@pytest.fixture
def add_on() -> Iterator[Open]:
    """AnkiConnect over a learner's collection."""
    opened: list[AddOn] = []

    def make(learner: AnkiLearner | None, key: str = "") -> AddOn:
        opened.append(AddOn(learner, key))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def lock_of(publisher: Publisher) -> Lock:
    lock = read_lock(publisher.root)
    assert lock is not None
    return lock


def names(publisher: Publisher) -> dict[str, str]:
    return {line.guid: line.note for line in lock_of(publisher).notes.values()}


def test_should_read_the_same_as_from_the_file(publisher: Publisher, learner: AnkiLearner, add_on: Open) -> None:
    publisher.release(*one_of_each())
    learner.take(publisher.package)
    learner.col.set_config("fsrs", True)
    for days in (0, 4):
        learner.pass_days(days)
        learner.review_due()
    learner.move("plain", "Mine::Sub")
    learner.move("typed", "Mine")
    learner.move("steps", "LLM Drills")
    live = read_live(AnkiConnect(add_on(learner).url), names(publisher))
    assert live.notes == read_path(learner.file, names(publisher)).notes
    assert len(live.notes) == 5


def test_should_read_nothing_where_nothing_is_ours(publisher: Publisher, learner: AnkiLearner, add_on: Open) -> None:
    assert read_live(AnkiConnect(add_on(learner).url), ["guid"]).notes == {}


def test_should_say_before_and_after_what_an_import_changes(
    publisher: Publisher, learner: AnkiLearner, add_on: Open
) -> None:
    publisher.release(note("same"), note("changed"), note("edited"))
    learner.take(publisher.package)
    learner.review("changed")
    learner.edit("edited", "<p>Mine</p>")
    publisher.release(note("same"), note("changed", "Why?"), note("edited", "Ours"), note("fresh"))
    anki = AnkiConnect(add_on(learner, "secret").url, "secret")
    before = read_live(anki, names(publisher))
    ours = {line.guid: Ours(line.note, line.language) for line in lock_of(publisher).notes.values()}
    (expected,) = expect([read_path(publisher.package, ours)], before, ours)
    assert (expected.new, expected.updated, expected.kept, expected.unchanged) == (
        ("fresh",),
        ("changed",),
        ("edited",),
        1,
    )
    push(anki, [publisher.package])
    happened = compare(anki, before, names(publisher))
    assert (happened.new, happened.updated, happened.unchanged) == (("fresh",), ("changed",), 2)
    assert (happened.gone, happened.reviews) == ((), (1, 1))
    assert learner.col.get_note(learner.nid("edited")).fields[0] == "<p>Mine</p>"


def own_field(learner: AnkiLearner, slug: str, name: str, words: str) -> None:
    one = learner.col.get_note(learner.nid(slug))
    kind = one.note_type()
    for field in [field for field in kind["flds"] if field["name"] == name]:  # ours steps aside
        learner.col.models.rename_field(kind, field, f"Their {name}")
    learner.col.models.add_field(kind, learner.col.models.new_field(name))
    learner.col.models.update_dict(kind)
    one.load()
    one[name] = words
    learner.col.update_note(one)
    learner.col.db.execute("update notes set mod = ? where id = ?", 1_600_000_000, one.id)  # long ago


@pytest.mark.parametrize("name", ["Mine", "Extra"])
def test_should_not_push_where_anki_would_empty_a_field_of_ones_own(
    publisher: Publisher, learner: AnkiLearner, add_on: Open, name: str
) -> None:
    publisher.release(note("changed"), note("same"))
    learner.take(publisher.package)
    own_field(learner, "changed", name, "my own words")
    publisher.release(note("changed", "Why?"), note("same"))
    ours = {line.guid: Ours(line.note, line.language) for line in lock_of(publisher).notes.values()}
    anki = AnkiConnect(add_on(learner).url)
    before, package = read_live(anki, ours), read_path(publisher.package, ours)
    with pytest.raises(UsageError) as caught:
        check_own_words([package], before, ours)
    assert f"would empty your own field {name} in these notes (1): en changed" in caught.value.what
    assert "Merge note types" in caught.value.todo
    learner.take(publisher.package)  # by hand, as it advises
    assert learner.col.get_note(learner.nid("changed"))[name] == "my own words"
    push(anki, [publisher.package])  # and this is why
    assert learner.col.get_note(learner.nid("changed"))[name] == ""


def test_should_say_what_is_retired_and_what_no_import_updates(
    publisher: Publisher, learner: AnkiLearner, add_on: Open
) -> None:
    publisher.release(note("gone"), note("forked"), note("same"))
    learner.take(publisher.package)
    kind = learner.col.models.by_name("LLM Drills Question (en)")
    basic = learner.col.models.copy(kind)
    learner.col.models.change(kind, [learner.nid("forked")], basic, {n: n for n in range(12)}, {0: 0, 1: 1})
    lock = lock_of(publisher)
    prepare(lock_file(publisher.root), lock.retire("gone", "merged").text().encode()).commit()
    publisher.release(note("forked", "Why?"), note("same"))
    ours = {line.guid: Ours(line.note, line.language) for line in lock.notes.values()}
    before = read_live(AnkiConnect(add_on(learner).url), ours)
    held = [read_path(path, ours) for path in (publisher.upgrade, publisher.package)]
    (said,) = expect(held, before, ours)
    assert (said.new, said.updated, said.stuck, said.retired, said.unchanged) == ((), (), ("forked",), ("gone",), 1)
    words = "\n".join(expected_lines([said], "en"))
    assert "of another note type than ours, so Anki leaves them: forked" in words
    assert "[en] retired, to be emptied (1): gone" in words
    assert "清空" in "\n".join(expected_lines([said], "zh"))


def test_should_never_ask_for_a_deletion(publisher: Publisher, learner: AnkiLearner, add_on: Open) -> None:
    publisher.release(note("one"))
    found = add_on(learner)
    anki = AnkiConnect(found.url)
    push(anki, [publisher.package])
    compare(anki, read_live(anki, names(publisher)), names(publisher))
    assert set(found.asked) == {"findCards", "getDecks", "exportPackage", "importPackage"}


# ---- what goes wrong --------------------------------------------------------------------------------


def fault(anki: AnkiConnect) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_live(anki, ["guid"])
    assert caught.value.todo
    chinese = caught.value.told("zh")
    assert any("一" <= character <= "鿿" for character in chinese)
    return caught.value


def free_port() -> int:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        return int(given.getsockname()[1])


def test_should_say_that_anki_is_closed_or_the_add_on_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("ANKI_BASE", str(tmp_path / "none"))
    assert "Anki is not running" in fault(AnkiConnect(url)).what
    (tmp_path / "Anki2" / "addons21").mkdir(parents=True)
    monkeypatch.setenv("ANKI_BASE", str(tmp_path / "Anki2"))
    missing = fault(AnkiConnect(url))
    assert "its add-on AnkiConnect is missing" in missing.what
    assert ADDON in missing.todo
    (tmp_path / "Anki2" / "addons21" / ADDON).mkdir()
    assert "start Anki" in fault(AnkiConnect(url)).todo


def test_should_say_that_the_key_is_missing_or_wrong(learner: AnkiLearner, add_on: Open) -> None:
    url = add_on(learner, "secret").url
    assert fault(AnkiConnect(url)).what == "AnkiConnect asks for its key"
    wrong = fault(AnkiConnect(url, "guess"))
    assert "does not accept the key" in wrong.what
    assert "guess" not in str(wrong)
    assert fault(AnkiConnect(add_on(learner).url, "needless")).todo == wrong.todo


def test_should_say_that_no_profile_is_open(add_on: Open) -> None:
    assert "no profile is open" in fault(AnkiConnect(add_on(None).url)).what


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"result": 1}', b"\xff"])
def test_should_say_that_something_else_answers(body: bytes) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        assert "is not AnkiConnect" in fault(AnkiConnect(f"http://127.0.0.1:{server.server_port}")).what
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("url", ["8765", "ftp://localhost", "http://", "http://no-such-host.invalid:1", "http://[", ""])
def test_should_say_that_the_address_is_none(url: str) -> None:
    assert "anki_url" in str(fault(AnkiConnect(url)))


# ---- by command -------------------------------------------------------------------------------------


def test_should_push_import_and_examine_by_command(
    run,
    small: Path,
    learner: AnkiLearner,
    add_on: Open,
) -> None:
    env = {"LLMDRILLS_ANKI_URL": add_on(learner, "secret").url, "LLMDRILLS_ANKI_KEY": "secret"}
    unbuilt = run("anki", "push", cwd=small, env=env)
    assert (unbuilt.code, "llmdrills build" in unbuilt.err) == (2, True)
    assert run("build", cwd=small).code == 0
    looked = run("anki", "push", "--dry-run", cwd=small, env=env)
    assert "[en] Anki will find 5 new" in looked.out
    assert learner.col.note_count() == 0
    asked = run("anki", "push", cwd=small, env=env)
    assert "Nothing was imported" in asked.err
    assert learner.col.note_count() == 0
    done = run("anki", "push", "--yes", cwd=small, env=env)
    assert "In Anki: 10 new, 0 updated" in done.out
    assert "press D in its window" in done.err
    assert learner.col.note_count() == 10
    again = run("anki", "push", "--json", cwd=small, env=env).json
    assert (again["imported"], again["happened"]["new"], again["happened"]["unchanged"]) == (True, [], 10)
    learner.review("scale")
    assert "New reviews: 2 of 2." in run("anki", "import", "--live", cwd=small, env=env).out
    assert run("anki", "doctor", "--live", cwd=small, env=env).code == 0
    assert "没有" in run("anki", "pull", "--live", "--lang", "zh", cwd=small, env=env).err
    wrong = run("anki", "push", "--yes", cwd=small, env={**env, "LLMDRILLS_ANKI_KEY": "x"})
    assert wrong.code == 2
    assert "does not accept the key" in wrong.err
