"""`llmdrills preview`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmdrills.cli.console import note
from llmdrills.cli.options import LangOption, WorkspaceOption, place
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual, counted

__all__ = ["command"]

_SERVED = Bilingual("{address}  ({cards})", "{address}  （{cards}）")


def command(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Show every card as Anki will, and reload on every save.

    \b
    Examples:
      llmdrills preview
      llmdrills preview --no-open --port 8080

    Only this machine can reach it. Ctrl-C ends it.
    """
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
