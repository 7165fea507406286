"""`llmdrills optimize`."""

from __future__ import annotations

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.options import JsonOption, LangOption, place
from llmdrills.cli.record import open_history
from llmdrills.practice.optimize import optimize

__all__ = ["command"]


def command(lang: LangOption = None, json: JsonOption = False) -> None:
    """Fit the schedule to your own memory, once there are enough reviews.

    \b
    Examples:
      llmdrills optimize
      llmdrills optimize --json

    The new parameters are kept only if they predict your latest reviews better than the old ones.
    """
    here = place(lang=lang)
    with open_history(here) as history:
        found = optimize(history)
    if json:
        print_json(found.to_json())
    else:
        tell(found.message[here.language])
