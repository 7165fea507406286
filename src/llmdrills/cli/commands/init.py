"""`llmdrills init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmdrills.cli.console import told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import LangOption, WorkspaceOption, place
from llmdrills.content.scaffold import copy_workspace
from llmdrills.language import Bilingual

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Copy the decks and drills into a folder of your own, to edit.", "把牌组和练习复制到你自己的文件夹，以便修改。"
    ),
    "llmdrills init my-drills",
    "cd my-drills && llmdrills build",
    more=Bilingual(
        "The notes of the copy get identities of their own: in Anki they do not replace the shipped ones.",
        "副本中的笔记有自己的标识：在 Anki 中不会替换软件自带的笔记。",
    ),
)


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help=told(Bilingual("Where the copy goes.", "副本放到哪个文件夹。")))
    ] = Path(),
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills init`."""
    here = place(workspace, lang=lang)
    made = copy_workspace(here.workspace, folder)
    for path in made:
        print(path)
