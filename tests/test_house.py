"""The house rules that a program can check: names of tests, and examples in docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def test_should_name_every_test_for_what_should_be():
    """One dialect: `test_should_refuse_a_cache_of_another_renderer`."""
    wrong = []
    for path in sorted(TESTS.rglob("test_*.py")):
        names = re.findall(r"^ *def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
        wrong += [f"{path.relative_to(TESTS)}: {name}" for name in names if not name.startswith("test_should_")]
    assert wrong == []


# ---- docstrings -----------------------------------------------------------------------------------

COMMAND = re.compile(r"python -m |llmdrills |make ")


class Doc(NamedTuple):
    """One docstring, and where it begins."""

    place: str
    text: str


def docstrings() -> Iterator[Doc]:
    """Every text that stands alone: of modules, classes and functions, and under the attributes that it describes."""
    for folder in ("src/llmdrills", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if (
                    isinstance(node, ast.Expr)
                    and isinstance(node.value, ast.Constant)
                    and type(node.value.value) is str
                ):
                    yield Doc(f"{path.relative_to(ROOT)}:{node.lineno}", inspect.cleandoc(node.value.value))


def examples(text: str) -> Iterator[str]:
    """The indented blocks of a docstring: what stands four columns in, after a blank line."""
    for block in re.findall(r"(?:^|\n)\n((?: {4}.*\n?|\n(?= {4}))+)", text):
        yield textwrap.dedent(block)


def is_python(example: str) -> bool:
    """Whether it parses; `…` stands for what an example leaves out."""
    try:
        ast.parse(example.replace("…", "..."))
    except SyntaxError:
        return False
    return True


def test_should_parse_every_example_in_a_docstring():
    """An indented block is Python, unless it holds commands or, from its first character on, JSON."""
    found = [(place, example) for place, text in docstrings() for example in examples(text)]
    python = [(place, one) for place, one in found if not COMMAND.match(one) and not one.startswith("{")]
    assert [f"{place}\n{example}" for place, example in python if not is_python(example)] == []
    assert len(python) >= 5


def test_should_keep_sentences_and_lists_whole_in_docstrings():
    """A colon at the end of a paragraph announces an example or a list, and a list's second lines are indented."""
    wrong = []
    for place, text in docstrings():
        broken_off = re.search(r":\n\n(?! {4}|- )|[;,]\n\n", text)
        list_left = re.search(r"^- .*\n(?!- |  |\n)\S", text, re.MULTILINE)
        wrong += [f"{place}: {found[0]!r}" for found in (broken_off, list_left) if found]
    assert wrong == []


# ---- pages ----------------------------------------------------------------------------------------

PAGES = [path.relative_to(ROOT).as_posix() for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")))]


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/commands.md"])  # that one is generated
def test_should_end_a_line_of_a_page_only_where_a_sentence_ends(page: str):
    """One sentence a line makes a diff show the sentence that changed."""
    text = re.sub(r"^```.*?^```$", "```", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    begins = r"#|\||- |\d+\. |!\[|```|    |$"  # what begins a new paragraph, or is none
    lines = text.splitlines()
    broken = [
        line
        for line, following in pairwise(lines)
        if line.strip()
        and not re.match(r"#|\||!\[|```|    ", line)
        and not re.match(begins, following.lstrip() if following.startswith("  ") else following)
        and not re.search(r"[.!?:][)”\"*]*$", line)
    ]
    assert broken == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_should_name_only_targets_of_the_makefile(page: str):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE))
    assert named - targets == set()
    assert {"today", "test", "lint", "bench", "soak"} <= named
