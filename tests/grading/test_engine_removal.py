"""Removing what an attempt left behind: everything in the folder, and nothing outside of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from llmdrills.grading.workers.removal import remove_tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    return made


def test_should_remove_files_folders_pipes_and_broken_links(folder):
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_text("x")
    (folder / "broken").symlink_to("nowhere")
    os.mkfifo(folder / "a" / "pipe")
    remove_tree(folder)
    assert not folder.exists()


def test_should_remove_folders_deeper_than_a_path_a_stack_and_the_open_files_allow(folder):
    place = os.open(folder, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 20, dir_fd=place)
        inner = os.open("d" * 20, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(place)
    remove_tree(folder)
    assert not folder.exists()


def test_should_neither_empty_nor_open_what_a_link_points_to(folder, tmp_path):
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner" / "kept").write_text("x")
    (outside / "inner").chmod(0o500)
    for place in (folder, folder / "a"):
        place.mkdir(exist_ok=True)
        (place / "link").symlink_to(outside, target_is_directory=True)
        (place / "inner").symlink_to(outside / "inner", target_is_directory=True)
    (folder / "a").chmod(0o500)
    folder.chmod(0o500)
    remove_tree(folder)
    assert not folder.exists()
    assert (outside / "inner" / "kept").read_text() == "x"
    assert stat.S_IMODE((outside / "inner").stat().st_mode) == 0o500


def test_should_remove_a_link_in_the_place_of_the_folder_and_keep_its_target(folder, tmp_path):
    (folder / "kept").write_text("x")
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    remove_tree(link)
    assert not link.is_symlink()
    assert (folder / "kept").exists()


def test_should_remove_folders_that_nobody_may_look_into(folder):
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    for place in (inner, inner.parent, folder):
        place.chmod(0)
    remove_tree(folder)
    assert not folder.exists()


def test_should_remove_folders_of_names_that_it_uses_itself(folder):
    taken = folder / f".removed-{os.getpid()}-0" / "x"
    taken.mkdir(parents=True)
    (folder / "a" / "b").mkdir(parents=True)
    remove_tree(folder)
    assert not folder.exists()


def test_should_say_nothing_of_a_folder_that_is_gone(tmp_path):
    remove_tree(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
