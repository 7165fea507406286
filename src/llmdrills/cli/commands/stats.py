"""`llmdrills stats`."""

from __future__ import annotations

import sys

from llmdrills.cli.console import print_json, tell, terminal_width
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.cli.packs import all_katas
from llmdrills.cli.record import open_history
from llmdrills.cli.stats_view import stats_text
from llmdrills.language import Bilingual
from llmdrills.practice import stats
from llmdrills.practice.moments import Moment

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual("Show what you did, what you remember, and what falls due.", "查看练习统计、记忆情况和到期安排。"),
    "llmdrills stats",
    "llmdrills stats --json",
)


def command(lang: LangOption = None, json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills stats`."""
    here = place(workspace, lang=lang)
    katas = all_katas(here)
    with open_history(here) as history:
        found = stats.gather(history, katas, Moment.now(), here.settings.scheduling)
    if json:
        print_json(found.to_json())
    else:
        tell(stats_text(found, here.language, terminal_width(sys.stdout) or 80))
