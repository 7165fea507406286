"""`llmdrills build`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.build_view import build_text
from llmdrills.cli.console import print_json, tell, tell_notices, told
from llmdrills.cli.options import JsonOption, LangOption, Place, WorkspaceOption, place
from llmdrills.content import load_workspace
from llmdrills.language import Bilingual
from llmdrills.messages import in_both
from llmdrills.paths import came_with_the_package

if TYPE_CHECKING:
    from llmdrills.decks.build import Progress

__all__ = ["command", "out_folder"]

_PROGRESS = Bilingual("{what}: {done}/{total}", "{what}：{done}/{total}")


def command(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where packages go; build/ unless given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what Anki would do, and write nothing.")] = False,
    frozen: Annotated[bool, typer.Option("--frozen", help="Fail when the lock is stale (for CI).")] = False,
    new_lock: Annotated[
        bool, typer.Option("--new-lock", help="Start a new lock, because the old one is lost and cannot be restored.")
    ] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Print the packages and what to do with them.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name every note that changes.")] = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Build the Anki packages, and say what Anki will do with them.

    \b
    Examples:
      llmdrills build
      llmdrills build --dry-run
      llmdrills build --frozen --out dist

    Import build/llmdrills-en.apkg or build/llmdrills-zh.apkg with Anki's default options.
    """
    from llmdrills.decks.build import BuildOptions, build

    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace, here.locations.cache)
    tell_notices(loaded.katas)
    options = BuildOptions(
        frozen=frozen,
        dry_run=dry_run,
        new_lock=new_lock,
        read_only_content=came_with_the_package(here.workspace),
        cache_dir=here.locations.cache,
        progress=_progress(),
    )
    report = build(loaded, out or out_folder(here), options)
    if json:
        print_json(report.to_json())
    else:
        tell(build_text(report, Path.cwd(), here.language, verbose=verbose, brief=brief))


def out_folder(here: Place) -> Path:
    """`build/` in the workspace around the current folder, or else in the current folder."""
    current = Path.cwd().resolve()
    return (here.workspace if current.is_relative_to(here.workspace) else current) / "build"


def _progress() -> Progress | None:
    """Show progress as one line on stderr that is overwritten; show nothing if stderr is no terminal."""
    if not sys.stderr.isatty():
        return None

    def show(what: str, done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        line = _PROGRESS.format(what=in_both(what), done=done, total=total)
        print(f"\r{told(line)}\x1b[K", end=end, file=sys.stderr, flush=True)

    return show
