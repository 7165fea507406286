"""The tutorial of the first day is executed in both languages: its commands, its edits, and its table in a terminal."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.helpers.documents import cells, checkout, edits_and_commands, rows, run
from tests.helpers.english_left import english_left
from tests.helpers.terminal import Terminal

PAGES = ["tutorial.md", "tutorial.zh.md"]


@pytest.mark.ships
@pytest.mark.parametrize("page", PAGES)
def test_should_lead_through_the_first_day(page: str, tmp_path: Path, root: Path, home: Path) -> None:
    folder = checkout(root, tmp_path / "llmdrills")
    text = (root / "docs" / page).read_text("utf-8")
    by_hand, _, later = text.partition("<!-- terminal:")
    file = Path()
    for kind, what, expected in edits_and_commands(by_hand):
        if kind == "edit":
            assert file.exists()
            file.write_text(what, "utf-8")
        else:
            printed = run(what, expected, folder)
            file = Path(printed.strip()) if what.startswith("llmdrills start") else file
    seen = _day(folder, home, list(rows(text)))
    for _, command, expected in edits_and_commands(later):
        run(command, expected, folder)
    left = english_left(seen, ("llmdrills",)) if page.endswith(".zh.md") else []
    assert left == []


@pytest.mark.ships
@pytest.mark.parametrize("page", PAGES[:1])
def test_should_lead_through_it_by_hand_with_the_wheel_and_the_site_alone(
    page: str, tmp_path: Path, root: Path
) -> None:
    """Nothing of a checkout is there: the katas are those that came with the package, the files those of the pages."""
    shutil.copytree(root / "docs" / "examples", tmp_path / "docs" / "examples")
    by_hand, _, _ = (root / "docs" / page).read_text("utf-8").partition("<!-- terminal:")
    file = Path()
    for kind, what, expected in edits_and_commands(by_hand):
        if kind == "edit":
            file.write_text(what, "utf-8")
        else:
            printed = run(what, expected, tmp_path)
            file = Path(printed.strip()) if what.startswith("llmdrills start") else file


@pytest.mark.parametrize("page", PAGES)
def test_should_show_the_code_of_the_file_that_its_table_names(page: str, root: Path) -> None:
    before, _, _ = (root / "docs" / page).read_text("utf-8").partition("<!-- terminal:")
    shown = re.findall(r"^```python\n(.*?)^```", before, re.MULTILINE | re.DOTALL)
    assert (root / "docs/examples/no_scale.py").read_text("utf-8").endswith("\n\n" + shown[-1])


def _day(folder: Path, home: Path, table: list) -> str:
    """Do the table's rows in `llmdrills today`; what the terminal showed."""
    assert len(table) > 5
    terminal = Terminal("today", cwd=folder, columns=100, rows=50)
    file = home / "practice" / "scaled-dot-product-attention.py"
    for row in table:
        terminal.expect(_escaped(row.seen))
        if row.act == "save":
            shutil.copyfile(folder / row.what, file)
        elif row.act == "change":
            assert file.read_text("utf-8").count(row.what) == 1
            file.write_text(file.read_text("utf-8").replace(row.what, row.becomes), "utf-8")
        elif row.act == "press":
            terminal.press({"Enter": "\r"}.get(row.what, row.what))
    assert terminal.ended() == 0
    return terminal.text


def _escaped(text: str) -> str:
    """The text as a pattern, at whatever white space the terminal broke its line."""
    return r"\s*".join(re.escape(word) for word in text.split())


def test_should_say_the_same_in_both_languages(root: Path) -> None:
    english, chinese = (edits_and_commands((root / "docs" / page).read_text("utf-8")) for page in PAGES)
    assert [one[:2] for one in chinese] == [("run", "llmdrills config set lang zh"), *(one[:2] for one in english)]
    texts = [(root / "docs" / page).read_text("utf-8") for page in PAGES]
    pairs = zip(*(rows(text) for text in texts), strict=True)
    assert [(one.act, one.what) for one, other in pairs if one[1:] != other[1:]] == []
    # On the page and in the notebook the buttons and what is printed are in the reader's language.
    clicks = zip(*(rows(text, "browser") for text in texts), strict=True)
    assert [one for one, other in clicks if one.act != other.act or (one.act != "press" and one[2:] != other[2:])] == []
    assert [source for source, _ in cells(texts[0])] == [source for source, _ in cells(texts[1])]
