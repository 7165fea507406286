"""Read the Python files of a kata by parsing them; they are never imported. Problems have their positions."""

from __future__ import annotations

import ast
import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmdrills.content.syntax import parsed
from llmdrills.content.yamlfile import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.report import Report

__all__ = ["Function", "PythonFile", "parse", "parse_text"]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class PythonFile:
    """A parsed file and its lines."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> list[str]:
        """The lines, without their ends, as `ast` numbers them."""
        return self.text.split("\n")

    @property
    def functions(self) -> list[ast.FunctionDef]:
        """The module's own functions, in order."""
        return [node for node in self.tree.body if isinstance(node, ast.FunctionDef)]

    @property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        """The module's own imports, in order."""
        return [node for node in self.tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]


def parse(path: Path, report: Report) -> PythonFile | None:
    """Parse a file, or None after reporting why it can't be."""
    text = read_text(path, report)
    return None if text is None else parse_text(path, text, report)


def parse_text(path: Path, text: str, report: Report) -> PythonFile | None:
    """Parse the text of `path`, or None after reporting why it can't be."""
    text = text.replace("\r\n", "\n").replace(
        "\r", "\n"
    )  # split lines as Python does, so that its line numbers are right
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is not a problem of the workspace
            return PythonFile(path, text, _tree(text))
    except SyntaxError as error:
        line, column = max(error.lineno or 1, 1), max(error.offset or 1, 1)
        report.add(path, line, column, f"not valid Python ({error.msg})", "fix the syntax")
    except (RecursionError, MemoryError, ValueError) as error:
        report.add(path, 1, 1, f"not readable as Python ({error or type(error).__name__})", "write it simpler")
    return None


@functools.cache
def _tree(text: str) -> ast.Module:
    """The tree of a file's text, which several readers ask for and none changes. Raises SyntaxError and the like."""
    return parsed(text)
