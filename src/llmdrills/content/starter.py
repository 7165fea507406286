"""Derive the starter that a learner fills in from the solution and the contract, so that neither is written twice.

The solution is the reference, or stands in solution.py where another engine than torch runs attempts.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

from llmdrills.content.definitions import definitions, needed_names, source
from llmdrills.content.pythonfile import parse
from llmdrills.content.references import Reference, bound_names, find_reference
from llmdrills.content.referencetexts import told_in
from llmdrills.content.report import Report
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Variant
    from llmdrills.content.pythonfile import PythonFile
    from llmdrills.language import Language

__all__ = ["code_text", "header", "import_lines", "read_header", "renamed", "solution_text", "starter_text", "top_text"]

_TITLE = Bilingual("{}: {}", "{}：{}")
_CONTRACT = Bilingual("What is graded:", "评分约定：")
_CODING = re.compile(r"(coding)([:=])")  # in the first two lines Python takes it for the file's encoding (PEP 263)
_YOURS = Bilingual("{} is yours to write", "{} 由你来写")
_LIBRARIES = ("torch", "transformers", "triton")
_HEADER_LINES = 30
_HEADER = re.compile(r"^\s*#.*\bllmdrills\s*:", re.IGNORECASE)
_FIELD = r"\b{}\s*[=:]\s*[\"']?([a-z0-9]+(?:-[a-z0-9]+)*)"


def header(kata_id: str, variant_id: str, **fields: str | int) -> str:
    """The line by which an attempt says what it answers, and perhaps more (`mode=repair seed=7`)."""
    return " ".join(
        [f"# llmdrills: kata={kata_id} variant={variant_id}", *(f"{name}={value}" for name, value in fields.items())]
    )


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

    Raises ContentError when the kata's `solution_file` can't be read or lacks the function.
    """
    reference = _reference(kata, variant.reference)
    name = kata.entry
    imports = import_lines(reference.file, needed_names(reference.file, reference.function))
    body = [
        _signature(reference, name),
        *_docstring(reference),
        f'    raise NotImplementedError("{_YOURS[language].format(name)}")',
    ]
    code = "\n".join([*imports, *([""] * 2 if imports else [""]), *body]) + "\n"
    return top_text(kata, variant, language) + "\n" + told_in(language, code, kata.texts_file)


def top_text(kata: Kata, variant: Variant, language: Language, **fields: str | int) -> str:
    """What stands above the code: the header with its fields, the title, the contract; ended by a line break."""
    title = _CODING.sub(r"\1 \2", _TITLE[language].format(kata.title[language], variant.title[language]))
    top = [
        header(kata.id, variant.id, **fields),
        f"# {title}",
        "#",
        f"# {_CONTRACT[language]}",
        *(_comment(line[language]) for line in variant.contract),
    ]
    return "\n".join(top) + "\n"


def solution_text(kata: Kata, variant: Variant, language: Language = "en") -> str:
    """The solution of a variant as a file that passes: named as the entry, with the imports and helpers that it uses.
    Its comments are in that language.

    Raises ContentError when the kata's `solution_file` can't be read or lacks the function.
    """
    return header(kata.id, variant.id) + "\n\n" + told_in(language, code_text(kata, variant.reference), kata.texts_file)


def code_text(kata: Kata, function: str) -> str:
    """A function of `solution_file` as the entry, with the imports and helpers that it uses.

    Raises ContentError when the kata's `solution_file` can't be read or lacks the function.
    """
    found = _reference(kata, function)
    file, names = found.file, needed_names(found.file, found.function)
    others = {one.reference for one in kata.variants} - {function}
    parts = [
        renamed(source(file, node), function, kata.entry) for node in definitions(file, names - others | {function})
    ]
    return "\n".join([*import_lines(file, names), "", ""]) + "\n" + "\n\n".join(parts)


def _reference(kata: Kata, function: str) -> Reference:
    report = Report(kata.folder.parent.parent)
    file = parse(kata.solution_file, report)
    found = find_reference(file, function) if file else None
    if file and found is None:
        report.add(kata.solution_file, 1, 1, f"there is no function `{function}`", "write it, or fix kata.yaml")
    report.raise_if_any()
    assert found is not None  # noqa: S101  # else a problem was raised
    return found


def import_lines(
    file: PythonFile, names: set[str], *, leave_out: tuple[str, ...] = (), torch: bool = True
) -> list[str]:
    """The imports that bind one of the names, and torch, which every answer needs; `__future__` first.

    Modules of the packages in `leave_out` are left out; `torch=False` takes torch only where it is named.
    """
    groups: list[list[str]] = [[], [], []]
    wanted = names | ({"torch"} if torch else set())
    for node in file.imports:
        module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        if module.partition(".")[0] in leave_out:
            continue
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        kept = [alias for alias in node.names if future or set(bound_names(_only(node, alias))) & wanted]
        if kept:
            trimmed = ast.unparse(_with(node, kept))
            groups[0 if future else 2 if module.partition(".")[0] in _LIBRARIES else 1].append(trimmed)
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


def renamed(source: str, old: str, new: str) -> str:
    """The text with one name for another, in code only; an attribute or a keyword of that name is another thing."""
    lines = source.split("\n")
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in (tokenize.NL, tokenize.COMMENT)
    ]
    depth, found = 0, []
    for at, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.string, 0)
        if token.type == tokenize.NAME and token.string == old:
            keyword = depth > 0 and tokens[at - 1].string in "(," and tokens[at + 1].string == "="
            if not keyword and tokens[at - 1].string != ".":
                found.append(token)
    for token in reversed(found):
        line, start = token.start
        lines[line - 1] = lines[line - 1][:start] + new + lines[line - 1][token.end[1] :]
    return "\n".join(lines)


def _comment(line: str) -> str:
    first, *rest = line.split("\n")
    return "\n".join([f"# - {first}", *(f"#   {more}".rstrip() for more in rest)])
