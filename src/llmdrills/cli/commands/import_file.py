"""`llmdrills import`: the module is not named `import`, because that is a word of Python."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.import_view import import_json, import_lines
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, own_workspace, place
from llmdrills.language import Bilingual

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Import a deck from elsewhere: a package of Anki's, a table, or Markdown, as a deck file of this workspace.",
        "从别处导入牌组：把 Anki 牌组包、表格或 Markdown 转成本工作区的牌组文件。",
    ),
    "llmdrills import geography.apkg --topic retrieval",
    'llmdrills import collection.colpkg --from "Spanish::Verbs" --deck verbs',
    "llmdrills import words.csv --in es --dry-run",
    "llmdrills import notes.md",
    more=Bilingual(
        "Each text becomes Markdown that shows the same; what could not be taken is said, note by note. Nothing is "
        "overwritten. These are new notes with new scheduling: the old ones and their reviews stay as they are.",
        "每段文字都转成显示效果相同的 Markdown；无法导入的内容会逐条说明。不会覆盖任何文件。"
        "导入的是新的笔记，从头开始安排复习：原有笔记及其复习记录保持不变。",
    ),
)


_FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help=told(
            Bilingual(
                "An .apkg or .colpkg, a .csv, .tsv or .txt, or a .md.",
                ".apkg、.colpkg、.csv、.tsv、.txt 或 .md 文件。",
            )
        ),
        show_default=False,
    ),
]
_DeckOption = Annotated[
    str | None,
    typer.Option(
        "--deck",
        metavar="ID",
        help=told(
            Bilingual(
                "The new deck's id, decks/ID.yaml; as the file is named unless given.",
                "新牌组的 id（decks/ID.yaml）；默认取自文件名。",
            )
        ),
    ),
]
_TopicOption = Annotated[
    str | None,
    typer.Option(
        "--topic",
        metavar="TOPIC",
        help=told(
            Bilingual(
                "What the notes are about: a topic, or one that workspace.toml declares.",
                "笔记所属的主题，可以是 workspace.toml 中声明的主题。",
            )
        ),
    ),
]
_InOption = Annotated[
    str | None,
    typer.Option(
        "--in",
        metavar="LANG",
        help=told(
            Bilingual("The language that the notes are written in.", "笔记所用的语言。"),
        ),
    ),
]
_FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DECK",
        help=told(Bilingual("Only this deck of Anki's and those below it.", "只导入 Anki 中的这个牌组及其子牌组。")),
    ),
]
_MediaOption = Annotated[
    bool,
    typer.Option(
        "--media/--no-media",
        help=told(Bilingual("Take pictures and sounds along, or leave them out.", "是否一并导入图片和音频。")),
    ),
]
_DryOption = Annotated[
    bool,
    typer.Option(
        "--dry-run", help=told(Bilingual("Say what would be written, and write nothing.", "只说明，不写入。"))
    ),
]


def command(
    file: _FileArgument,
    deck: _DeckOption = None,
    topic: _TopicOption = None,
    written_in: _InOption = None,
    of_deck: _FromOption = None,
    media: _MediaOption = True,
    dry_run: _DryOption = False,
    json: JsonOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills import`."""
    from llmdrills.importing.importer import Wanted, import_file

    here = place(workspace, lang=lang)
    root = own_workspace(workspace, here)
    wanted = Wanted(
        file=file,
        deck=deck,
        topic=topic,
        language=written_in,
        of_deck=of_deck,
        media=media,
        write=not dry_run,
    )
    done = import_file(wanted, root)
    if json:
        print_json(import_json(done))
    else:
        for line in import_lines(done, here.language):
            (tell if done.deck.notes else note)(line)
    raise typer.Exit(0 if done.deck.notes else 2)
