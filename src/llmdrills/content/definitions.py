"""What a function of a Python file needs to run on its own: the file's helpers, constants and imports that it uses."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from llmdrills.content.references import free_names, signature_nodes

if TYPE_CHECKING:
    from llmdrills.content.pythonfile import PythonFile

__all__ = ["definitions", "needed_names", "own_text", "source"]


def needed_names(file: PythonFile, function: ast.FunctionDef) -> set[str]:
    """Every name that the function reads, through the module's own helpers and constants too."""
    known = {name: node for node in file.tree.body for name in _defines(node)}
    needed: set[str] = set()
    waiting: list[ast.AST] = [function]
    while waiting:
        node = waiting.pop()
        names = free_names(node) | {name for part in _annotations(node) for name in free_names(part)}
        for name in names - needed:
            needed.add(name)
            if name in known:
                waiting.append(known[name])
    return needed


def definitions(file: PythonFile, names: set[str]) -> list[ast.stmt]:
    """The module's own functions, classes and constants of these names, in the order written."""
    return [node for node in file.tree.body if any(name in names for name in _defines(node))]


def source(file: PythonFile, node: ast.stmt) -> str:
    """A definition as written, ended by one line break; of its decorators only those of Triton stay."""
    kept = [line for one in getattr(node, "decorator_list", ()) if _is_triton(one) for line in _lines(file, one)]
    return "\n".join([*kept, *_lines(file, node)]) + "\n"


def _is_triton(decorator: ast.expr) -> bool:
    """Whether it makes a kernel of a function: `@triton.jit`, `@triton.autotune(…)`."""
    while isinstance(decorator, (ast.Call, ast.Attribute)):
        decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
    return isinstance(decorator, ast.Name) and decorator.id == "triton"


def _lines(file: PythonFile, node: ast.stmt | ast.expr) -> list[str]:
    return file.lines[node.lineno - 1 : node.end_lineno]


def own_text(file: PythonFile, function: ast.FunctionDef) -> str:
    """The function and the helpers of its file that it calls, as written; the function stands last."""
    helpers = [node for node in definitions(file, needed_names(file, function)) if node is not function]
    return "\n\n".join(source(file, node) for node in [*helpers, function])


def _annotations(node: ast.AST) -> list[ast.expr]:
    return signature_nodes(node) if isinstance(node, ast.FunctionDef) else []


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []
