"""drills/KATA/reference.zh.yaml: the docstrings and comments of reference.py in Chinese.

They stand beside the reference because a lock of draws holds its hash. Each entry of `texts` has `en`, a docstring or a
comment word for word, and `zh`. A starter and a solution are made of reference.py first and then told in Chinese;
comments that only say a shape have no entry and stay. Where solution.py is what a learner is shown, solution.zh.yaml
says the same of that.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
from typing import TYPE_CHECKING

from llmdrills.content.syntax import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from llmdrills.content.report import Report
    from llmdrills.content.shapes import Reader, Record
    from llmdrills.language import Language

__all__ = ["prose_of", "read_reference_texts", "reference_texts_shape", "told_in"]

_WORD = re.compile(r"[a-z]{4,}")
_APART = re.compile(r"`[^`]*`|\([^()]*\)")


def reference_texts_shape() -> Record:
    """What the file may hold. A function, because a starter in English imports no shapes."""
    from llmdrills.content.shapes import Key, Many, Record, Text

    text = Record(
        "a text of the reference",
        {
            "en": Key(Text(), "a docstring or a comment of reference.py, word for word", needed=True),
            "zh": Key(Text(), "the same in Chinese", needed=True),
        },
    )
    return Record("the texts of the reference", {"texts": Key(Many(text), "docstrings and comments", needed=True)})


def read_reference_texts(file: Path, report: Report) -> tuple[dict[str, str], Reader | None]:
    """English → Chinese, with the reader that knows where each entry stands; nothing where the file is missing."""
    from llmdrills.content.shapes import Reader
    from llmdrills.content.yamlfile import compose

    if not file.exists():
        return {}, None
    reader = Reader(file, report)
    node = compose(file, report)
    values = reference_texts_shape().read(reader, node, "") if node is not None else None
    entries = (values or {}).get("texts") or ()
    return {one["en"]: one["zh"] for one in entries if one and one.get("en") and one.get("zh")}, reader


def told_in(language: Language, text: str, texts: Path) -> str:
    """Python made of the kata's `solution_file`, its docstrings and comments in that language where `texts`, the kata's
    `texts_file`, has one."""
    if language == "en":
        return text
    from llmdrills.content.report import Report

    told, _ = read_reference_texts(texts, Report(texts.parent))
    return _replaced(text, told) if told else text


def prose_of(text: str) -> Iterator[str]:
    """The docstrings and comments of a Python file that say more than a shape, in order, each once."""
    found = dict.fromkeys(said for _, said in _prose(text))
    yield from (said for said in found if _WORD.search(_APART.sub("", said)))


def _prose(text: str) -> Iterator[tuple[tokenize.TokenInfo, str]]:
    starts = _docstrings(text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token, token.string.lstrip("#").strip()
        elif token.type == tokenize.STRING and token.start in starts:
            yield token, inspect.cleandoc(ast.literal_eval(token.string))


def _docstrings(text: str) -> set[tuple[int, int]]:
    """Where the docstrings of functions begin."""
    found = set()
    lines = text.splitlines()
    for node in ast.walk(parsed(text)):
        first = node.body[0] if isinstance(node, ast.FunctionDef) else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            column = len(lines[first.lineno - 1].encode()[: first.col_offset].decode())
            found.add((first.lineno, column))
    return found


def _replaced(text: str, told: Mapping[str, str]) -> str:
    lines = text.split("\n")
    for token, said in reversed(list(_prose(text))):
        chinese = told.get(said)
        if chinese is None:
            continue
        (first, start), (last, end) = token.start, token.end
        if token.type == tokenize.COMMENT:
            new = f"# {chinese}"
        else:
            margin = " " * start
            more = [f"{margin}{line}".rstrip() for line in chinese.splitlines()[1:]]
            new = "\n".join([f'"""{chinese.splitlines()[0]}', *more, *([margin] if more else [])]) + '"""'
        lines[first - 1 : last] = [lines[first - 1][:start] + new + lines[last - 1][end:]]
    return "\n".join(lines)
