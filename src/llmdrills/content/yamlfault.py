"""Say what is wrong with the syntax of a YAML file, and where it began: the parser often notices lines later."""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml

__all__ = ["SyntaxFault", "syntax_fault"]

_CONFLICT = re.compile(r"^(<{7}|\|{7}|={7}|>{7})(?: |$)", re.MULTILINE)
_FULL_WIDTH = re.compile(r"^[ ]*(?:- )?[A-Za-z_]+(：)")
_KEY = re.compile(r"\n[ ]*(?:- )?\w+:")


class SyntaxFault(NamedTuple):
    """Where (from 1), what is wrong, and what to do."""

    line: int
    column: int
    what: str
    todo: str


def syntax_fault(text: str, error: yaml.YAMLError) -> SyntaxFault:
    """What an author needs to know of an error of the parser's."""
    if found := _CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return SyntaxFault(
            line,
            1,
            f"not valid YAML (git left conflict markers: `{found[1]}`)",
            "keep what is right of both sides, and delete the marker lines",
        )
    if not isinstance(error, yaml.MarkedYAMLError):
        return SyntaxFault(1, 1, f"not valid YAML ({error})", "fix the syntax")
    mark = error.problem_mark or error.context_mark
    if mark and error.context_mark and mark.line > text.rstrip().count("\n"):
        mark = error.context_mark  # Something is never closed: show where it was opened, not the end of the file.
    end = _place(text.rstrip(), len(text.rstrip()))
    line, column = min((mark.line + 1, mark.column + 1), end) if mark else (1, 1)
    what = " ".join(part for part in (error.context, error.problem) if part) or "syntax error"
    return _told(text, line, what) or SyntaxFault(line, column, f"not valid YAML ({what})", _advice(what))


def _told(text: str, line: int, what: str) -> SyntaxFault | None:
    """The commonest causes, which lie before the place that the parser names."""
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    for number in range(line, max(0, line - 3), -1):
        shown = lines[number - 1] if number <= len(lines) else ""
        if found := _FULL_WIDTH.match(shown):
            todo = "write `: `, a half-width colon and a space"
            return SyntaxFault(number, found.start(1) + 1, "not valid YAML (a full-width colon follows the key)", todo)
    here = lines[line - 1] if line <= len(lines) else ""
    indent = here[: len(here) - len(here.lstrip(" \t"))]
    if "\t" in indent:
        what = "not valid YAML (a tab stands in the indentation)"
        return SyntaxFault(line, indent.index("\t") + 1, what, "indent with spaces")
    if "scanning a quoted scalar" in what:
        return SyntaxFault(*_opening(text, line), "not valid YAML (this quote is never closed)", _close_it())
    opened = _long_quote(text, line)
    if opened is not None:
        start, stop = opened
        return SyntaxFault(*start, f"not valid YAML (this quote is closed only in line {stop})", _close_it())
    return None


def _close_it() -> str:
    return "close it where the text ends; write a quote inside twice (`''`), or the text below `|`"


def _opening(text: str, line: int) -> tuple[int, int]:
    """Where the quote that the scanner could not finish begins."""
    last = (line, 1)
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            last = (token.end_mark.line + 1, token.end_mark.column + 1)
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark or error.problem_mark
        return (mark.line + 1, mark.column + 1) if mark else last
    return last


def _long_quote(text: str, line: int) -> tuple[tuple[int, int], int] | None:
    """A quoted text that runs over a line which looks like the next key, and ends just before the error."""
    found = None
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if not isinstance(token, yaml.ScalarToken) or token.style not in ("'", '"'):
                continue
            start, end = token.start_mark, token.end_mark
            near = start.line < line <= end.line + 2
            if near and end.line > start.line and _KEY.search(text[start.index : end.index]):
                found = ((start.line + 1, start.column + 1), end.line + 1)
    except yaml.YAMLError:
        return found  # what was scanned up to the error is what counts
    return found


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _advice(what: str) -> str:
    if "mapping values are not allowed" in what:
        return "put text that holds `: ` in quotes, or write it below `|`"
    if "unknown escape character" in what:
        return "write the text in single quotes: they leave `\\` as it is"
    if "found character '\\t'" in what or "cannot start any token" in what:
        return "indent with spaces; put text that begins with `@`, `` ` `` or `%` in quotes"
    if "alias" in what or "anchor" in what:
        return "put text that begins with `*` or `&` in quotes"
    if "expected <block end>" in what or "did not find expected" in what:
        return "check the indentation and the quotes on this line and the one before"
    if "document" in what:
        return "keep one document a file: no `---` in the middle"
    return "fix the syntax"
