"""The catalogue is right with and without its cache, and light on a hit."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llmdrills.content import load_katas
from llmdrills.content.catalogue import cache_file, load_catalogue
from llmdrills.content.kata import Starter
from llmdrills.errors import ContentError
from tests.helpers.content_folder import Folder


def test_should_give_on_a_hit_what_loading_gives_but_for_the_slips(folder: Folder, tmp_path: Path) -> None:
    folder.edit(
        "drills/twice/kata.yaml",
        "requires: []",
        "forbidden: [{call: torch.mul, why: {en: w, zh: 因}}]\n"
        "budgets: [{case: base, flops: 1.5, why: {en: w, zh: 因}}]\n"
        "starter: {function: twice}",
    )
    expected = tuple(dataclasses.replace(kata, slips=()) for kata in load_katas(folder.root))
    assert load_catalogue(folder.root, tmp_path / "cache") == expected
    assert cache_file(folder.root, tmp_path / "cache").exists()
    assert load_catalogue(folder.root, tmp_path / "cache") == expected


def test_should_keep_everything_of_the_shipped_katas_but_their_slips(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    expected = tuple(dataclasses.replace(kata, slips=(), same=()) for kata in load_katas(root))
    assert {kata.starter for kata in expected} > {Starter()}
    assert load_catalogue(root, tmp_path) == expected
    assert load_catalogue(root, tmp_path) == expected


@pytest.mark.parametrize("file", ["kata.yaml", "reference.py", "cases.py"])
def test_should_notice_a_changed_file(folder: Folder, tmp_path: Path, file: str) -> None:
    load_catalogue(folder.root, tmp_path)
    path = folder.root / "drills/twice" / file
    path.write_text("nonsense: [", "utf-8")
    with pytest.raises(ContentError):
        load_catalogue(folder.root, tmp_path)
    with pytest.raises(ContentError):  # nothing was cached in between
        load_catalogue(folder.root, tmp_path)


def test_should_notice_an_edit_of_the_same_length_by_its_time(folder: Folder, tmp_path: Path) -> None:
    load_catalogue(folder.root, tmp_path)
    folder.edit("drills/twice/kata.yaml", "minutes: 5", "minutes: 7")
    later = folder.root.stat().st_mtime_ns + 10**9
    os.utime(folder.root / "drills/twice/kata.yaml", ns=(later, later))
    assert load_catalogue(folder.root, tmp_path)[0].minutes == 7


def test_should_notice_a_kata_that_comes_or_goes(folder: Folder, tmp_path: Path) -> None:
    load_catalogue(folder.root, tmp_path)
    shutil.rmtree(folder.root / "drills/twice")
    assert load_catalogue(folder.root, tmp_path) == ()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b'{"stamp": 1}', b"\xff", b"[" * 100_000])
def test_should_make_a_damaged_cache_anew(folder: Folder, tmp_path: Path, damage: bytes) -> None:
    first = load_catalogue(folder.root, tmp_path)
    path = cache_file(folder.root, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage)
    assert load_catalogue(folder.root, tmp_path) == first
    assert path.read_bytes() == whole


def test_should_make_a_cache_anew_whose_katas_are_cut_short(folder: Folder, tmp_path: Path) -> None:
    first = load_catalogue(folder.root, tmp_path)
    path = cache_file(folder.root, tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"entry"', b'"entri"'))
    assert load_catalogue(folder.root, tmp_path) == first


def test_should_lose_nothing_but_speed_where_the_cache_cannot_be_written(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert load_catalogue(folder.root, tmp_path / "file" / "below")


def test_should_not_share_a_cache_between_two_workspaces(folder: Folder, tmp_path: Path) -> None:
    assert cache_file(folder.root, tmp_path) != cache_file(folder.root / "other", tmp_path)


def test_should_import_neither_yaml_nor_a_parser_on_a_hit(folder: Folder, tmp_path: Path) -> None:
    load_catalogue(folder.root, tmp_path)
    code = (
        "import sys, pathlib\nfrom llmdrills.content.catalogue import load_catalogue\n"
        "assert load_catalogue(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
        "print(sorted({'yaml', 'torch', 'tokenize', 'hashlib', 'tempfile', 'difflib'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(folder.root), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() in ("[]", "['tokenize']")  # dataclasses may bring tokenize, by way of inspect
