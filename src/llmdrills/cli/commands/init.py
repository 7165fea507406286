"""`llmdrills init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from llmdrills.cli.console import told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import LangOption, WorkspaceOption, place
from llmdrills.content.scaffold import copy_workspace
from llmdrills.errors import UsageError
from llmdrills.language import LANGUAGE_TAG, LANGUAGES, Bilingual, Language

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Copy the decks and drills into a folder of your own, to edit.", "把牌组和练习复制到你自己的文件夹，以便修改。"
    ),
    "llmdrills init my-drills",
    "cd my-drills && llmdrills build",
    "llmdrills init --empty --in en my-notes",
    more=Bilingual(
        "The notes of the copy get identities of their own: in Anki they do not replace the shipped ones.",
        "副本中的笔记有自己的标识：在 Anki 中不会替换软件自带的笔记。",
    ),
)


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help=told(Bilingual("Where the copy goes.", "副本放到哪个文件夹。")))
    ] = Path(),
    empty: Annotated[
        bool,
        typer.Option(
            "--empty", help=told(Bilingual("Begin without a deck and a kata.", "从空白开始，不含牌组和练习。"))
        ),
    ] = False,
    written_in: Annotated[
        list[str] | None,
        typer.Option(
            "--in",
            metavar="LANG",
            help=told(
                Bilingual(
                    "A language that the decks are written in; en and zh unless given.",
                    "牌组使用的语言；默认为 en 和 zh。",
                )
            ),
        ),
    ] = None,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills init`."""
    here = place(workspace, lang=lang)
    for name in written_in or ():
        if not LANGUAGE_TAG.fullmatch(name):
            raise UsageError(f"`{name}` is no tag of a language", "write one such as en, zh or pt-BR")
    languages = cast("tuple[Language, ...]", tuple(dict.fromkeys(written_in or LANGUAGES)))
    made = copy_workspace(None if empty else here.workspace, folder, languages=languages)
    for path in made:
        print(path)
