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

from llmdrills.errors import ContentError, LLMDrillsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import typer

__all__ = ["COMMANDS", "build_app", "main"]

# In the order in which help lists them: the day first, then the content, then the rest.
COMMANDS: tuple[str, ...] = (
    "today",
    "grade",
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
    "build",
    "check",
    "preview",
    "retire",
    "new",
    "init",
    "history",
    "optimize",
    "config",
    "doctor",
    "paths",
)
INTERRUPTED = 130


def build_app(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """The app with these commands only: importing one command's module instead of twenty keeps the daily one quick."""
    import typer

    from llmdrills.cli.options import version_callback

    app = typer.Typer(
        name="llmdrills",
        help="Anki decks and ten-minute PyTorch katas for people who learn how large language models work.\n\n"
        "Start with `llmdrills today`.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(version_callback)
    for name in names:
        module = importlib.import_module(f"llmdrills.cli.commands.{name}")
        if hasattr(module, "app"):
            for registered in module.app.registered_commands:
                registered.callback = _guarded(registered.callback)
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(_guarded(module.command))
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
            print(
                "\nllmdrills: interrupted; nothing is lost, and `llmdrills today` continues from here", file=sys.stderr
            )
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
    first = arguments[0] if arguments else ""
    completing = any(variable.endswith("_COMPLETE") and "LLMDRILLS" in variable for variable in os.environ)
    return (first,) if first in COMMANDS and not completing else COMMANDS


def main() -> None:
    """Run the command that `sys.argv` names, and exit."""
    _speak_utf8()
    if sys.argv[1:2] == ["grade"] and not {"-h", "--help"} & set(sys.argv):
        from llmdrills.grading.workers.launcher import start_early

        start_early()
    try:
        build_app(_wanted(sys.argv[1:]))(prog_name="llmdrills")  # also when run as `python -m llmdrills`
    except ContentError as error:
        print(error, file=sys.stderr)
        print(f"llmdrills: {error.what}: {error.todo}", file=sys.stderr)
        sys.exit(error.exit_code)
    except LLMDrillsError as error:
        from llmdrills.cli.console import spoken

        print(f"llmdrills: {error.told(spoken())}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(
            "llmdrills: interrupted; nothing is lost, and `llmdrills today` continues from here",
            file=sys.stderr,
        )
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _silence()
        sys.exit(0)
    except Exception as error:
        if os.environ.get("LLMDRILLS_DEBUG"):
            raise
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}:
            _silence()
            where = error.filename or "the output"
            print(
                f"llmdrills: cannot write {where}: {error.strerror}: free some space, and run this again",
                file=sys.stderr,
            )
            sys.exit(UsageError.exit_code)
        print(
            f"llmdrills: internal error: {type(error).__name__}: {error}\n"
            "please report it with the output of `llmdrills doctor`; LLMDRILLS_DEBUG=1 shows where it happened",
            file=sys.stderr,
        )
        sys.exit(UsageError.exit_code)
