"""Files that cases write for the learner: read by both sides, changed by neither."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.content.catalogue import with_slips
from llmdrills.content.model import Kata
from llmdrills.grading.client import Grader, Limits
from llmdrills.grading.workers.case_files import seal, sealed_state
from llmdrills.grading.workers.removal import remove_tree

QUICK = Limits(load=5.0, call=5.0, total=20.0)
CASES = """
from llmdrills.grading.authoring import Inputs, call, case, misconception


@case(why="a number in a file")
def base(make: Inputs):
    folder = make.folder / "base"
    folder.mkdir(exist_ok=True)
    (folder / "number.txt").write_text("21")
    return call(str(folder))


@case(why="another number, read late")
def late(make: Inputs):
    folder = make.folder / "late"
    folder.mkdir(exist_ok=True)
    (folder / "number.txt").write_text("4")
    return call(str(folder))


@misconception("not-doubled", en="Double it.", zh="要乘以二。", seen="a forum", fix="2 *")
def not_doubled(folder):
    return int(open(folder + "/number.txt").read())
"""
REFERENCE = """
import time


def rms_norm_cast_first(folder):
    if folder.endswith("late"):
        time.sleep(0.5)
    return 2 * int(open(folder + "/number.txt").read())


rms_norm_cast_last = rms_norm_cast_first
"""
READS = "\ndef rms_norm(folder):\n    return 2 * int(open(folder + '/number.txt').read())\n"
OPENS = """
import glob, os, shutil

def change(data):
    for path in glob.glob(os.path.dirname(os.getcwd()) + "/cases-*/*/number.txt"):
        os.chmod(path, 0o600)
        old = open(path).read()
        open(path, "w").write(data or old)

def remove():
    for folder in glob.glob(os.path.dirname(os.getcwd()) + "/cases-*"):
        for place, _, _ in os.walk(folder):
            os.chmod(place, 0o700)
        shutil.rmtree(folder)
"""


@pytest.fixture
def kata(shipped_kata, tmp_path) -> Kata:
    shipped = shipped_kata("rms-norm")
    folder = tmp_path / "kata"
    shutil.copytree(shipped.folder, folder)
    (folder / "cases.py").write_text(CASES, "utf-8")
    (folder / "reference.py").write_text(REFERENCE, "utf-8")
    (folder / "slips.yaml").unlink(missing_ok=True)
    return with_slips(dataclasses.replace(shipped, folder=folder))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader


@pytest.fixture
def outcome(grader: Grader, kata: Kata):
    return lambda source: grader.grade(kata, "cast-first", source, limits=QUICK, seed=5).outcome


def test_should_pass_who_reads_the_files(outcome, grader):
    assert outcome(READS) == "passed"
    assert outcome(READS) == "passed"  # the same files are read again
    assert len(list(grader._pool.server.root.glob("cases-*"))) == 1


def test_should_make_the_files_anew_after_they_were_changed(outcome, grader):
    assert outcome(OPENS + "\n\ndef rms_norm(folder):\n    change('50')\n    return 100\n") == "forbidden"
    assert not list(grader._pool.server.root.glob("cases-*"))
    assert outcome(READS) == "passed"


def test_should_explain_who_reads_them_wrongly(grader, kata):
    verdict = grader.grade(kata, "cast-first", READS.replace("2 * ", ""), limits=QUICK, seed=5)
    assert verdict.diagnosis is not None
    assert verdict.diagnosis.id == "not-doubled"


def test_should_forbid_to_change_what_the_oracle_reads(outcome):
    lies = "\n\ndef rms_norm(folder):\n    change('50')\n    return 100\n"
    assert outcome(OPENS + lies) == "forbidden"


def test_should_forbid_to_change_the_files_and_put_them_back(outcome):
    restores = READS.replace("    return", "    change('')\n    return")
    assert outcome(OPENS + restores) == "forbidden"


def test_should_forbid_to_remove_them_even_when_the_oracle_fails_over_it(outcome):
    removes = "\n\ndef rms_norm(folder):\n    remove()\n    return 42\n"
    assert outcome(OPENS + removes) == "forbidden"


def test_should_let_nobody_write_there_by_accident(outcome):
    writes = READS.replace("    return", "    open(folder + '/mine.txt', 'w').close()\n    return")
    assert outcome(writes) == "crashed"


def test_should_know_a_folder_again_until_anything_in_it_changes(tmp_path):
    folder = tmp_path / "cases"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "file").write_text("x")
    state = seal(folder)
    assert sealed_state(folder) == state
    (folder / "a" / "file").chmod(0o600)
    assert sealed_state(folder) != state
    remove_tree(folder)
    assert sealed_state(folder) != state


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_should_see_that_something_else_stands_in_the_place_of_a_file(tmp_path, kind):
    folder = tmp_path / "cases"
    folder.mkdir()
    file = folder / "file"
    file.write_text("x")
    state = seal(folder)
    folder.chmod(0o700)
    file.unlink()
    {"pipe": os.mkfifo, "link": lambda path: path.symlink_to("/dev/zero"), "folder": Path.mkdir}[kind](file)
    assert sealed_state(folder) != state


def test_should_have_no_state_of_a_folder_without_files(tmp_path):
    (tmp_path / "cases" / "a").mkdir(parents=True)
    assert seal(tmp_path / "cases") == ()
    assert sealed_state(tmp_path / "gone") == ()
