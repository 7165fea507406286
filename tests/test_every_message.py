"""What the program says is kept in tests/snapshots/messages/, in both languages: a change of it is read in the diff."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.helpers.english_left import bilingual_constants
from tests.helpers.every_message import FOLDER, said, snapshots, stale

LINES = [line for path in sorted(FOLDER.glob("*.txt")) for line in path.read_text("utf-8").splitlines()]
# English, and below it the Chinese, four columns in.
PAIRS = [(en, zh[4:]) for en, zh in pairwise(LINES) if zh.startswith("    ")]
# A number that is always more than one, or whose noun follows no count.
SEVERAL = {
    "[{language}] {count} {title}",
    ", with {n} in decks/media",
}


def test_should_keep_every_message_in_the_snapshot() -> None:
    assert stale() == [], "read the change as a beginner would, then run `python -m tests.helpers.every_message`"
    assert len(PAIRS) > 1500


def test_should_keep_every_constant_text_in_the_snapshot() -> None:
    text = "\n".join(snapshots().values()).replace("\\n", " ").replace("\\b", " ")
    for place, both in bilingual_constants():
        for words in re.split(r"\{[^{}]*\}|[\n\b]", both.en):
            assert words.strip() in text, place


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('_X = Bilingual("one", "一")', [("one", "一")]),
        ('Bilingual(f"{n} of {self.name}", f"{self.name} 的 {n}")', [("{n} of {self.name}", "{self.name} 的 {n}")]),
        ('Bilingual("a" if x else "b", "甲" if x else "乙")', [("a", "甲"), ("b", "乙")]),
        ('Bilingual("a " + more, "甲" + more)', [("a {more}", "甲{more}")]),
        ('counted(n, "day", "天")', [("1 day / 2 days", "2 天")]),
        (
            'raise HistoryError(f"{path} is held by another process", "close it")',
            [
                ("{a} is held by another process", "{a} 正被另一个进程占用"),
                ("close it", "close it"),
            ],
        ),
    ],
)
def test_should_see_what_a_module_says(source: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(source, "utf-8")
    assert [tuple(one) for one in said(module)] == expected


def test_should_count_in_words_that_fit_one_and_many() -> None:
    """ "1 edits" is what a beginner meets first: a count stands after its noun, or goes through `counted`."""
    counts = r"n|count|total|notes|cards|reviews|events|missing"
    found = [en for en, _ in PAIRS if re.search(rf"\{{(?:{counts})\}} (?:\w+ )?(?!(?:is|was|has)\b)\w+s\b", en)]
    assert [en for en in found if en not in SEVERAL and not en.startswith("All {")] == []


def test_should_end_no_text_with_a_space_that_nobody_sees() -> None:
    """But a question that is answered on its line, and a part that another text follows."""
    found = [en for en, _ in PAIRS if re.search(r"[.!]\s+$", en)]
    assert found == []
