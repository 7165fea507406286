"""What was being done when a kernel raised: the expression, the operation, and what it was given.

The expression and its kind are read from the traceback: Python knows the place of every instruction in the source.
Which torch function raised, and with which tensors, is known only while it runs: the kernel is called once more under
a `TorchRecorder`.
"""

from __future__ import annotations

import dis
import linecache
import re
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["Failure", "TorchRecorder", "expression_of", "operation_of"]

MAX_EXPRESSION = 120
MAX_OPERANDS = 8
MAX_LISTED = 5
"""So many tensors of a list are kept: what follows the list, as `dim` does, must find a place too."""
MAX_OPERAND = 60

_LIBRARIES = (
    str(Path(__file__).resolve().parents[1]),
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(torch.__file__).resolve().parents[1]),
)
"""Where code is that neither a learner nor a kata's author wrote."""

_BINARY = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floor_divide",
    "%": "remainder",
    "**": "pow",
    "@": "matmul",
    "&": "and",
    "|": "or",
    "^": "xor",
    "<<": "lshift",
    ">>": "rshift",
}
_KINDS = (
    ("BINARY_SUBSCR", "getitem"),
    ("BINARY_SLICE", "getitem"),
    ("STORE_SUBSCR", "setitem"),
    ("STORE_SLICE", "setitem"),
    ("CALL", "call"),
    ("PRECALL", "call"),
    ("COMPARE_OP", "compare"),
    ("CONTAINS_OP", "contains"),
    ("LOAD_ATTR", "getattr"),
    ("LOAD_METHOD", "getattr"),
    ("STORE_ATTR", "setattr"),
    ("LOAD_", "name"),
    ("UNPACK_", "unpack"),
    ("GET_ITER", "iterate"),
    ("FOR_ITER", "iterate"),
    ("RAISE_VARARGS", "raise"),
    ("IMPORT_", "import"),
    ("POP_JUMP", "truth"),
    ("TO_BOOL", "truth"),
    ("UNARY_NOT", "truth"),
    ("UNARY_NEGATIVE", "neg"),
)
"""How an instruction's name begins, and the kind of expression that it belongs to; the first that fits counts."""

_REFLECTED = re.compile(r"r(add|sub|mul|truediv|div|floordiv|mod|pow|matmul)")
_IN_PLACE = re.compile(r"i(add|sub|mul|truediv|div|floordiv|mod|pow|matmul|and|or|xor)")
_SYNONYMS = {
    "truediv": "div",
    "true_divide": "div",
    "divide": "div",
    "multiply": "mul",
    "subtract": "sub",
    "concat": "cat",
    "concatenate": "cat",
}

# Taken before any learner's file is imported, like everything that runs between its calls.
_instructions, _source_line = dis.get_instructions, linecache.getline


class Failure(NamedTuple):
    """A torch function that raised `error`: its name, and each argument in words ("float32 (2, 3, 4, 8)")."""

    error: BaseException
    operation: str
    operands: tuple[str, ...]


class TorchRecorder(TorchFunctionMode):  # type: ignore[misc]  # torch.overrides has no types
    """While it is entered, the torch function that raised last is kept as `failure`."""

    failure: Failure | None = None

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call the function, as without this mode."""
        given = dict(kwargs or {})
        try:
            return func(*args, **given)
        except BaseException as error:
            self.failure = Failure(error, _function_name(func), tuple(_operands(args, given))[:MAX_OPERANDS])
            raise


def operation_of(trace: TracebackType | None, file: str) -> str:
    """The kind of the expression that raised: "matmul", "getitem", "call", "raise" …; "" where it is none of these.

    It is the deepest one of the kernel's own code: in `file`, in its folder, or outside of all libraries.
    """
    folder = Path(file).parent

    def own(name: str) -> bool:
        return name == file or not name.startswith(_LIBRARIES) or Path(name).parent == folder

    found = _deepest(trace, own)
    if found is None:
        return ""
    code, offset = found
    for instruction in _instructions(code):
        if instruction.offset == offset:
            name = instruction.opname
            if name == "BINARY_OP":
                return _BINARY.get(instruction.argrepr.removesuffix("="), "")
            return next((kind for beginning, kind in _KINDS if name.startswith(beginning)), "")
    return ""


def expression_of(trace: TracebackType | None, file: str) -> str:
    """The source text of the expression that raised at the deepest place in `file`, on one line; "" if unknown."""
    found = _deepest(trace, lambda name: name == file)
    if found is None:
        return ""
    code, offset = found
    positions = list(code.co_positions())
    place = positions[offset // 2] if offset // 2 < len(positions) else (None,) * 4
    line, end_line, column, end_column = place
    if line is None or end_line is None or column is None or end_column is None:
        return ""
    # Columns count bytes of UTF-8.
    lines = [_source_line(file, number).encode("utf-8", "surrogatepass") for number in range(line, end_line + 1)]
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    text = " ".join(b" ".join(lines).decode("utf-8", "replace").split())
    return text if len(text) <= MAX_EXPRESSION else text[: MAX_EXPRESSION - 1] + "…"


def _deepest(trace: TracebackType | None, own: Callable[[str], bool]) -> tuple[CodeType, int] | None:
    """Code and instruction of the deepest frame whose file is the kernel's own."""
    found = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if own(code.co_filename):
            found = code, trace.tb_lasti
        trace = trace.tb_next
    return found


def _function_name(function: Any) -> str:
    """The name of a torch function as a learner writes it: `__rmatmul__` is matmul, `__iadd__` is add_."""
    name = getattr(function, "__name__", "")
    if name in ("__get__", "__set__"):  # a property: `x.T`
        name = getattr(getattr(function, "__self__", None), "__name__", "")
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        if _REFLECTED.fullmatch(name):
            name = name[1:]
        elif _IN_PLACE.fullmatch(name):
            name = f"{_SYNONYMS.get(name[1:], name[1:])}_"
        elif name == "bool":
            name = "truth"
    return _SYNONYMS.get(name, name)


def _operands(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[str]:
    for value in args:
        yield from _operand(value)
    for name, value in kwargs.items():
        if value is not None:
            yield from (f"{name}={text}"[:MAX_OPERAND] for text in _operand(value))


def _operand(value: Any) -> Iterator[str]:
    """A tensor by dtype and shape, a list of tensors one by one, anything else in a few characters."""
    if isinstance(value, torch.Tensor):
        apart = "" if value.is_contiguous() else ", not contiguous"
        yield f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}{apart}"
    elif isinstance(value, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in value):
        for item in value[:MAX_LISTED]:
            yield from _operand(item)
    else:
        yield _brief(value)


def _brief(value: Any) -> str:
    """What may safely be asked for its text: nothing that could be of a learner's own type."""
    if value is None or type(value) in (bool, int, float, str, torch.dtype, torch.Size, type(...)):
        return repr(value)[:MAX_OPERAND]
    if type(value) is slice:
        return ":".join("" if part is None else _brief(part) for part in (value.start, value.stop))
    if type(value) in (list, tuple):
        inner = ", ".join(_brief(item) for item in value[:MAX_OPERANDS])
        return (f"[{inner}]" if type(value) is list else f"({inner}{',' if len(value) == 1 else ''})")[:MAX_OPERAND]
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name[:MAX_OPERAND]
