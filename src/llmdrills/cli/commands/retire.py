"""`llmdrills retire`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.console import print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, own_workspace, place
from llmdrills.language import Bilingual
from llmdrills.lines import whole

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Retire a note: new packages leave it out, and the upgrade package empties its cards.",
        "停用一条笔记：新的牌组包不再包含它，升级包会清空它的卡片。",
    ),
    'llmdrills retire attention-cost-memory --why "merged into attention-cost"',
)


def command(
    note: Annotated[str, typer.Argument(metavar="ID", help=told(Bilingual("The note's id.", "笔记的 id。")))],
    why: Annotated[
        str,
        typer.Option(
            "--why", metavar="TEXT", help=told(Bilingual("The reason; learners read it.", "停用的原因；学习者会看到。"))
        ),
    ],
    json: JsonOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills retire`."""
    from llmdrills.decks.retire import retire

    done = retire(own_workspace(workspace, place(workspace, lang=lang)), note, why)
    if json:
        print_json(done.to_json())
        return
    if done.file is not None:
        tell(f"{done.file}:{done.line}: taken out:\n\n{whole(done.text.rstrip())}\n")
    tell(f"{note} is a tombstone now ({', '.join(done.languages)}). Run `llmdrills build`, and commit decks/.")
