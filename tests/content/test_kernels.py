"""cases.py and reference.py read by parsing: what an author gets wrong is told with its place."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from llmdrills.content.kernels import DECORATORS
from llmdrills.grading import authoring
from tests.helpers.content_folder import Folder

CASES = "drills/twice/cases.py"
REFERENCE = "drills/twice/reference.py"


def test_should_read_a_decorated_slip_whole_without_its_decorator(folder: Folder) -> None:
    (kernel,) = folder.load().katas[0].slips
    assert kernel.source.startswith("def squared(x, by=2.0):\n")
    assert kernel.source.endswith("x * x\n")
    assert (kernel.id, kernel.fix, kernel.seen) == ("squared", "return x * by", "haste")
    assert (kernel.feedback.en, kernel.feedback.zh) == ("Times two, not squared.", "是乘以 2，不是平方。")
    assert kernel.position.file == Path(CASES)


def test_should_import_and_run_nothing(folder: Folder) -> None:
    folder.edit(CASES, "import torch\n", "import torch\nraise SystemExit('ran')\n")
    folder.edit(REFERENCE, "import math\n", "import math\nopen('/nonexistent/x')\n")
    assert folder.load().katas


def test_should_know_the_arguments_of_the_decorators() -> None:
    for name, known in DECORATORS.items():
        assert list(inspect.signature(getattr(authoring, name)).parameters) == list(known)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('seen="haste"', "seen=HASTE", "`seen` of @misconception is not a literal"),
        ('seen="haste"', 'seen=f"{x}"', "`seen` of @misconception is not a literal"),
        ('seen="haste"', "seen=3", "write text"),
        ('seen="haste"', 'seen=" "', "is empty"),
        ('seen="haste", ', "", "has no `seen`"),
        ('seen="haste"', 'sen="haste"', "did you mean `seen`?"),
        ('seen="haste"', 'seen="haste", **more', "unpacks its arguments"),
        ('seen="haste"', 'seen="haste", same_as="cubed"', "there is no slip `cubed`"),
        ('seen="haste"', 'seen="haste", variants=("standart",)', "did you mean `standard`?"),
        ('seen="haste"', 'seen="haste", variants="standard"', "write a tuple of texts"),
        ('"squared"', '"Squared Up"', "lower-case words"),
        ('@case(why="plain")', "@case()", "has no `why`"),
        ('@case(why="plain")', "@case", "without arguments"),
        ('@case(why="plain")', '@case("Base One", why="plain")', "lower-case words"),
        ('@case(why="plain")', '@case(why="plain", draws=1.5)', "a whole number"),
        ('@case(why="plain")', '@case(why="plain", fresh=1)', "True or False"),
        ('@case(why="plain")', '@case("base", "twice", why="plain")', "one plain argument"),
        ('@peer("torch")', '@peer("torch", skips={"bass": "can\'t"})', "did you mean `base`?"),
        ("import torch\n", "import torch\ndef (\n", "not valid Python"),
    ],
)
def test_should_name_the_place_in_a_spoilt_cases_file(folder: Folder, old: str, new: str, says: str) -> None:
    folder.edit(CASES, old, new)
    problems = folder.problems()
    assert any(says in str(problem) for problem in problems), problems
    text = (folder.root / CASES).read_text("utf-8").splitlines()
    for problem in problems:
        assert problem.file == Path(CASES)
        assert 1 <= problem.line <= len(text)


def test_should_report_two_slips_of_one_name(folder: Folder) -> None:
    text = (folder.root / CASES).read_text("utf-8")
    block = text[text.index("@misconception(") : text.index("@equivalent(")]
    folder.write(CASES, (text + block).encode())
    shown = str(folder.problems()[0])
    assert "two slips are named `squared`" in shown
    assert "line 12" in shown


def test_should_report_a_file_without_cases(folder: Folder) -> None:
    folder.write(CASES, "import torch\n")
    assert "no case" in folder.only_problem().what


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("def twice(", "def thrice(", "reference.py has no function `twice`"),
        ('    """Return x times `by`."""\n', "", "has no docstring"),
        ("import math\n", "import numpy\n", "reference.py imports `numpy`"),
        ("import math\n", "from .cases import base\n", "reference.py imports `.cases`"),
        ("by: float = 2.0", "by: float = TWO", "uses `TWO`"),
        ("def twice(", "@torch.no_grad()\ndef twice(", "is decorated"),
        ("return x * by", "return x *", "not valid Python"),
    ],
)
def test_should_report_a_spoilt_reference(folder: Folder, old: str, new: str, says: str) -> None:
    folder.edit(REFERENCE, old, new)
    assert says in folder.only_problem().what


def test_should_ask_for_one_signature_in_all_variants(folder: Folder) -> None:
    other = "{title: {en: O, zh: 另}, reference: again, mistaken: {en: a, zh: b}, contract: [{en: c, zh: d}]}"
    folder.edit("drills/twice/kata.yaml", "sources:", f"  other: {other}\nsources:")
    folder.edit(
        "drills/twice/kata.yaml", "    reference: twice\n", "    reference: twice\n    mistaken: {en: a, zh: b}\n"
    )
    text = (folder.root / REFERENCE).read_text("utf-8")
    again = '\n\ndef again(x, by: "int" = 2.0):\n    """Return it."""\n    return by * x\n'
    folder.write(REFERENCE, (text + again).encode())
    assert folder.load()
    folder.edit(REFERENCE, 'by: "int" = 2.0', "by=3.0")
    assert "give it the signature of `twice`: (x, by=2.0)" in folder.only_problem().todo


def test_should_ask_several_variants_what_to_say_to_who_mixes_them_up(folder: Folder) -> None:
    folder.edit(
        "drills/twice/kata.yaml", "sources:", "  other: {title: {en: O, zh: 另}, contract: [{en: c, zh: d}]}\nsources:"
    )
    assert [problem.what for problem in folder.problems()] == [
        "variant `standard` has no `mistaken`",
        "variant `other` has no `mistaken`",
    ]


def test_should_take_the_entry_for_the_reference_where_none_is_named(folder: Folder) -> None:
    folder.edit("drills/twice/kata.yaml", "    reference: twice\n", "")
    assert folder.load().katas[0].variants[0].reference == "twice"
