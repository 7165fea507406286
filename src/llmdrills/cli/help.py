"""How help looks: lines that break by our rules, panels of commands, in the language that is spoken.

What Typer itself says in help ("Show this message and exit.", "[default: …]") is told in Chinese here; what a command
says is given to Typer in the right language (`console.told`) when its module is imported.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

from llmdrills.cli.console import MEASURE, told
from llmdrills.cli.panels import PANELS, SUMMARIES
from llmdrills.language import Bilingual
from llmdrills.lines import columns, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import typer

__all__ = ["Command", "Group", "Lines"]

_USAGE = Bilingual("Usage: ", "用法：")
_SECTIONS = {"Arguments": Bilingual("Arguments", "参数"), "Options": Bilingual("Options", "选项")}
_COMMANDS = Bilingual("Commands", "命令")
_EXAMPLES = Bilingual("Examples:", "示例：")
_TYPERS = {
    "Show this message and exit.": Bilingual("Show this help and exit.", "显示帮助并退出。"),
    "Install completion for the current shell.": Bilingual(
        "Install completion for this shell.", "为当前 shell 安装补全。"
    ),
    "Show completion for the current shell, to copy it or customize the installation.": Bilingual(
        "Print the completion script of this shell.", "打印当前 shell 的补全脚本。"
    ),
}
_DEFAULT = Bilingual("default: ", "默认 ")
_REQUIRED = Bilingual("required", "必填")
_AT_LEAST = Bilingual("{low} or more", "不小于 {low}")
_AT_MOST = Bilingual("{high} or less", "不大于 {high}")
_FROM_TO = Bilingual("{low} to {high}", "{low} 到 {high}")
_PLACEHOLDERS = {"<int>": "N", "<int range>": "N", "<float>": "X", "<str>": "TEXT", "<path>": "PATH"}
_BOUND = r"-?\d+(?:\.\d+)?"  # of an option that takes a whole number, or any
_NARROW = 60  # columns below which what an option does stands under it


class _Formatter:
    """What the commands' contexts format help with: the methods that Typer calls."""

    def __init__(self, width: int | None = None, max_width: int | None = None) -> None:
        import shutil

        self.width = width or max(min(shutil.get_terminal_size().columns, max_width or MEASURE), 20)
        self._indent = 0
        self._out: list[str] = []

    def getvalue(self) -> str:
        """The help."""
        return "".join(self._out)

    def write(self, text: str) -> None:
        """Write as it is."""
        self._out.append(text)

    def write_paragraph(self) -> None:
        """Leave a line out, unless nothing is written yet."""
        if self._out:
            self.write("\n")

    def write_heading(self, heading: str) -> None:
        """The name of a section."""
        words = _SECTIONS.get(heading)
        self.write(f"{heading if words is None else told(words)}{told(Bilingual(':', '：'))}\n")

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The first line."""
        self._lines(f"{told(_USAGE) if prefix is None else prefix}{prog} {args}", "    ")

    def write_text(self, text: str) -> None:
        """Paragraphs; one whose first line is a backspace keeps its lines."""
        for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip("\n"))):
            if number:
                self.write("\n")
            lines = [line.rstrip() for line in paragraph.splitlines()]
            if lines and lines[0].strip() == "\b":
                shown = [told(_EXAMPLES) if line.strip() == _EXAMPLES.en else line for line in lines[1:]]
                self.write("".join(f"{' ' * self._indent}{line}\n" for line in shown))
            else:
                self._lines(_joined(lines), "")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Names with what they are for."""
        widest = max((columns(name) for name, _ in rows if columns(name) <= col_max), default=0)
        at = self._indent + (4 if self.width < _NARROW else widest + col_spacing)
        for name, text in rows:
            head = " " * self._indent + name
            below = wrap(text, self.width - at, "") if text else []
            if below and self.width >= _NARROW and columns(name) <= widest:
                head += " " * (at - columns(head)) + below.pop(0)
            self.write("".join(f"{line.rstrip()}\n" for line in [head, *(" " * at + line for line in below)]))

    @contextlib.contextmanager
    def section(self, name: str) -> Iterator[None]:
        """A heading, and what is written below it further to the right."""
        self.write_paragraph()
        self.write_heading(name)
        with self.indentation():
            yield

    @contextlib.contextmanager
    def indentation(self) -> Iterator[None]:
        """What is written meanwhile stands further to the right."""
        self._indent += 2
        yield
        self._indent -= 2

    def _lines(self, text: str, indent: str) -> None:
        space = " " * self._indent
        self.write("".join(f"{space}{line}\n" for line in wrap(text, self.width - self._indent, indent)))


def _joined(lines: Sequence[str]) -> str:
    """The lines of a paragraph as one; between two Chinese letters there is no space."""
    text = " ".join(line.strip() for line in lines)
    return re.sub(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])", "", text)


class Lines(TyperCommand.context_class):  # type: ignore[misc,valid-type]  # Typer keeps its own copy of click, without a name
    """The context whose help is written by our rules."""

    formatter_class = _Formatter

    def make_formatter(self) -> _Formatter:
        """A formatter as wide as the terminal, and no wider than a line of prose should be."""
        return _Formatter(self.terminal_width, self.max_content_width)


class Command(TyperCommand):
    """A command whose help is in our form."""

    context_class = Lines

    def format_options(self, ctx: typer.Context, formatter: _Formatter) -> None:  # type: ignore[override]  # duck-typed
        """Arguments, then options."""
        _write_parameters(self, ctx, formatter)

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # Typer makes no other context
        """The words of the usage line."""
        return _usage(super().collect_usage_pieces(ctx))


class Group(TyperGroup):
    """A group of commands whose help is in our form; the first one shows them in panels."""

    context_class = Lines

    def format_options(self, ctx: typer.Context, formatter: _Formatter) -> None:  # type: ignore[override]  # duck-typed
        """The commands first: they are what is looked for."""
        self.format_commands(ctx, formatter)
        _write_parameters(self, ctx, formatter)

    def format_commands(self, ctx: typer.Context, formatter: _Formatter) -> None:  # type: ignore[override]  # duck-typed
        """A panel after another, or one list."""
        names = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
        if not names:
            return
        panels = list(_panels(names)) if ctx.parent is None else [(_COMMANDS, names)]
        widest = max(map(columns, names))
        for title, shown in panels:
            with formatter.section(told(title)):
                rows = [(f"{name:<{widest}}", self._summary(name, root=ctx.parent is None)) for name in shown]
                formatter.write_dl(rows)

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # Typer makes no other context
        """The words of the usage line."""
        return _usage(super().collect_usage_pieces(ctx))

    def _summary(self, name: str, *, root: bool) -> str:
        if root and name in SUMMARIES:
            return told(SUMMARIES[name])
        return self.commands[name].get_short_help_str(limit=1000)


def _panels(names: Sequence[str]) -> Iterator[tuple[Bilingual, list[str]]]:
    """The panels with the commands that there are; one that is in no panel joins the second."""
    placed = {name for _, panel in PANELS for name in panel}
    for number, (title, panel) in enumerate(PANELS):
        shown = [name for name in panel if name in names]
        if number == 1:
            shown += [name for name in names if name not in placed]
        if shown:
            yield title, shown


def _usage(pieces: Sequence[str]) -> list[str]:
    """`[[FILE]]` and `{KATA}` as they are written everywhere else."""
    pieces = [re.sub(r"^\[(\[.*\])\]$", r"\1", piece) for piece in pieces]
    return [re.sub(r"^\{(.*)\}$", r"\1", piece) for piece in pieces]


def _write_parameters(command: Command | Group, ctx: typer.Context, formatter: _Formatter) -> None:
    rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            rows[parameter.param_type_name].append((_named(record[0]), _said(record[1])))
    for kind, heading in (("argument", "Arguments"), ("option", "Options")):
        if rows[kind]:
            with formatter.section(heading):
                formatter.write_dl(rows[kind])


def _named(name: str) -> str:
    """An option with what it takes; an argument without its type, because its name says it."""
    if not name.startswith("-"):
        return re.sub(r" <[^<>]*>(\.\.\.)?$", r"\1", name)
    for typers, ours in _PLACEHOLDERS.items():
        name = name.replace(typers, ours)
    return name


def _said(text: str) -> str:
    """What a parameter is for, with what Typer adds to it."""
    head, mark, extra = text.partition("  [")
    head = told(_TYPERS[head]) if head in _TYPERS else head
    if not mark:
        return head
    parts = [part for part in map(_extra, extra.removesuffix("]").split("; ")) if part]
    if not parts:
        return head
    return told(Bilingual(f"{head} [{'; '.join(parts)}]", f"{head.removesuffix('。')}（{'；'.join(parts)}）。"))


def _extra(part: str) -> str:
    if part == "required":
        return told(_REQUIRED)
    if part.startswith("default: "):
        return told(_DEFAULT) + part.removeprefix("default: ")
    if found := re.fullmatch(rf"x>=({_BOUND})", part):
        return told(_AT_LEAST.format(low=_number(found[1])))
    if found := re.fullmatch(rf"x<=({_BOUND})", part):
        return told(_AT_MOST.format(high=_number(found[1])))
    if found := re.fullmatch(rf"({_BOUND})<=x<=({_BOUND})", part):
        return told(_FROM_TO.format(low=_number(found[1]), high=_number(found[2])))
    return part


def _number(bound: str) -> str:
    """A bound as a person writes it: 0 for 0.0."""
    return bound.removesuffix(".0")
