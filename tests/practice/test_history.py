"""The record: append-only, whole after a crash, safe for several processes, never silently replaced."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from llmdrills.errors import HistoryError
from llmdrills.practice import exchange, plan, replay, schema
from llmdrills.practice.history import History, decode, encode
from tests.helpers.kata_learner import START, KataLearner, make_kata, review

KATA = make_kata("rope")


def ids(history: History, table: str = "reviews") -> list[str]:
    return [row["id"] for row in history.rows(f"SELECT id FROM main.{table} ORDER BY seq")]


def python(program: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    lines = "import sys\nfrom pathlib import Path\n" + textwrap.dedent(program)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", lines, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("table", sorted(schema.EVENTS))
def test_should_let_events_be_neither_changed_nor_deleted(history: History, table: str) -> None:
    values = {
        name: {"TEXT": "x", "INTEGER": 1, "REAL": 1.0}[column.type] for name, column in schema.EVENTS[table].items()
    }
    history.append(table, START, **values)
    for statement in (f"UPDATE main.{table} SET at = 0", f"DELETE FROM main.{table}"):
        with pytest.raises(HistoryError, match="append-only"):
            history.rows(statement)
    for statement in (f"UPDATE {table} SET at = 0", f"DELETE FROM {table}"):
        with pytest.raises(HistoryError):
            history.rows(statement)
    assert len(ids(history, table)) == 1


def test_should_refuse_a_value_of_the_wrong_type(history: History) -> None:
    with pytest.raises(HistoryError):
        history.append("hints", START, session="s", kata="k", number="one")
    assert ids(history, "hints") == []


@pytest.mark.parametrize("raw", [b"", b"plain", "空 文件\r\n".encode(), b"\xff\xfe\x00", b"nul\x00inside"])
def test_should_keep_code_byte_for_byte(raw: bytes) -> None:
    assert decode(**encode(raw)) == raw


def test_should_not_stop_the_record_for_half_a_character_in_code(history: History) -> None:
    review(history, 0, code="x = '\ud800'")
    row = history.rows("SELECT code, encoding FROM attempts")[0]
    assert decode(row["code"], row["encoding"]) == b"x = '\xed\xa0\x80'"


def test_should_write_events_together_all_or_none(history: History) -> None:
    good = {"session": "s", "kata": "k", "number": 1}
    with pytest.raises(HistoryError):
        history.write([("hints", good), ("hints", {**good, "number": "bad"})], START)
    assert ids(history, "hints") == []


# ---- several processes, and crashes -------------------------------------------------------------

WRITER = """
from tests.helpers.kata_learner import review
from llmdrills.practice.history import History
history = History.open(Path(sys.argv[1]))
first = int(sys.argv[2])
for number in range(first, first + int(sys.argv[3])):
    print(review(history, number, kata=f"kata-{number % 3}", code="x" * 5000), flush=True)
"""


def test_should_let_many_open_a_history_that_is_only_being_made(tmp_path: Path) -> None:
    def opened(path: Path, ready: threading.Barrier) -> None:
        ready.wait()
        History.open(path).close()

    for number in range(20):
        ready = threading.Barrier(6)
        with ThreadPoolExecutor(6) as pool:
            opening = [pool.submit(opened, tmp_path / f"{number}.sqlite3", ready) for _ in range(6)]
        assert [future.exception() for future in opening] == [None] * 6


def test_should_lose_nothing_when_four_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    processes = [python(WRITER, path, first, 15) for first in (0, 100, 200, 300)]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert all(process.returncode == 0 for process in processes)
    with History.open(path, check=True) as history:
        assert sorted(ids(history)) == sorted(chain.from_iterable(said))
        assert history.recovery is None


def test_should_hold_what_a_killed_process_said_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    said: list[str] = []
    for turn in range(6):
        process = python(WRITER, path, turn * 1000, 1000)
        assert process.stdout is not None
        said.append(process.stdout.readline().strip())
        time.sleep(0.003 * turn)
        process.kill()
        said += process.communicate()[0].split()
    with History.open(path, check=True) as history:
        assert history.recovery is None
        assert set(said) <= set(ids(history))
        assert history.check() == []
        assert {row["n"] for row in history.rows("SELECT count(*) AS n FROM attempts WHERE length(code) != 5000")} == {
            0
        }
        assert replay.load(history)[0] == replay.fresh(history)


def test_should_name_a_process_that_holds_the_database_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.sqlite3"
    monkeypatch.setattr("llmdrills.practice.database._WAIT", 0.1)
    with History.open(path) as history, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match="another process"):
            review(history, 0)
        other.execute("ROLLBACK")
        review(history, 0)
        assert len(ids(history)) == 1


# ---- no room, no right ----------------------------------------------------------------------------


def test_should_report_a_full_disk_and_lose_nothing(history: History) -> None:
    first = review(history, 0, code="kept")
    pages = history.rows("PRAGMA page_count")[0][0]
    history.rows(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(HistoryError, match="full"):
        review(history, 1, code="x" * 200_000)
    assert ids(history) == [first]
    history.rows("PRAGMA max_page_count = 1000000")
    review(history, 1, code="x" * 200_000)
    assert history.check() == []
    assert len(ids(history)) == 2


def test_should_report_a_file_that_may_not_grow(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "history.sqlite3"
    with History.open(path) as history:
        kept = review(history, 0)
    program = """
    from tests.helpers.kata_learner import review
    from llmdrills.errors import HistoryError
    from llmdrills.practice.history import History
    try:
        review(History.open(Path(sys.argv[1])), 1, code="x" * 3_000_000)
    except HistoryError as error:
        print(error)
    """

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    process = python(program, path, preexec_fn=limit)
    said = process.communicate(timeout=60)[0]
    assert "history.sqlite3" in said
    assert "lost" in said
    with History.open(path, check=True) as history:
        assert ids(history) == [kept]


def test_should_report_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    path = tmp_path / "closed" / "history.sqlite3"
    with History.open(path) as history:
        kept = review(history, 0)
    tmp_path.chmod(0o755)
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)
    program = """
    import os
    from llmdrills.errors import HistoryError
    from llmdrills.practice.history import History
    from tests.helpers.kata_learner import review
    if os.getuid() == 0:
        os.setuid(65534)  # root may write anywhere
    for place in sys.argv[1:]:
        try:
            with History.open(Path(place)) as history:
                review(history, 1)
        except HistoryError as error:
            print(error)
    """
    elsewhere = tmp_path / "closed" / "new" / "history.sqlite3"
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    process = python(program, path, elsewhere)
    said = process.communicate(timeout=60)[0].splitlines()
    path.parent.chmod(0o755)
    assert len(said) == 2
    assert all("LLMDRILLS_HOME" in line for line in said)
    path.chmod(0o644)
    with History.open(path, check=True) as history:
        assert ids(history) == [kept]


def test_should_report_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").mkdir()
    with pytest.raises(HistoryError, match="cannot be written"):
        History.open(tmp_path / "history.sqlite3")
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot be written"):
        History.open(tmp_path / "file" / "history.sqlite3")


def test_should_leave_a_database_of_another_program_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="not a history"):
        History.open(path)
    assert path.read_bytes() == before


# ---- versions -------------------------------------------------------------------------------------


def test_should_make_a_backup_before_a_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.sqlite3"
    with History.open(path) as history:
        kept = review(history, 0)
    released = schema.version()
    monkeypatch.setattr(
        schema, "MIGRATIONS", [*schema.MIGRATIONS, lambda c: c.execute("CREATE TABLE later (x INTEGER) STRICT")]
    )
    with History.open(path) as history:
        assert ids(history) == [kept]
        assert history.rows("PRAGMA user_version")[0][0] == len(schema.MIGRATIONS)
        history.rows("SELECT x FROM later")
    with contextlib.closing(sqlite3.connect(path.with_name(f"history.sqlite3.version-{released}"))) as backup:
        assert backup.execute("PRAGMA user_version").fetchone()[0] == released
        assert [row[0] for row in backup.execute("SELECT id FROM reviews")] == [kept]


def test_should_change_nothing_by_a_migration_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.sqlite3"
    with History.open(path) as history:
        kept = review(history, 0)

    def bad(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE later (x INTEGER) STRICT")
        connection.execute("INSERT INTO later VALUES ('text')")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, bad])
        with pytest.raises(HistoryError):
            History.open(path)
    with History.open(path, check=True) as history:
        assert ids(history) == [kept]
        assert not history.rows("SELECT 1 FROM sqlite_master WHERE name = 'later'")


def test_should_not_touch_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.sqlite3"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, lambda c: None])
        History.open(path).close()
    with pytest.raises(HistoryError, match="newer llmdrills"):
        History.open(path)


# ---- damage ---------------------------------------------------------------------------------------


@pytest.fixture
def full(tmp_path: Path) -> tuple[Path, list[str]]:
    """A history of 300 reviews, with code long enough for overflow pages, written and closed."""
    path = tmp_path / "data" / "history.sqlite3"
    with History.open(path) as history:
        known = [
            review(history, number, kata=f"kata-{number % 5}", code=f"# {number}\n" + "code " * 400)
            for number in range(100)
        ]
    return path, known


def damage(path: Path, start: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(os.urandom(length) if length < 5000 else b"\xa5" * length)


def aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.damaged-*"))


@pytest.mark.parametrize("where", ["header", "schema"])
def test_should_lose_nothing_by_a_broken_first_page(full: tuple[Path, list[str]], where: str) -> None:
    path, known = full
    damage(path, 0 if where == "header" else 100, 16 if where == "header" else 600)
    broken = path.read_bytes()
    with History.open(path, check=True) as history:
        assert history.recovery is not None
        assert sorted(ids(history)) == sorted(known)
        assert history.check() == []
        assert len(history.rows("SELECT 1 FROM attempts WHERE length(code) > 1990")) == 100
        assert "rebuilt whole" in history.recovery.message.en
        assert str(aside(path)[0]) in history.recovery.message.zh
        assert replay.load(history)[0] == replay.fresh(history)
    assert aside(path)[0].read_bytes() == broken


def test_should_lose_and_report_only_what_stood_in_broken_pages(full: tuple[Path, list[str]]) -> None:
    path, known = full
    size = path.stat().st_size
    for page in range(size // 4096 * 2 // 3, size // 4096 * 2 // 3 + 6):
        damage(path, page * 4096, 4096)
    with History.open(path, check=True) as history:
        recovery = history.recovery
        assert recovery is not None
        found = len(ids(history)) + len(ids(history, "attempts"))
        lost = sum(recovery.lost.values())
        assert 0 < lost <= 40
        assert found + lost == 200
        assert set(ids(history)) <= set(known)
        assert history.check() == []
        assert "Lost, as the count kept beside the file" in recovery.message.en
        assert "丢失" in recovery.message.zh


def test_should_keep_what_is_left_of_a_file_cut_short(full: tuple[Path, list[str]]) -> None:
    path, known = full
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 3 // 4)
    with History.open(path, check=True) as history:
        assert history.recovery is not None
        assert set(ids(history)) <= set(known)
        assert len(ids(history)) + len(ids(history, "attempts")) > 80
        assert history.check() == []


def test_should_report_the_loss_until_the_learner_has_read_it(full: tuple[Path, list[str]]) -> None:
    path, _ = full
    damage(path, 0, 16)
    History.open(path).close()
    with History.open(path) as later:
        assert later.recovery is not None
        assert later.recovery.aside == tuple(aside(path))
        replay.load(later)
        assert later.recovery is not None
        later.told()
    with History.open(path) as last:
        assert last.recovery is None


@pytest.mark.parametrize("seed", range(8))
def test_should_end_in_a_whole_database_after_damage_anywhere(full: tuple[Path, list[str]], seed: int) -> None:
    path, known = full
    rng = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 5, 60))):
        place, length = rng.randrange(len(data)), rng.choice((1, 8, 300))
        data[place : place + length] = rng.randbytes(len(data[place : place + length]))
    path.write_bytes(data)
    with History.open(path, check=True) as history:
        assert history.check() == []
        memories, _ = replay.load(history)
        assert memories == replay.fresh(history)
        list(exchange.export_lines(history))
        plan.today(history, (KATA,), START)
        found = set(ids(history)) & set(known)
        lost = history.recovery.lost["reviews"] if history.recovery else 0
        assert len(found) + lost >= 90, "hardly anything is lost without a word"


def test_should_set_garbage_aside_without_overwriting_it(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    path.write_bytes(b"this was never a database" * 400)
    with History.open(path) as history:
        assert history.recovery is not None
        review(history, 0)
    assert aside(path)[0].read_bytes().startswith(b"this was never")


def test_should_recover_what_only_the_log_holds_when_the_file_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    process = python(WRITER, path, 0, 1000)
    assert process.stdout is not None
    said = [process.stdout.readline().strip() for _ in range(5)]
    process.kill()
    said += process.communicate()[0].split()
    assert path.with_name("history.sqlite3-wal").stat().st_size > 0
    path.write_bytes(b"")
    with History.open(path) as history:
        assert history.recovery is not None
        assert set(said) <= set(ids(history))


def test_should_repair_damage_met_in_the_middle_of_work_and_do_the_work(full: tuple[Path, list[str]]) -> None:
    path, known = full
    root = None
    with contextlib.closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'reviews'").fetchone()[0]
    damage(path, (root - 1) * 4096, 64)
    with History.open(path) as history:
        fresh = review(history, 500)
        assert history.recovery is not None
        assert set(ids(history)) == {*known, fresh}


def test_should_resume_a_recovery_that_was_killed_where_it_was(
    full: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, known = full
    damage(path, 0, 16)
    original = Path.replace
    for turn in range(3):
        calls = []

        def replace(self: Path, target: Path, turn: int = turn, calls: list[Path] = calls) -> Path:
            calls.append(target)
            if len(calls) == turn % 2 + 1:
                raise KeyboardInterrupt
            return original(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            with pytest.raises(KeyboardInterrupt):
                History.open(path)
    with History.open(path, check=True) as history:
        assert sorted(ids(history)) == sorted(known)


def test_should_write_to_the_new_database_when_it_was_rebuilt_under_a_process(full: tuple[Path, list[str]]) -> None:
    path, known = full
    with History.open(path) as slow:
        slow.rows("SELECT 1 FROM reviews")
        damage(path, 0, 16)
        with History.open(path, check=True) as other:
            assert other.recovery is not None
            fresh = review(slow, 700)
            assert set(ids(other)) == {*known, fresh}


def test_should_put_a_database_back_that_was_deleted_while_open(tmp_path: Path) -> None:
    path = tmp_path / "data" / "history.sqlite3"
    with History.open(path) as history:
        known = [review(history, number) for number in range(3)]
        for file in path.parent.iterdir():
            file.unlink()
        path.parent.rmdir()
        known.append(review(history, 3))
        assert ids(history) == known
    with History.open(path, check=True) as history:
        assert ids(history) == known


def test_should_never_lose_archived_code(learner: KataLearner) -> None:
    for number in range(3):
        repetition = learner.begin(KATA)
        repetition.file.write_text(f"version {number}")
    learner.begin(KATA)
    codes = [row["code"] for row in learner.history.rows("SELECT code FROM archives ORDER BY seq")]
    assert codes == ["version 0", "version 1", "version 2"]


DAY = """
import os
from tests.helpers.kata_learner import STARTER, make_kata, verdict
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
kata = make_kata("rope")
history = History.open(Path(sys.argv[1]))
file = Path(sys.argv[2])
turn = 0
while True:
    turn += 1
    repetition = repetitions.resume(history, kata, STARTER) or repetitions.start(history, kata, "plain", file, STARTER)
    print("begun", repetition.id, flush=True)
    for number in range(3):
        code = f"# {os.getpid()} {turn} {number}"
        file.write_text(code)
        repetition.attempt(code, verdict("wrong" if number < 2 else "passed"))
        print("attempt", code, flush=True)
    print("review", repetition.rate().id, flush=True)
"""


def test_should_keep_what_was_said_and_resume_when_a_day_is_killed_at_any_moment(tmp_path: Path) -> None:
    path, file = tmp_path / "history.sqlite3", tmp_path / "rope.py"
    said: list[list[str]] = []
    for turn in range(6):
        process = python(DAY, path, file)
        assert process.stdout is not None
        said.append(process.stdout.readline().split(maxsplit=1))
        time.sleep(0.007 * turn)
        process.kill()
        # The last line may be cut off: then nothing was promised.
        said += [
            line.split(maxsplit=1) for line in process.communicate()[0].splitlines(keepends=True) if line.endswith("\n")
        ]
    with History.open(path, check=True) as history:
        assert history.recovery is None
        codes = {row["code"] for row in history.rows("SELECT code FROM attempts")}
        promised = {
            kind: {rest.strip() for what, rest in said if what == kind} for kind in ("begun", "attempt", "review")
        }
        assert promised["attempt"] <= codes
        assert promised["review"] <= set(ids(history))
        assert promised["begun"] <= set(ids(history, "sessions"))
        assert replay.load(history)[0] == replay.fresh(history)
        open_ones = [
            row["id"] for row in history.rows("SELECT id FROM sessions WHERE id NOT IN (SELECT session FROM reviews)")
        ]
        assert len(open_ones) <= 1, "a repetition that was killed is gone on with, not begun anew"
