"""Jupyter notebooks as attempts: the cell that defines a kata's entry, as Python, with its place in the notebook.

A cell is graded alone, as a file is: nothing of another cell is there when it runs. What the others define is known
here, so that a verdict can say where a missing name stands.

Nothing is run and neither IPython nor nbformat is imported: a notebook is JSON, of nbformat 4.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from llmdrills.content.starter import read_header
from llmdrills.content.syntax import parsed
from llmdrills.errors import UsageError
from llmdrills.files import check_size, read_source
from llmdrills.language import Bilingual

__all__ = [
    "Binding",
    "Cell",
    "NotebookCell",
    "as_python",
    "bindings",
    "entry_cell",
    "is_notebook",
    "katas_named",
    "magic_line",
    "missing",
    "read_notebook",
    "variant_of",
]

MOST_BYTES = 64 << 20
"""Bytes of a notebook with its pictures; the cell itself may hold as much as any file of Python."""
PYTHON_MAGICS = frozenset({"kata", "time", "timeit", "capture", "prun"})
"""Cell magics below which Python stands; below any other (`%%bash`, `%%html`) stands something else."""

_NOT_JSON = Bilingual("{path} is not a notebook: it holds no JSON of Jupyter's", "{path} 不是 Jupyter notebook")
_GIVE = Bilingual(
    "give a notebook that Jupyter saved, or a file of Python", "请给出 Jupyter 保存的 notebook，或 Python 文件"
)
_OLD = Bilingual("{path} has an old format of notebooks ({format})", "{path} 使用旧的 notebook 格式（{format}）")
_SAVE = Bilingual("open it in Jupyter and save it again", "请在 Jupyter 中打开后重新保存")
_NO_CELL = Bilingual("no cell of {path} defines `{entry}`", "{path} 中没有单元格定义 `{entry}`")
_WRITE = Bilingual(
    "write `def {entry}(…)` in a cell: the last cell that defines it is graded",
    "请在某个单元格中写 `def {entry}(…)`：以最后一个定义它的单元格为准",
)


class Binding(NamedTuple):
    """Where a name of another cell is bound: the cell's place, and the statement if it is an import (else empty)."""

    place: Bilingual
    statement: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell to be graded.

    `code` is Python as bytes, line for line as in the cell; `name` is what messages and tracebacks call it; `path` is
    the notebook, or a file that holds the same code; `number` counts all cells of the notebook from 1, and is 0 for a
    cell that its author has before their eyes. `elsewhere` holds what the other cells bind, by name.
    """

    code: bytes
    name: str
    path: Path
    number: int = 0
    elsewhere: Mapping[str, Binding] = field(default_factory=dict)


class NotebookCell(NamedTuple):
    """A cell of Python: its place among all cells from 1, its text as Python, its first line if that is a magic."""

    number: int
    text: str
    magic: str = ""


def is_notebook(path: Path) -> bool:
    """Whether the name is a notebook's."""
    return path.suffix.lower() == ".ipynb"


def entry_cell(path: Path, entry: str, kata: str = "") -> Cell:
    """The last cell that defines `entry`, passing over cells that name another kata than `kata`.

    A cell that does not parse counts where it seems to define it. Raises UsageError, and OSError when the notebook
    cannot be read.
    """
    cells = read_notebook(path)
    own = [cell for cell in cells if not kata or _kata_of(cell) in ("", kata)]
    found = next((cell for cell in reversed(own) if _defines(cell.text, entry)), None)
    if found is None:
        raise UsageError(_NO_CELL.format(path=path, entry=entry), _WRITE.format(entry=entry))
    elsewhere = {
        name: Binding(Bilingual(f"cell {cell.number}", f"第 {cell.number} 个单元格"), statement)
        for cell in cells
        if cell != found
        for name, statement in bindings(cell.text).items()
    }
    code = found.text.encode("utf-8", "surrogatepass")
    name = f"{path}, cell {found.number}"
    check_size(len(code), name)
    return Cell(code=code, name=name, path=path, number=found.number, elsewhere=elsewhere)


def katas_named(path: Path) -> list[str]:
    """The katas that cells of the notebook name, by `%%kata` or by a header, in order. Raises as `entry_cell` does."""
    return list(dict.fromkeys(filter(None, map(_kata_of, read_notebook(path)))))


def read_notebook(path: Path) -> Sequence[NotebookCell]:
    """The cells of Python. Raises UsageError when it is no notebook, and OSError when it cannot be read."""
    try:
        data = json.loads(read_source(path, MOST_BYTES))
        written = data["nbformat"]
        if isinstance(written, int) and written < 4:
            raise UsageError(_OLD.format(path=path, format=written), _SAVE)
        return [
            NotebookCell(number, text, magic_line(source))
            for number, cell in enumerate(data["cells"], 1)
            if cell["cell_type"] == "code" and (text := as_python(source := _source(cell))) is not None
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(_NOT_JSON.format(path=path), _GIVE) from None


def _source(cell: Any) -> str:
    """Its text, which stands as one string or as a list of lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


# ---- magics ---------------------------------------------------------------------------------------


def magic_line(text: str) -> str:
    """The first line that is not blank where it is a cell magic (`%%kata …`); else empty."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.strip() if first.startswith("%%") else ""


def as_python(text: str) -> str | None:
    """The cell as Python: what IPython alone understands becomes a comment or `pass`, and no line moves.

    These are the line with a cell magic, and lines that are wholly a magic (`%time x`), a command of the shell (`!ls`)
    or a question (`torch.sum?`). None where a cell magic says that another language follows.
    """
    lines = text.split("\n")
    if magic := magic_line(text):
        if magic[2:].partition(" ")[0] not in PYTHON_MAGICS:
            return None
        at = next(at for at, line in enumerate(lines) if line.strip())
        lines[at] = f"# {lines[at]}"
    for _ in lines:  # each round takes one line out
        wrong = _first_wrong_line("\n".join(lines))
        if wrong is None or not _MAGIC.match(lines[wrong]):
            break
        margin = lines[wrong][: len(lines[wrong]) - len(lines[wrong].lstrip())]
        # Not `pass` at the margin: nothing but comments may stand before `from __future__ import …`.
        lines[wrong] = f"{margin}pass  # {lines[wrong].strip()}" if margin else f"# {lines[wrong]}"
    return "\n".join(lines)


_MAGIC = re.compile(r"\s*(?:[%!]|\?{1,2}\w)|\s*[\w.]+\?{1,2}\s*$")


def _first_wrong_line(text: str) -> int | None:
    """The line, from 0, at which the text ceases to be Python; None where all of it is, or no line is named."""
    try:
        _parsed(text)
    except SyntaxError as error:
        line = error.lineno
        return line - 1 if line is not None and 0 < line <= text.count("\n") + 1 else None
    except (ValueError, RecursionError, MemoryError):
        pass  # a NUL, or nested beyond what the parser takes: the grader tells it
    return None


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in what somebody wrote
        return parsed(text)


# ---- what a cell binds and names ------------------------------------------------------------------


def bindings(text: str) -> dict[str, str]:
    """The names that the cell binds when it runs, outside of functions and classes; an import with its statement.

    Nothing where it does not parse.
    """
    try:
        tree = _parsed(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return dict(_bound(tree.body))


def _bound(body: Sequence[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, ""
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                only = ast.Import([alias])
                if isinstance(node, ast.ImportFrom):
                    yield alias.asname or alias.name, ast.unparse(ast.ImportFrom(node.module, [alias], node.level))
                else:
                    yield alias.asname or alias.name.partition(".")[0], ast.unparse(only)
        else:
            yield from ((one.id, "") for one in _targets(node))
            for inner in ("body", "orelse", "finalbody", "handlers"):
                for one in getattr(node, inner, ()):
                    yield from _bound([one] if isinstance(one, ast.stmt) else one.body)


def _targets(node: ast.stmt) -> Iterator[ast.Name]:
    """The names that a statement itself assigns to, by `=`, `for`, `with` or `:=`."""
    inner = {id(one) for field in ("body", "orelse", "finalbody", "handlers") for one in getattr(node, field, ())}
    waiting: list[ast.AST] = [child for child in ast.iter_child_nodes(node) if id(child) not in inner]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            yield one
        if not isinstance(one, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            waiting += ast.iter_child_nodes(one)


def _defines(text: str, entry: str) -> bool:
    found = bindings(text)
    if found:
        return entry in found
    name = re.escape(entry)  # it does not parse, or binds nothing
    return re.search(rf"^\s*(?:async\s+)?(?:def|class)\s+{name}\b|^{name}\s*=[^=]", text, re.MULTILINE) is not None


def _kata_of(cell: NotebookCell) -> str:
    """The kata that a cell names, by its magic or by the header of a starter; empty where it names none."""
    words = cell.magic.split()
    if words[:1] == ["%%kata"]:
        return next((word for word in words[1:] if not word.startswith("-")), "")
    header = read_header(cell.text)
    return header[0] if header else ""


def variant_of(cell: Cell) -> str | None:
    """The variant that its magic names (`%%kata NAME --variant V`); None where it names none."""
    magic = magic_line(cell.code.decode("utf-8", "replace").removeprefix("# "))
    found = re.search(r"--variant(?:\s+|=)([\w-]+)", magic)
    return found[1] if found else None


def missing(name: str, elsewhere: Mapping[str, Binding]) -> Bilingual | None:
    """What to say where the graded cell lacks a name; None where no other cell binds it either."""
    found = elsewhere.get(name)
    if found is None:
        return None
    if found.statement:
        return Bilingual(
            f"`{name}` is imported in {found.place.en}, and a cell is graded alone: write `{found.statement}` in this "
            "cell, too.",
            f"`{name}` 是在{found.place.zh}中导入的，而评分时只运行当前单元格：请把 `{found.statement}` 也写进来。",
        )
    return Bilingual(
        f"`{name}` is defined in {found.place.en}, and a cell is graded alone: put what it needs into this cell.",
        f"`{name}` 是在{found.place.zh}中定义的，而评分时只运行当前单元格：请把用到的内容都写进来。",
    )
