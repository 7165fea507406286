"""A save from the page: what it writes, what it refuses to write over, what is recorded, and in which order."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import queue
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmdrills.cli.day.events import Graded
from llmdrills.errors import HistoryError
from llmdrills.practice.history import History, decode
from llmdrills.web import practice as practices
from llmdrills.web.practice import Practice, version_of
from llmdrills.web.stream import Stream
from tests.helpers.web_client import WebClient

Solution = Callable[[str], str]
WAIT = 60
# A server that ends while torch still starts in its workers leaves sockets to the end of its process.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Events:
    """What the server sends to an open page."""

    def __init__(self, client: WebClient, last: str | None = None) -> None:
        self._found: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.last = ""
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=WAIT)
        connection.request("GET", "/events", headers=client.own(Origin=None, Content_Type=None, Last_Event_ID=last))
        self._connection, self._socket = connection, connection.sock
        self._answer = connection.getresponse()
        assert self._answer.status == 200
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        kind = ""
        try:
            for line in self._answer:
                name, _, value = line.decode().strip().partition(": ")
                if name == "id":
                    self.last = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    self._found.put((kind, json.loads(value)))
        except (OSError, ValueError, AttributeError):
            return  # the test is over

    def wait(self, kind: str) -> Any:
        while True:
            found, data = self._found.get(timeout=WAIT)
            if found == kind:
                return data

    def close(self) -> None:
        """The connection breaks: the answer holds the socket open until it is shut down."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(WAIT)
        self._answer.close()
        self._connection.close()


@pytest.fixture
def events(client: WebClient) -> Iterator[Events]:
    found = Events(client)
    yield found
    found.close()


@pytest.fixture
def sheet(client: WebClient, kata: str) -> dict[str, Any]:
    found: dict[str, Any] = client.ask("open", kata=kata)
    return found


def save(client: WebClient, sheet: dict[str, Any], code: str, number: int = 1, **more: object) -> Any:
    sent = {"session": sheet["session"], "version": sheet["version"], "code": code, "number": number, **more}
    found = client.ask("save", **sent)
    if not found["conflict"]:
        sheet["version"] = found["version"]
    return found


def wrong(code: str) -> str:
    return code.replace("+ eps", "+ 4 * eps")


def practised(home: Path, kata: str) -> Path:
    return home / "practice" / f"{kata}.py"


def place_of(home: Path) -> Path:
    (file,) = home.glob("*/history.sqlite3")
    return file


def rows(home: Path, query: str) -> list[Any]:
    with History.open(place_of(home)) as history:
        return history.rows(query)


def test_should_write_the_file_and_record_what_is_shown(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path, kata: str, solution: Solution
):
    wrong = solution(sheet["variant"]).replace("+ eps", "+ 4 * eps")
    assert save(client, sheet, wrong, 7)["conflict"] is False
    assert practised(home, kata).read_text("utf-8") == wrong
    told = events.wait("verdict")
    assert (told["number"], told["passed"], told["outcome"]) == (7, False, "wrong")
    assert "expected" in told["message"]
    assert rows(home, "SELECT outcome FROM attempts")[0]["outcome"] == "wrong"
    save(client, sheet, solution(sheet["variant"]), 8)
    told = events.wait("verdict")
    assert (told["number"], told["passed"]) == (8, True)
    assert told["choices"][0]["rating"] == "again"
    assert client.ask("rate", session=sheet["session"], rating=1)["state"] == "rated"
    assert [row["rating"] for row in rows(home, "SELECT rating FROM reviews")] == [1]
    assert client.get("/api/plan").json["undo"]["what"]


def test_should_tell_the_other_page_of_the_same_kata_what_was_saved(
    client: WebClient, events: Events, sheet: dict[str, Any], solution: Solution
):
    """Both have numbers of their own, and each must know whose verdict it is shown."""
    right = solution(sheet["variant"])
    save(client, sheet, right, 2, page="first")
    told = events.wait("file")
    assert (told["page"], told["code"], told["version"]) == ("first", right, sheet["version"])
    told = events.wait("verdict")
    assert (told["page"], told["number"]) == ("first", 2)


def test_should_send_what_happened_while_the_connection_of_a_page_was_broken(
    client: WebClient, events: Events, sheet: dict[str, Any], solution: Solution
):
    save(client, sheet, wrong(solution(sheet["variant"])), 1)
    events.wait("verdict")
    events.close()
    other = Events(client)  # another page: only to know when the verdict is there
    save(client, sheet, solution(sheet["variant"]), 2)
    assert other.wait("verdict")["number"] == 2
    again = Events(client, last=events.last)
    told = again.wait("verdict")
    assert (told["number"], told["passed"]) == (2, True)
    for one in (other, again):
        one.close()


def test_should_send_only_what_comes_to_a_page_that_is_new():
    stream = Stream()
    stream.send("file", 1)
    first = stream.join()
    name = first.get().decode().partition("id: ")[2].strip()
    stream.send("file", 2)
    assert b"data: 2" in first.get()
    back = stream.join(name)  # it came back before it got anything
    assert [back.get().count(b"data"), b"data: 2" in back.get()] == [0, True]
    for foreign in ("", "-1", "other-0", f"{name}0x", name.partition("-")[0], f"{name.partition('-')[0]}-{'9' * 5000}"):
        found = stream.join(foreign)
        assert b"data" not in found.get()
        assert found.empty()


def test_should_give_no_verdict_on_what_could_not_be_saved(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path, kata: str, solution: Solution
):
    """The grader begins while the file is written; what is not in the file was never an attempt."""
    file = practised(home, kata)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llmdrills.practice.attempt_file.write_atomically", full)
        sent = {"session": sheet["session"], "version": sheet["version"], "number": 1}
        refused = client.post("save", {**sent, "code": wrong(solution(sheet["variant"]))})
    assert (refused.status, "No space left" in refused.json["error"]) == (409, True)
    assert file.read_text() != wrong(solution(sheet["variant"]))
    save(client, sheet, solution(sheet["variant"]), 2)
    assert events.wait("verdict")["number"] == 2
    assert [row["outcome"] for row in rows(home, "SELECT outcome FROM attempts")] == ["passed"]


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_should_refuse_a_save_over_a_file_that_was_changed_elsewhere_and_keep_it(
    client: WebClient, sheet: dict[str, Any], home: Path, kata: str
):
    file = practised(home, kata)
    for number, change in enumerate(("their = 1\n", "their = 2\n")):
        file.write_text(change)
        found = save(client, sheet, "mine = 1\n", number)
        assert (found["conflict"], found["code"], found["gone"]) == (True, change, False)
        assert file.read_text() == change
    assert rows(home, "SELECT 1 FROM attempts") == []


@pytest.mark.parametrize("how", ["rename", "same bytes", "same size and time"])
def test_should_notice_another_file_of_the_same_name(
    client: WebClient, sheet: dict[str, Any], home: Path, kata: str, how: str
):
    """Editors rename a new file over the old one; size and time alone may be what they were."""
    file = practised(home, kata)
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(file.read_bytes() if how != "same size and time" else b"#" * before.st_size)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns if how != "rename" else before.st_mtime_ns + 1))
    kept = other.read_bytes()
    other.replace(file)
    assert save(client, sheet, "mine = 1\n")["conflict"] is True
    assert file.read_bytes() == kept


def test_should_archive_what_the_learner_writes_over(client: WebClient, sheet: dict[str, Any], home: Path, kata: str):
    file = practised(home, kata)
    file.write_bytes(b"their = 1  # \xff\n")
    found = save(client, sheet, "mine = 1\n")
    sheet["version"] = found["version"]
    assert save(client, sheet, "mine = 2\n", 2, over=True)["conflict"] is False
    assert file.read_text() == "mine = 2\n"
    (kept,) = rows(home, "SELECT code, encoding FROM archives")
    assert decode(kept["code"], kept["encoding"]) == b"their = 1  # \xff\n"


def test_should_refuse_to_write_over_a_third_version_that_was_not_seen(
    client: WebClient, sheet: dict[str, Any], home: Path, kata: str
):
    file = practised(home, kata)
    file.write_text("their = 1\n")
    sheet["version"] = save(client, sheet, "mine = 1\n")["version"]
    file.write_text("their = 22\n")
    assert save(client, sheet, "mine = 1\n", 2, over=True)["conflict"] is True
    assert file.read_text() == "their = 22\n"


def test_should_write_a_file_back_that_is_gone_only_when_asked(
    client: WebClient, sheet: dict[str, Any], home: Path, kata: str
):
    file = practised(home, kata)
    file.unlink()
    found = save(client, sheet, "mine = 1\n")
    assert (found["conflict"], found["gone"], file.exists()) == (True, True, False)
    sheet["version"] = found["version"]
    assert save(client, sheet, "mine = 1\n", 2, over=True)["conflict"] is False
    assert file.read_text() == "mine = 1\n"


def test_should_show_and_grade_what_another_editor_saves(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path, kata: str, solution: Solution
):
    file = practised(home, kata)
    file.write_text(solution(sheet["variant"]))
    told = events.wait("file")
    assert told["code"] == solution(sheet["variant"])
    assert told["version"] == version_of(file)
    assert events.wait("verdict")["passed"] is True
    assert len(rows(home, "SELECT 1 FROM attempts")) == 1


def test_should_not_grade_again_what_the_page_itself_saved(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path, solution: Solution
):
    save(client, sheet, solution(sheet["variant"]))
    events.wait("verdict")
    client.ask("hint", session=sheet["session"])
    for _ in range(5):  # the file is looked at in between
        client.get("/api/stats")
    assert len(rows(home, "SELECT 1 FROM attempts")) == 1


@pytest.mark.parametrize("code", ["x" * (1 << 20) + "y", "é" * (1 << 19) + "y"])
def test_should_refuse_a_file_that_is_too_large_to_be_graded(
    client: WebClient, sheet: dict[str, Any], home: Path, kata: str, code: str
):
    before = practised(home, kata).read_bytes()
    sent = {"session": sheet["session"], "version": sheet["version"], "code": code, "number": 1}
    found = client.post("save", sent)
    assert found.status == 409
    assert "bytes" in found.json["error"]
    assert practised(home, kata).read_bytes() == before


def test_should_take_any_text(client: WebClient, events: Events, sheet: dict[str, Any], home: Path, kata: str):
    code = "# \ud800 \0 \x1b[2J </script> é 中文\n"
    save(client, sheet, code, 3)
    assert events.wait("verdict")["number"] == 3
    assert practised(home, kata).read_bytes() == code.encode("utf-8", "replace")


def test_should_do_one_thing_after_another_whoever_asks(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path
):
    """Thirty requests at the same time: each hint once, and as many as there are."""

    def hint(_: int) -> int:
        return int(client.ask("hint", session=sheet["session"])["number"])

    with ThreadPoolExecutor(30) as pool:
        numbers = list(pool.map(hint, range(30)))
    shown = sorted(number for number in numbers if number)
    assert shown == list(range(1, len(shown) + 1))
    assert len(shown) == sheet["all_hints"]
    assert [row["number"] for row in rows(home, "SELECT number FROM hints ORDER BY seq")] == shown


def test_should_grade_two_pages_that_save_at_the_same_time(
    client: WebClient, events: Events, sheet: dict[str, Any], kata: str, solution: Solution
):
    """The grader takes the newest code only, of one page: the other waits, and is graded after it."""
    repair = client.ask("open", kata=kata, repair=True)
    both = {sheet["session"], repair["session"]}
    save(client, sheet, wrong(solution(sheet["variant"])), 1)
    save(client, repair, solution(repair["variant"]), 2)
    save(client, sheet, solution(sheet["variant"]), 3)
    client.ask("open", kata=kata)  # getting ready again takes no grade's place
    found = {}
    while set(found) != both or found[sheet["session"]][0] != 3:
        told = events.wait("verdict")
        found[told["session"]] = (told["number"], told["passed"])
    assert found == {sheet["session"]: (3, True), repair["session"]: (2, True)}


def test_should_let_one_of_two_saves_of_one_version_through(
    client: WebClient, sheet: dict[str, Any], home: Path, kata: str
):
    def one(number: int) -> bool:
        sent = {"session": sheet["session"], "version": sheet["version"], "code": f"x = {number}\n", "number": number}
        return bool(client.ask("save", **sent)["conflict"])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(8)))
    assert sorted(found) == [False] + [True] * 7
    assert practised(home, kata).read_text() == f"x = {found.index(False)}\n"


def test_should_ask_before_what_costs_and_do_nothing_until_it_is_confirmed(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path, solution: Solution
):
    session = sheet["session"]
    assert "Again" in client.ask("reveal", session=session, view="solution")["ask"]
    client.ask("withdraw", session=session)
    assert client.ask("reveal", session=session, view="solution")["ask"]
    assert rows(home, "SELECT 1 FROM solutions") == []
    shown = client.ask("reveal", session=session, view="solution")
    assert "def rms_norm" in shown["solution"]
    assert len(rows(home, "SELECT 1 FROM solutions")) == 1
    assert "Again" in client.ask("skip", session=session)["ask"]
    assert rows(home, "SELECT 1 FROM skips") == []
    assert client.ask("skip", session=session)["said"]
    assert len(rows(home, "SELECT 1 FROM skips")) == 1


def test_should_undo_only_the_step_that_was_named(client: WebClient, sheet: dict[str, Any], home: Path):
    client.ask("skip", session=sheet["session"])
    assert client.ask("undo", id="another")["undone"] == ""
    asked = client.get(f"/api/undo?session={sheet['session']}").json
    assert sheet["kata"] in asked["ask"]
    assert client.ask("undo", id=asked["id"])["kata"] == sheet["kata"]
    assert len(rows(home, "SELECT 1 FROM undos")) == 1


def test_should_show_a_verdict_that_cannot_be_recorded_and_say_why(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path, solution: Solution
):
    with contextlib.closing(sqlite3.connect(place_of(home))) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON attempts BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
    save(client, sheet, solution(sheet["variant"]))
    told = events.wait("verdict")
    assert told["passed"] is True
    assert "disk" in told["trouble"]


def test_should_tell_a_pass_that_another_window_rated(
    client: WebClient, events: Events, sheet: dict[str, Any], home: Path, solution: Solution, run_in_workspace
):
    save(client, sheet, solution(sheet["variant"]))
    assert events.wait("verdict")["choices"]
    assert run_in_workspace("rate", sheet["kata"]).returncode == 0
    found = client.post("rate", {"session": sheet["session"], "rating": 1})
    assert found.status == 409
    assert "rated already" in found.json["error"]
    assert len(rows(home, "SELECT 1 FROM reviews")) == 1


def test_should_not_write_into_a_repetition_that_was_begun_elsewhere(
    client: WebClient, sheet: dict[str, Any], home: Path, kata: str, run_in_workspace
):
    assert run_in_workspace("start", kata, "--again").returncode == 0
    before = practised(home, kata).read_bytes()
    sent = {"session": sheet["session"], "version": version_of(practised(home, kata)), "code": "x = 1\n", "number": 1}
    refused = client.post("save", sent)
    assert refused.status == 409
    assert "not open here any more" in refused.json["error"]
    assert practised(home, kata).read_bytes() == before
    assert client.ask("open", kata=kata)["session"] != sheet["session"]


def test_should_begin_a_repair_and_say_after_it_what_the_mistake_was(
    client: WebClient, events: Events, kata: str, solution: Solution
):
    sheet = client.ask("open", kata=kata, repair=True)
    assert (sheet["repair"], sheet["state"]) == (True, "writing")
    save(client, sheet, solution(sheet["variant"]))
    told = events.wait("verdict")
    assert (told["state"], told["choices"]) == ("passed", [])
    assert told["mistake"]


def test_should_go_on_after_a_restart_with_what_was_written(
    workspace: Path, home: Path, kata: str, client: WebClient, sheet: dict[str, Any]
):
    save(client, sheet, "mine = 1\n")
    again = client.ask("open", kata=kata)
    assert (again["session"], again["code"]) == (sheet["session"], "mine = 1\n")


def test_should_refuse_another_variant_while_one_is_scored(
    client: WebClient, events: Events, sheet: dict[str, Any], kata: str, solution: Solution
):
    other = {"cast-first": "cast-last", "cast-last": "cast-first"}[sheet["variant"]]
    assert client.ask("open", kata=kata, variant=other)["variant"] == other
    fresh = client.ask("open", kata=kata, variant=sheet["variant"])
    save(client, fresh, solution(fresh["variant"]).replace("+ eps", "+ 4 * eps"))
    told = events.wait("verdict")
    assert (told["session"], told["outcome"]) == (fresh["session"], "wrong")
    refused = client.post("open", {"kata": kata, "variant": other})
    assert refused.status == 409
    assert "begun already" in refused.json["error"]


def test_should_speak_chinese_from_the_next_answer_on(client: WebClient, sheet: dict[str, Any]):
    words = client.ask("language", language="zh")
    assert (words["language"], words["words"]["today"]) == ("zh", "今天")
    assert "今天" in client.get("/api/plan").json["head"]
    assert "答案" in client.ask("reveal", session=sheet["session"], view="solution")["ask"]
    assert "reload" not in client.post("rate", {"session": "x", "rating": 1}).json["error"]


def test_should_grade_for_the_next_page_where_a_verdict_could_not_be_taken(monkeypatch: pytest.MonkeyPatch):
    """As where the history cannot be read just then: it is told, and nobody else waits for ever."""

    def broken(*_: object) -> None:
        raise HistoryError("the history is busy", "try again")

    begun: list[bytes] = []
    study: Any = SimpleNamespace(grade=lambda _repetition, code: begun.append(code))
    practice, asker = Practice(study), practices._Asker("page", 1)
    for seed, code in ((1, b"a"), (2, b"b")):
        repetition: Any = SimpleNamespace(seed=seed)
        made: Any = SimpleNamespace(id="rms-norm")
        sheet = practice.sheets[str(seed)] = practices.Sheet(repetition, made, made, resumed=False)
        practice._grade(sheet, code, asker)
    assert begun == [b"a"]
    monkeypatch.setattr(practice, "_take", broken)
    verdict: Any = SimpleNamespace(kata="rms-norm", seed=1)
    with pytest.raises(HistoryError):
        practice.graded(Graded(b"a", verdict))
    assert begun == [b"a", b"b"]
