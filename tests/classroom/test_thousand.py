"""A class of a thousand on a local Dask cluster, by the real command: everyone has one row, the right one, alone.

`LLMDRILLS_STUDENTS` says how many hand in.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter

import pytest

from tests.classroom.conftest import NO_MEAN, RIGHT, Room
from tests.classroom.test_report import sections

STUDENTS = int(os.environ.get("LLMDRILLS_STUDENTS", "1000"))
HANGING = 3
"""Each of them takes the ten seconds in which a file has to load."""
KATA = "centred-scale"
KINDS = {
    "passed": RIGHT,
    "wrong": NO_MEAN,
    "crashed": "def (:\n",
    "unimplemented": "def centre(x, scale=1.0):\n    raise NotImplementedError\n",
    "timeout": "while True:\n    pass\n",
    "error": "# llmdrills: kata=another variant=rows\n",
}
"""A file for each outcome; the last is for another kata, as its first line says, and is not graded."""


def kind_of(at: int) -> str:
    """What that student hands in: of ten files six are right, two wrong, one broken, one not written."""
    if at % (STUDENTS // HANGING) == 7:
        return "timeout"
    if at % (STUDENTS // 4) == 11:
        return "error"
    return ("passed", "passed", "wrong", "passed", "crashed", "passed", "unimplemented", "passed", "wrong", "passed")[
        at % 10
    ]


def handed_in(at: int) -> str:
    """The file: a wrong one prints who wrote it, and says so where it fails."""
    text = KINDS[kind_of(at)]
    return f'{text}\nprint("MARK{at:04}")\n' if kind_of(at) == "wrong" else text


@pytest.mark.ships
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_should_grade_a_class_of_a_thousand_on_a_local_cluster(room: Room):
    kinds = {f"student{at:04}": kind_of(at) for at in range(STUDENTS)}
    assert set(kinds.values()) == set(KINDS)
    room.hand_in({f"student{at:04}/{KATA}.py": handed_in(at) for at in range(STUDENTS)})
    empty = f"student{STUDENTS:04}"
    (room.submissions / empty).mkdir()
    (room.submissions / empty / f"{KATA}.py").touch()
    done = room.run("--scheduler", "local", "--jobs", 2, timeout=1200)
    assert done.code == 1, done.err  # some cannot be graded
    rows = room.results["rows"]
    assert [row["student"] for row in rows] == [*kinds, empty]
    found = {row["student"]: row["outcome"] for row in rows}
    assert found.pop(empty) in {"crashed", "unimplemented"}
    assert found == kinds
    assert {row["diagnosis"] for row in rows if row["outcome"] == "wrong"} == {"no-mean"}
    graded = STUDENTS + 1 - Counter(kinds.values())["error"]
    assert len(room.kept()) == graded
    assert f"graded {graded} of {graded}" in done.err
    nobody_elses(room)


def nobody_elses(room: Room) -> None:
    """Neither a student's part of the page nor their result names another one, or shows what another's file printed."""
    parts = sections((room.report / "report.html").read_text("utf-8"))
    assert not re.findall(r"student\d{4}|MARK\d{4}", parts.pop(""))
    assert len(parts) == STUDENTS + 1
    for name, part in parts.items():
        assert set(re.findall(r"(?:student|MARK)(\d{4})", part)) == {name.removeprefix("student")}
    for path in (room.report / "work").glob("*.json"):
        text = path.read_text()
        student = json.loads(text)["student"]
        assert set(re.findall(r"(?:student|MARK)(\d{4})", text)) == {student.removeprefix("student")}
