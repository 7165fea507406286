"""Split Python code into highlighted pieces with one regular expression.

Nearly all code on the cards is Python, and a lexer of Pygments takes many times as long for it. Its output also changes
with its version, and then every note with code would count as changed. What is not covered: expressions inside
f-strings have the colour of the string.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["python_pieces"]

# Written out, because the lists of the interpreter differ from one version to the next.
# fmt: off  # one word on each line would fill a screen
_KEYWORDS = frozenset(
    (
        "False",
        "None",
        "True",
        "and",
        "as",
        "assert",
        "async",
        "await",
        "break",
        "class",
        "continue",
        "def",
        "del",
        "elif",
        "else",
        "except",
        "finally",
        "for",
        "from",
        "global",
        "if",
        "import",
        "in",
        "is",
        "lambda",
        "nonlocal",
        "not",
        "or",
        "pass",
        "raise",
        "return",
        "try",
        "while",
        "with",
        "yield",
    )
)
_BUILTINS = frozenset(
    (
        "abs",
        "all",
        "any",
        "bool",
        "bytes",
        "callable",
        "chr",
        "dict",
        "dir",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "getattr",
        "hasattr",
        "hash",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "map",
        "max",
        "min",
        "next",
        "object",
        "open",
        "ord",
        "pow",
        "print",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "setattr",
        "slice",
        "sorted",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "vars",
        "zip",
        "self",
        "cls",
        "Exception",
        "IndexError",
        "KeyError",
        "NotImplementedError",
        "RuntimeError",
        "StopIteration",
        "TypeError",
        "ValueError",
    )
)
# fmt: on
_PIECE = re.compile(
    r"""
      (?P<c>\#[^\n]*)
    | (?P<s>(?:[rbuf]|rb|br|fr|rf)?(?:\"{3}.*?(?:\"{3}|\Z) | '{3}.*?(?:'{3}|\Z)
                                  | "(?:\\.|[^"\\\n])*"?   | '(?:\\.|[^'\\\n])*'?))
    | (?P<m>(?:0[xob][\da-f_]+ | (?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:e[+-]?\d+)?)j?(?![a-z_]))
    | (?P<named>\b(?:def|class)\b)(?P<gap>[ ]+)(?P<nf>[^\W\d]\w*)
    | (?P<nd>(?<![\w)\]])@[^\W\d][\w.]*)
    | (?P<attribute>\.[ ]*[^\W\d]\w*)
    | (?P<word>[^\W\d]\w*)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def python_pieces(code: str) -> Iterator[tuple[str, str]]:
    """(class, text) of the pieces of `code`, which joined give it back; an empty class has no colour."""
    place = 0
    for found in _PIECE.finditer(code):
        if found.start() > place:
            yield "", code[place : found.start()]
        place = found.end()
        kind = found.lastgroup or ""
        text = found[0]
        if kind == "nf":
            yield "k", found["named"]
            yield "", found["gap"]
            yield "nf", found["nf"]
        elif kind == "word":
            yield ("k" if text in _KEYWORDS else "nb" if text in _BUILTINS else ""), text
        else:
            yield ("" if kind == "attribute" else kind), text
    if place < len(code):
        yield "", code[place:]
