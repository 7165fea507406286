"""The messages of errors and problems as the source writes them: f-strings as patterns with `{a}`, `{b}` … in them."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

__all__ = ["messages"]

_ERRORS = {
    "LLMDrillsError": (0, 1),
    "UsageError": (0, 1),
    "SettingError": (0, 1),
    "BuildError": (0, 1),
    "LockError": (0, 1),
    "GraderError": (0, 1),
    "HistoryError": (0, 1),
    "FormulaError": (0, 1),
    "Problem": (3, 4),
    "Found": (1, 2),
    "Fault": (0, 1),
    "_Fault": (0, 1),
    "wrong": (1, 2),
    "_problem": (2, 3),
    "problem": (-2, -1),
    "add": (-2, -1),
}
_WHAT = {"what", "todo", "wants", "like", "near", "text", "comma", "how", "said"}


def messages(files: Iterator[Path] | list[Path]) -> dict[str, str]:
    """Every message in the files, with the place of its first use; only texts that hold a space are messages."""
    found: dict[str, str] = {}
    for path in files:
        tree = ast.parse(path.read_text("utf-8"))
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            for one in _of(node, functions):
                for text in _patterns(one, functions, 0):
                    if " " in text.strip():
                        found.setdefault(" ".join(text.split()), f"{path.name}:{node.lineno}")
    return found


def _of(node: ast.AST, functions: dict[str, ast.FunctionDef]) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "add" and len(node.args) < 3:
            return
        for at in _ERRORS.get(name, ()):
            if -len(node.args) <= at < len(node.args):
                yield node.args[at]
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in _WHAT:
                yield node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for name, value in zip(target.elts, node.value.elts, strict=False):
                    if isinstance(name, ast.Name) and name.id in _WHAT:
                        yield value


def _patterns(node: ast.expr, functions: dict[str, ast.FunctionDef], depth: int) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        letters = iter(string.ascii_lowercase)
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{next(letters)}}}" for part in node.values
        )
    elif isinstance(node, ast.IfExp):
        yield from _patterns(node.body, functions, depth)
        yield from _patterns(node.orelse, functions, depth)
    elif isinstance(node, ast.BoolOp):
        for one in node.values:
            yield from _patterns(one, functions, depth)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        for left in _patterns(node.left, functions, depth):
            for right in _patterns(node.right, functions, depth):
                yield left + right
    elif isinstance(node, ast.Call) and depth < 2:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        for inner in ast.walk(functions[name]) if name in functions else ():
            if isinstance(inner, ast.Return) and inner.value is not None:
                yield from _patterns(inner.value, functions, depth + 1)
