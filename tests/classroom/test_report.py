"""The tables and the page, from rows: what each holds, what is escaped, and whose words stand where."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from llmdrills.classroom.page import OUTCOMES, render
from llmdrills.classroom.submissions import LeftOut, Submission
from llmdrills.classroom.tables import FIELDS, Row, as_csv, as_json
from llmdrills.cli.verdict_view import OUTCOMES as TOLD
from llmdrills.content.load import load_katas
from llmdrills.language import Bilingual
from tests.classroom.conftest import Room


def row(student: str, outcome: str = "wrong", mistake: str = "", message: str = "", why: str = "") -> Row:
    one = Submission(
        student=student, kata="centred-scale", variant="rows", file=f"{student}/centred-scale.py", path=Path()
    )
    diagnosis = {"id": mistake} if mistake else None
    verdict = {"outcome": outcome, "diagnosis": diagnosis, "message": message}
    return Row(one, None if why else verdict, Bilingual(why, f"原因 {why}") if why else None)


@pytest.mark.parametrize(
    "cell", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "＝1", "＠SUM(A1)"]
)
def test_should_not_let_a_spreadsheet_take_a_name_for_a_formula(cell):
    shown = next(csv.DictReader(io.StringIO(as_csv([row(cell)]).removeprefix("\ufeff"), newline="")))
    assert shown["student"] == f"'{cell}"
    assert shown["file"].startswith("'")


def test_should_write_a_line_for_each_row_with_the_fields_of_the_json():
    rows = [row("Lee, Ann", "passed"), row("李雷", mistake="no-mean"), row("cy", why="no")]
    lines = list(csv.reader(io.StringIO(as_csv(rows).removeprefix("\ufeff"), newline="")))
    assert lines[0] == list(FIELDS)
    assert [line[0] for line in lines[1:]] == ["Lee, Ann", "李雷", "cy"]
    assert [line[4:] for line in lines[1:]] == [
        ["true", "passed", ""],
        ["false", "wrong", "no-mean"],
        ["false", "error", ""],
    ]


def test_should_name_what_is_not_graded_and_what_is_left_out_in_the_json():
    data = as_json([row("ann", "passed"), row("bob", why="no such file")], [LeftOut("x", Bilingual("a", "甲"))], "zh")
    assert (data["schema"], [set(one) for one in data["rows"]]) == (1, [set(FIELDS)] * 2)
    assert data["not_graded"] == [{"student": "bob", "file": "bob/centred-scale.py", "why": "原因 no such file"}]
    assert data["left_out"] == [{"file": "x", "why": "甲"}]


# ---- the page --------------------------------------------------------------------------------------


@pytest.fixture
def page(room: Room):
    katas = load_katas(room.workspace)
    return lambda rows, language="en": render(rows, [], katas, language)


def sections(html: str) -> dict[str, str]:
    """The part of each student, by name; the rest of the page under an empty name."""
    found = {re.findall("<h3>(.*?)</h3>", one)[0]: one for one in re.findall("<article.*?</article>", html, re.DOTALL)}
    return {**found, "": re.sub("<article.*?</article>", "", html, flags=re.DOTALL)}


def test_should_keep_each_students_words_in_their_own_section(page):
    rows = [row(f"student{at}", mistake="no-mean", message=f"SECRET{at} printed") for at in range(3)]
    rows += [row("student3", why="SECRET3")]
    for language in ("en", "zh"):
        parts = sections(page(rows, language))
        assert set(parts) == {"", *(f"student{at}" for at in range(4))}
        for at in range(4):
            mine = (f"SECRET{at}", f"student{at}")
            assert all(word in parts[f"student{at}"] for word in mine)
            assert not [name for name, part in parts.items() if name != f"student{at}" and any(w in part for w in mine)]


def test_should_list_the_commonest_mistakes_first_by_the_number_of_students(page):
    rows = [row("ann", mistake="no-scale"), row("ann", mistake="no-scale"), row("ann", mistake="no-scale")]
    rows += [row("bob", mistake="no-mean"), row("cy", mistake="no-mean"), row("dee", "passed")]
    top = sections(page(rows))[""]
    assert re.findall(r"<tr><td>(.*?)</td>.*?<td class='n'>(\d+)</td></tr>", top)[:2] == [
        ("Take the mean off.", "2"),
        ("Use the scale.", "1"),
    ]
    assert "减去均值。" in page(rows, "zh")


def test_should_say_that_no_known_mistake_was_made(page):
    assert "No submission failed by a known mistake." in page([row("ann", "passed"), row("bob", "timeout")])


def test_should_escape_whatever_a_student_writes(page):
    hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[2J"
    html = page([row(hostile, message=hostile, mistake=hostile), row("bob", why=hostile)])
    assert "<script" not in html
    assert "<img" not in html
    assert not set("\u202e\x1b") & set(html)
    assert "default-src 'none'" in html


def test_should_have_a_word_for_every_outcome_the_same_as_on_the_terminal():
    assert set(OUTCOMES) == set(TOLD)
    assert {name for name in TOLD if OUTCOMES[name] != TOLD[name]} == {"error"}
