"""`llmdrills optimize`."""

from __future__ import annotations

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, place
from llmdrills.cli.record import open_history
from llmdrills.language import Bilingual
from llmdrills.practice.optimize import optimize

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Fit the schedule to your own memory, once there are enough reviews.",
        "复习记录足够多之后，按你的记忆情况拟合复习安排。",
    ),
    "llmdrills optimize",
    "llmdrills optimize --json",
    more=Bilingual(
        "The new parameters are kept only if they predict your latest reviews better than the old ones.",
        "只有新参数对你近期复习的预测比旧参数更准，才会采用。",
    ),
)


def command(lang: LangOption = None, json: JsonOption = False) -> None:
    """Run `llmdrills optimize`."""
    here = place(lang=lang)
    with open_history(here) as history:
        found = optimize(history)
    if json:
        print_json(found.to_json())
    else:
        tell(found.message[here.language])
