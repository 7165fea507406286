"""The messages of errors and problems as the source writes them: f-strings as patterns with `{a}`, `{b}` … in them."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Told", "messages", "pairs"]

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


class Told(NamedTuple):
    """One text; `zh` is "" where the source has the English alone."""

    en: str
    zh: str


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


def pairs(path: Path) -> list[tuple[Told, Told]]:
    """What each error and problem of one file says is wrong, with what it says to do: "" where it does not say it, and
    "…" where that is put together elsewhere, such as from the names that are near.

    Where either has several forms, the first form of what is wrong goes with the first of what to do, and so on. The
    Chinese is "" where messages.zh.txt has it.
    """
    tree = ast.parse(path.read_text("utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: list[tuple[Told, Told]] = []
    for node in ast.walk(tree):
        said = [list(_told(one, functions, named)) for one in _both(node)]
        if said and said[0]:
            todos = (said[1] or [Told("…", "…")]) if len(said) > 1 else [Told("", "")]
            found += [(what, todos[min(at, len(todos) - 1)]) for at, what in enumerate(said[0]) if " " in what.en]
    return found


def _both(node: ast.AST) -> list[ast.expr]:
    """The two expressions of an error or problem: what is wrong, and what to do."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in _ERRORS:
        return list(_of(node, {}))
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
        names = [getattr(one, "id", "") for one in getattr(node.targets[0], "elts", ())]
        return node.value.elts if names == ["what", "todo"] else []
    return []


def _told(node: ast.expr, functions: dict[str, ast.FunctionDef], named: dict[str, ast.expr]) -> Iterator[Told]:
    """What an expression says: a text whose Chinese is elsewhere, or a `Bilingual`, by name or filled, too."""
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "format":
        assert isinstance(node.func, ast.Attribute)
        yield from _told(node.func.value, functions, named)
    elif isinstance(node, ast.Name) and isinstance(named.get(node.id), ast.Call):
        yield from _told(named[node.id], functions, {})
    elif isinstance(node, ast.IfExp):
        yield from _told(node.body, functions, named)
        yield from _told(node.orelse, functions, named)
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Bilingual" and len(node.args) > 1:
        texts = (list(_patterns(one, functions, 0)) for one in node.args[:2])
        yield from (Told(" ".join(en.split()), zh) for en, zh in zip(*texts, strict=False))
    else:
        yield from (Told(" ".join(text.split()), "") for text in _patterns(node, functions, 0))


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
