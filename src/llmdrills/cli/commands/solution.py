"""`llmdrills solution`."""

from __future__ import annotations

import sys

from llmdrills.cli.console import coloured, note
from llmdrills.cli.kata_view import print_markdown
from llmdrills.cli.manual import manual
from llmdrills.cli.options import (
    KataArgument,
    LangOption,
    VariantOption,
    WorkspaceOption,
    find_kata,
    find_variant,
    place,
)
from llmdrills.cli.packs import all_katas
from llmdrills.cli.record import open_repetition
from llmdrills.content.starter import solution_text
from llmdrills.language import Bilingual

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual("Print the reference kernel, as a file that passes.", "打印参考实现，即一个能通过评分的文件。"),
    "llmdrills solution rope-pairing",
    "llmdrills solution rope-pairing --variant half-split > mine.py",
    more=Bilingual(
        "While the kata is being practised, looking at it before a pass counts as Again.",
        "练习进行中，如果在通过之前查看参考实现，会记为“重来”。",
    ),
)

_COSTS = Bilingual(
    "The repetition of {kata} that is open now counts as Again: write it from memory, then `llmdrills rate {kata}`.",
    "{kata} 当前这次练习现在记为“重来”：请凭记忆重写，然后运行 `llmdrills rate {kata}`。",
)


def command(
    kata: KataArgument, variant: VariantOption = None, lang: LangOption = None, workspace: WorkspaceOption = None
) -> None:
    """Run `llmdrills solution`."""
    here = place(workspace, lang=lang)
    found = find_kata(all_katas(here), kata)
    text = solution_text(found, find_variant(found, variant), here.language)
    with open_repetition(here, found) as repetition:
        if repetition is not None:
            costs = repetition.next_look_costs
            repetition.solution()
            if costs:
                note(_COSTS.format(kata=found.id)[here.language])
    if coloured(sys.stdout):
        print_markdown(f"```python\n{text}```\n")
    else:
        print(text, end="")
