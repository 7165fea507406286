"""Derive the starter that a learner fills in from the reference and the contract, so that neither is written twice."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

from llmdrills.content.definitions import definitions, needed_names, source
from llmdrills.content.pythonfile import parse
from llmdrills.content.references import Reference, bound_names, find_reference
from llmdrills.content.report import Report
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Variant
    from llmdrills.content.pythonfile import PythonFile
    from llmdrills.language import Language

__all__ = ["header", "read_header", "solution_text", "starter_text"]

_TITLE = Bilingual("{}: {}", "{}：{}")
_CONTRACT = Bilingual("What is graded:", "评分约定：")
_HEADER_LINES = 30
_HEADER = re.compile(r"^\s*#.*\bllmdrills\s*:", re.IGNORECASE)
_FIELD = r"\b{}\s*[=:]\s*[\"']?([a-z0-9]+(?:-[a-z0-9]+)*)"


def header(kata_id: str, variant_id: str) -> str:
    """The line by which an attempt says what it answers."""
    return f"# llmdrills: kata={kata_id} variant={variant_id}"


def read_header(text: str) -> tuple[str, str] | None:
    """The kata and variant that a file's header names, or None. Spacing, case and order of the header may be edited."""
    for line in text.lstrip("\ufeff").splitlines()[:_HEADER_LINES]:
        if _HEADER.match(line):
            kata = re.search(_FIELD.format("kata"), line.lower())
            variant = re.search(_FIELD.format("variant"), line.lower())
            if kata and variant:
                return kata[1], variant[1]
    return None


def starter_text(kata: Kata, variant: Variant, language: Language) -> str:
    """The stub of a variant: header, contract, imports, signature, docstring, and `raise NotImplementedError`.

    Raises ContentError when reference.py can't be read or lacks the function.
    """
    reference = _reference(kata, variant)
    name = kata.entry
    top = [
        header(kata.id, variant.id),
        f"# {_TITLE[language].format(kata.title[language], variant.title[language])}",
        "#",
    ]
    top += [f"# {_CONTRACT[language]}", *(_comment(line[language]) for line in variant.contract)]
    imports = _imports(reference.file, needed_names(reference.file, reference.function))
    body = [
        _signature(reference, name),
        *_docstring(reference),
        f'    raise NotImplementedError("{name} is yours to write")',
    ]
    return "\n".join([*top, "", *imports, *([""] * 2 if imports else [""]), *body]) + "\n"


def solution_text(kata: Kata, variant: Variant) -> str:
    """The reference of a variant as a file that passes: named as the entry, with the imports and helpers that it uses.

    Raises ContentError when reference.py can't be read or lacks the function.
    """
    reference = _reference(kata, variant)
    file, function = reference.file, reference.function
    names = needed_names(file, function)
    others = {one.reference for one in kata.variants} - {function.name}
    parts = [
        _rename(source(file, node), function.name, kata.entry)
        for node in definitions(file, names - others | {function.name})
    ]
    imports = _imports(file, names)
    return "\n".join([header(kata.id, variant.id), "", *imports, "", ""]) + "\n" + "\n\n".join(parts)


def _reference(kata: Kata, variant: Variant) -> Reference:
    report = Report(kata.folder.parent.parent)
    file = parse(kata.reference_file, report)
    found = find_reference(file, variant.reference) if file else None
    if file and found is None:
        report.add(
            kata.reference_file, 1, 1, f"there is no function `{variant.reference}`", "write it, or fix kata.yaml"
        )
    report.raise_if_any()
    assert found is not None  # noqa: S101  # else a problem was raised
    return found


def _imports(file: PythonFile, names: set[str]) -> list[str]:
    """The imports that bind one of the names, and torch, which every answer needs; `__future__` first."""
    groups: list[list[str]] = [[], [], []]
    for node in file.imports:
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        kept = [alias for alias in node.names if future or set(bound_names(_only(node, alias))) & (names | {"torch"})]
        if kept:
            trimmed = ast.unparse(_with(node, kept))
            module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
            groups[0 if future else 2 if module.partition(".")[0] in ("torch", "transformers") else 1].append(trimmed)
    lines: list[str] = []
    for group in filter(None, groups):
        lines += ([""] if lines else []) + group
    return lines


def _only(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.Import | ast.ImportFrom:
    return _with(node, [alias])


def _with(node: ast.Import | ast.ImportFrom, aliases: list[ast.alias]) -> ast.Import | ast.ImportFrom:
    return ast.Import(aliases) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, aliases, node.level)


def _signature(reference: Reference, name: str) -> str:
    """`def …:` as written, up to its colon, with the entry's name."""
    lines = reference.file.lines[reference.function.lineno - 1 :]
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == ":" and depth == 0:
                row, column = token.end
                shown = "\n".join([*lines[: row - 1], lines[row - 1][:column]])
                return shown.replace(f"def {reference.function.name}", f"def {name}", 1)
    return f"def {name}(*args, **kwargs):"  # not reached: the file was parsed


def _docstring(reference: Reference) -> list[str]:
    first = reference.function.body[0]
    if not reference.docstring or first.end_lineno is None:
        return []
    lines = reference.file.lines[first.lineno - 1 : first.end_lineno]
    lines[-1] = lines[-1].encode()[: first.end_col_offset].decode()  # a comment or `; …` after it is not part of it
    lines[0] = "    " + lines[0].encode()[first.col_offset :].decode()
    return lines


def _rename(source: str, old: str, new: str) -> str:
    lines = source.split("\n")
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        if token.type == tokenize.NAME and token.string == old:
            line, start = token.start
            lines[line - 1] = lines[line - 1][:start] + new + lines[line - 1][token.end[1] :]
    return "\n".join(lines)


def _comment(line: str) -> str:
    first, *rest = line.split("\n")
    return "\n".join([f"# - {first}", *(f"#   {more}".rstrip() for more in rest)])
