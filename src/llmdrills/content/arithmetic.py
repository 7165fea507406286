"""Formulas of number families: arithmetic over named numbers, read from a deck and never run as Python.

A formula is parsed with `ast`, and only what stands in `_BINARY`, `_COMPARED`, `FUNCTIONS` and `CONSTANTS` is walked:
it can name no attribute, index, text or function of Python's, and no number in it may pass 1e300, so that a deck of
somebody else's can neither run code nor keep the command busy.

What is not covered: units, lists, and functions of more than two arguments but `min` and `max`.
"""

from __future__ import annotations

import ast
import math
import operator
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from llmdrills.content.syntax import parsed_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CONSTANTS", "FUNCTIONS", "Formula", "FormulaError", "Value", "formula"]

Value = int | float

LONGEST = 500
"""Characters of a formula: a longer one is no formula that a learner can follow."""

_MOST = 1e300
_DEEPEST = 50


class FormulaError(ValueError):
    """A formula that cannot be read, or that has no value for these numbers. `what` and `todo` are in English."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what, todo)
        self.what, self.todo = what, todo


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > 1024:
        raise OverflowError
    found = base**exponent
    if isinstance(found, complex):
        raise ValueError("complex")
    return found


_BINARY: dict[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_COMPARED: dict[type[ast.cmpop], Callable[[Value, Value], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS: dict[str, tuple[Callable[..., Value], int]] = {
    "abs": (abs, 1),
    "ceil": (math.ceil, 1),
    "exp": (math.exp, 1),
    "floor": (math.floor, 1),
    "log": (math.log, 1),
    "log10": (math.log10, 1),
    "log2": (math.log2, 1),
    "max": (max, 0),
    "min": (min, 0),
    "round": (round, 1),
    "sqrt": (math.sqrt, 1),
}
"""What a formula may call, and with how many arguments; 0: two or more."""
CONSTANTS = {"e": math.e, "pi": math.pi}


class Formula:
    """One formula, read and found to hold arithmetic alone. Use `formula`, which reads each text once."""

    def __init__(self, text: str) -> None:
        """Raises FormulaError for what is no arithmetic."""
        self.text = text
        self.names: frozenset[str] = frozenset()
        self._root = self._read(text)

    def value(self, names: Mapping[str, Value]) -> Value:
        """What it comes to. Raises FormulaError where that is no finite number, or a name has no value."""
        found = self._of(self._root, names)
        if isinstance(found, bool):
            raise FormulaError(f"`{self.text}` is a comparison, not a number", "write what is to be computed")
        return found

    def holds(self, names: Mapping[str, Value]) -> bool:
        """Whether the condition holds. Raises FormulaError as `value` does."""
        return bool(self._of(self._root, names))

    def shown(self, names: Mapping[str, Value], number: Callable[[Value], str]) -> str:
        """The formula with its numbers filled in, as it is written by hand: `2 × 32 × 128 / 2^10`.

        Of a choice (`a if x > y else b`) the part that counts is shown.
        """
        return _shown(self, self._root, names, number)

    # ---- reading ----------------------------------------

    def _read(self, text: str) -> ast.expr:
        if len(text) > LONGEST:
            raise FormulaError(
                f"a formula of {len(text)} characters", f"write at most {LONGEST}, and name parts of it in `steps`"
            )
        try:
            root = parsed_expression(text.strip()).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            todo = "write arithmetic: + - * / // % **, brackets, numbers, names and functions such as sqrt(…)"
            raise FormulaError(f"`{text}` is no formula", todo) from None
        names: set[str] = set()
        self._check(root, names, 0)
        self.names = frozenset(names - CONSTANTS.keys())
        return root

    def _check(self, node: ast.expr, names: set[str], depth: int) -> None:
        if depth > _DEEPEST:
            raise FormulaError("a formula nested too deeply", "name parts of it in `steps`")
        inner: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            inner = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub | ast.Not):
            inner = [node.operand]
        elif isinstance(node, ast.BoolOp):
            inner = node.values
        elif isinstance(node, ast.Compare) and all(type(op) in _COMPARED for op in node.ops):
            inner = [node.left, *node.comparators]
        elif isinstance(node, ast.IfExp):
            inner = [node.test, node.body, node.orelse]
        elif isinstance(node, ast.Call):
            inner = self._arguments(node)
        elif isinstance(node, ast.Name):
            if node.id in FUNCTIONS:
                raise FormulaError(f"`{node.id}` is a function without its arguments", f"write `{node.id}(…)`")
            names.add(node.id)
        elif not (isinstance(node, ast.Constant) and type(node.value) in {int, float}):
            todo = "write arithmetic: + - * / // % **, brackets, numbers, names and functions such as sqrt(…)"
            raise FormulaError(f"`{ast.unparse(node)[:60]}` is no arithmetic", todo)
        elif not abs(node.value) <= _MOST:  # type: ignore[arg-type]  # an int or a float, as just seen
            raise FormulaError("a number of more than 1e300", "write a smaller one")
        for one in inner:
            self._check(one, names, depth + 1)

    def _arguments(self, node: ast.Call) -> list[ast.expr]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise FormulaError(f"there is no function `{ast.unparse(node.func)[:60]}`", f"use one of {known}")
        count = FUNCTIONS[name][1]
        if node.keywords or (len(node.args) != count if count else len(node.args) < 2):
            wanted = "one number" if count else "two numbers or more"
            raise FormulaError(f"`{name}` takes {wanted}", f"write `{name}({'x' if count else 'x, y'})`")
        return node.args

    # ---- computing ----------------------------------------

    def _of(self, node: ast.expr, names: Mapping[str, Value]) -> Value:
        try:
            found = self._computed(node, names)
        except ZeroDivisionError:
            raise FormulaError(f"`{self.text}` divides by zero", "change the range or the formula") from None
        except OverflowError:
            raise FormulaError(f"`{self.text}` passes 1e300", "change the range or the formula") from None
        except FormulaError:
            raise
        except ValueError:
            what = f"`{self.text}` has no real value"
            raise FormulaError(what, "change the range or the formula") from None
        if not abs(found) <= _MOST:  # also true of what is no number
            raise FormulaError(f"`{self.text}` passes 1e300", "change the range or the formula")
        return found

    def _computed(self, node: ast.expr, names: Mapping[str, Value]) -> Value:
        if isinstance(node, ast.Constant):
            return node.value  # type: ignore[return-value]  # an int or a float: `_check` saw to it
        if isinstance(node, ast.Name):
            if node.id not in names and node.id not in CONSTANTS:
                raise FormulaError(f"`{node.id}` has no value", "make it a quantity or a step")
            return names[node.id] if node.id in names else CONSTANTS[node.id]
        if isinstance(node, ast.BinOp):
            return _BINARY[type(node.op)](self._of(node.left, names), self._of(node.right, names))
        if isinstance(node, ast.UnaryOp):
            operand = self._of(node.operand, names)
            if isinstance(node.op, ast.Not):
                return not operand
            return -operand if isinstance(node.op, ast.USub) else operand
        if isinstance(node, ast.Call):
            return FUNCTIONS[node.func.id][0](*(self._of(one, names) for one in node.args))  # type: ignore[attr-defined]  # a Name
        return self._chosen(node, names)

    def _chosen(self, node: ast.expr, names: Mapping[str, Value]) -> Value:
        if isinstance(node, ast.IfExp):
            return self._of(node.body if self._of(node.test, names) else node.orelse, names)
        if isinstance(node, ast.BoolOp):
            ends = isinstance(node.op, ast.Or)
            return ends if any(bool(self._of(one, names)) is ends for one in node.values) else not ends
        return self._compared(cast("ast.Compare", node), names)  # `_check` let nothing else in

    def _compared(self, node: ast.Compare, names: Mapping[str, Value]) -> bool:
        left = self._of(node.left, names)
        for op, other in zip(node.ops, node.comparators, strict=True):
            right = self._of(other, names)
            if not _COMPARED[type(op)](left, right):
                return False
            left = right
        return True


@lru_cache(maxsize=1000)
def formula(text: str) -> Formula:
    """The formula of that text. Raises FormulaError for what is no arithmetic."""
    return Formula(text)


# ---- showing --------------------------------------------

_SIGNS = {ast.Add: " + ", ast.Sub: " - ", ast.Mult: " × ", ast.Div: " / ", ast.Mod: " mod "}
_ADDED, _TIMES, _RAISED, _WHOLE = 1, 2, 4, 5  # how tightly a part holds together
_CALLED = {"log": "ln", "log2": "log₂", "log10": "log₁₀"}


def _shown(of: Formula, node: ast.expr, names: Mapping[str, Value], number: Callable[[Value], str]) -> str:
    return _part(of, node, names, number)[0]


def _part(of: Formula, node: ast.expr, names: Mapping[str, Value], number: Callable[[Value], str]) -> tuple[str, int]:
    """A part as text, and how tightly it holds together."""

    def inner(one: ast.expr, least: int) -> str:
        text, tight = _part(of, one, names, number)
        return text if tight >= least else f"({text})"

    if isinstance(node, ast.IfExp):
        return _part(of, node.body if of._of(node.test, names) else node.orelse, names, number)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Pow):
            return f"{inner(node.left, _WHOLE)}^{inner(node.right, _WHOLE)}", _RAISED
        if isinstance(node.op, ast.FloorDiv):
            return f"⌊{inner(node.left, _TIMES)} / {inner(node.right, _RAISED)}⌋", _WHOLE
        own = _ADDED if isinstance(node.op, ast.Add | ast.Sub) else _TIMES
        return f"{inner(node.left, own)}{_SIGNS[type(node.op)]}{inner(node.right, own + 1)}", own
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
        return _part(of, node.operand, names, number)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return f"-{inner(node.operand, _RAISED)}", _ADDED
    if isinstance(node, ast.Call):
        name = node.func.id  # type: ignore[attr-defined]  # a Name: `_check` saw to it
        if name == "sqrt":
            return f"√{inner(node.args[0], _WHOLE)}", _WHOLE
        return f"{_CALLED.get(name, name)}({', '.join(inner(one, 0) for one in node.args)})", _WHOLE
    if isinstance(node, ast.Constant) and node.value in _TENS:
        return _TENS[node.value], _RAISED  # type: ignore[index]  # a number: `_check` saw to it
    if isinstance(node, ast.Name) and node.id == "pi":
        return "π", _WHOLE
    if isinstance(node, ast.Constant | ast.Name):
        value = of._of(node, names)
        return number(value), _WHOLE if value >= 0 else _ADDED
    return ast.unparse(node), 0


_TENS: dict[Value, str] = {10**n: f"10^{n}" for n in range(5, 19)}
