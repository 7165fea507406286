"""Saves as editors make them."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.cli.watch import Watcher, watch

PATIENCE = 10.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "kata.py"
    path.parent.mkdir()
    path.write_text("first", "utf-8")
    return path


@pytest.fixture
def watcher(file: Path) -> Iterator[Watcher]:
    with Watcher(file) as watcher:
        yield watcher


def replace(file: Path, text: str) -> None:
    """Save as vim and most others do: write another file, rename it over the old one."""
    other = file.with_suffix(".tmp")
    other.write_text(text, "utf-8")
    other.replace(file)


def test_should_notice_a_save_in_place(file, watcher):
    file.write_text("second", "utf-8")
    assert watcher.wait(PATIENCE)


def test_should_notice_a_save_by_renaming_every_time(file, watcher):
    for number in range(3):
        replace(file, f"text {number}")
        assert watcher.wait(PATIENCE)


def test_should_count_the_very_first_moment(file):
    with Watcher(file) as watcher:
        file.write_text("at once", "utf-8")
        assert watcher.wait(PATIENCE)


def test_should_not_take_a_deletion_for_a_save_but_what_follows_it(file, watcher):
    file.unlink()
    assert not watcher.wait(0.7)
    file.write_text("again", "utf-8")
    assert watcher.wait(PATIENCE)


def test_should_take_a_backup_then_a_new_file_for_a_save(file, watcher):
    file.replace(file.with_suffix(".py~"))
    file.write_text("new", "utf-8")
    assert watcher.wait(PATIENCE)


def test_should_let_the_folder_vanish_and_come_back(file, watcher):
    shutil.rmtree(file.parent)
    assert not watcher.wait(0.5)
    file.parent.mkdir()
    file.write_text("back", "utf-8")
    assert watcher.wait(PATIENCE)


def test_should_wait_for_a_file_that_is_not_there_yet(tmp_path):
    path = tmp_path / "later.py"
    with Watcher(path) as watcher:
        path.write_text("now", "utf-8")
        assert watcher.wait(PATIENCE)


def test_should_not_take_other_files_of_the_folder_for_saves(file, watcher):
    (file.parent / "other.py").write_text("x", "utf-8")
    (file.parent / "kata.py.swp").write_text("x", "utf-8")
    assert not watcher.wait(0.7)


def test_should_not_take_reading_the_file_for_a_save(file, watcher):
    file.read_text("utf-8")
    assert not watcher.wait(0.5)


def test_should_never_lose_the_last_of_many_saves(file, watcher):
    for number in range(10):
        file.write_text(f"{number}", "utf-8")
        time.sleep(0.02)
    seen = ""
    deadline = time.monotonic() + PATIENCE
    while seen != "9" and time.monotonic() < deadline:
        if watcher.wait(1.0):
            seen = file.read_text("utf-8")
    assert seen == "9"
    watcher.wait(0.7)  # the word on an earlier save may have come when the last one was written already
    assert not watcher.wait(0.7), "a save was told again and again"


def test_should_let_a_watcher_be_closed_twice_and_leave_no_thread(file):
    watcher = Watcher(file)
    thread = watcher._thread
    assert thread.is_alive()
    watcher.close()
    watcher.close()
    assert not thread.is_alive()


def test_should_run_after_each_save_and_tell_of_newer_ones(file):
    seen: list[str] = []
    newer = threading.Event()

    def saved() -> None:
        seen.append(file.read_text("utf-8"))
        if len(seen) == 1:
            replace(file, "newer")
            assert newer.wait(PATIENCE), "a save during the work is told at once"
        else:
            raise KeyboardInterrupt

    starter = threading.Timer(0.3, replace, (file, "new"))
    starter.start()
    with pytest.raises(KeyboardInterrupt):
        watch(file, saved, newer.set)
    starter.join()
    assert seen == ["new", "newer"]


def test_should_take_a_save_with_an_older_time_for_a_save(file, watcher):
    os.utime(file, ns=(0, 0))
    assert watcher.wait(PATIENCE)
