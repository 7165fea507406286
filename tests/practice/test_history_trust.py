"""Nothing is lost quietly: what a rebuild says, backups, derived tables, and values that no event can have."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmdrills.errors import HistoryError, UsageError
from llmdrills.practice import backups, evidence, exchange, plan, replay, schema, stats, tally
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History, insertion
from llmdrills.practice.moments import Moment
from llmdrills.practice.recovery import Recovery
from tests.helpers.kata_learner import START, KataLearner, make_kata, review

KATA = make_kata("rope")
DAY = 86_400_000_000


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A history of 60 attempts and reviews, written and closed."""
    path = tmp_path / "data" / "history.sqlite3"
    with History.open(path) as history:
        for number in range(60):
            review(history, number, code=f"# {number}\n" + "code " * 400)
    return path


def edit(path: Path, *statements: str) -> None:
    """Change the file behind llmdrills's back."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def count(history: History) -> int:
    return sum(history.counts().values())


def recovered(path: Path) -> Recovery:
    with History.open(path, check=True) as history:
        assert history.recovery is not None
        assert history.check() == []
        assert sum(history.recovery.kept.values()) == count(history)
        return history.recovery


# ---- what a rebuild says --------------------------------------------------------------------------


@pytest.mark.parametrize("left", [0, 5, 4096, 40_000, 150_000])
@pytest.mark.parametrize("counted", [True, False])
def test_should_say_exactly_what_is_missing_of_a_file_cut_short(full: Path, left: int, counted: bool) -> None:
    if not counted:
        tally.place(full).unlink()
    with full.open("r+b") as file:
        file.truncate(left)
    found = recovered(full)
    kept = sum(found.kept.values())
    lost = sum(found.lost.values())
    assert "whole" not in found.message.en
    assert kept < 120
    if found.witnesses:
        assert kept + lost == 120
        assert "Lost, as the" in found.message.en
        assert f"{found.lost['attempts']} of 60 attempts" in found.message.en
        assert "已丢失" in found.message.zh
    else:
        assert not counted
        assert "is not known" in found.message.en
        assert "无从得知" in found.message.zh
    assert "history import" in found.message.en
    assert "history import" in found.message.zh
    assert all(str(path) in found.message.en for path in found.aside)
    with History.open(full) as history:
        history.told()
    with History.open(full) as history:
        assert history.recovery is None, "it is told once"


def test_should_call_a_rebuilt_history_whole_only_where_a_count_says_so(full: Path) -> None:
    with full.open("r+b") as file:
        file.write(b"\0" * 16)
    found = recovered(full)
    assert found.witnesses == ("beside", "within")
    assert found.lost == dict.fromkeys(schema.EVENTS, 0)
    assert "rebuilt whole" in found.message.en
    assert "count kept beside the file and the file's own count say" in found.message.en


def test_should_miss_a_history_that_an_older_copy_has_replaced(full: Path, tmp_path: Path) -> None:
    older = tmp_path / "older.sqlite3"
    with History.open(full) as history:
        history.backup(older)
        for number in range(60, 65):
            review(history, number)
    full.write_bytes(older.read_bytes())
    found = recovered(full)
    assert found.lost["reviews"] == 5
    assert "5 of 65 reviews" in found.message.en


def test_should_miss_a_history_of_which_only_the_counts_are_left(full: Path) -> None:
    full.unlink()
    found = recovered(full)
    assert (found.lost["reviews"], found.kept["reviews"]) == (60, 0)


def test_should_begin_anew_without_a_word_where_there_was_nothing(tmp_path: Path) -> None:
    with History.open(tmp_path / "history.sqlite3") as history:
        assert history.recovery is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 5000, '[[], {"a": "b"}, {}]', "null", "3"])
def test_should_tell_of_a_rebuild_whose_own_record_is_damaged(full: Path, text: str) -> None:
    edit(full, f"INSERT INTO marks VALUES ('recovery', '{text}')")
    with History.open(full) as history:
        assert history.recovery is not None
        assert "was damaged" in history.recovery.message.en


def test_should_read_what_the_first_release_recorded_of_a_rebuild() -> None:
    found = Recovery.from_text('[["/d/history.damaged"], {"reviews": 4}, {"reviews": 1}]')
    assert found.message.en.startswith("The history was damaged. Recovered: 4 entries.")
    assert "1 of 5 reviews" in found.message.en


# ---- tables, columns and versions that are not as they should be ------------------------------------

EVENTS_LOST = {
    "a table dropped": ["DROP TABLE reviews"],
    "a column dropped": [
        "DROP TRIGGER reviews_keep",
        "DROP TRIGGER reviews_hold",
        "ALTER TABLE reviews DROP COLUMN seconds",
    ],
}
NOTHING_LOST = {
    "version 0": ["PRAGMA user_version = 0"],
    "version -5": ["PRAGMA user_version = -5"],
    "the mark of another program": ["PRAGMA application_id = 7"],
    "a trigger dropped": ["DROP TRIGGER attempts_hold"],
}


@pytest.mark.parametrize("statements", EVENTS_LOST.values(), ids=EVENTS_LOST)
def test_should_rebuild_a_history_that_lacks_a_table_or_a_column(full: Path, statements: list[str]) -> None:
    edit(full, *statements)
    found = recovered(full)
    assert found.kept["attempts"] == 60
    assert found.lost["reviews"] == 60 - found.kept["reviews"]


@pytest.mark.parametrize("statements", NOTHING_LOST.values(), ids=NOTHING_LOST)
def test_should_rebuild_a_history_whose_marks_are_wrong_without_a_loss(full: Path, statements: list[str]) -> None:
    edit(full, *statements)
    found = recovered(full)
    assert found.lost == dict.fromkeys(schema.EVENTS, 0)
    assert found.kept["reviews"] == 60


# ---- derived tables --------------------------------------------------------------------------------

GARBAGE = [
    "UPDATE memories SET body = 'garbage'",
    "UPDATE memories SET body = '{}'",
    "UPDATE memories SET body = replace(body, '\"stability\": ', '\"stability\": -')",
    'UPDATE memories SET body = replace(body, \'"bins": {\', \'"bins": {"x": [1, 1.0, 1], \')',
    'UPDATE memories SET body = replace(body, \'"times": [\', \'"times": ["x", \')',
    "UPDATE memories SET kata = 'another'",
    "DELETE FROM memories",
    "INSERT INTO memories VALUES ('new', '[]')",
    "UPDATE days SET reviews = -4",
    "UPDATE days SET day = 9000000000000 WHERE day = (SELECT max(day) FROM days)",
    "UPDATE days SET seconds = 1e999",
    *(f"UPDATE marks SET value = '{value}'" for value in ("", "x", "-1", "1e999", "99999999999999999999", "nan", "[")),
    *(f"DELETE FROM marks WHERE name = '{name}'" for name in ("reviews", "undos", "weights", "decay", "seal")),
    "DROP TABLE memories",
    "DROP TABLE marks",
    "DROP TABLE days",
    "ALTER TABLE days DROP COLUMN seconds",
    "ALTER TABLE memories RENAME COLUMN body TO text",
    "DROP TABLE memories; CREATE TABLE memories (kata, body, more)",
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_should_make_derived_tables_anew_whatever_is_in_them(full: Path, garbage: str) -> None:
    with History.open(full) as history:
        before = replay.load(history), stats.gather(history, (KATA,), START), replay.days(history)
    edit(full, *garbage.split(";"))
    with History.open(full) as history:
        assert history.recovery is None
        plan.today(history, (KATA,), START)
        assert (replay.load(history), stats.gather(history, (KATA,), START), replay.days(history)) == before
        assert replay.load(history)[0] == replay.fresh(history)
        review(history, 61)
        assert replay.load(history)[0] == replay.fresh(history)


# ---- values that no event can have ------------------------------------------------------------------

ODD: dict[str, list[Any]] = {
    "at": [-1, -(2**63), 2**63 - 1, -1_000_000 * 3600, 10**18],
    "zone": [86_400, -(2**62), 2**63 - 1],
    "INTEGER": [0, -1, 99, 2**63 - 1, -(2**63)],
    "REAL": [-1.0, 1e308, float("inf"), 5e-324],
    "TEXT": ["", "\0", "a\0b", "x" * 100_000, "\x1b[2J", "../../etc/passwd", "[" * 5000, "base64", "NaN", "👾"],
}


def odd_events(rng: random.Random, kind: str) -> list[tuple[Any, ...]]:
    """One event for each odd value of each column, the others as they should be."""
    sound: dict[str, Any] = {
        "language": "en",
        "source": "self",
        "kata": "rope",
        "variant": "plain",
        "session": "s1",
        "encoding": "utf-8",
        "cases": "[]",
    }
    plain = {"TEXT": "x", "INTEGER": 1, "REAL": 60.0}
    columns = schema.EVENTS[kind]
    usual = {name: sound.get(name, plain[column.type]) for name, column in columns.items()}
    found = []
    for name, kinds in [("at", "at"), ("zone", "zone"), *((name, column.type) for name, column in columns.items())]:
        for value in ODD[kinds]:
            usual["origin"] = f"origin {len(found)}"  # each is there once
            row = {"at": START.at + rng.randrange(30) * DAY, "zone": 0, **usual, name: value}
            found.append((f"{kind}-{name}-{len(found)}", row["at"], row["zone"], *(row[one] for one in columns)))
    return found


@pytest.mark.parametrize("kind", sorted(schema.EVENTS))
def test_should_read_a_history_whatever_values_its_events_have(learner: KataLearner, tmp_path: Path, kind: str) -> None:
    """What an earlier release let in is neither deleted nor counted, and stops no command."""
    learner.passes(KATA)
    history = learner.history
    rows = odd_events(random.Random(1), kind)

    def write() -> None:
        for row in rows:
            history.execute(insertion(kind), *row)

    history.transaction(write)
    now = learner.tick()
    plan.today(history, (KATA,), now).to_json()
    stats.gather(history, (KATA,), now).to_json()
    assert replay.load(history)[0] == replay.fresh(history)
    repetitions.unfinished(history)
    evidence.clean_passes(history, KATA)
    found = repetitions.resume(history, KATA)
    if found is not None:
        found.facts()
        found.last_code()
    assert len(list(exchange.export_lines(history))) == 1 + len(rows) + 3
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        taken = exchange.import_lines(other, exchange.export_lines(history))
        assert taken.new + len(taken.set_aside) == len(rows) + 3
        assert other.unsound() == []
        stats.gather(other, (KATA,), now).to_json()


def test_should_take_the_newest_parameters_that_fsrs_accepts(history: History) -> None:
    review(history, 0)
    right = list(replay.scheduler().parameters)
    for number, weights in enumerate([str(right), "[" * 3000, "[1]", "null", "{}", '["a"]', str([-5.0] * 21)]):
        history.append("parameters", START.plus(number), weights=weights, reviews=700, loss=0.3)
    assert replay.weights_of(history) == tuple(right)
    replay.load(history)


def test_should_record_nothing_by_a_clock_that_cannot_be_right(history: History) -> None:
    with pytest.raises(HistoryError, match="1969"):
        history.append("skips", Moment(-1), session="s", kata="k", reason="")
    assert history.counts() == {}


@pytest.mark.parametrize("zone", ["XXX-25", "XXX+30:00:00"])
def test_should_name_a_time_zone_that_cannot_be_right(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    import time

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with pytest.raises(UsageError, match="TZ="):
            Moment.now()
    finally:
        monkeypatch.undo()
        time.tzset()


# ---- backups ----------------------------------------------------------------------------------------


def on(day: int) -> Moment:
    return START.plus(day * DAY)


@pytest.fixture
def kept(full: Path) -> Path:
    """A history with a backup of each of three days; the newest holds 124 of its 130 events."""
    with History.open(full) as history:
        for day in (0, 1, 2):
            assert backups.keep(history, on(day)) is not None
            review(history, 60 + day, code="x")
        for number in range(63, 65):
            review(history, number, code="y")
    return full


def test_should_make_one_backup_a_day_and_keep_a_few(full: Path) -> None:
    with History.open(full) as history:
        made = [backups.keep(history, on(day).plus(hours * 3_600_000_000)) for day in range(9) for hours in (0, 3)]
        assert [one is not None for one in made] == [True, False] * 9
        assert [one.name[:10] for one in backups.listed(full)] == [str(on(day).day) for day in (8, 7, 6, 5, 4)]
        assert {one.events for one in backups.listed(full)} == {120}


def test_should_make_no_backup_of_nothing(history: History) -> None:
    assert backups.keep(history) is None
    assert not (history.path.parent / "backups").exists()


def test_should_keep_the_fullest_backup_when_the_history_has_lost_something(kept: Path) -> None:
    kept.unlink()
    tally.place(kept).unlink()
    folder = kept.parent / "backups"
    folder.rename(folder.with_name("elsewhere"))
    with History.open(kept) as history:
        review(history, 0)
    folder.with_name("elsewhere").rename(folder)
    with History.open(kept) as history:
        for day in range(3, 12):
            backups.keep(history, on(day))
    assert [one.events for one in backups.listed(kept)] == [1, 1, 1, 1, 1, 124]


def test_should_not_let_a_backup_of_a_wrong_clock_stop_the_others(full: Path) -> None:
    with History.open(full) as history:
        backups.keep(history, on(30_000))
        for day in range(7):
            assert backups.keep(history, on(day)) is not None
    assert len(backups.listed(full)) <= backups.KEPT + 1
    assert backups.find(full, str(on(6).day)).events == 120


@pytest.mark.parametrize("left", [0, 5, 30_000])
def test_should_take_back_from_backups_what_a_damaged_file_has_lost(kept: Path, left: int) -> None:
    with kept.open("r+b") as file:
        file.truncate(left)
    found = recovered(kept)
    assert found.kept["reviews"] >= 62
    assert found.lost["reviews"] == 65 - found.kept["reviews"]
    assert found.returned > 0
    assert f"From backups alone came {found.returned}." in found.message.en
    assert f"其中 {found.returned} 条来自备份" in found.message.zh


def test_should_restore_what_the_history_lacks_and_change_nothing_else(kept: Path) -> None:
    for file in (tally.place(kept), kept):
        file.unlink()
    hidden = kept.parent / "backups"
    hidden.rename(hidden.with_name("elsewhere"))
    with History.open(kept) as history:
        fresh = review(history, 100)
        hidden.with_name("elsewhere").rename(hidden)
        assert backups.restore(history, backups.find(kept, None)).events == 124
        assert backups.restore(history, backups.find(kept, None)).events == 0
        assert count(history) == 125
        assert history.rows("SELECT 1 FROM reviews WHERE id = ?", fresh)
        assert replay.load(history)[0] == replay.fresh(history)


def test_should_go_back_to_a_backup_and_keep_what_was_there(kept: Path) -> None:
    with History.open(kept) as history, History.open(kept) as second:
        before = count(history)
        replay.load(history)
        done = backups.replace(history, backups.find(kept, str(on(1).day)))
        assert done.aside is not None
        assert (done.events, count(history), before) == (122, 122, 130)
        assert replay.load(history)[0] == replay.fresh(history)
        assert [one.name[:10] for one in backups.listed(kept)] == [str(on(1).day), str(on(0).day)]
        review(second, 200)  # another process writes to the file that is there now
        assert count(history) == 123
    with History.open(kept, check=True) as history:
        assert history.recovery is None
        assert count(history) == 123
        backups.replace(history, backups.Backup(done.aside, "", 0))
        assert count(history) == 130


def test_should_leave_everything_as_it_was_when_a_backup_cannot_be_read(kept: Path) -> None:
    broken = backups.find(kept, None)
    broken.file.write_bytes(b"no database" * 1000)
    with History.open(kept) as history:
        for way in (backups.restore, backups.replace):
            with pytest.raises(HistoryError):
                way(history, broken)
        assert count(history) == 130
    assert len(backups.listed(kept)) == 2


def test_should_name_the_backups_that_there_are(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=str(on(2).day)):
        backups.find(kept, "1999")
    with pytest.raises(UsageError, match="no backup"):
        backups.find(tmp_path / "none" / "history.sqlite3", None)


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Callable[[], None]:
    """Have the process end at its so many-th replacement of a file, as a kill would."""
    original, calls = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == number:
            raise KeyboardInterrupt
        return original(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return monkeypatch.undo


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_should_lose_nothing_when_going_back_is_killed(
    kept: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    with History.open(kept) as history:
        undo = killed_at(monkeypatch, moment)
        with pytest.raises(KeyboardInterrupt):
            backups.replace(history, backups.find(kept, str(on(0).day)))
        undo()
    with History.open(kept, check=True) as history:
        assert count(history) == 130
