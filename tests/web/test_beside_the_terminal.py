"""The page and a terminal at the same time: one history, two writers, and a rating counts once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.terminal import Terminal
from tests.helpers.web_client import WebClient, WebProcess

Solution = Callable[[str], str]


@pytest.fixture
def page(workspace: Path, home: Path) -> Iterator[WebClient]:
    with WebProcess(workspace, home) as served:
        client = WebClient(served.address)
        assert client.enter().status == 200
        yield client


def count(home: Path, table: str) -> int:
    (file,) = home.glob("*/history.sqlite3")
    with closing(sqlite3.connect(file)) as history:
        assert history.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(history.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.mark.slow
def test_should_go_on_with_one_repetition_in_both(page: WebClient, workspace: Path, home: Path, solution: Solution):
    """The terminal grades a save of the page as it grades any save of the file; who rates second is told."""
    loop = Terminal("today", cwd=workspace, timeout=90)
    loop.expect("waiting for a save")
    sheet: dict[str, Any] = page.ask("open", kata="rms-norm")
    sent = {"session": sheet["session"], "code": solution(sheet["variant"]), "version": sheet["version"], "number": 1}
    assert page.ask("save", **sent)["conflict"] is False
    loop.expect("passed")
    loop.expect("It comes back on")
    loop.press("\r")
    loop.expect("due again on")
    refused = page.post("rate", {"session": sheet["session"], "rating": 1})
    assert refused.status == 409
    assert "rated already" in refused.json["error"]
    loop.press("q")
    assert loop.ended() == 0
    assert count(home, "sessions") == 1
    assert count(home, "reviews") == 1
    assert count(home, "attempts") >= 1


@pytest.mark.slow
def test_should_lose_no_event_of_two_who_write_at_the_same_time(
    page: WebClient, workspace: Path, home: Path, run_in_workspace: Callable[..., Any]
):
    """Skips and undos from the page and from commands, by turns: each is in the history, once."""
    rounds = 4
    for _ in range(rounds):
        page.ask("open", kata="rms-norm")
        assert run_in_workspace("skip", "rms-norm").returncode == 0
        step = page.get("/api/undo").json
        assert page.ask("undo", id=step["id"])["kata"] == "rms-norm"
        again = page.ask("open", kata="rms-norm")
        assert page.ask("skip", session=again["session"])["said"]
        assert run_in_workspace("undo").returncode == 0
    assert (count(home, "skips"), count(home, "undos"), count(home, "sessions")) == (2 * rounds, 2 * rounds, 1)


def test_should_leave_an_exam_to_whoever_sits_it(page: WebClient, workspace: Path):
    assert page.ask("exam/begin", minutes=30, katas=0, questions=2)["state"] == "sitting"
    terminal = Terminal("exam", cwd=workspace)
    terminal.expect("an exam is open elsewhere")
    assert terminal.ended() == 2
    assert page.ask("exam/leave")["state"] == "begun"
    there = Terminal("exam", cwd=workspace)
    there.expect("of 30 min left")
    refused = page.post("exam/begin", {})
    assert refused.status == 409
    assert "an exam is open elsewhere" in refused.json["error"]
    there.press("q")
    assert there.ended() == 0
    assert page.ask("exam/begin")["state"] == "sitting"
