"""What was handed in, in every shape that a teacher's folder may have: graded, refused with a reason, or left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmdrills.classroom.submissions import read_again
from llmdrills.errors import UsageError
from tests.classroom.conftest import NO_MEAN, RIGHT, Room


def whys(found) -> dict[str, str]:
    """The reason of each row that is not graded."""
    return {row.file: row.why.en for row in found.submissions if row.why is not None}


def graded(found) -> list[tuple[str, str, str]]:
    return [(row.student, row.kata, row.variant) for row in found.submissions if row.why is None]


def table(room: Room, *lines: str, encoding: str = "utf-8") -> Path:
    path = room.root / "class.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def test_should_take_the_variant_from_the_name_then_the_first_line_then_the_kata(room: Room, find):
    room.hand_in(
        {
            "ann/centred-scale@columns.py": RIGHT,
            "bob/centred-scale.py": "# llmdrills: kata=centred-scale variant=columns\n",
            "cy/centred-scale.py": RIGHT,
            "dee/centred-scale@rows.py": "# llmdrills: kata=centred-scale variant=columns\n",
        }
    )
    kata = "centred-scale"
    assert graded(find()) == [
        ("ann", kata, "columns"),
        ("bob", kata, "columns"),
        ("cy", kata, "rows"),
        ("dee", kata, "rows"),
    ]


def test_should_grade_two_variants_of_one_student_and_refuse_two_answers_to_one(room: Room, find):
    room.hand_in({"ann/centred-scale.py": RIGHT, "ann/centred-scale@columns.py": RIGHT})
    room.hand_in({"bob/centred-scale.py": RIGHT, "bob/centred-scale@rows.py": NO_MEAN})
    found = find()
    assert [student for student, _, _ in graded(found)] == ["ann", "ann"]
    assert set(whys(found)) == {"bob/centred-scale.py", "bob/centred-scale@rows.py"}
    assert "bob/centred-scale.py, bob/centred-scale@rows.py" in whys(found)["bob/centred-scale.py"]


def test_should_give_a_reason_for_every_file_that_cannot_be_graded(room: Room, find):
    room.hand_in(
        {
            "ann/centerd-scale.py": RIGHT,
            "ann/centred-scale@diagonals.py": RIGHT,
            "bob/centred-scale.py": "# llmdrills: kata=rms-norm variant=cast-first\n",
            "cy/centred-scale.py": "#" * (1 << 20) + "\n",
            "loose.py": RIGHT,
            "dee/notes.txt": "hello",
            ".DS_Store": "",
        }
    )
    (room.submissions / "eve/week1").mkdir(parents=True)
    (room.submissions / "eve/week1/centred-scale.py").write_text(RIGHT)
    (room.submissions / "fay").mkdir()
    (room.submissions / "fay/centred-scale.py").symlink_to(room.submissions / "ann/centred-scale@diagonals.py")
    (room.submissions / "gus").symlink_to(room.submissions / "ann")
    (room.submissions / "hal").mkdir()
    os.mkfifo(room.submissions / "hal/centred-scale.py")
    found = find()
    reasons = whys(found)
    assert graded(found) == []
    for file, said in {
        "ann/centerd-scale.py": "did you mean centred-scale?",
        "ann/centred-scale@diagonals.py": "it has rows, columns",
        "bob/centred-scale.py": "it is for rms-norm",
        "cy/centred-scale.py": "holds more than 1,048,576 bytes",
        "loose.py": "no student's folder",
        "eve/week1/": "move its files up",
        "fay/centred-scale.py": "symbolic link",
        "gus": "symbolic link",
        "hal/centred-scale.py": "a pipe",
    }.items():
        assert said in reasons.pop(file)
    assert reasons == {}
    assert {one.file for one in found.left_out} == {"dee/notes.txt", "dee/", ".DS_Store"}


def test_should_grade_a_student_whose_name_is_no_utf8_and_show_the_bytes(room: Room, find):
    folder = Path(os.fsdecode(os.fsencode(room.submissions) + b"/jos\xe9\n"))
    folder.mkdir()
    (folder / "centred-scale.py").write_text(RIGHT)
    assert graded(find()) == [("jos\\xe9\\n", "centred-scale", "rows")]


@pytest.mark.parametrize("what", ["nowhere", "empty", "hollow"])
def test_should_refuse_a_folder_without_a_submission(room: Room, find, what):
    (room.root / "empty").mkdir()
    (room.root / "hollow" / "ann").mkdir(parents=True)
    with pytest.raises(UsageError, match="there is no") as refused:
        find(room.root / what)
    assert "STUDENT/KATA.py" in refused.value.todo
    assert "student, kata, variant, path" in refused.value.todo


def test_should_find_that_a_file_changed_after_it_was_read(room: Room, find):
    room.hand_in({"ann/centred-scale.py": RIGHT, "bob/centred-scale.py": RIGHT, "cy/centred-scale.py": RIGHT})
    ann, bob, cy = find().submissions
    bob.path.write_text(NO_MEAN)
    cy.path.unlink()
    cy.path.symlink_to(ann.path)
    assert read_again(ann) == RIGHT.encode()
    assert (read_again(bob), read_again(cy)) == (None, None)


def test_should_read_a_folder_whose_links_lead_in_circles(room: Room, find):
    (room.submissions / "ann").mkdir()
    (room.submissions / "ann" / "centred-scale.py").symlink_to("centred-scale.py")
    (room.submissions / "bob").symlink_to(room.submissions)
    room.hand_in({"cy/centred-scale.py": RIGHT})
    assert graded(find()) == [("cy", "centred-scale", "rows")]
    assert set(whys(find())) == {"ann/centred-scale.py", "bob"}


@pytest.mark.parametrize("name", ["李雷", "Ann B. O'Neil", "a..b", "<b>&amp;", "=1+1", "@home", "-rf", "a\\b", "%s{0}"])
def test_should_grade_a_student_of_any_name(room: Room, find, name):
    room.hand_in({f"{name}/centred-scale.py": RIGHT})
    assert graded(find()) == [(name, "centred-scale", "rows")]


# ---- a table ---------------------------------------------------------------------------------------


def test_should_read_a_table_with_its_columns_in_any_order_and_others_beside_them(room: Room, find):
    room.hand_in({"one.py": RIGHT, "two.py": NO_MEAN})
    path = table(
        room,
        "\ufeffPath,student,Kata,email,variant",
        'submissions/one.py,"Lee, Ann",centred-scale,a@example.org,columns',
        "",
        f"{room.submissions}/two.py,李雷,centred-scale,,",
    )
    assert graded(find(path)) == [("Lee, Ann", "centred-scale", "columns"), ("李雷", "centred-scale", "rows")]


def test_should_give_a_reason_for_every_line_that_cannot_be_graded(room: Room, find):
    room.hand_in({"one.py": RIGHT})
    (room.root / "loop").symlink_to("loop")
    path = table(
        room,
        "student,kata,variant,path",
        "ann,centred-scale,,nowhere.py",
        ",centred-scale,,submissions/one.py",
        "bob,centred-scale,rows,submissions/one.py",
        "bob,centred-scale,,submissions/one.py",
        "cy,centred-scale,,submissions/one.py,again",
        "dee,nothing,,submissions/one.py",
        "eve,centred-scale,,submissions",
        f"fay,centred-scale,,{'x' * 300}",
        f"gus,centred-scale,,{'x/' * 3000}",
        "hal,centred-scale,,loop/one.py",
        "ian,centred-scale,,submissions/one.py/two.py",
    )
    said = [(row.student, row.why.en) for row in find(path).submissions if row.why is not None]
    assert graded(find(path)) == []
    for student, what in [
        ("", "line 3 has no student"),
        ("ann", "no such file"),
        ("bob", "more than once"),
        ("bob", "more than once"),
        ("cy", "line 6 has 5 cells"),
        ("dee", "no kata nothing"),
        ("eve", "is a folder"),
        ("fay", "file name too long"),
        ("gus", "file name too long"),
        ("hal", "symbolic link"),
        ("ian", "not a directory"),
    ]:
        name, why = said.pop(0)
        assert (name, what in why.lower()) == (student, True), why
    assert said == []


@pytest.mark.parametrize(
    ("lines", "encoding", "said"),
    [
        (["student,kata,path"], "utf-8", r"class\.csv:1: the table has no column variant"),
        (["student;kata;variant;path"], "utf-8", "commas part the cells"),
        (["student,kata,kata,variant,path"], "utf-8", "two columns have one name: kata"),
        ([""], "utf-8", "no column student, kata, variant, path"),
        (["student,kata,variant,path"], "utf-8", "there is no submission"),
        (["student,kata,variant,path", "a,b,c,d", "José,b,c,d"], "latin-1", r"class\.csv:3: this line is not UTF-8"),
        (["student,kata,variant,path", 'ann,"centred"x,,y'], "utf-8", r"class\.csv:2: this cannot be read as CSV"),
    ],
)
def test_should_refuse_a_table_that_cannot_be_read(room: Room, find, lines, encoding, said):
    with pytest.raises(UsageError, match=said):
        find(table(room, *lines, encoding=encoding))
