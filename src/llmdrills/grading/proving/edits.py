"""Mutants by one edit: each small change of the reference's syntax tree that a person might have written instead.

A rule looks at one node and says what could stand there. Docstrings, annotations and the words of exceptions are left
alone: they change no answer.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from llmdrills.content.syntax import parsed

__all__ = ["TextEdit", "text_edits"]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Mult,),
    ast.Pow: (ast.Mult,), ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,),
}  # fmt: skip
_OTHER_NAME = {
    "min": "max", "max": "min", "amax": "amin", "amin": "amax", "maximum": "minimum", "minimum": "maximum",
    "argmax": "argmin", "argmin": "argmax", "sum": "mean", "mean": "sum", "cos": "sin", "sin": "cos",
    "ones": "zeros", "zeros": "ones", "softmax": "log_softmax", "any": "all", "all": "any",
    "tril": "triu", "triu": "tril",
}  # fmt: skip
_OTHER_DTYPE = {"float32": ("float16", "bfloat16"), "float64": ("float32",), "int64": ("int8",), "bool": ("float32",)}
_FINITE = (-1e9, -1e4, -100.0, 0.0)
_MODULES = ("torch", "math", "F", "tl", "triton")


@dataclass(frozen=True)
class TextEdit:
    """One edit: its kind, the line of the text that it changes, its wording, and the whole text with it made."""

    kind: str
    line: int
    words: str
    text: str


class _Spot(NamedTuple):
    """A node and where it stands: its parent's field, and the place in it where that is a list."""

    parent: ast.AST
    field: str
    at: int | None
    node: ast.AST


Replacement = tuple[str, ast.AST]
Rule = Callable[[ast.AST, ast.AST, str], Iterator[Replacement]]


def text_edits(text: str) -> Iterator[TextEdit]:
    """Every edit of the functions in `text`, each different text once."""
    tree = parsed(text)
    seen = {ast.dump(tree)}
    times: Counter[tuple[int, str]] = Counter()
    for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        for spot in list(_spots(function)):
            parent, field, _, node = spot
            if _is_left_alone(parent, field, node):
                continue
            for kind, fresh in _replacements(node, parent, field, function):
                edited = _with(tree, spot, fresh)
                if edited is not None and edited[0] not in seen:
                    seen.add(edited[0])
                    line, words = getattr(node, "lineno", 0), f"`{_short(node)}` becomes `{_short(fresh)}`"
                    times[line, words] += 1
                    if times[line, words] > 1:  # a line may hold the same words twice: they are two mutants
                        words += f" ({times[line, words]})"
                    yield TextEdit(kind, line, words, edited[1])


def _with(tree: ast.Module, spot: _Spot, fresh: ast.AST) -> tuple[str, str] | None:
    """The tree's dump and text with `fresh` in the spot; the tree is as before when this returns."""
    parent, field, at, node = spot
    held = getattr(parent, field)
    if at is None:
        setattr(parent, field, fresh)
    else:
        held[at] = fresh
    try:
        ast.fix_missing_locations(tree)
        return ast.dump(tree), ast.unparse(tree)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None  # nothing that can be written down
    finally:
        if at is None:
            setattr(parent, field, node)
        else:
            held[at] = node


def _spots(root: ast.AST) -> Iterator[_Spot]:
    for parent in ast.walk(root):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list):
                for at, item in enumerate(value):
                    if isinstance(item, ast.AST):
                        yield _Spot(parent, field, at, item)
            elif isinstance(value, ast.AST):
                yield _Spot(parent, field, None, value)


def _is_left_alone(parent: ast.AST, field: str, node: ast.AST) -> bool:
    if field in ("annotation", "returns", "decorator_list", "ctx", "defaults", "kw_defaults"):
        return True
    if isinstance(parent, (ast.JoinedStr, ast.FormattedValue, ast.Raise)) or isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id.endswith("Error")


def _replacements(node: ast.AST, parent: ast.AST, field: str, function: ast.FunctionDef) -> Iterator[Replacement]:
    for rule in _RULES:
        yield from rule(node, parent, field)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        names = _exchangeable([argument.arg for argument in function.args.args], node.id, function)
        yield from (("other argument", ast.Name(name, ast.Load())) for name in names)
    if isinstance(node, ast.Assign) and field in ("body", "orelse") and _is_written_again(node, function):
        yield "statement dropped", ast.Pass()


def _exchangeable(names: list[str], name: str, function: ast.FunctionDef) -> list[str]:
    """The arguments that could stand in the place of one: all others.

    A Triton kernel takes a score of strides and sizes, so there only the neighbours are tried.
    """
    if name not in names:
        return []
    at = names.index(name)
    others = names[max(at - 1, 0) : at + 2] if function.decorator_list else names
    return [other for other in others if other != name]


def _is_written_again(node: ast.Assign, function: ast.FunctionDef) -> bool:
    """Whether leaving the assignment out leaves its name bound: an argument, or a name that is assigned elsewhere."""
    target = node.targets[0]
    if isinstance(target, ast.Subscript):
        return True
    if not isinstance(target, ast.Name):
        return False
    stores = [
        part
        for part in ast.walk(function)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store) and part.id == target.id
    ]
    return target.id in [argument.arg for argument in function.args.args] or len(stores) > 1


def _operators(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Replacement]:  # noqa: ARG001  # one signature
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for operator in _COMPARISONS.get(type(node.ops[0]), ()):
            fresh = copy.deepcopy(node)
            fresh.ops[0] = operator()
            yield "comparison", fresh
    if isinstance(node, ast.BinOp):
        for other in _ARITHMETIC.get(type(node.op), ()):
            changed = copy.deepcopy(node)
            changed.op = other()
            yield "arithmetic", changed
        yield "operand dropped", copy.deepcopy(node.left)
        yield "operand dropped", copy.deepcopy(node.right)
    if isinstance(node, ast.BoolOp):
        yield from (("operand dropped", copy.deepcopy(value)) for value in node.values)
    if isinstance(node, ast.UnaryOp):
        yield "sign or not dropped", copy.deepcopy(node.operand)


def _constants(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Replacement]:  # noqa: ARG001  # one signature
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = node.operand
        if isinstance(inner, ast.Attribute) and inner.attr == "inf":
            yield from (("finite for infinite", ast.Constant(value)) for value in _FINITE)
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    others: list[object] = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int):
        others = [value + 1, value - 1, *([2 * value] if value > 2 else [])]
    elif isinstance(value, float):
        others = [value + 1, value / 2 if value else -1.0]
    elif value == "-inf":
        others = ["-1e9", "-1e4", "-100", "0"]
    yield from (("constant", ast.Constant(other)) for other in others)  # type: ignore[arg-type]  # plain constants


def _names(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Replacement]:  # noqa: ARG001  # one signature
    if isinstance(node, ast.Attribute) and node.attr in _OTHER_NAME and field == "func":
        fresh = copy.deepcopy(node)
        fresh.attr = _OTHER_NAME[node.attr]
        yield "another function", fresh
    if isinstance(node, ast.Name) and node.id in _OTHER_NAME and field == "func":
        yield "another function", ast.Name(_OTHER_NAME[node.id], ast.Load())
    if isinstance(node, ast.Attribute):
        for name in _OTHER_DTYPE.get(node.attr, ()):
            other = copy.deepcopy(node)
            other.attr = name
            yield "dtype", other


def _calls(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Replacement]:  # noqa: ARG001  # one signature
    if not isinstance(node, ast.Call):
        return
    on_module = isinstance(node.func, ast.Attribute) and _is_module(node.func.value)
    if isinstance(node.func, ast.Attribute) and not on_module:
        yield "call dropped", copy.deepcopy(node.func.value)
    elif node.args and not isinstance(node.args[0], ast.Starred):
        yield from (("call dropped", copy.deepcopy(argument)) for argument in node.args[:2])
    for at, keyword in enumerate(node.keywords):
        if keyword.arg == "device":
            continue  # on the CPU, where holes are looked for, it changes nothing
        fresh = copy.deepcopy(node)
        del fresh.keywords[at]
        yield "keyword dropped", fresh
    if len(node.args) > 1:
        shorter = copy.deepcopy(node)
        shorter.args.pop()
        yield "argument dropped", shorter


def _is_module(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in _MODULES


def _slices(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Replacement]:  # noqa: ARG001  # one signature
    if isinstance(node, ast.Slice):
        for part in ("lower", "upper", "step"):
            if getattr(node, part) is not None:
                fresh = copy.deepcopy(node)
                setattr(fresh, part, None)
                yield "slice", fresh
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Tuple):
        yield "index dropped", copy.deepcopy(node.value)


def _statements(node: ast.AST, parent: ast.AST, field: str) -> Iterator[Replacement]:  # noqa: ARG001  # one signature
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        for value in (True, False):
            if value or not isinstance(node, ast.While):
                fresh = copy.deepcopy(node)
                fresh.test = ast.Constant(value)
                yield "branch", fresh
    if isinstance(node, (ast.For, ast.While)) and field == "body":
        once = copy.deepcopy(node)
        once.body.append(ast.Break())
        yield "one round", once
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.If)) and field in ("body", "orelse"):
        yield "statement dropped", ast.Pass()
    if isinstance(node, ast.Break):
        yield "statement dropped", ast.Pass()


_RULES: tuple[Rule, ...] = (_operators, _constants, _names, _calls, _slices, _statements)


def _short(node: ast.AST) -> str:
    shown = " ".join(ast.unparse(node).split())
    return shown if len(shown) <= 80 else shown[:79] + "…"
