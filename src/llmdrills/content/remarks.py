"""Where YAML changed a text between what an author typed and the value: escapes in double quotes, and ` #`.

Both are right YAML, so nothing fails: `"$\\frac{a}{b}$"` holds a form feed and `rac`, and `What does PR #12 change?`
ends before the `#`. The linter tells them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from yaml import ScalarNode

__all__ = ["CONTROL", "CUT", "LOST", "Remark", "is_doubtful", "remarks_on"]

LOST, CUT = "lost-escape", "cut-by-comment"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that no text of a card has: Anki separates fields by one of them, and shows none."""

# Commands of TeX whose first letter YAML takes for an escape, though what comes out is no control character.
_TEX = re.compile(
    r"(\\(?:"
    r"t(?:heta|au|imes|ext[a-z]*|o|op|an|anh|frac|ilde|herefore|riangle[a-z]*|binom|ag|iny|hickspace)"
    r"|n(?:abla|eq|e|u|ot|otin|i|mid|earrow|leq|geq|onumber|ewline|parallel)"
    r"|r(?:ho|ight[a-zA-Z]*|angle|floor|ceil|m|vert|Vert|brace|brack)"
    r"|L(?:ambda|eftarrow|ongrightarrow|arge)|P(?:i|hi|si|r)|N))(?![A-Za-z])"
)

_ESCAPE = re.compile(rf"\\[abefvrx0uUN]|{_TEX.pattern}")  # the first sort makes control characters
_COMMENT = re.compile("(?m)[^ \t\n][ \t]+#")  # after something on its line


@dataclass(frozen=True)
class Remark:
    """A rule of the linter that a text breaks, seen when the file was read; `line` and `column` count from 1."""

    rule: str
    path: str
    line: int
    column: int
    what: str
    todo: str


def is_doubtful(text: str) -> bool:
    """Whether `remarks_on` could find anything in a file: two searches of the whole, where it would be two a value."""
    bare = text.replace("\\\\", "\0\0")
    return _COMMENT.search(bare) is not None or _ESCAPE.search(bare) is not None


def remarks_on(node: ScalarNode, text: str, path: str) -> list[Remark]:
    """What is to be said of one value, by the text of its whole file; `path` is its key path."""
    if node.style == '"':
        raw = text[node.start_mark.index : node.end_mark.index]
        return _on_quoted(node, raw, path) if "\\" in raw else []
    end = node.end_mark.index
    line = re.match("[ \t]+(#[^\r\n]*)", text[end : end + 400])
    if line is None:
        return []
    mark = node.end_mark
    shown = line[1] if len(line[1]) <= 30 else line[1][:29] + "…"
    return [
        Remark(
            rule=CUT,
            path=path,
            line=mark.line + 1,
            column=mark.column + 1,
            what=f"{path} ends before `{shown}`: in plain text, ` #` begins a comment",
            todo="put the text in single quotes, or the comment on a line of its own",
        )
    ]


def _on_quoted(node: ScalarNode, raw: str, path: str) -> list[Remark]:
    bare = raw.replace("\\\\", "\0\0")  # a doubled one escapes nothing; the places stay
    if "\\" not in bare:
        return []
    mark = node.start_mark
    todo = "write the text in single quotes, or below `|`: they leave `\\` as it is"
    if control := CONTROL.search(node.value):
        before = re.search(r"(\\[abefvrx0uUN]\w*)", bare)
        typed = f" (typed `{before[1][:12]}`)" if before else ""
        what = f"{path} holds the control character U+{ord(control[0]):04X}{typed}: in double quotes, `\\` is an escape"
        return [Remark(rule=LOST, path=path, line=mark.line + 1, column=mark.column + 1, what=what, todo=todo)]
    found = _TEX.search(bare)
    if found and raw.count("$", 0, found.start(1)) % 2:  # within math
        kind = {"t": "a tab", "n": "a line break", "r": "a line break"}.get(found[1][1], "another character")
        what = f"{path}: in double quotes, `{found[1]}` begins with {kind}"
        return [Remark(rule=LOST, path=path, line=mark.line + 1, column=mark.column + 1, what=what, todo=todo)]
    return []
