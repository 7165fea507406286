"""`llmdrills new`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.console import note, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import LangOption, WorkspaceOption, own_workspace, place
from llmdrills.content.scaffold import new_deck, new_kata, new_note
from llmdrills.language import Bilingual

__all__ = ["HELP", "app"]

HELP = manual(
    Bilingual(
        "Begin a note, a deck or a kata from a template that works.", "用可以直接运行的模板新建笔记、牌组或练习。"
    ),
    "llmdrills new note concepts attention-dropout",
    "llmdrills new deck interview",
    "llmdrills new kata layer-norm",
)
_NEXT = Bilingual(
    "It is a softmax that works: replace its contract, reference, cases, slips and domain. "
    "`llmdrills check {kata}` says what is wrong or missing, `llmdrills check --holes {kata}` writes draws.lock "
    "(about a minute), and `llmdrills check --write` computes what its cards show.",
    "这是一个可以运行的 softmax：请逐步替换约定、参考实现、用例、常见错误和取值域。"
    "运行 `llmdrills check {kata}` 查看哪里有误或缺失，"
    "运行 `llmdrills check --holes {kata}` 写出 draws.lock（约一分钟），"
    "运行 `llmdrills check --write` 计算卡片上的数值。",
)
app = typer.Typer(help=told(HELP), no_args_is_help=True, rich_markup_mode=None)
_NOTE_HELP = manual(
    Bilingual("Append a note to a deck.", "在牌组末尾添加一条笔记。"),
    "llmdrills new note concepts attention-dropout",
    "llmdrills new note concepts kv-cache-bytes-mine --type number",
)
_DECK_HELP = manual(
    Bilingual("Begin a deck.", "新建一个牌组。"),
    "llmdrills new deck interview",
)
_KATA_HELP = manual(
    Bilingual(
        "Begin a kata: the template is a small one that works, and you replace it piece by piece.",
        "新建一个练习：模板是一个可以运行的小练习，你再逐步替换其中的内容。",
    ),
    "llmdrills new kata layer-norm",
)


@app.command("note", help=told(_NOTE_HELP))
def note_command(
    deck: Annotated[str, typer.Argument(metavar="DECK", help=told(Bilingual("The deck's id.", "牌组的 id。")))],
    note: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help=told(Bilingual("The note's id: its identity for ever.", "笔记的 id：永久标识，以后不能更改。")),
        ),
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--type",
            metavar="TYPE",
            help=told(
                Bilingual(
                    "question, cloze, checklist, number.",
                    "笔记类型：question、cloze、checklist 或 number。",
                )
            ),
        ),
    ] = "question",
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills new note`."""
    path, line = new_note(own_workspace(workspace, place(workspace, lang=lang)), deck, note, kind)
    print(f"{path}:{line}")


@app.command("deck", help=told(_DECK_HELP))
def deck_command(
    deck: Annotated[str, typer.Argument(metavar="ID", help=told(Bilingual("The deck's id.", "牌组的 id。")))],
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills new deck`."""
    print(new_deck(own_workspace(workspace, place(workspace, lang=lang)), deck))


@app.command("kata", help=told(_KATA_HELP))
def kata_command(
    kata: Annotated[str, typer.Argument(metavar="ID", help=told(Bilingual("The kata's id.", "练习的 id。")))],
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills new kata`."""
    here = place(workspace, lang=lang)
    for path in new_kata(own_workspace(workspace, here), kata):
        print(path)
    note(_NEXT.format(kata=kata)[here.language])
