"""The command line: commands parse and print; the work is done in modules that never print or exit.

`main` is the one place that catches errors and turns them into messages and exit codes:
0 passed or nothing to do · 1 a drill failed or `check` found problems · 2 usage, configuration or content ·
130 interrupted.
"""

from __future__ import annotations

import codecs
import errno
import functools
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING

from llmdrills.cli.console import note, speak, spoken, told
from llmdrills.cli.speech import first_word, language_of
from llmdrills.cli.variables import tell_misspelt
from llmdrills.errors import ContentError, LLMDrillsError, UsageError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer

__all__ = ["COMMANDS", "build_app", "main"]

# In the order in which help lists them: the day first, then the content, then the rest.
COMMANDS: tuple[str, ...] = (
    "today",
    "web",
    "grade",
    "play",
    "start",
    "rate",
    "skip",
    "undo",
    "hint",
    "solution",
    "list",
    "show",
    "stats",
    "report",
    "readiness",
    "exam",
    "ask",
    "build",
    "check",
    "preview",
    "retire",
    "new",
    "init",
    "packs",
    "import",
    "anki",
    "history",
    "optimize",
    "config",
    "doctor",
    "paths",
    "grade-all",
)
_MODULES = {"import": "import_file", "grade-all": "grade_all"}
"""Modules of commands that are not named as these."""
INTERRUPTED = 130
_INTERRUPTED = Bilingual(
    "interrupted; nothing is lost, and `llmdrills today` continues from here",
    "已中断；进度已保存，运行 `llmdrills today` 可从这里继续",
)
_OUTPUT = Bilingual("the output", "输出")
_NO_SPACE = Bilingual(
    "cannot write {where}: {why}: free some space, and run this again",
    "无法写入 {where}：{why}：请腾出空间后重新运行",
)
_INTERNAL = Bilingual(
    "internal error: {what}\nplease report it with the output of `llmdrills doctor`; LLMDRILLS_DEBUG=1 shows where it "
    "happened",
    "内部错误：{what}\n请附上 `llmdrills doctor` 的输出报告此问题；设置 LLMDRILLS_DEBUG=1 可查看出错位置",
)


_ABOUT = Bilingual(
    "Anki decks and ten-minute PyTorch katas for people who learn how large language models work.\n\n"
    "Start with `llmdrills today`.",
    "面向大语言模型学习者的 Anki 牌组和十分钟 PyTorch 编码练习。\n\n从 `llmdrills today` 开始。",
)


def build_app(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The app with these commands only: importing one command's module instead of twenty keeps the daily one quick.

    Its help is in the language that is spoken now: each module holds it as `HELP: Bilingual`.
    """
    import typer

    from llmdrills.cli.console import told
    from llmdrills.cli.help import Command, Group
    from llmdrills.cli.options import group_callback, root_callback

    app = typer.Typer(
        name="llmdrills",
        cls=Group,
        help=told(_ABOUT),
        invoke_without_command=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(help=told(_ABOUT))(root_callback)
    for name in names:
        module = importlib.import_module(f"llmdrills.cli.commands.{_MODULES.get(name, name)}")
        if hasattr(module, "app"):
            for registered in module.app.registered_commands:
                registered.callback = _guarded(registered.callback)
                registered.cls = Command
            module.app.callback()(group_callback)
            app.add_typer(module.app, name=name, cls=Group)
        else:
            app.command(name, cls=Command, help=told(module.HELP))(_guarded(module.command))
    return app


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Handle Ctrl-C and a closed pipe here, because Typer would handle both before `main` does."""

    @functools.wraps(command)
    def run(*args: object, **options: object) -> None:
        try:
            try:
                command(*args, **options)
            finally:
                _flush()
        except KeyboardInterrupt:
            note(f"\nllmdrills: {told(_INTERRUPTED)}")
            sys.exit(INTERRUPTED)
        except BrokenPipeError as error:
            _silence()
            if error.__context__ is not None:  # with this the command had ended before its output was flushed
                raise error.__context__ from None
            sys.exit(0)

    return run


def _flush() -> None:
    """Flush the output now, while a failure can still be reported."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence()
        raise UsageError(
            f"cannot write the output: {error.strerror}", "free some space where the output goes"
        ) from None


def _silence() -> None:
    """Discard further output after the reader (head, less) closed the pipe, or Python would report an error at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _speak_utf8() -> None:
    """Write UTF-8 in every locale, because Chinese and ✓ need it; bytes of paths are written unchanged.

    Anything else that UTF-8 has no bytes for is escaped.
    """
    codecs.register_error("llmdrills", _as_it_is_or_escaped)
    for stream, errors in ((sys.stdout, "llmdrills"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _as_it_is_or_escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _wanted(arguments: Sequence[str]) -> Sequence[str]:
    """The one command that these arguments name; all of them for help, completion and mistakes."""
    first = first_word(arguments)
    return (first,) if first in COMMANDS and not _completing() else COMMANDS


def _completing() -> bool:
    """Whether a shell asks for completion; what is printed then is not for a reader."""
    return any(variable.endswith("_COMPLETE") and "LLMDRILLS" in variable for variable in os.environ)


def main() -> None:
    """Run the command that `sys.argv` names, and exit."""
    _speak_utf8()
    arguments = sys.argv[1:]
    if first_word(arguments) == "help":
        arguments.remove("help")
        arguments.append("--help")
    if first_word(arguments) in ("grade", "play") and not {"-h", "--help", "--costs"} & set(arguments):
        from llmdrills.grading.workers.launcher import start_early

        start_early()
    speak(language_of(arguments))
    if not _completing():
        tell_misspelt()
    try:
        _run(arguments)
    except ContentError as error:
        note(error.told(spoken()))
        note(f"llmdrills: {error.summary(spoken())}")
        sys.exit(error.exit_code)
    except LLMDrillsError as error:
        note(f"llmdrills: {error.told(spoken())}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        note(f"llmdrills: {told(_INTERRUPTED)}")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _silence()
        sys.exit(0)
    except Exception as error:
        if os.environ.get("LLMDRILLS_DEBUG"):
            raise
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}:
            _silence()
            where = error.filename or _OUTPUT
            note(f"llmdrills: {told(_NO_SPACE.format(where=where, why=in_both(error.strerror)))}")
            sys.exit(UsageError.exit_code)
        note(f"llmdrills: {told(_INTERNAL.format(what=f'{type(error).__name__}: {error}'))}")
        sys.exit(UsageError.exit_code)


def _run(arguments: Sequence[str]) -> None:
    """Run the command and exit; what Typer finds wrong with the arguments is raised as UsageError."""
    from typer.exceptions import TyperException
    from typer.main import get_command

    from llmdrills.cli.completion import speak_for

    try:
        # prog_name: also when run as `python -m llmdrills`
        command = get_command(build_app(_wanted(arguments)))
        speak_for(command)
        code = command(args=list(arguments), prog_name="llmdrills", standalone_mode=False)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.message, file=sys.stderr)
            sys.exit(UsageError.exit_code)
        from llmdrills.cli.misuse import as_usage_error

        first = first_word(arguments)
        raise as_usage_error(error, f"llmdrills {first}" if first in COMMANDS else "llmdrills") from None
    sys.exit(code if isinstance(code, int) else 0)
