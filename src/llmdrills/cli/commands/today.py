"""`llmdrills today`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from llmdrills.cli.console import print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.more_view import more_text
from llmdrills.cli.options import (
    DeviceOption,
    JsonOption,
    LangOption,
    TopicOption,
    WorkspaceOption,
    check_topic,
    kata_notes,
    place,
)
from llmdrills.cli.packs import all_katas
from llmdrills.cli.plan_view import plan_text
from llmdrills.cli.record import open_history
from llmdrills.content.engines import with_engines
from llmdrills.language import Bilingual
from llmdrills.practice import plan as plans
from llmdrills.practice.moments import Moment

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Practise what is due: one kata at a time, graded on every save.", "完成今天到期的练习：一次一个，保存即评分。"
    ),
    "llmdrills today",
    "llmdrills today --minutes 30 --topic position",
    "llmdrills today --json",
    more=Bilingual(
        "Without a terminal, with --no-input or with --json it prints the plan and ends.",
        "没有终端，或使用 --no-input、--json 时，只打印计划。",
    ),
)


def command(
    minutes: Annotated[
        int | None,
        typer.Option(
            "--minutes",
            metavar="N",
            help=told(Bilingual("Minutes of practice today.", "今天练习多少分钟。")),
            show_default=False,
        ),
    ] = None,
    new: Annotated[
        int | None,
        typer.Option(
            "--new", metavar="N", help=told(Bilingual("New katas, at most.", "最多几个新练习。")), show_default=False
        ),
    ] = None,
    topic: TopicOption = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", min=0, help=told(Bilingual("Seed of the plan's random checks.", "计划中随机抽查所用的种子。"))
        ),
    ] = 0,
    no_input: Annotated[
        bool,
        typer.Option(
            "--no-input", help=told(Bilingual("Print the plan and ask for nothing.", "只打印计划，不进入交互。"))
        ),
    ] = False,
    device: DeviceOption = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills today`."""
    here = place(workspace, lang=lang, minutes=minutes, new=new, device=device)
    check_topic(here, topic)
    interactive = not (json or no_input) and sys.stdin.isatty() and sys.stdout.isatty()
    if interactive:
        from llmdrills.cli.day.loop import run_day

        raise typer.Exit(run_day(here, topic=topic, seed=seed))
    katas = with_engines(all_katas(here))
    with open_history(here) as history:
        options = plans.PlanOptions.from_settings(here.settings, topic=topic, seed=seed)
        now = Moment.now()
        plan = plans.today(history, katas, now, options, notes=partial(kata_notes, here))
        more = "" if plan.items or json else more_text(history, katas, now, options, here.language)
    if json:
        print_json(plan.to_json())
    else:
        tell(plan_text(plan, here.language, more))
