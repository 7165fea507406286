"""What an author is told of a file that is no YAML: the cause, where it began, and what to do."""

from __future__ import annotations

import pytest

from tests.helpers.content_folder import Folder


@pytest.mark.parametrize(
    ("text", "line", "what", "todo"),
    [
        ("deck: other\ntitle: {en: A, zh: 甲}\n\tnotes:\n", 3, "a tab stands in the indentation", "spaces"),
        ("deck: other\n<<<<<<< HEAD\ntitle: A\n=======\n", 2, "git left conflict markers", "marker lines"),
        ("deck: other\nnotes：\n  - id: a\n    type: b\n", 2, "a full-width colon", "half-width"),
        ('deck: other\ntitle: "A\nnotes:\n  - id: a\n', 2, "this quote is never closed", "close it"),
        ("deck: o\nnotes:\n- front: 'it''s\n  back: b\n  extra: it's\n", 3, "is closed only in line 5", "close it"),
        ('deck: other\ntitle: "$\\sqrt{x}$"\n', 2, "unknown escape character", "single quotes"),
    ],
)
def test_should_say_what_is_wrong_and_where_it_began(folder: Folder, text: str, line: int, what: str, todo: str):
    folder.write("decks/other.yaml", text.encode())
    found = folder.only_problem()
    assert (str(found.file), found.line) == ("decks/other.yaml", line)
    assert what in found.what
    assert todo in found.todo
