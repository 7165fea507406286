"""`llmdrills hint`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.console import note, told
from llmdrills.cli.kata_view import print_markdown
from llmdrills.cli.manual import manual
from llmdrills.cli.options import KataArgument, LangOption, WorkspaceOption, find_kata, place
from llmdrills.cli.packs import all_katas
from llmdrills.cli.record import open_repetition
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Show a hint: the first is a nudge, the last is nearly the answer.",
        "查看提示：第一条只点明方向，最后一条已接近答案。",
    ),
    "llmdrills hint rope-pairing",
    "llmdrills hint rope-pairing 2",
    more=Bilingual(
        "While the kata is being practised, a hint counts: a pass after it is rated Hard.",
        "练习进行中，看提示会计入评级：之后通过只评为“困难”。",
    ),
)

_COSTS = Bilingual(
    "A hint counts: the repetition of {kata} that is open is now rated Hard at most.",
    "提示会计入评级：{kata} 当前这次练习最高只能评为“困难”。",
)


def command(
    kata: KataArgument,
    number: Annotated[
        int,
        typer.Argument(
            metavar="[N]",
            help=told(Bilingual("Which hint; the first is the smallest nudge.", "第几条提示；第一条透露得最少。")),
        ),
    ] = 1,
    all_hints: Annotated[
        bool, typer.Option("--all", help=told(Bilingual("Every hint, in order.", "按顺序显示全部提示。")))
    ] = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills hint`."""
    here = place(workspace, lang=lang)
    found = find_kata(all_katas(here), kata)
    count = len(found.hints)
    if not 1 <= number <= count:
        raise UsageError(f"{kata} has no hint {number}", f"it has {count}: ask for 1 to {count}")
    shown = range(1, count + 1) if all_hints else (number,)
    with open_repetition(here, found) as repetition:
        if repetition is not None:
            costs = repetition.next_look_costs
            for index in shown:
                repetition.hint(index)
            if costs:
                note(_COSTS.format(kata=found.id)[here.language])
    for index in shown:
        print_markdown(f"**{index}/{count}** {found.hints[index - 1][here.language].strip()}\n")
