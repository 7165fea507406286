"""`llmdrills init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmdrills.cli.options import LangOption, WorkspaceOption, place
from llmdrills.content.scaffold import copy_workspace

__all__ = ["command"]


def command(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where the copy goes.")] = Path(),
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Copy the decks and drills into a folder of your own, to edit.

    \b
    Examples:
      llmdrills init my-drills
      cd my-drills && llmdrills build

    The notes of the copy get identities of their own: in Anki they do not replace the shipped ones.
    """
    here = place(workspace, lang=lang)
    made = copy_workspace(here.workspace, folder)
    for path in made:
        print(path)
