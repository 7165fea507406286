"""`llmdrills retire`."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from llmdrills.cli.console import print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, own_workspace, place
from llmdrills.language import Bilingual, Language
from llmdrills.lines import whole

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Retire a note: new packages leave it out, and the upgrade package empties its cards.",
        "停用一条笔记：新的牌组包不再包含它，升级包会清空它的卡片。",
    ),
    'llmdrills retire attention-cost-memory --why "merged into attention-cost"',
    'llmdrills retire concepts --in zh --why "English only from now on"',
)

_TAKEN_OUT = Bilingual("{place}: taken out:\n\n{text}\n", "{place}：已移除：\n\n{text}\n")
_GONE = Bilingual("It was the only note of {file}: the file is gone.\n", "它是 {file} 里唯一的笔记：文件已删除。\n")
_RETIRED = Bilingual(
    "{note} is retired now ({languages}). Run `llmdrills build`, and commit decks/.",
    "{note} 已停用（{languages}）。请运行 `llmdrills build`，并提交 decks/。",
)


def command(
    note: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help=told(Bilingual("The note's id; with --in, a deck's.", "笔记的 id；与 --in 连用时是牌组的 id。")),
        ),
    ],
    why: Annotated[
        str,
        typer.Option(
            "--why", metavar="TEXT", help=told(Bilingual("The reason; learners read it.", "停用的原因；学习者会看到。"))
        ),
    ],
    dropped: Annotated[
        str | None,
        typer.Option(
            "--in",
            metavar="LANG",
            help=told(
                Bilingual("Retire what a deck had in a language that it dropped.", "停用牌组在不再使用的语言中的笔记。")
            ),
        ),
    ] = None,
    json: JsonOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills retire`."""
    from llmdrills.decks.retire import retire, retire_language

    here = place(workspace, lang=lang)
    root = own_workspace(workspace, here)
    done = retire_language(root, note, cast("Language", dropped), why) if dropped else retire(root, note, why)
    if json:
        print_json(done.to_json())
        return
    if done.file is not None:
        words = {"place": f"{done.file}:{done.line}", "text": whole(done.text.rstrip())}
        tell(_TAKEN_OUT.format(**words)[here.language])
    if done.file is not None and done.removed:
        tell(_GONE.format(file=done.file.name)[here.language])
    languages = Bilingual(", ".join(done.languages), "、".join(done.languages))
    tell(_RETIRED.format(note=note, languages=languages)[here.language])
