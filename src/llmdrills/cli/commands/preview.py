"""`llmdrills preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmdrills.cli.console import note, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import LangOption, WorkspaceOption, place
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual, counted

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Show every card as Anki will, and reload on every save.", "按 Anki 中的样子显示每张卡片，保存文件后自动刷新。"
    ),
    "llmdrills preview",
    "llmdrills preview --no-open --port 8080",
    more=Bilingual("Only this machine can reach it. Ctrl-C ends it.", "只有本机可以访问。按 Ctrl-C 结束。"),
)

_SERVED = Bilingual("{address}  ({cards})", "{address}  （{cards}）")


def command(
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            help=told(
                Bilingual("Port on 127.0.0.1; 0 takes a free one.", "127.0.0.1 上的端口；0 表示自动选择空闲端口。")
            ),
        ),
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help=told(Bilingual("Open it in the browser.", "在浏览器中打开。")))
    ] = True,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills preview`."""
    from watchfiles import watch

    from llmdrills.decks.preview.gallery import load_gallery
    from llmdrills.decks.preview.server import PreviewServer

    here = place(workspace, lang=lang)
    gallery = load_gallery(here.workspace, here.locations.cache, told=here.language)
    try:
        server = PreviewServer(gallery, port)
    except OSError as error:
        raise UsageError(f"cannot use port {port}: {error.strerror}", "choose another --port, or none") from error
    server.start()
    cards = counted(len(gallery.cards), "card", "张卡片")
    print(_SERVED.format(address=server.address, cards=cards)[here.language], flush=True)
    _tell(gallery.problems)
    if browser:
        typer.launch(server.address)
    folders = [folder for folder in (here.workspace / "decks", here.workspace / "drills") if folder.is_dir()]
    try:
        for changes in watch(*folders, raise_interrupt=True, debounce=100):
            if all(Path(path).name.startswith(".") for _, path in changes):
                continue
            gallery = load_gallery(here.workspace, here.locations.cache, gallery, told=here.language)
            server.show(gallery)
            _tell(gallery.problems)
    finally:
        server.close()


def _tell(problems: tuple[str, ...]) -> None:
    for problem in problems:
        note(problem)
