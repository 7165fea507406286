"""Code and numbers as a spot-the-bug card shows them: lines of at most `WIDTH` columns, numbers that are proven.

Texts only; nothing is run here.
"""

from __future__ import annotations

import ast
import functools
import re
import textwrap
import unicodedata
from typing import TYPE_CHECKING

from llmdrills.content.syntax import parsed, parsed_expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MOST_NUMBERS",
    "WIDTH",
    "bare_signatures",
    "columns",
    "fold",
    "fold_value",
    "literal_numbers",
    "loose_numbers",
    "narrow",
    "numbers",
    "random_names",
    "second_person",
]

WIDTH = 60
"""Columns of a line of code that a phone shows without scrolling."""
MOST_NUMBERS = 12
"""Literal numbers that a reader still follows by hand."""

_LEAST_SHARE = 0.25  # of a line that a bracket holds in which it is broken
_OPEN, _CLOSE = "([{", ")]}"
_JOINS = re.compile(r" (?:for|if|else|and|or) ")
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(\.\d+)?([eE][-+]?\d+)?(?![A-Za-z0-9_])[ \u00a0\u202f]?(%)?"
)
_CODE = re.compile(r"`+([^`]*)`+")
_SECOND = {"en": re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE), "zh": re.compile("[你您]")}
_RANDOM = re.compile(
    r"rand(?:n|int|perm|om)?(?:_like)?_?|normal_?|uniform_?|bernoulli_?|multinomial|manual_seed|dropout"
)


# ---- code in a few columns ------------------------------------------------------------------------


def columns(line: str) -> int:
    """How many columns a line takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


@functools.cache
def narrow(code: str) -> str:
    """Python with each line that is too wide folded at its brackets, its comment dropped; others stay as they are."""
    lines, depth = [], 0
    for line in code.split("\n"):
        begins, depth = depth, depth + _balance(line)
        text = _without_comment(line).rstrip()
        margin = len(text) - len(text.lstrip())
        whole = begins == depth == 0  # no part of a statement that its author broke
        folded = fold(text.lstrip(), WIDTH - margin) if whole and len(line) > WIDTH else []
        lines += [" " * margin + part for part in folded] or [line]
    return "\n".join(lines)


def _balance(line: str) -> int:
    """How many more brackets a line opens than it closes."""
    return next((depth for _, depth, _ in reversed(list(_scan(_without_comment(line))))), 0)


def _without_comment(line: str) -> str:
    return next((line[:at] for at, _, letter in _scan(line) if letter == "#"), line)


def fold(code: str, width: int = WIDTH) -> list[str]:
    """A statement of one line on lines of at most `width` columns, where its brackets allow it.

    What is short enough, or is written on several lines already, stays as it is; so does what could only be broken in
    a small part of it, which is hard to read.
    """
    if "\n" in code:
        return code.split("\n")
    found = _bracket(code) if len(code) > width else None
    if found is None or found[1] - found[0] < _LEAST_SHARE * len(code):
        return [code]
    return _hanging(code, found, width)


def fold_value(value: str, width: int = WIDTH) -> list[str]:
    """A result on lines of at most `width` columns, as torch prints it: rows below each other, at their bracket."""
    found = _bracket(value) if len(value) > width else None
    if found is None:
        return [value]
    start, end = found
    parts = _parts(value[start + 1 : end])
    lines = [value[: start + 1]]
    for place, part in enumerate(parts):
        piece = f"{part}," if place < len(parts) - 1 else f"{part}{value[end:]}"
        row = place > 0 and part[0] in _OPEN
        if place and not row and len(lines[-1]) + 1 + len(piece) <= width:
            lines[-1] += f" {piece}"
            continue
        first, *rest = fold_value(piece, width - start - 1)
        if place:
            lines.append(" " * (start + 1) + first)
        else:
            lines[-1] += first
        lines += [" " * (start + 1) + line for line in rest]
    return lines


def _hanging(code: str, at: tuple[int, int], width: int) -> list[str]:
    """What stands in the bracket on lines of its own, indented by four."""
    parts = _parts(code[at[0] + 1 : at[1]])
    together = ", ".join(parts)
    if len(together) <= width - 4:
        body = [together]
    elif len(parts) == 1:  # without a comma: `f(x for x in y,)` is no Python
        body = [line for piece in _clauses(parts[0]) for line in fold(piece, width - 4)]
    elif code.startswith("def "):
        body = textwrap.wrap(f"{together},", width - 4, break_long_words=False, break_on_hyphens=False)
    else:
        body = [line for part in parts for line in fold(f"{part},", width - 4)]
    return [code[: at[0] + 1], *(f"    {line}" for line in body), code[at[1] :]]


def _clauses(part: str) -> list[str]:
    """What stands alone in brackets, broken before the words that join its clauses."""
    cuts = [at for at, depth, letter in _scan(part) if letter == " " and depth == 0 and _JOINS.match(part, at)]
    starts = [0, *(cut + 1 for cut in cuts)]
    return [part[start:end].strip() for start, end in zip(starts, [*cuts, len(part)], strict=True)]


def _bracket(code: str) -> tuple[int, int] | None:
    """Where the longest bracket of the outermost level opens and closes; None where there is none."""
    best: tuple[int, int] | None = None
    start = 0
    for at, depth, letter in _scan(code):
        if letter in _OPEN and depth == 1:
            start = at
        elif letter in _CLOSE and depth == 0 and (best is None or at - start > best[1] - best[0]):
            best = (start, at)
    return best if best is not None and best[1] - best[0] > 1 else None


def _parts(inner: str) -> list[str]:
    """What commas of the outermost level separate."""
    cuts = [at for at, depth, letter in _scan(inner) if letter == "," and depth == 0]
    ends = [*cuts, len(inner)]
    starts = [0, *(cut + 1 for cut in cuts)]
    return [part for start, end in zip(starts, ends, strict=True) if (part := inner[start:end].strip())]


def _scan(code: str) -> Iterator[tuple[int, int, str]]:
    """Each character outside of strings: its place, and how many brackets are open behind it."""
    depth, quote, escaped = 0, "", False
    for at, letter in enumerate(code):
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
            continue
        if letter in "'\"":
            quote, escaped = letter, False
            continue
        depth += (letter in _OPEN) - (letter in _CLOSE)
        yield at, depth, letter


@functools.cache
def bare_signatures(code: str) -> str:
    """The code with the annotations of its functions' parameters and results left out: the contract says them.

    `tl.constexpr` stays: without it a Triton kernel is another one.
    """
    lines = code.split("\n")
    functions = [node for node in ast.walk(parsed(code)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda one: -one.lineno):
        first = node.body[0].lineno
        if first == node.lineno or not _annotated(node):
            continue
        margin = " " * node.col_offset
        head = f"def {node.name}({', '.join(_parameters(node.args, code))}):"
        lines[node.lineno - 1 : first - 1] = [margin + line for line in fold(head, WIDTH - len(margin))]
    return "\n".join(lines)


def _annotated(node: ast.FunctionDef) -> bool:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    return node.returns is not None or any(one is not None and one.annotation is not None for one in given)


def _parameters(args: ast.arguments, code: str) -> Iterator[str]:
    plain = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(plain) - len(args.defaults)) + [*args.defaults]
    for at, (one, default) in enumerate(zip(plain, defaults, strict=True), 1):
        yield _parameter(one, default, code)
        if at == len(args.posonlyargs):
            yield "/"
    if args.vararg is not None:
        yield f"*{args.vararg.arg}"
    elif args.kwonlyargs:
        yield "*"
    for one, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        yield _parameter(one, default, code)
    if args.kwarg is not None:
        yield f"**{args.kwarg.arg}"


def _parameter(one: ast.arg, default: ast.expr | None, code: str) -> str:
    kept = ast.get_source_segment(code, one.annotation) if one.annotation is not None else None
    name = f"{one.arg}: {kept}" if kept is not None and kept.rpartition(".")[2] == "constexpr" else one.arg
    if default is None:
        return name
    return f"{name}{'=' if name == one.arg else ' = '}{ast.get_source_segment(code, default)}"


# ---- numbers --------------------------------------------------------------------------------------


def literal_numbers(code: str) -> list[str]:
    """The numbers that an expression spells out; none where it is no Python."""
    tree = _parsed(code)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)] if tree else []
    return [
        repr(node.value) for node in found if isinstance(node.value, int | float) and not isinstance(node.value, bool)
    ]


def random_names(code: str) -> list[str]:
    """The names in an expression that draw random numbers."""
    tree = _parsed(code)
    found = []
    for node in ast.walk(tree) if tree else ():
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if _RANDOM.fullmatch(name):
            found.append(name)
    return found


def _parsed(code: str) -> ast.Expression | None:
    try:
        return parsed_expression(code.strip())
    except (SyntaxError, ValueError):
        return None


def numbers(text: str) -> dict[float, str]:
    """The numbers that stand in a text, without their signs, as they are written; a percentage by its number."""
    found: dict[float, str] = {}
    for one in _NUMBER.finditer(text):
        value = float(one[1].replace(",", "") + (one[2] or "") + (one[3] or ""))
        found.setdefault(value, one[0].strip())
    return found


def loose_numbers(text: str, proven: Iterable[str], kernel: str) -> list[str]:
    """The numbers of a card's text that nothing shown or proven contains, as they are written.

    0, 1 and 2 may stand anywhere, and in code those of the kernel. A percentage is also known as its fraction.
    """
    known: set[float] = {0.0, 1.0, 2.0}
    for one in proven:
        known |= set(numbers(one))
    in_kernel = set(numbers(kernel))
    for code in _CODE.findall(text):
        known |= set(numbers(code)) & in_kernel
    return [
        written
        for value, written in numbers(text).items()
        if value not in known and not (written.endswith("%") and round(value / 100, 12) in known)
    ]


def second_person(text: str, language: str) -> str:
    """The first word of a text that speaks to its reader, outside of code; empty where none does."""
    pattern = _SECOND.get("zh" if language.partition("-")[0] == "zh" else "en")
    found = pattern.search(_CODE.sub("", text)) if pattern else None
    return found[0] if found else ""
