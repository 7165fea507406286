"""`llmdrills today`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.more_view import more_text
from llmdrills.cli.options import DeviceOption, JsonOption, LangOption, TopicOption, WorkspaceOption, place
from llmdrills.cli.plan_view import plan_text
from llmdrills.cli.record import open_history
from llmdrills.content.catalogue import load_catalogue
from llmdrills.content.kata import TOPICS
from llmdrills.errors import UsageError
from llmdrills.practice import plan as plans
from llmdrills.practice.moments import Moment

__all__ = ["command"]


def command(
    minutes: Annotated[
        int | None, typer.Option("--minutes", metavar="N", help="Minutes of practice today.", show_default=False)
    ] = None,
    new: Annotated[
        int | None, typer.Option("--new", metavar="N", help="New katas, at most.", show_default=False)
    ] = None,
    topic: TopicOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the plan's random audit.")] = 0,
    no_input: Annotated[bool, typer.Option("--no-input", help="Print the plan and ask for nothing.")] = False,
    device: DeviceOption = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Practise what is due: one kata at a time, graded on every save.

    \b
    Examples:
      llmdrills today
      llmdrills today --minutes 30 --topic position
      llmdrills today --json

    Without a terminal, with --no-input or with --json it prints the plan and ends.
    """
    here = place(workspace, lang=lang, minutes=minutes, new=new, device=device)
    if topic is not None and topic not in TOPICS:
        raise UsageError(f"there is no topic {topic!r}", f"use one of {', '.join(TOPICS)}")
    interactive = not (json or no_input) and sys.stdin.isatty() and sys.stdout.isatty()
    if interactive:
        from llmdrills.cli.day.loop import run_day

        raise typer.Exit(run_day(here, topic=topic, seed=seed))
    katas = load_catalogue(here.workspace, here.locations.cache)
    with open_history(here) as history:
        options = plans.PlanOptions.from_settings(here.settings, topic=topic, seed=seed)
        now = Moment.now()
        plan = plans.today(history, katas, now, options)
        more = "" if plan.items or json else more_text(history, katas, now, options, here.language)
    if json:
        print_json(plan.to_json())
    else:
        tell(plan_text(plan, here.language, more))
