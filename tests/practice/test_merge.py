"""Two machines' histories merge to the same state, whichever imports first, however often, in whatever order."""

from __future__ import annotations

import contextlib
import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmdrills.errors import HistoryError
from llmdrills.practice import exchange, plan, replay
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History, insertion
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating
from tests.helpers.kata_learner import START, KataLearner, make_kata, verdict

KATAS = (make_kata("a", variants=("x", "y")), make_kata("b", "position"), make_kata("c", requires=("a",)))
EXAMPLES = int(os.environ.get("LLMDRILLS_HISTORIES", "25"))

# What happens on one machine: (what, kata, hours since the machine's last event, local offset in hours)
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["pass", "pass", "fail", "hinted", "lowered", "undo", "skip", "begin"]),
        st.integers(0, len(KATAS) - 1),
        st.integers(0, 400),
        st.integers(-11, 13),
    ),
    max_size=14,
)


@contextlib.contextmanager
def machine(folder: str, name: str) -> Iterator[KataLearner]:
    with History.open(Path(folder) / name / "history.sqlite3") as history:
        yield KataLearner(history, Path(folder) / name)


def live(learner: KataLearner, events: list[tuple[str, int, int, int]]) -> None:
    for what, which, hours, offset in events:
        learner.clock = Moment(learner.clock.at + hours * 3_600_000_000, offset * 3600)
        if what == "undo":
            repetitions.undo(learner.history, learner.tick())
            continue
        repetition = learner.begin(KATAS[which], KATAS[which].variants[hours % len(KATAS[which].variants)].id)
        if what == "skip":
            repetition.skip(now=learner.tick())
        elif what != "begin":
            if what == "fail":
                repetition.solution(now=learner.tick())
            if what == "hinted":
                repetition.hint(1, learner.tick())
            repetition.attempt(f"{what} {hours}", verdict("passed"), learner.tick(8))
            repetition.rate(Rating.HARD if what == "lowered" else None, learner.tick())


def lines(history: History) -> list[str]:
    return list(exchange.export_lines(history))


def state(history: History) -> Any:
    memories, decay = replay.load(history)
    days = [tuple(row) for row in history.rows("SELECT day, reviews, seconds FROM days ORDER BY day")]
    later = Moment(START.at + 400 * 86_400_000_000)
    return memories, decay, days, plan.today(history, KATAS, later), sorted(repetitions.unfinished(history))


@pytest.mark.slow
@pytest.mark.timeout(3600)  # `make soak` asks for 500 examples
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS, EVENTS, EVENTS, st.randoms(use_true_random=False))
def test_should_give_the_same_state_merging_either_way(
    here: list[tuple[str, int, int, int]],
    there: list[tuple[str, int, int, int]],
    after: list[tuple[str, int, int, int]],
    rng: random.Random,
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        machine(folder, "one") as one,
        machine(folder, "two") as two,
        machine(folder, "three") as three,
    ):
        live(one, here)
        live(two, there)
        sent = lines(one.history)
        exchange.import_lines(one.history, lines(two.history))
        exchange.import_lines(two.history, sent)
        assert lines(one.history) == lines(two.history)
        assert state(one.history) == state(two.history)

        two.clock = max(one.clock, two.clock)
        live(two, after)
        exported = lines(two.history)
        new, known, _ = exchange.import_lines(one.history, exported)
        assert new + known == len(exported) - 1
        assert exchange.import_lines(one.history, exported)[0] == 0, "a second import brings nothing"

        header, *events = exported
        rng.shuffle(events)
        for chunk in (events[::2], events[1::2]):
            exchange.import_lines(three.history, [header, *chunk])
            replay.load(three.history)
        assert lines(three.history) == exported
        assert state(one.history) == state(two.history) == state(three.history)
        for history in (one.history, two.history, three.history):
            assert replay.load(history)[0] == replay.fresh(history)


REVIEW = {
    "kind": "reviews",
    "id": "i",
    "at": "2026-03-02T18:00:00+00:00",
    "session": "s",
    "kata": "k",
    "variant": "v",
    "derived": 3,
    "rating": 3,
    "override": 0,
}


def hint(**changes: object) -> str:
    event = {"kind": "hints", "id": "i", "at": "2026-03-02T18:00:00+00:00", "session": "s", "kata": "k", "number": 1}
    return json.dumps({**event, **changes})


@pytest.fixture
def exported(learner: KataLearner) -> list[str]:
    learner.passes(KATAS[0])
    return lines(learner.history)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("not json", "not JSON"),
        ("[1]", "not an event"),
        ('{"kind": "stars"}', "unknown kind"),
        (hint(number=None), "number is None"),
        (hint(at="2026-03-02T18:00:00"), "its offset"),
        (hint(id=4), "no id"),
        (hint(kata="\ud800"), "half a character"),
        (hint(number=True), "number is True"),
        (hint(number=100.0), "number is 100.0"),
        (hint(more=1), "unknown key"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_should_name_a_bad_line_and_import_nothing(
    learner: KataLearner, exported: list[str], tmp_path: Path, line: str, says: str
) -> None:
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        with pytest.raises(HistoryError, match=says) as caught:
            exchange.import_lines(other, [*exported, line], "laptop.jsonl")
        assert f"laptop.jsonl:{len(exported) + 1}" in str(caught.value)
        assert lines(other) == exported[:1]


ATTEMPT = {
    "kind": "attempts",
    "id": "i",
    "at": "2026-03-02T18:00:00+00:00",
    "session": "s",
    "kata": "k",
    "variant": "v",
    "outcome": "passed",
    "diagnosis": None,
    "seconds": 1.0,
    "seed": 1,
    "device": "cpu",
    "cases": "[]",
    "code": "x",
    "encoding": "utf-8",
}


def weights(text: str) -> str:
    event = {"kind": "parameters", "id": "i", "at": REVIEW["at"], "reviews": 700, "loss": 0.3}
    return json.dumps({**event, "weights": text})


OUT_OF_DOMAIN = [
    (hint(number=2**70), "number is 1180591620717411303424"),
    (hint(number=0), "number is 0"),
    (hint(at="9999-12-31T00:00:00+00:00"), "at is 9999-12-31"),
    (hint(at="1969-12-31T23:00:00+00:00"), "at is 1969-12-31"),
    (hint(at=f"{10**18} µs, zone 0 s"), f"at is {10**18} µs"),
    (hint(kata="../../etc"), "kata is ../../etc"),
    (hint(kata="k" * 5000), "kata is kkk"),
    (hint(session="\x1b[2J"), r"session is '\x1b[2J'"),
    *((json.dumps({**REVIEW, "seconds": value}), "seconds is") for value in (float("nan"), -1, 1e308, 10**400)),
    *((json.dumps({**REVIEW, "seconds": 1.0, "rating": value}), f"rating is {value}") for value in (0, 5, 99, -1)),
    (json.dumps({**REVIEW, "seconds": 1.0, "override": 2}), "override is 2"),
    (json.dumps({**ATTEMPT, "encoding": "rot13"}), "encoding is rot13"),
    (json.dumps({**ATTEMPT, "code": "?", "encoding": "base64"}), "code is ?; it must be base64"),
    (json.dumps({**ATTEMPT, "cases": "[" * 50_000}), "cases is [[["),
    (weights("[" * 3000 + "]" * 3000), "weights is [[["),
    (weights('["a"]'), "weights is"),
    (weights("[NaN]"), "weights is"),
]


@pytest.mark.parametrize(("line", "says"), OUT_OF_DOMAIN, ids=[str(number) for number in range(len(OUT_OF_DOMAIN))])
def test_should_set_an_event_with_an_impossible_value_aside_and_take_the_others(
    learner: KataLearner, exported: list[str], tmp_path: Path, line: str, says: str
) -> None:
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        found = exchange.import_lines(other, [exported[0], line, *exported[1:]])
        assert found.new == len(exported) - 1
        (aside,) = found.set_aside
        assert aside.line == 2
        assert says in aside.message.en
        assert "第 2 行" in aside.message.zh
        assert len(aside.message.en) < 300
        assert lines(other) == exported


def test_should_take_every_event_that_it_writes(learner: KataLearner, tmp_path: Path) -> None:
    """What is refused is a mistake of the file's, never one of the domains."""
    live(learner, [(what, 0, 1, 0) for what in ("pass", "fail", "hinted", "lowered", "undo", "skip", "begin")])
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        assert exchange.import_lines(other, lines(learner.history)).set_aside == ()
        assert lines(other) == lines(learner.history)


def test_should_export_an_event_that_no_calendar_holds_and_name_it_on_the_way_in(
    learner: KataLearner, exported: list[str], tmp_path: Path
) -> None:
    learner.history.transaction(
        lambda: learner.history.execute(insertion("skips"), "odd", 10**18, 10**9, "s", "k", "the clock was wrong")
    )
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        found = exchange.import_lines(other, lines(learner.history))
        assert [one.id for one in found.set_aside] == ["odd"]
        assert lines(other) == exported


def test_should_refuse_an_edited_event(learner: KataLearner, exported: list[str]) -> None:
    edited = [line.replace('"rating": 3', '"rating": 4') for line in exported]
    assert edited != exported
    with pytest.raises(HistoryError, match="differs"):
        exchange.import_lines(learner.history, edited)
    assert lines(learner.history) == exported


@pytest.mark.parametrize("text", ["", "\n", '{"schema": 1}\n', '{"llmdrills": "history", "schema": 2}\n'])
def test_should_refuse_what_is_no_export(history: History, tmp_path: Path, text: str) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(text)
    with pytest.raises(HistoryError, match=r"in\.jsonl"):
        exchange.import_file(history, file)


def test_should_report_a_file_that_cannot_be_read(history: History, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot read"):
        exchange.import_file(history, tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(HistoryError, match="not UTF-8"):
        exchange.import_file(history, tmp_path / "bytes")


def test_should_keep_the_local_time_in_an_export(learner: KataLearner, tmp_path: Path) -> None:
    learner.clock = Moment.parse("2026-03-02T21:30:00.000001+08:00")
    learner.begin(KATAS[1])
    assert json.loads(lines(learner.history)[1])["at"].endswith("+08:00")
    with (tmp_path / "out.jsonl").open("w", encoding="utf-8") as file:
        assert exchange.write_export(learner.history, file) == 1
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        assert exchange.import_file(other, tmp_path / "out.jsonl") == (1, 0, ())
        assert lines(other) == lines(learner.history)


def test_should_count_an_undo_that_arrives_before_its_review(learner: KataLearner, tmp_path: Path) -> None:
    learner.passes(KATAS[1])
    repetitions.undo(learner.history, learner.tick())
    header, *events = lines(learner.history)
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        exchange.import_lines(other, [header, events[-1]])
        assert replay.load(other)[0] == {}
        exchange.import_lines(other, [header, *events])
        assert replay.load(other)[0] == {}
        assert plan.today(other, KATAS, learner.clock).streak == 0
