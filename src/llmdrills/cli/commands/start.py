"""`llmdrills start`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.console import note
from llmdrills.cli.day.editor import find_editor
from llmdrills.cli.options import (
    KataArgument,
    LangOption,
    VariantOption,
    WorkspaceOption,
    find_kata,
    find_variant,
    place,
)
from llmdrills.cli.record import EASIER, open_history
from llmdrills.content.catalogue import load_catalogue
from llmdrills.content.starter import starter_text
from llmdrills.language import Bilingual
from llmdrills.practice import repetition as repetitions
from llmdrills.practice import schedule
from llmdrills.practice.rotation import is_easier, stronger

__all__ = ["command"]

_GOES_ON = Bilingual(
    "{kata} continues where you left it ({variant}); use --again to begin again.",
    "{kata} 从上次的位置继续（{variant}）；用 --again 重新开始。",
)
_NEXT = Bilingual(
    "Write it, then run `llmdrills grade {kata}` (or `llmdrills grade {kata} --watch`).",
    "写好后运行 `llmdrills grade {kata}`（或 `llmdrills grade {kata} --watch`）。",
)


def command(
    kata: KataArgument,
    variant: VariantOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Begin again; earlier code is archived in the history.")
    ] = False,
    edit: Annotated[bool, typer.Option("--edit", "-e", help="Open it in your editor.")] = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a kata's starter to practice/KATA.py, and print its path.

    \b
    Examples:
      llmdrills start rope-pairing
      llmdrills start rope-pairing --variant half-split --edit
      llmdrills start rope-pairing --again
    """
    here = place(workspace, lang=lang)
    found = find_kata(load_catalogue(here.workspace, here.locations.cache), kata)
    wanted = find_variant(found, variant) if variant is not None else None
    file = here.locations.practice / f"{found.id}.py"
    with open_history(here) as history:
        going_on = None if again else repetitions.resume(history, found, None, file, planned=wanted is None)
        if going_on is not None and (wanted is None or wanted.id == going_on.variant):
            chosen = find_variant(found, going_on.variant)
            repetitions.resume(history, found, starter_text(found, chosen, here.language), file)
            note(_GOES_ON.format(kata=found.id, variant=chosen.id)[here.language])
        else:
            chosen = wanted or find_variant(found, schedule.load(history).next_variant(found))
            repetitions.start(history, found, chosen.id, file, starter_text(found, chosen, here.language))
    print(file)
    if is_easier(found, chosen.id):
        words = EASIER.format(kata=found.id, variant=chosen.id, stronger=stronger(found, chosen.id))
        note(words[here.language])
    note(_NEXT.format(kata=found.id)[here.language])
    if edit:
        editor = find_editor(here.settings.text("editor"))
        if editor is None:
            note("no editor: set LLMDRILLS_EDITOR, VISUAL or EDITOR")
        elif not editor.open(file):
            editor.run(file)
