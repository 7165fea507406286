"""The house rules that a program can check: words, sizes, argument lists, names of tests, examples in docstrings."""

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

from llmdrills.cli import stats_view
from llmdrills.lines import wrap
from llmdrills.practice import rating, report

TESTS = Path(__file__).parent
ROOT = TESTS.parent


def test_should_name_every_test_for_what_should_be():
    """One dialect: `test_should_refuse_a_cache_of_another_renderer`."""
    wrong = []
    for path in sorted(TESTS.rglob("test_*.py")):
        names = re.findall(r"^ *def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
        wrong += [f"{path.relative_to(TESTS)}: {name}" for name in names if not name.startswith("test_should_")]
    assert wrong == []


# ---- sizes of content -----------------------------------------------------------------------------


def test_should_keep_cases_short_because_slips_are_data():
    """On average: a kata with many clauses may need more, but none may repeat its kernel for each mistake."""
    files = sorted((ROOT / "drills").glob("*/cases.py"))
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in files)
    assert lines <= 5000 / 15 * len(files)


# ---- words ----------------------------------------------------------------------------------------

OLD_FORM = re.compile(
    r"@misconception|\bMisconception\b|`misconception`"  # the decorator of older copies, its dataclass, the glossary
    r"|[\"']misconceptions?[\"']"  # a key of JSON, and the decorator's name where cases.py is parsed
    r"|\b(?:def |add_)?misconception\("
    r"|^\s*from llmdrills\.grading\.authoring import .*"
)


def written() -> Iterator[Path]:
    """Everything that is written by hand in words: source, tests, benchmarks and pages."""
    for folder in ("src/llmdrills", "benchmarks", "tests", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            known = path.suffix in {".py", ".md"} and "fixtures" not in path.parts
            if known and path != Path(__file__):
                yield path
    yield from sorted(ROOT.glob("*.md"))


def test_should_say_misconception_only_in_data_and_in_the_old_decorator():
    """A wrong kernel that people write is a slip; only tables, JSON and older copies of a kata keep the first word."""
    wrong = []
    for path in written():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if "misconception" in OLD_FORM.sub("", line).lower():
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert wrong == []


def test_should_call_a_slip_by_one_name_wherever_a_learner_reads_of_it():
    why = rating.reason(rating.Facts(runs=2, passed=True, diagnosed=True))
    for text in (why, stats_view._W["slips"], report._T["slips"]):
        assert "known mistake" in text.en.lower()
        assert "常见错误" in text.zh


METAPHORS = re.compile(
    r"\b(?:mend(?:s|ed|ing)?|too dear|dearest|farewell|mourn\w*|hire[sd]?|obituar\w*|testimon\w*|pumps?|staff"
    r"|open_book|VariantBook)\b",
    re.IGNORECASE,
)


def test_should_use_plain_words():
    """ "Fix", not "mend"; "over budget", not "too dear"; a process ends, a worker starts, an answer is decoded."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in written()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if METAPHORS.search(line)
    ]
    assert found == []


# ---- sizes and argument lists ---------------------------------------------------------------------

MOST_LINES_OF_A_MODULE = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_BY_POSITION = 5
MOST_PARAMETERS = 7
LONG_LISTS = {
    "grading/authoring.py:case": "its options are the language in which cases.py is written; all but one by keyword",
    "grading/rules/operators.py:_trilinear": "torch chooses the arguments of an operator",
}


class Function(NamedTuple):
    """A function of the package, and what names it in `LONG_LISTS`."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "src/llmdrills").rglob("*.py")):
        yield path.relative_to(ROOT / "src/llmdrills").as_posix(), path.read_text("utf-8")


def functions() -> Iterator[Function]:
    for module, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Function(f"{module}:{node.name}", node)


def test_should_keep_a_module_short_or_say_why_it_is_not():
    long = [
        module
        for module, text in modules()
        if len(text.splitlines()) > MOST_LINES_OF_A_MODULE
        and f"ver {MOST_LINES_OF_A_MODULE} lines" not in (ast.get_docstring(ast.parse(text)) or "")
    ]
    assert long == []


def test_should_keep_a_function_on_a_screen():
    long = [one.name for one in functions() if (one.node.end_lineno or 0) - one.node.lineno >= MOST_LINES_OF_A_FUNCTION]
    assert long == []


def too_many(one: Function) -> bool:
    given = one.node.args
    by_position = [arg.arg for arg in (*given.posonlyargs, *given.args) if arg.arg not in {"self", "cls"}]
    return len(by_position) > MOST_BY_POSITION or len(by_position) + len(given.kwonlyargs) > MOST_PARAMETERS


def test_should_make_long_argument_lists_a_type_of_their_own():
    """Typer reads a command's options from its parameters; every other exception has its reason in `LONG_LISTS`."""
    commands = re.compile(r"cli/commands/\w+\.py:command")
    found = [one.name for one in functions() if too_many(one) and not commands.fullmatch(one.name)]
    assert sorted(found) == sorted(LONG_LISTS)


def test_should_name_the_fields_in_a_call_of_a_constructor_with_many():
    wrong = []
    for module, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and len(node.args) > MOST_BY_POSITION:
                name = ast.unparse(node.func).rpartition(".")[2]
                if name == "cls" or name.lstrip("_")[:1].isupper():
                    wrong.append(f"{module}:{node.lineno}: {name} with {len(node.args)} arguments by position")
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

PAGES = [path.relative_to(ROOT).as_posix() for path in (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")))]


MADE = {"docs/commands.md", "docs/reference/messages.md", "docs/reference/schema.md"}  # by scripts


@pytest.mark.parametrize("page", [page for page in PAGES if page not in MADE])
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
        and not re.search(r"[.!?:。！？：][)）”\"*]*$", line)
    ]
    assert broken == []


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "CONTRIBUTING.md"])
def test_should_name_only_targets_of_the_makefile(page: str):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / page).read_text("utf-8"), re.MULTILINE))
    assert named - targets == set()
    assert {"today", "test", "lint", "bench", "soak"} <= named


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_should_show_a_picture_within_the_first_screen(page: str):
    """A newcomer looks at a screen of 100 columns and 24 lines before deciding to read on."""
    before = (ROOT / page).read_text("utf-8").partition("![")[0]
    assert sum(len(wrap(line, 100)) if line.strip() else 1 for line in before.splitlines()) < 24
