"""The learner's code against the reference: as a diff, and side by side.

What both files say besides code is left out: the line that names the kata, and the contract that the starter began
with. The two functions are compared with each other, and what stands around them apart from that, so that a helper or
an import in another place moves nothing.
"""

from __future__ import annotations

import ast
import difflib
import re
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.day.words import WORDS
from llmdrills.content.starter import solution_text, top_text
from llmdrills.content.syntax import parsed
from llmdrills.language import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.text import Text

    from llmdrills.content.model import Kata, Variant
    from llmdrills.language import Language

__all__ = ["Comparison"]

_ALIKE = 0.5  # lines of which so much is the same stand in one row
_NARROW = 100  # columns: below that, two listings stand under each other


class _Parts(NamedTuple):
    """A file in two: what stands around the entry function, and the function."""

    around: list[str]
    function: list[str]

    @property
    def text(self) -> str:
        return "\n".join([*self.around, *([""] * 2 if self.around else []), *self.function])


class _Row(NamedTuple):
    """Two lines that belong together: their indexes; None where one side has none."""

    mine: int | None
    reference: int | None
    same: bool

    @property
    def mark(self) -> str:
        """As `diff -y` marks it."""
        if self.same:
            return " "
        return "<" if self.reference is None else ">" if self.mine is None else "|"


class Comparison:
    """What the learner wrote beside the reference of the variant. Raises ContentError when that cannot be read."""

    def __init__(self, kata: Kata, variant: Variant, mine: str) -> None:
        starters = [top_text(kata, variant, language) for language in LANGUAGES]
        said = {line for starter in starters for line in starter.splitlines() if line.startswith("#")}
        self._entry = kata.entry
        self._mine = _parts(_without(mine, said), kata.entry)
        # The learner's docstring is the starter's, in the language in which the repetition began.
        written = set(mine.splitlines())
        known = [solution_text(kata, variant, language) for language in LANGUAGES]
        nearest = max(known, key=lambda text: len(written.intersection(text.splitlines())))
        self._reference = _parts(_without(nearest, said), kata.entry)

    def difference(self, language: Language) -> str:
        """A diff from the learner's file to the reference; empty when they say the same."""
        found = []
        for name, mine, reference in (
            ("import …", self._mine.around, self._reference.around),
            (f"def {self._entry}", self._mine.function, self._reference.function),
        ):
            lines = list(difflib.unified_diff(mine, reference, lineterm="", n=2))[2:]
            found += [f"@@ {name} @@" if line.startswith("@@") else line for line in lines]
        heads = [f"--- {WORDS['yours'][language]}", f"+++ {WORDS['reference'][language]}"]
        return "".join(f"{line}\n" for line in [*heads, *found]) if found else ""

    def rows(self) -> list[tuple[str | None, str, str | None]]:
        """The learner's line, the mark of `diff -y`, and the reference's line; what stands around comes first.

        None: that side has no line there.
        """
        found: list[tuple[str | None, str, str | None]] = []
        for mine, reference in zip(self._mine, self._reference, strict=True):
            if found and (mine or reference):
                found.append(("", " ", ""))
            for row in _rows(mine, reference):
                left = None if row.mine is None else mine[row.mine]
                found.append((left, row.mark, None if row.reference is None else reference[row.reference]))
        return found

    def side_by_side(self, width: int, language: Language) -> RenderableType:
        """Both listings, beside each other where the terminal is wide enough: what belongs together in one row."""
        from rich.console import Group
        from rich.syntax import Syntax
        from rich.table import Table
        from rich.text import Text

        heads = (WORDS["yours"][language], WORDS["reference"][language])
        if width < _NARROW:
            listings = [Syntax(one.text, "python", theme="ansi_dark", word_wrap=True) for one in self._both]
            return Group(Text(heads[0], "bold"), listings[0], Text(heads[1], "bold"), listings[1])
        table = Table(expand=True, box=None, padding=(0, 1))
        table.add_column(heads[0], ratio=1)
        table.add_column("", width=1)
        table.add_column(heads[1], ratio=1)
        for mine, reference in zip(self._mine, self._reference, strict=True):
            if table.row_count and (mine or reference):
                table.add_row("", "", "")
            left, right = _coloured(mine), _coloured(reference)
            for row in _rows(mine, reference):
                shown = (
                    ("" if row.mine is None else left[row.mine]),
                    ("" if row.reference is None else right[row.reference]),
                )
                table.add_row(shown[0], row.mark, shown[1])
        return table

    @property
    def _both(self) -> tuple[_Parts, _Parts]:
        return self._mine, self._reference


def _without(text: str, said: set[str]) -> list[str]:
    """The lines of a file without those comments at its top that the starter said."""
    lines = text.lstrip("\ufeff").splitlines()
    top = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    return [line for line in lines[:top] if line.rstrip() not in said] + lines[top:]


def _parts(lines: list[str], entry: str) -> _Parts:
    start, end = _place(lines, entry)
    return _Parts(_tidy([*lines[:start], "", *lines[end:]]), _tidy(lines[start:end]))


def _place(lines: list[str], entry: str) -> tuple[int, int]:
    """Where the function stands: its first line, and the one after its last. In a file that does not parse, its `def`
    and all that follows."""
    try:
        tree = parsed("\n".join(lines))
    except (SyntaxError, ValueError):  # ValueError: a NUL
        start = next((at for at, line in enumerate(lines) if re.match(rf"def\s+{entry}\b", line)), len(lines))
        return start, len(lines)
    for node in reversed(tree.body):  # the last one of that name is the one that counts
        if isinstance(node, ast.FunctionDef) and node.name == entry:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            return first - 1, node.end_lineno or node.lineno
    return len(lines), len(lines)


def _tidy(lines: list[str]) -> list[str]:
    """Without blank lines at the ends, and no more than one between."""
    kept: list[str] = []
    for line in lines:
        if line.strip() or (kept and kept[-1]):
            kept.append(line.rstrip())
    return kept[:-1] if kept and not kept[-1] else kept


def _rows(mine: list[str], reference: list[str]) -> Iterator[_Row]:
    matcher = difflib.SequenceMatcher(None, mine, reference, autojunk=False)
    for tag, low, high, low_there, high_there in matcher.get_opcodes():
        if tag == "equal":
            yield from (_Row(low + at, low_there + at, True) for at in range(high - low))
            continue
        at, at_there = low, low_there
        alike = _alike(mine[low:high], reference[low_there:high_there])
        for end, end_there in [*((low + i, low_there + j) for i, j in alike), (high, high_there)]:
            yield from _unlike(range(at, end), range(at_there, end_there))
            if end < high:
                yield _Row(end, end_there, False)
            at, at_there = end + 1, end_there + 1


def _unlike(mine: range, reference: range) -> Iterator[_Row]:
    for left, right in zip_longest(mine, reference):
        yield _Row(left, right, False)


def _alike(mine: list[str], reference: list[str]) -> list[tuple[int, int]]:
    """The pairs of lines that are most alike, in order, so that no two cross."""
    best = [[0.0] * (len(reference) + 1) for _ in range(len(mine) + 1)]
    ratio = [[difflib.SequenceMatcher(None, a.strip(), b.strip()).ratio() for b in reference] for a in mine]
    for i in reversed(range(len(mine))):
        for j in reversed(range(len(reference))):
            both = ratio[i][j] + best[i + 1][j + 1] if ratio[i][j] >= _ALIKE else 0.0
            best[i][j] = max(both, best[i + 1][j], best[i][j + 1])
    pairs = []
    i = j = 0
    while i < len(mine) and j < len(reference):
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            pairs.append((i, j))
            i, j = i + 1, j + 1
    return pairs


def _coloured(lines: list[str]) -> list[Text]:
    """Each line in colour, as a part of the whole."""
    from rich.syntax import Syntax

    whole = Syntax("", "python", theme="ansi_dark").highlight("\n".join(lines))
    return list(whole.split("\n", allow_blank=True))
