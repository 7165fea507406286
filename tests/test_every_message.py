"""What the program says is kept in tests/snapshots/messages/, in both languages: a change of it is read in the diff."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.helpers.english_left import bilingual_constants
from tests.helpers.every_message import FOLDER, SOURCE, said, snapshots, stale

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


# ---- pages of the documentation, which who has only the wheel finds on the site -------------------------

NAMED_PAGE = re.compile(r"“([^”]+)” of the documentation|文档的“([^”]+)”一页")


def _strings() -> Iterator[tuple[str, str]]:
    """Each text of the source that is no docstring, with its place, and each line of messages.zh.txt."""
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                yield f"{path.name}:{node.lineno}", node.value
    for number, line in enumerate((SOURCE / "messages.zh.txt").read_text("utf-8").splitlines(), 1):
        yield f"messages.zh.txt:{number}", line


def _titles(nav: object) -> Iterator[tuple[str, str]]:
    """The pages of the site's navigation, with their titles there."""
    for entry in nav if isinstance(nav, list) else []:
        for title, below in entry.items() if isinstance(entry, dict) else []:
            yield from [(below, title)] if isinstance(below, str) else _titles(below)


def test_should_name_no_file_of_the_checkout_to_a_learner_who_has_only_the_wheel() -> None:
    places = [place for place, text in _strings() if re.search(r"(?<![\w/.])docs/", text)]
    assert places == []


def test_should_name_pages_that_the_site_and_the_checkout_know_by_that_title() -> None:
    root = SOURCE.parents[1]
    titles = dict(_titles(yaml.safe_load((root / "mkdocs.yml").read_text("utf-8"))["nav"]))
    headings = {
        title
        for page, title in titles.items()
        if (root / "docs" / page).exists() and (root / "docs" / page).read_text("utf-8").startswith(f"# {title}\n")
    }
    named = {en or zh for _, text in _strings() for en, zh in NAMED_PAGE.findall(" ".join(text.split()))}
    assert named - headings == set()
    assert {"Writing a kata", "Formats", "Grading a class"} <= named
