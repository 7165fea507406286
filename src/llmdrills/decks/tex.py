"""Whether a formula is one that MathJax can set: braces, arguments, scripts, environments, and the commands it knows.

A small parser, because the bundled MathJax needs a browser. tests/preview/test_tex.py holds it against MathJax on
thousands of formulas. What is not covered: what stands in the text of `\\text{…}`, column specifications, lengths,
and formulas that define commands, which are let pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

__all__ = ["tex_fault"]

_WORD = re.compile(r"\\([A-Za-z]+|.)|([{}^_&'#~])|(%[^\n]*(?:\n|$))|(\s+)|(.)", re.DOTALL)
_DEFINES = re.compile(
    r"\\(?:def|let|(?:re)?newcommand|(?:re)?newenvironment|require|Declare[MP]|verb|unicode|mmlToken|toggle|mathtoolsset)"
)
_RAW = ("text", "mbox", "hbox", "fbox", "href", "url", "ce", "pu", "tag", "label", "ref")
_BRACKETS = ("sqrt", "cfrac", "smash", "bbox", "cancel", "bcancel", "xcancel", "cancelto", "substack", "enclose")
_INFIX = ("over", "atop", "choose", "brace", "brack", "above")


@dataclass(frozen=True)
class _Known:
    arguments: dict[str, str]  # command → how many arguments it takes
    environments: frozenset[str]
    delimiters: frozenset[str]


@cache
def _known() -> _Known:
    text = resources.files("llmdrills.decks").joinpath("tex_commands.txt").read_text("utf-8")
    rows = [line.split(" ") for line in text.splitlines() if not line.startswith("#")]
    of = {row[0]: row[1:] for row in rows}
    counts = {name[1:]: "0" for name in of["delimiter"] if name[0] == "\\"}
    counts |= {name: kind for kind in ("-", "0", "1", "2", "3", "4", "d") for name in of.get(kind, ())}
    counts |= dict.fromkeys(" \n\t", "0")
    return _Known(counts, frozenset(of["env"]), frozenset(of["delimiter"]))


class _TexError(Exception):
    """What is wrong, in a few words."""


def tex_fault(formula: str) -> str:
    """What is wrong with a formula, in a few words; empty where MathJax can set it."""
    if _DEFINES.search(formula):
        return ""
    try:
        _Parser(formula).whole()
    except _TexError as fault:
        return str(fault)
    except RecursionError:
        return "it is nested too deeply"
    return ""


class _Parser:
    """Reads one formula from left to right."""

    def __init__(self, formula: str) -> None:
        self._formula = formula
        self._at = 0
        self._tables = 0  # how many environments are open

    def whole(self) -> None:
        """Raises _TexError."""
        end = self._row("")
        if end == "}":
            raise _TexError("a `}` closes nothing")
        if end:
            raise _TexError(f"`{end}` has no beginning")

    def _next(self) -> str:
        """The next word without white space and comments: a command with its backslash, or one character."""
        while found := _WORD.match(self._formula, self._at):
            self._at = found.end()
            if found[1] is not None:
                return "\\" + found[1]
            if found[3] is None and found[4] is None:
                return found[0]
        if self._at < len(self._formula):
            raise _TexError("it ends in a backslash")
        return ""

    def _peek(self) -> str:
        at = self._at
        word = self._next()
        self._at = at
        return word

    def _row(self, opened: str) -> str:
        """Read up to the end of a group, and return what ends it: empty, `}`, `\\right` or `\\end`."""
        above = below = infix = False
        while word := self._next():
            if word in ("}", "\\right", "\\end"):
                return word
            if word in "^_":
                taken = above if word == "^" else below
                if taken:
                    raise _TexError(f"two scripts by `{word}` on one base: put braces around the first")
                above, below = above or word == "^", below or word == "_"
                self._script(word)
            elif word == "'":
                if above:
                    raise _TexError("a prime after `^`: write the prime first")
            else:
                above = below = False
                if word[1:] in _INFIX and word[0] == "\\":
                    if infix:
                        raise _TexError(f"`{word}` stands twice in one group")
                    infix = True
                self._atom(word, opened)
        return ""

    def _script(self, mark: str) -> None:
        word = self._peek()
        if word in ("", "}", "&", "^", "_", "\\right", "\\end", "\\\\", "'"):
            raise _TexError(f"nothing follows `{mark}`")
        self._next()
        self._atom(word, "")

    def _atom(self, word: str, opened: str) -> None:
        if word == "{":
            self._group()
        elif word == "&":
            if not self._tables or opened == "{":
                raise _TexError("`&` stands outside of an environment")
        elif word == "#":
            raise _TexError("`#` cannot stand in math: write `\\#`")
        elif word[0] == "\\" and len(word) > 1:
            self._command(word[1:])

    def _group(self) -> None:
        end = self._row("{")
        if end != "}":
            raise _TexError("a `{` is never closed" if not end else f"`{end}` stands before the `}}`")

    def _command(self, name: str) -> None:
        if name == "left":
            self._left()
        elif name == "begin":
            self._environment()
        elif name == "middle":
            self._delimiter("\\middle")
        else:
            kind = _known().arguments.get(name)
            if kind is None:
                raise _TexError(f"there is no command `\\{name}`")
            if kind == "d":
                self._delimiter(f"\\{name}")
            elif kind != "-":
                self._arguments(name, int(kind))

    def _arguments(self, name: str, count: int) -> None:
        if count and (name in _BRACKETS or name.endswith(("arrow", "arrows", "harpoons"))) and self._peek() == "[":
            close = self._formula.find("]", self._at)
            if close < 0:
                raise _TexError(f"the `[` of `\\{name}` is never closed")
            self._at = close + 1
        for _ in range(count):
            word = self._next()
            if word in ("", "}", "&", "#", "^", "_"):
                raise _TexError(f"`\\{name}` lacks an argument")
            if word != "{":
                if word[0] == "\\" and len(word) > 1 and _known().arguments.get(word[1:]) is None:
                    raise _TexError(f"there is no command `{word}`")
                if word[0] == "\\" and _known().arguments.get(word[1:], "0") != "0":
                    raise _TexError(f"`{word}` as an argument of `\\{name}` needs braces")
                continue
            if name in _RAW or name.startswith("text"):
                self._raw()
            else:
                tables, self._tables = self._tables, 0  # an argument is read on its own
                self._group()
                self._tables = tables

    def _raw(self) -> None:
        """The rest of a group of text: only its braces count."""
        depth = 1
        while depth and (word := self._next()):
            depth += (word == "{") - (word == "}")
        if depth:
            raise _TexError("a `{` is never closed")

    def _left(self) -> None:
        self._delimiter("\\left")
        if self._row("\\left") != "\\right":
            raise _TexError("`\\left` has no `\\right`")
        self._delimiter("\\right")

    def _delimiter(self, after: str) -> None:
        word = self._next()
        if word == "{":  # MathJax takes {(} for (
            word = self._next()
            if self._next() != "}":
                raise _TexError(f"no delimiter follows `{after}`")
        if word not in _known().delimiters:
            raise _TexError(f"no delimiter follows `{after}`")

    def _environment(self) -> None:
        name = self._name("\\begin")
        if name not in _known().environments:
            raise _TexError(f"there is no environment `{name}`")
        self._tables += 1
        end = self._row("\\begin")
        self._tables -= 1
        if end != "\\end":
            raise _TexError(f"`\\begin{{{name}}}` is never ended")
        if (other := self._name("\\end")) != name:
            raise _TexError(f"`\\begin{{{name}}}` is ended by `\\end{{{other}}}`")

    def _name(self, after: str) -> str:
        found = re.compile(r"\s*\{([^{}]*)\}").match(self._formula, self._at)
        if found is None:
            raise _TexError(f"no name follows `{after}`")
        self._at = found.end()
        return found[1]
