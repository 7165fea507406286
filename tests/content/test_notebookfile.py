"""The cell of a notebook that is graded: which one it is, as Python, with what the others bind."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from llmdrills.content.notebookfile import (
    Cell,
    as_python,
    bindings,
    entry_cell,
    is_notebook,
    katas_named,
    magic_line,
    missing,
    variant_of,
)
from llmdrills.errors import UsageError
from tests.helpers.notebooks import write_notebook


def graded(path: Path, entry: str = "f", kata: str = "") -> Cell:
    return entry_cell(path, entry, kata)


def test_should_take_the_last_cell_that_defines_the_entry(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", "def f(): return 1", "# md def f(): return 2", "def f(): return 3", "f()"
    )
    cell = graded(path)
    assert (cell.number, cell.code, cell.name) == (3, b"def f(): return 3", f"{path}, cell 3")


@pytest.mark.parametrize(
    "text",
    [
        "f = lambda x: x",
        "from math import sqrt as f",
        "if True:\n    def f(x): return x",
        "try:\n    import torch\nexcept ImportError:\n    f = None",
        "class f: pass",
        "async def f(): pass",
        "a, (f, *b) = 1, (2, 3)",
        "f: int = 3",
        "(f := 3)",
        "with open('x') as f: pass",
        "for f in range(3): pass",
        "match 3:\n    case 3:\n        f = 1",
    ],
)
def test_should_see_every_way_in_which_a_cell_binds_the_entry(tmp_path: Path, text: str) -> None:
    assert graded(write_notebook(tmp_path / "a.ipynb", "x = 1", text, "y = 2")).number == 2


@pytest.mark.parametrize(
    "text", ["def g():\n    f = 1", "[f for f in range(3)]", "x.f = 1", "f == 1", "def g(f): pass"]
)
def test_should_not_take_a_cell_that_binds_the_entry_in_another_scope(tmp_path: Path, text: str) -> None:
    path = write_notebook(tmp_path / "a.ipynb", text)
    with pytest.raises(UsageError, match=r"no cell of .* defines `f`"):
        graded(path)


def test_should_take_a_cell_that_does_not_parse_where_it_seems_to_define_the_entry(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "def f(): return 1", "def f(x)\n    return x", "def g(")
    assert graded(path).number == 2


def test_should_pass_over_a_cell_that_names_another_kata(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb",
        "%%kata one --variant wide\ndef f(): return 1",
        "# llmdrills: kata=two variant=narrow\ndef f(): return 2",
        "%%kata --why three\ndef f(): return 3",
    )
    assert [graded(path, kata=name).number for name in ("one", "two", "three")] == [1, 2, 3]
    assert katas_named(path) == ["one", "two", "three"]
    assert variant_of(graded(path, kata="one")) == "wide"
    assert variant_of(graded(path, kata="two")) is None  # its header says it


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("%%kata softmax\nx = 1", "# %%kata softmax\nx = 1"),
        ("\n\n%%time\nx = 1", "\n\n# %%time\nx = 1"),
        ("%%bash\nls", None),
        ("%%writefile x.py\nx = 1", None),
        ("%load_ext llmdrills\nx = 1", "# %load_ext llmdrills\nx = 1"),
        (
            "def f():\n    !ls\n    %time 3\n    return 1",
            "def f():\n    pass  # !ls\n    pass  # %time 3\n    return 1",
        ),
        ("torch.sum?\n?torch\ntorch??", "# torch.sum?\n# ?torch\n# torch??"),
        ('"""\n%time\n!ls\n"""', '"""\n%time\n!ls\n"""'),
        ("x = 7\ny = (x\n     % 3)", "x = 7\ny = (x\n     % 3)"),
        ("x = !ls", "x = !ls"),
        ("x = 1\r\n%time 2", "x = 1\r\n# %time 2"),
        ("", ""),
    ],
)
def test_should_make_python_of_a_cell_without_moving_a_line(text: str, python: str | None) -> None:
    assert as_python(text) == python


def test_should_leave_everything_as_it_is_that_is_python_already() -> None:
    for path in sorted(Path(__file__).parents[2].glob("src/llmdrills/content/*.py")):
        text = path.read_text("utf-8")
        assert as_python(text) == text


def test_should_name_what_a_cell_binds_with_its_imports() -> None:
    text = "import os.path, numpy as np\nfrom a.b import c as d, e\nx = 1\nfor i in []:\n    y = 2\nelse:\n    z = 3"
    assert bindings(text) == {
        "os": "import os.path",
        "np": "import numpy as np",
        "d": "from a.b import c as d",
        "e": "from a.b import e",
        **dict.fromkeys("xiyz", ""),
    }
    for name, statement in bindings(text).items():
        assert not statement or name in ast.unparse(ast.parse(statement))
    assert bindings("def f(") == {}


def test_should_say_where_a_name_stands_that_the_cell_lacks(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import torch\neps = 1e-6", "def f(): pass")
    elsewhere = graded(path).elsewhere
    said = missing("torch", elsewhere)
    assert said is not None
    assert "`torch` is imported in cell 1" in said.en
    assert "`import torch`" in said.en
    assert "第 1 个单元格" in said.zh
    assert "`import torch`" in said.zh
    said = missing("eps", elsewhere)
    assert said is not None
    assert "`eps` is defined in cell 1" in said.en
    assert missing("nobody", elsewhere) is None
    assert missing("f", elsewhere) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff\xfe", b'{"nbformat": 4, "cells": 3}', b'{"nbformat": 4, "cells": [{}]}', b"[" * 100000],
)
def test_should_refuse_what_is_no_notebook(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a notebook"):
        graded(path)


def test_should_say_what_to_do_with_an_old_notebook_and_with_an_absent_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="save it again"):
        graded(write_notebook(tmp_path / "a.ipynb", "x", version=3))
    with pytest.raises(FileNotFoundError):
        graded(tmp_path / "b.ipynb")


def test_should_take_a_notebook_with_large_pictures_and_refuse_a_large_cell(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "def f(): pass")
    data = json.loads(path.read_text())
    data["cells"][0]["outputs"] = [{"output_type": "display_data", "data": {"image/png": "A" * 3_000_000}}]
    path.write_text(json.dumps(data))
    assert graded(path).code == b"def f(): pass"
    write_notebook(path, "def f(): pass\n#" + "x" * (1 << 20))
    with pytest.raises(UsageError, match="1,048,576 bytes"):
        graded(path)


def test_should_know_a_notebook_by_its_name_and_a_magic_by_its_line() -> None:
    assert is_notebook(Path("a.ipynb"))
    assert is_notebook(Path("A.IPYNB"))
    assert not is_notebook(Path("a.py"))
    assert magic_line("\n%%kata x\ny") == "%%kata x"
    assert magic_line("x = 1\n%%kata x") == ""
