"""Starters and solutions are derived from the reference: they compile, and say what they answer."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

from llmdrills.content import load_katas
from llmdrills.content.repair import broken_text, candidates
from llmdrills.content.starter import header, read_header, renamed, solution_text, starter_text
from llmdrills.errors import ContentError
from llmdrills.language import LANGUAGES
from tests.helpers.content_folder import Folder

ROOT = Path(__file__).resolve().parents[2]


def starter(folder: Folder, language: str = "en") -> str:
    (kata,) = load_katas(folder.root)
    return starter_text(kata, kata.variants[0], "zh" if language == "zh" else "en")


def test_should_hold_header_contract_imports_signature_and_docstring_in_a_starter(folder: Folder) -> None:
    assert starter(folder) == (
        "# llmdrills: kata=twice variant=standard\n"
        "# Twice: Standard\n"
        "#\n"
        "# What is graded:\n"
        "# - x: (N,) floats\n"
        "\n"
        "import torch\n"
        "\n"
        "\n"
        "def twice(x: torch.Tensor, by: float = 2.0) -> torch.Tensor:\n"
        '    """Return x times `by`."""\n'
        '    raise NotImplementedError("twice is yours to write")\n'
    )


def test_should_write_a_starter_in_the_learners_language(folder: Folder) -> None:
    text = starter(folder, "zh")
    assert "# - x：(N,) 浮点数\n" in text
    assert "# 两倍：标准\n" in text


def test_should_never_be_taken_for_a_file_in_another_encoding(root: Path) -> None:
    """`# BPE encoding: …` in the second line would be a coding line to Python, and the file would not load."""
    for kata in load_katas(root):
        for variant in kata.variants:
            for language in LANGUAGES:
                text = starter_text(kata, variant, language)
                encoding, _ = tokenize.detect_encoding(io.BytesIO(text.encode()).readline)
                assert encoding == "utf-8", (kata.id, language)


@pytest.mark.parametrize(
    ("signature", "shown"),
    [
        ("def twice(x, *, by=2.0):", "def twice(x, *, by=2.0):"),
        (
            "def twice(\n    x: torch.Tensor,  # (N,)\n    by=2.0,\n):",
            "def twice(\n    x: torch.Tensor,  # (N,)\n    by=2.0,\n):",
        ),
        ("def twice(x, by='a:b', *a, **k) -> 'x':", "def twice(x, by='a:b', *a, **k) -> 'x':"),
        ("def twice(x, by=math.pi):", "def twice(x, by=math.pi):"),
        ("def twice(x: dict[str, int], by=lambda a: a):", "def twice(x: dict[str, int], by=lambda a: a):"),
    ],
)
def test_should_keep_a_signature_as_written(folder: Folder, signature: str, shown: str) -> None:
    folder.edit("drills/twice/reference.py", "def twice(x: torch.Tensor, by: float = 2.0) -> torch.Tensor:", signature)
    text = starter(folder)
    compile(text, "starter", "exec")
    assert shown in text
    assert ("import math\n" in text) == ("math" in signature)


def test_should_keep_a_docstring_of_several_lines(folder: Folder) -> None:
    long = '"""Return it.\n\n    x is (N,); `by` is “a number”.\n    """  # after'
    folder.edit("drills/twice/reference.py", '"""Return x times `by`."""', long)
    text = starter(folder)
    function = ast.parse(text).body[-1]
    assert isinstance(function, ast.FunctionDef)
    assert ast.get_docstring(function) == "Return it.\n\nx is (N,); `by` is “a number”."
    assert "# after" not in text


def test_should_name_the_reference_as_the_entry_and_bring_its_helpers(folder: Folder) -> None:
    folder.edit("drills/twice/kata.yaml", "reference: twice", "reference: twice_plainly")
    folder.write(
        "drills/twice/reference.py",
        '''
        """Doubling."""

        from __future__ import annotations

        import math
        import os

        import torch

        TWO = math.sqrt(4)
        UNUSED = 3


        def twice_plainly(x, n=1):
            """Double x n times."""
            return x if n == 0 else twice_plainly(_once(x), n - 1)


        def _once(x):
            return torch.as_tensor(x * TWO)
        ''',
    )
    (kata,) = load_katas(folder.root)
    text = solution_text(kata, kata.variants[0])
    assert "import os" not in text
    assert "UNUSED" not in text
    assert read_header(text) == ("twice", "standard")
    assert text.index("from __future__") < text.index("import math")
    space: dict[str, object] = {}
    exec(compile(text, "solution", "exec"), space)
    assert space["twice"](3.0, 2).item() == 12.0  # type: ignore[operator]  # what exec left there


def test_should_compile_all_shipped_starters_and_solutions_which_say_what_they_answer(root: object) -> None:
    from pathlib import Path

    for kata in load_katas(Path(str(root))):
        for variant in kata.variants:
            texts = [starter_text(kata, variant, language) for language in LANGUAGES]
            for text in (*texts, solution_text(kata, variant)):
                tree = ast.parse(text)
                assert read_header(text) == (kata.id, variant.id)
                assert kata.entry in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert all("raise NotImplementedError" in text for text in texts)


def test_should_call_a_missing_reference_a_content_error(folder: Folder) -> None:
    (kata,) = load_katas(folder.root)
    (folder.root / "drills/twice/reference.py").unlink()
    with pytest.raises(ContentError, match=r"reference\.py:1:1: cannot be read"):
        starter_text(kata, kata.variants[0], "en")


@pytest.mark.parametrize(
    "line",
    [
        header("rope-pairing", "half-split"),
        "#llmdrills:kata=rope-pairing variant=half-split",
        "  # LLMDrills: variant = half-split, kata = 'rope-pairing'",
        "# llmdrills: kata: rope-pairing variant: half-split  (mine)",
    ],
)
def test_should_let_a_header_be_edited(line: str) -> None:
    assert read_header(f"\ufeff#!/usr/bin/env python\r\n\r\n{line}\r\nimport torch\n") == ("rope-pairing", "half-split")


@pytest.mark.parametrize("text", ["", "import torch\n", "# llmdrills: kata=x\n", "x = 'llmdrills: kata=a variant=b'\n"])
def test_should_find_no_header_in_a_file_without_one(text: str) -> None:
    assert read_header(text) is None


def test_should_give_the_entry_its_name_and_leave_attributes_and_keywords_alone() -> None:
    source = (
        "def repeat(x, n):\n    y = x.repeat(n)\n    return f(\n        repeat=repeat,\n        by=g(n, repeat=2))\n"
    )
    told = renamed(source, "repeat", "entry")
    assert told.splitlines()[0] == "def entry(x, n):"
    assert "x.repeat(n)" in told
    assert "repeat=entry," in told
    assert "repeat=2" in told


def test_should_ship_solutions_and_repairs_that_call_no_method_of_the_entrys_name() -> None:
    """A reference may be called like the method that it uses, as `repeat_interleave` is."""
    for kata in load_katas(ROOT):
        for variant in kata.variants:
            texts = [solution_text(kata, variant, "en")]
            texts += [broken_text(kata, variant, (slip,)) for slip in candidates(kata, variant)]
            for text in texts:
                called = {ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
                alike = {one for one in called if one.endswith(f".{kata.entry}")}
                assert alike <= {f"F.{kata.entry}"}, (kata.id, variant.id)  # torch's own function of that name
