"""Read reference.py and solution.py by parsing them: their functions, signatures, docstrings and imports."""

from __future__ import annotations

import ast
import builtins
import copy
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmdrills.content.pythonfile import parse
from llmdrills.content.report import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.model import Kata
    from llmdrills.content.pythonfile import PythonFile
    from llmdrills.content.report import Report

__all__ = ["ALLOWED_MODULES", "Reference", "bound_names", "check_references", "find_reference", "free_names"]

ALLOWED_MODULES = frozenset(sys.stdlib_module_names) | {"torch"}
"""What a kata may import, besides what its `needs` names."""


@dataclass(frozen=True)
class Reference:
    """One reference function and the file that it stands in."""

    file: PythonFile
    function: ast.FunctionDef

    @property
    def docstring(self) -> str:
        """The docstring, dedented; empty when there is none."""
        return ast.get_docstring(self.function) or ""


def find_reference(file: PythonFile, name: str) -> Reference | None:
    """The module's function of that name; the last one wins, as in Python."""
    found = [function for function in file.functions if function.name == name]
    return Reference(file, found[-1]) if found else None


def check_references(kata: Kata, places: dict[str, tuple[int, int]], kata_file: Path, report: Report) -> None:
    """Report what is wrong with a kata's reference.py, and its solution.py where it has one: functions, signatures,
    docstrings, imports."""
    first: Reference | None = None
    for path in dict.fromkeys((kata.reference_file, kata.solution_file)):
        file = parse(path, report)
        if file is None:
            continue
        _check_imports(file, kata.needs if path == kata.reference_file else kata.libraries, report)
        for variant in kata.variants:
            found = find_reference(file, variant.reference)
            if found is None:
                at = places.get(f"variants.{variant.id}.reference") or places.get(f"variants.{variant.id}") or (1, 1)
                todo = did_you_mean(variant.reference, [function.name for function in file.functions])
                report.add(kata_file, *at, f"{path.name} has no function `{variant.reference}`", todo)
                continue
            _check_function(found, report)
            first = _check_alike(found, first, report)


def _check_alike(found: Reference, first: Reference | None, report: Report) -> Reference:
    """Report a signature other than the first one; the first one."""
    if first is None:
        return found
    if _signature(found.function) != _signature(first.function):
        what = f"`{found.function.name}` takes ({_signature(found.function)})"
        todo = f"give it the signature of `{first.function.name}`: ({_signature(first.function)})"
        report.add(found.file.path, found.function.lineno, 1, what, todo)
    return first


def _check_function(found: Reference, report: Report) -> None:
    function, path = found.function, found.file.path
    if not found.docstring:
        report.add(
            path, function.lineno, 1, f"`{function.name}` has no docstring", "write one: it becomes the starter's"
        )
    if function.decorator_list:
        at = function.decorator_list[0]
        report.add(
            path,
            at.lineno,
            at.col_offset + 1,
            f"`{function.name}` is decorated",
            "write a plain function: the starter has its signature",
        )
    known = {alias for node in found.file.imports for alias in bound_names(node)} | set(dir(builtins))
    for node in [*signature_nodes(function)]:
        for name in free_names(node) - known:
            todo = "write the literal, or import the name: the starter has nothing else"
            report.add(
                path, node.lineno, node.col_offset + 1, f"the signature of `{function.name}` uses `{name}`", todo
            )


def _check_imports(file: PythonFile, needs: tuple[str, ...], report: Report) -> None:
    for node in file.imports:
        modules = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else ["." * node.level + (node.module or "")]
        )
        for module in modules:
            if module.partition(".")[0] not in ALLOWED_MODULES | set(needs):
                todo = "import only torch, the standard library and what `needs` names"
                report.add(file.path, node.lineno, node.col_offset + 1, f"{file.path.name} imports `{module}`", todo)


def bound_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The names that an import binds."""
    return [alias.asname or alias.name.partition(".")[0] for alias in node.names]


def signature_nodes(function: ast.FunctionDef) -> list[ast.expr]:
    """The annotations and defaults of a function."""
    spec = function.args
    arguments = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *filter(None, (spec.vararg, spec.kwarg))]
    nodes = [*(argument.annotation for argument in arguments), *spec.defaults, *spec.kw_defaults, function.returns]
    return [node for node in nodes if node is not None]


def free_names(node: ast.AST) -> set[str]:
    """Names that a piece of code reads and does not bind itself (over-approximated for nested scopes)."""
    read: set[str] = set()
    bound: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            (read if isinstance(part.ctx, ast.Load) else bound).add(part.id)
        elif isinstance(part, ast.arg):
            bound.add(part.arg)
        elif isinstance(part, (ast.FunctionDef, ast.ClassDef)):
            bound.add(part.name)
        elif isinstance(part, (ast.Import, ast.ImportFrom)):
            bound.update(bound_names(part))
        elif isinstance(part, ast.ExceptHandler) and part.name:
            bound.add(part.name)
    return read - bound


def _signature(function: ast.FunctionDef) -> str:
    """The parameters with their defaults, without annotations: what a caller depends on."""
    bare = copy.deepcopy(function.args)
    for part in ast.walk(bare):
        if isinstance(part, ast.arg):
            part.annotation = None
    return ast.unparse(bare)
