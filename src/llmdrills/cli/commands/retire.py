"""`llmdrills retire`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, own_workspace, place
from llmdrills.lines import whole

__all__ = ["command"]


def command(
    note: Annotated[str, typer.Argument(metavar="ID", help="The note's id.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; learners read it.")],
    json: JsonOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Retire a note: new packages leave it out, and the upgrade package empties its cards.

    \b
    Examples:
      llmdrills retire attention-cost-memory --why "merged into attention-cost"
    """
    from llmdrills.decks.retire import retire

    done = retire(own_workspace(workspace, place(workspace, lang=lang)), note, why)
    if json:
        print_json(done.to_json())
        return
    if done.file is not None:
        tell(f"{done.file}:{done.line}: taken out:\n\n{whole(done.text.rstrip())}\n")
    tell(f"{note} is a tombstone now ({', '.join(done.languages)}). Run `llmdrills build`, and commit decks/.")
