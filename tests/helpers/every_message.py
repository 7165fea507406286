"""Every text that the program says, in English and in Chinese, as the source writes it; `{…}` is what fills it.

Three kinds: what stands as a `Bilingual` (or `counted`) in the source, wherever it is; what a module puts together of
such when it is imported, as the help of a command; and the messages of errors and problems, whose Chinese is in
messages.zh.txt. `python -m tests.helpers.every_message` writes them into
tests/snapshots/messages/, a file for each part of the program, to be read in a diff; `--check` only compares.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from llmdrills.messages import in_chinese
from tests.helpers.english_left import bilingual_constants
from tests.helpers.messages import messages

__all__ = ["FOLDER", "SOURCE", "Said", "said", "snapshots", "stale"]

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "llmdrills"
FOLDER = ROOT / "tests" / "snapshots" / "messages"
HEAD = "# Written by `python -m tests.helpers.every_message`: read what changes here as a beginner would.\n"
_LEFT_OUT = {"_vendor", "_workspace"}


class Said(NamedTuple):
    """One text in both languages."""

    en: str
    zh: str


def snapshots() -> dict[str, str]:
    """File name → its text: one file for each part of the program."""
    parts: dict[str, list[str]] = {}
    written = {path: list(said(path)) for path in _sources()}
    for path, one in _put_together({_without_names(one.en) for texts in written.values() for one in texts}):
        written[path].append(one)
    for path, texts in written.items():
        place = path.relative_to(SOURCE)
        part = place.parts[0].removesuffix(".py")
        found = list(dict.fromkeys(texts))
        if found:
            lines = [f"\n== {place.as_posix()}\n"]
            lines += [f"{_quoted(one.en)}\n    {_quoted(one.zh)}" for one in found]
            parts.setdefault(part, []).append("\n".join(lines) + "\n")
    return {f"{part}.txt": HEAD + "".join(texts) for part, texts in sorted(parts.items())}


def stale() -> list[str]:
    """The snapshot files that do not hold what the source says, one that is there for nothing included."""
    wanted = snapshots()
    there = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.txt")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def said(path: Path) -> Iterator[Said]:
    """The texts of one module, in its order; then what its errors and problems say."""
    tree = ast.parse(path.read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda one: (one.lineno, one.col_offset)):
        yield from _of_call(node)
    for english in messages([path]):
        yield Said(english, in_chinese(english))


def _put_together(known: set[str]) -> Iterator[tuple[Path, Said]]:
    """The texts that modules hold and no call in the source says, each once, with the module of its first use."""
    seen = set(known)
    for place, both in bilingual_constants():
        if both.en.strip() and _without_names(both.en) not in seen:
            seen.add(_without_names(both.en))
            yield _module(place), Said(both.en, both.zh)


def _module(place: str) -> Path:
    """The file of the longest module that the place begins with."""
    parts = re.match(r"[\w.]+", place)[0].split(".")[1:]  # type: ignore[index]  # a place begins with a word
    for size in range(len(parts), 0, -1):
        for path in (SOURCE.joinpath(*parts[:size]).with_suffix(".py"), SOURCE.joinpath(*parts[:size], "__init__.py")):
            if path.exists():
                return path
    return SOURCE / "__init__.py"


def _sources() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if not _LEFT_OUT & set(path.parts)]


def _of_call(node: ast.Call) -> Iterator[Said]:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name == "Bilingual" and len(node.args) >= 2:
        for english, chinese in zip(_texts(node.args[0]), _texts(node.args[1]), strict=False):
            if english.strip() or chinese.strip():
                yield Said(english, chinese)
    elif name == "counted" and len(node.args) >= 3:
        one, chinese = (next(_texts(arg), "{}") for arg in node.args[1:3])
        many = next(_texts(node.args[3]), "") if len(node.args) > 3 else ""
        yield Said(f"1 {one} / 2 {many or one + 's'}", f"2 {chinese}")


def _texts(node: ast.expr) -> Iterator[str]:
    """What an expression may say: each branch of it, with what is computed as `{its source}`."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else _field(part) for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        rights = list(_texts(node.right))
        yield from (left + right for left in _texts(node.left) for right in rights)
    else:
        yield f"{{{ast.unparse(node)}}}"


def _field(part: ast.expr) -> str:
    inner = part.value if isinstance(part, ast.FormattedValue) else part
    return f"{{{ast.unparse(inner)}}}"


def _quoted(text: str) -> str:
    """On one line, with line breaks and other control characters to be seen."""
    for letter, shown in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\b", "\\b")):
        text = text.replace(letter, shown)
    return text


def _without_names(text: str) -> str:
    out, depth = "", 0
    for letter in text:
        depth += letter == "{"
        if not depth or (letter == "{" and depth == 1):
            out += letter
        depth -= letter == "}"
        if letter == "}" and not depth:
            out += "}"
    return out


def main(words: list[str]) -> int:
    """Write what changed, or with `--check` only name it."""
    changed = stale()
    if "--check" not in words:
        wanted = snapshots()
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name in changed:
            if name in wanted:
                (FOLDER / name).write_text(wanted[name], "utf-8")
            else:
                (FOLDER / name).unlink()
    print("\n".join(changed) or "unchanged")
    return 1 if changed and "--check" in words else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
