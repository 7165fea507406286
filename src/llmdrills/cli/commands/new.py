"""`llmdrills new`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.options import LangOption, WorkspaceOption, own_workspace, place
from llmdrills.content.scaffold import new_deck, new_kata, new_note

__all__ = ["app"]

app = typer.Typer(
    help="Begin a note, a deck or a kata from a template that works.\n\n\b\nExamples:\n"
    "  llmdrills new note concepts attention-dropout\n"
    "  llmdrills new deck interview\n"
    "  llmdrills new kata layer-norm",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("note")
def note_command(
    deck: Annotated[str, typer.Argument(metavar="DECK", help="The deck's id.")],
    note: Annotated[str, typer.Argument(metavar="ID", help="The note's id: its identity for ever.")],
    kind: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="question, cloze, checklist, number.")
    ] = "question",
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Append a note to a deck.

    \b
    Examples:
      llmdrills new note concepts attention-dropout
      llmdrills new note concepts kv-cache-bytes-mine --type number
    """
    path, line = new_note(own_workspace(workspace, place(workspace, lang=lang)), deck, note, kind)
    print(f"{path}:{line}")


@app.command("deck")
def deck_command(
    deck: Annotated[str, typer.Argument(metavar="ID", help="The deck's id.")],
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Begin a deck.

    \b
    Examples:
      llmdrills new deck interview
    """
    print(new_deck(own_workspace(workspace, place(workspace, lang=lang)), deck))


@app.command("kata")
def kata_command(
    kata: Annotated[str, typer.Argument(metavar="ID", help="The kata's id.")],
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Begin a kata: the template is a small one that works, and you replace it piece by piece.

    \b
    Examples:
      llmdrills new kata layer-norm
    """
    for path in new_kata(own_workspace(workspace, place(workspace, lang=lang)), kata):
        print(path)
