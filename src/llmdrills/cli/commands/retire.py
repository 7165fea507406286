"""`llmdrills retire`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.console import print_json
from llmdrills.cli.options import JsonOption, WorkspaceOption, own_workspace, place

__all__ = ["command"]


def command(
    note: Annotated[str, typer.Argument(metavar="ID", help="The note's id.")],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; learners read it.")],
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Retire a note: new packages leave it out, and the upgrade package empties its cards.

    \b
    Examples:
      llmdrills retire attention-cost-memory --why "merged into attention-cost"
    """
    from llmdrills.decks.retire import retire

    done = retire(own_workspace(workspace, place(workspace)), note, why)
    if json:
        print_json(done.to_json())
        return
    if done.file is not None:
        print(f"{done.file}:{done.line}: taken out:\n\n{done.text.rstrip()}\n")
    print(f"{note} is a tombstone now ({', '.join(done.languages)}). Run `llmdrills build`, and commit decks/.")
