"""`llmdrills report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmdrills.cli.console import told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import LangOption, WorkspaceOption, place
from llmdrills.cli.record import open_history
from llmdrills.content import load_workspace
from llmdrills.errors import UsageError
from llmdrills.files import write_atomically
from llmdrills.language import Bilingual
from llmdrills.practice import report, stats
from llmdrills.practice.moments import Moment
from llmdrills.readiness import assess, keep_shown

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Write one page with your figures and the readiness checklist: no network, light and dark, printable.",
        "生成一页报告，含练习统计和达标自查清单：无需联网，支持浅色与深色，可以打印。",
    ),
    "llmdrills report",
    "llmdrills report november.html --open",
)


def command(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help=told(Bilingual("Where to write it.", "写到哪个文件。")))
    ] = Path("llmdrills-report.html"),
    open_it: Annotated[
        bool, typer.Option("--open", help=told(Bilingual("Open it in the browser.", "在浏览器中打开。")))
    ] = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills report`."""
    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace)
    scheduling, now = here.settings.scheduling, Moment.now()
    with open_history(here) as history:
        figures = stats.gather(history, loaded.katas, now, scheduling)
        ready = assess(loaded, history, now, scheduling)
        keep_shown(history, ready, now)
    titles = {kata.id: kata.title for kata in loaded.katas}
    page = report.render(figures, ready.to_json(), here.language, titles)
    try:
        write_atomically(file, page)
    except OSError as error:
        raise UsageError(
            f"cannot write {file}: {error.strerror}", "name a file in a folder that can be written"
        ) from error
    print(file)
    if open_it:
        typer.launch(str(file.absolute()))
