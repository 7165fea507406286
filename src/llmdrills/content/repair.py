"""A wrong kernel to repair instead of a blank to fill: which mistakes it has follows from a seed.

A repair begins from one slip of the kata that the variant knows. A kata whose kata.yaml says `starter: {slips: 4}`
always begins so, from one to four mistakes in its reference. Comments are left out throughout: one that is missing
beside a changed line would give the mistake away.
"""

from __future__ import annotations

import ast
import builtins
import io
import random
import tokenize
from typing import TYPE_CHECKING

from llmdrills.content.definitions import own_text
from llmdrills.content.pythonfile import parse
from llmdrills.content.references import find_reference
from llmdrills.content.referencetexts import told_in
from llmdrills.content.report import Report
from llmdrills.content.starter import code_text, import_lines, renamed, starter_text, top_text
from llmdrills.content.syntax import parsed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from llmdrills.content.model import Kata, Slip, Variant
    from llmdrills.content.pythonfile import PythonFile
    from llmdrills.language import Language

__all__ = ["broken_text", "candidates", "choose", "first_text", "repair_text"]

_OURS = ("llmdrills", "reference", "solution")  # modules that a learner's file cannot import


def candidates(kata: Kata, variant: Variant) -> tuple[Slip, ...]:
    """The slips that a repair may begin from: those whose text runs in a file of its own. The kata has its slips."""
    files = tuple(_files(kata))
    return tuple(
        slip for slip in kata.slips if variant.id in slip.texts and not _missing(slip.texts[variant.id], files)
    )


def choose(
    kata: Kata, variant: Variant, seed: int, without: Collection[str] = (), most: int | None = None
) -> tuple[Slip, ...]:
    """The mistakes that this seed stands for: one, or up to `most`, which is what `starter.slips` says unless given.

    `without`: ids of slips that were met lately; they are taken only where nothing else is left. Empty where the kata
    has no slip that a repair may begin from.
    """
    most = kata.starter.slips if most is None else most
    known = candidates(kata, variant)
    fresh = [slip for slip in known if slip.id not in without] or list(known)
    source = random.Random(seed)  # noqa: S311  # an exercise, not a secret
    source.shuffle(fresh)
    if most <= 1:
        return tuple(fresh[:1])
    wanted = source.randint(1, most)
    taken: list[Slip] = []
    for slip in fresh:
        if (
            len(taken) < wanted
            and slip.of == kata.solution_file.stem
            and _edited(kata, variant, (*taken, slip)) is not None
        ):
            taken.append(slip)
    return tuple(taken)


def first_text(kata: Kata, variant: Variant, language: Language, seed: int = 0) -> str:
    """What a learner begins with: a blank, unless kata.yaml says otherwise. `seed` is the repetition's.

    Raises ContentError when a file of the kata cannot be read.
    """
    if kata.starter.function:
        code = code_text(kata, kata.starter.function)
        return top_text(kata, variant, language) + "\n" + told_in(language, code, kata.texts_file)
    if kata.starter.slips:
        from llmdrills.content.catalogue import with_slips

        whole = kata if kata.slips else with_slips(kata)
        code = broken_text(whole, variant, choose(whole, variant, seed))
        return top_text(kata, variant, language) + "\n" + told_in(language, code, kata.texts_file)
    return starter_text(kata, variant, language)


def repair_text(kata: Kata, variant: Variant, language: Language, seed: int, slips: tuple[Slip, ...]) -> str:
    """A repair of the variant: the wrong kernel below the contract, with its seed in the header."""
    code = told_in(language, broken_text(kata, variant, slips), kata.texts_file)
    return top_text(kata, variant, language, mode="repair", seed=seed) + "\n" + code


def broken_text(kata: Kata, variant: Variant, slips: tuple[Slip, ...]) -> str:
    """The wrong kernel with its imports, named as the entry, without comments."""
    if len(slips) == 1:
        text, name = slips[0].texts[variant.id], slips[0].names[variant.id]
    else:
        text, name = _edited(kata, variant, slips) or "", variant.reference
    used = _names(text)
    imports: dict[str, None] = {}
    for file in _files(kata):
        imports |= dict.fromkeys(line for line in import_lines(file, used, leave_out=_OURS) if line)
    lines = sorted(imports, key=lambda line: not line.startswith("from __future__"))
    return "\n".join([*lines, "", "", renamed(_bare(text), name, kata.entry)])


def _edited(kata: Kata, variant: Variant, slips: tuple[Slip, ...]) -> str | None:
    """The reference with every edit of the slips; None where two of them change the same line."""
    from llmdrills.content.slips import EditError, apply

    file = parse(kata.solution_file, Report(kata.folder))
    found = find_reference(file, variant.reference) if file else None
    if found is None:
        return None
    try:
        text = apply(own_text(found.file, found.function), tuple(edit for slip in slips for edit in slip.edits))
        parsed(text)
    except (EditError, SyntaxError):
        return None
    return text


def _files(kata: Kata) -> Iterator[PythonFile]:
    for path in (kata.solution_file, kata.cases_file):
        file = parse(path, Report(kata.folder))
        if file is not None:
            yield file


def _names(text: str) -> set[str]:
    return {node.id for node in ast.walk(parsed(text)) if isinstance(node, ast.Name)}


def _missing(text: str, files: tuple[PythonFile, ...]) -> set[str]:
    """Names that the text uses and that neither it, nor Python, nor an import of the kata's files binds."""
    tree = parsed(text)
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    wanted = _names(text) - bound - set(dir(builtins))
    return {
        name for name in wanted if not any(import_lines(file, {name}, leave_out=_OURS, torch=False) for file in files)
    }


def _bare(text: str) -> str:
    """The text without its comments and without the blank lines that they leave."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            before = lines[row - 1][:column].rstrip()
            lines[row - 1] = before or "\0"
    return "\n".join(line for line in lines if line != "\0").strip("\n") + "\n"
