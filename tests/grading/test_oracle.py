"""The oracle's work for an attempt that may fail: which wrong kernels it asks, and when it stops."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path

import pytest

from llmdrills.grading.client import Grader
from llmdrills.grading.kernels.asking import WrongAnswers, ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.expectations import greatest, prepare
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.protocol.channel import Channel, send
from llmdrills.grading.workers import oracle
from llmdrills.grading.workers.oracle_feed import OracleFeed, Wanted
from tests.helpers.small_kata import REFERENCE, load_kata, make_kata, tensor, write_kata


@pytest.fixture
def prepared(tmp_path: Path):
    kata = load_kata(write_kata(tmp_path))
    loaded = load(kata)
    questions, expected = prepare(loaded, "rows", 1, tmp_path, slips=False)
    return loaded, oracle._Prepared(
        number=7,
        kata=kata,
        variant="rows",
        named=questions,
        drawn=[],
        expected=tuple(expected),
        wrong=WrongAnswers(loaded, "rows"),
    )


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    yield oracle._Outbox(theirs), Channel(ours), ours
    ours.close()
    theirs.close()


def asked_of(last) -> int:
    return len(last.wrong._known)


def feed_after(channel: Channel, turn: int) -> OracleFeed:
    feed = OracleFeed(7, Path())
    feed.turn = turn
    for frame in channel.frames():
        feed.take(frame)
    return feed


def test_should_stop_working_beforehand_when_somebody_asks(prepared, ends):
    _, last = prepared
    out, channel, ours = ends
    ours.setblocking(True)
    send(ours, pickle.dumps("the next request"))
    assert oracle._answer(out, last, 1, Wanted(beforehand=True)) is False
    assert asked_of(last) == 0
    assert oracle._answer(out, last, 2, Wanted()) is True  # somebody waits for these: they are finished first
    assert asked_of(last) == len(last.wrong.names) * len(last.named)
    ours.setblocking(False)
    assert len(feed_after(channel, 2).explanations) == len(last.named)


def test_should_stop_working_beforehand_when_it_takes_long(prepared, ends, monkeypatch):
    _, last = prepared
    out, channel, _ = ends
    monkeypatch.setattr(oracle, "BEFOREHAND", -1.0)
    monkeypatch.setattr(oracle, "_PREPARED", {7: last})
    oracle._explain(out, 7, turn=1, wanted=Wanted(beforehand=True))
    feed = feed_after(channel, 1)
    assert (feed.explained, feed.put_off, feed.explanations) == (False, True, [])


def test_should_not_read_answers_that_were_asked_for_at_an_earlier_turn(prepared, ends, monkeypatch):
    _, last = prepared
    out, channel, _ = ends
    monkeypatch.setattr(oracle, "_PREPARED", {7: last})
    oracle._explain(out, 7, turn=1, wanted=Wanted())
    feed = feed_after(channel, 2)
    assert (feed.explained, feed.explanations) == (False, [])


def test_should_ask_the_wrong_kernels_only_what_can_explain_the_attempt(prepared, ends):
    loaded, last = prepared
    out, channel, _ = ends
    caller = Caller("cpu", "attempt.py")
    slip = next(one for one in loaded.variant("rows").wrong)
    answers = [ask(loaded, caller, slip.kernel, question) for question in last.named]
    assert oracle._answer(out, last, 1, Wanted(answers=answers)) is True
    told = feed_after(channel, 1).explanations
    assert all(slip.id in one for one in told)
    assert asked_of(last) < len(last.wrong.names) * len(last.named)


# ---- what it prints -------------------------------------------------------------------------------


@pytest.mark.timeout(60)
def test_should_go_on_however_much_the_katas_own_code_prints(tmp_path: Path):
    """It lives for hundreds of attempts: in a pipe that nobody reads, 64 KiB of warnings in all would stop it."""
    noisy = REFERENCE.replace("    if x.dim() != 2:", '    print("x" * 20_000)\n    if x.dim() != 2:')
    kata = make_kata(tmp_path, reference=noisy)
    right = f"{REFERENCE}\ncentre = centre_rows\n"
    with Grader() as grader:
        found = [grader.grade(kata, "rows", f"{right}# {number}\n").outcome for number in range(6)]
    assert found == ["passed"] * 6


def test_should_measure_an_error_without_a_warning_where_both_are_infinite():
    infinite = tensor([float("inf"), 1.0, float("-inf")], "float64")
    assert greatest(infinite, tensor([float("inf"), 1.5, float("-inf")], "float64")) == 0.5
    assert greatest(float("inf"), float("inf")) == 0.0
