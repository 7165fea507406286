"""Answers to notes: recorded once, exported, merged, rebuilt and restored like every event."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from llmdrills.errors import UsageError
from llmdrills.practice import backups, exchange, schema
from llmdrills.practice.history import History
from llmdrills.practice.note_reviews import NoteReview, of_note, record
from tests.helpers.kata_learner import START, review
from tests.helpers.last_release import expected, history_copy


def answer(number: int, origin: str = "", rating: int = 3) -> NoteReview:
    return NoteReview(
        note="q1",
        language="en",
        rating=rating,
        source="self",
        origin=origin or f"exam 1, answer {number}",
        moment=START.plus(number),
    )


def test_should_record_an_answer_once_by_its_origin(history: History) -> None:
    assert record(history, [answer(0), answer(1), answer(2, "exam 1, answer 0")]) == 2
    assert record(history, [answer(0), answer(3)]) == 1
    assert of_note(history, "q1") == [answer(0), answer(1), answer(3)]
    assert of_note(history, "q2") == []


@pytest.mark.parametrize("change", [{"rating": 5}, {"language": "German"}, {"source": "guess"}, {"note": "\n"}])
def test_should_record_no_answer_that_cannot_be(history: History, change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot be recorded"):
        record(history, [answer(0), answer(1)._replace(**change)])
    assert history.counts() == {}


def test_should_merge_answers_by_their_origin(history: History, tmp_path: Path) -> None:
    record(history, [answer(0), answer(1)])
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        record(other, [answer(1, rating=2), answer(2)])
        assert exchange.import_lines(other, exchange.export_lines(history))[:2] == (1, 1)
        assert exchange.import_lines(history, exchange.export_lines(other))[:2] == (1, 2)
        assert [one.origin for one in of_note(other, "q1")] == [one.origin for one in of_note(history, "q1")]
        assert [one.rating for one in of_note(other, "q1")] == [3, 2, 3]


def test_should_keep_answers_through_damage_and_restore(history: History) -> None:
    record(history, [answer(number) for number in range(50)])
    kept = backups.keep(history, START)
    record(history, [answer(50)])
    history.close()
    with history.path.open("r+b") as file:
        file.write(b"\0" * 100)
    with History.open(history.path, check=True) as rebuilt:
        assert rebuilt.recovery is not None
        assert rebuilt.recovery.lost["note_reviews"] == 0
        assert len(of_note(rebuilt, "q1")) == 51
        backups.replace(rebuilt, backups.find(history.path, None))
        assert kept is not None
        assert len(of_note(rebuilt, "q1")) == 50


def test_should_add_the_table_to_a_history_of_the_last_release(tmp_path: Path) -> None:
    path = history_copy(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
    with History.open(path, check=True) as history:
        assert history.recovery is None
        assert history.rows("PRAGMA user_version")[0][0] == schema.version()
        rows = [dict(row) for row in history.rows("SELECT * FROM reviews ORDER BY seq")]
        assert rows == expected()["reviews"]
        assert record(history, [answer(0)]) == 1
        review(history, 0)
        with pytest.raises(Exception, match="append-only"):
            history.rows("DELETE FROM main.note_reviews")
    with contextlib.closing(sqlite3.connect(path.with_name(f"{path.name}.version-1"))) as copy:
        assert copy.execute("SELECT count(*) FROM reviews").fetchone()[0] == len(rows)


def test_should_rebuild_a_damaged_history_of_the_last_release(tmp_path: Path) -> None:
    path = history_copy(tmp_path)
    with path.open("r+b") as file:
        file.write(b"\0" * 100)
    with History.open(path, check=True) as history:
        assert history.recovery is not None
        assert history.recovery.witnesses == ("within",)
        assert sum(history.recovery.lost.values()) == 0
        assert len(history.rows("SELECT 1 FROM reviews")) == len(expected()["reviews"])
