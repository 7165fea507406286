"""Forbidden calls, found by reading the attempt's text. No torch, and nothing of the attempt is run.

Reading finds what is written: names, aliases, `getattr` with a literal. What is put together at run time is found by
the modes of `llmdrills.grading.rules.counting`. A kata that names forbidden calls or budgets is *guarded*: there, what
could slip away from the modes (threads, the modes themselves, `eval`) is forbidden too. One with budgets is *counted*:
there, numpy's arrays are forbidden as well. Its numbers (`np.sqrt(d)`, `np.inf`) pass everywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from llmdrills.content.syntax import parsed
from llmdrills.language import Bilingual

__all__ = ["COUNTED", "GUARDED", "HOWS", "ForbiddenError", "ForbiddenUse", "How", "scan"]

How = Literal["named", "called", "dispatched", "evasion", "outside", "taken", "unknown", "torch"]
"""How a use was found: written by its name, called, seen as an operator; or as what escapes being watched, computes
outside torch, takes many numbers out of tensors, is an operator whose cost is not known, or does in torch what a Triton
kernel is to do."""
HOWS: tuple[How, ...] = get_args(How)

GUARDED = Bilingual(
    "Also forbidden, because the grader could not watch it: eval, exec, importlib, threads, other processes, ctypes, "
    "torch.compile, torch.jit and torch.ops.",
    "此外还禁用评分程序无法监测的写法：eval、exec、importlib、线程、其他进程、ctypes、"
    "torch.compile、torch.jit 和 torch.ops。",
)
"""What a kata that forbids calls or counts refuses beyond its own list."""
COUNTED = Bilingual(
    "The cost is counted, so all computation stays in torch: numpy on arrays and operators of unknown cost "
    "(torch.fft, torch.linalg.svd) are forbidden; numpy's numbers (np.sqrt(d), np.inf) are fine.",
    "这道题统计计算量，所以计算都要用 torch 完成：禁用 numpy 数组运算和计算量未知的算子"
    "（torch.fft、torch.linalg.svd）；numpy 的标量（np.sqrt(d)、np.inf）可以用。",
)
"""What a kata with budgets refuses beyond that."""

# Whatever starts a thread or a process, or reaches around torch's Python modes, escapes being watched.
ESCAPES: tuple[str, ...] = (
    "_thread",
    "asyncio",
    "concurrent",
    "ctypes",
    "multiprocessing",
    "subprocess",
    "threading",
    "torch._C",
    "torch._dynamo",
    "torch.compile",
    "torch.jit",
    "torch.multiprocessing",
    "torch.ops",  # an operator called there decomposes before a mode sees its name
    "torch.overrides",
    "torch.utils._python_dispatch",
)
HIDING = ("eval", "exec", "compile", "__import__", "importlib")
OUTSIDE = ("torch.utils.dlpack", "torch.from_dlpack")
# What numpy offers for one number, and its names that compute nothing.
NUMBERS = frozenset(
    """abs absolute bool bool_ cbrt ceil cos cosh dtype e errstate euler_gamma exp exp2 expm1 finfo float16 float32
    float64 floating floor gcd generic iinfo inf int16 int32 int64 int8 integer intp isfinite isinf isnan isscalar lcm
    log log10 log1p log2 maximum minimum mod nan ndarray newaxis number pi power printoptions prod remainder rint round
    set_printoptions seterr sign sin sinh sqrt square tan tanh trunc typing uint16 uint32 uint64 uint8""".split()  # noqa: SIM905  # a word list reads better than as many quoted strings
)


class ForbiddenError(RuntimeError):
    """Raised inside an attempt that does what no kata needs."""


@dataclass(frozen=True)
class ForbiddenUse:
    """One use of a forbidden call: its dotted name as the kata writes it, the attempt's line, and how it was found."""

    call: str
    line: int
    how: How


def scan(source: str, calls: Iterable[str] = (), *, counted: bool = False) -> list[ForbiddenUse]:
    """Every use of `calls` in `source`, and of what would escape being watched, in the order of lines.

    `calls` are dotted names such as `torch.nn.functional.softmax` or `torch.Tensor.softmax`; `counted` says that
    operations are counted, so numpy's arrays are forbidden as well. Nothing is forbidden when `calls` is empty and
    nothing is counted. A text that does not parse has no uses: that it does not parse is for the process that imports
    it to say.
    """
    names = tuple(calls)
    if not names and not counted:
        return []
    try:
        tree = parsed(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last: nested deeper than the parser's stack
        return []
    try:
        found = set(_Reader(tree, names, counted).uses())
    except RecursionError:
        return [ForbiddenUse("an expression too deep to read", 1, "evasion")]
    return sorted(found, key=lambda use: (use.line, use.call))


class _Reader:
    def __init__(self, tree: ast.Module, calls: tuple[str, ...], counted: bool) -> None:
        self._tree = tree
        self._calls = calls
        self._escapes = ESCAPES
        self._counted = counted
        self._aliases = dict(_aliases(tree))

    def uses(self) -> Iterator[ForbiddenUse]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._judge(alias.name, node.lineno)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    yield from self._judge(f"{node.module}.{alias.name}", node.lineno)
            elif isinstance(node, ast.Attribute):
                yield from self._judge(self._dotted(node), node.lineno)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield from self._judge(self._aliases.get(node.id, node.id), node.lineno)
            elif isinstance(node, ast.Call):
                yield from self._strings(node)

    def _dotted(self, node: ast.expr) -> str:
        """`F.softmax` → `torch.nn.functional.softmax`; a method of anything else → `?.softmax`."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        root = self._aliases.get(node.id, node.id) if isinstance(node, ast.Name) else "?"
        return ".".join([root, *reversed(parts)])

    def _judge(self, dotted: str, line: int) -> Iterator[ForbiddenUse]:
        root, _, _ = dotted.partition(".")
        last = dotted.rpartition(".")[2]
        for call in self._calls:
            owner, _, name = call.rpartition(".")
            if dotted == call or (last == name and "." in dotted and (root == "torch" or owner.endswith("Tensor"))):
                yield ForbiddenUse(call, line, "named")
        for escape in self._escapes:
            if dotted == escape or dotted.startswith(escape + "."):
                yield ForbiddenUse(escape, line, "evasion")
        if dotted in HIDING or root == "importlib":
            yield ForbiddenUse(root, line, "evasion")
        if self._counted:
            yield from self._judge_counted(dotted, line)

    def _judge_counted(self, dotted: str, line: int) -> Iterator[ForbiddenUse]:
        root, _, name = dotted.partition(".")
        first = name.partition(".")[0]
        if root == "numpy" and name and first not in NUMBERS:
            yield ForbiddenUse(f"numpy.{first}", line, "outside")
        elif dotted.rpartition(".")[2] in ("numpy", "__array__") and name:
            yield ForbiddenUse("torch.Tensor." + dotted.rpartition(".")[2], line, "outside")
        for outside in OUTSIDE:
            if dotted == outside or dotted.startswith(outside + "."):
                yield ForbiddenUse(outside, line, "outside")

    def _strings(self, node: ast.Call) -> Iterator[ForbiddenUse]:
        """`getattr(F, "softmax")` and its like: a literal that ends in a forbidden name."""
        called = self._dotted(node.func) if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called.rpartition(".")[2] not in {
            "getattr",
            "attrgetter",
            "methodcaller",
            "__getattribute__",
            "__getattr__",
            "get",
        }:
            return
        if self._counted and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            owner = self._dotted(node.args[0]) if isinstance(node.args[0], ast.Attribute) else ""
            owner = self._aliases.get(node.args[0].id, "") if isinstance(node.args[0], ast.Name) else owner
            if owner.partition(".")[0] == "numpy":
                yield from self._judge_counted(f"{owner}.{node.args[1].value!s}", node.lineno)
        for argument in node.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                last = argument.value.rpartition(".")[2]
                for call in self._calls:
                    if last == call.rpartition(".")[2]:
                        yield ForbiddenUse(call, node.lineno, "named")
                if any(last == escape.rpartition(".")[2] for escape in self._escapes):
                    yield ForbiddenUse(last, node.lineno, "evasion")


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What each imported name stands for, wherever in the file it is imported, and `name = dotted.name` at any
    level."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            parts: list[str] = []
            value = node.value
            while isinstance(value, ast.Attribute):
                parts.append(value.attr)
                value = value.value
            if isinstance(value, ast.Name) and known.get(value.id, "").partition(".")[0] in ("torch", "numpy"):
                known.setdefault(node.targets[0].id, ".".join([known[value.id], *reversed(parts)]))
    yield from known.items()
