"""What can still be practised once the day's plan is done, and the command for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmdrills.language import Bilingual
from llmdrills.practice import plan as plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.content.model import Kata
    from llmdrills.language import Language
    from llmdrills.practice.history import History
    from llmdrills.practice.moments import Moment
    from llmdrills.practice.plan import PlanOptions

__all__ = ["more_text"]

_MORE = Bilingual(
    "More today? `{command}` goes on with {kata} ({why}; about {minutes} min).",
    "还想练？运行 `{command}` 继续练 {kata}（{why}；约 {minutes} 分钟）。",
)
_ANY = Bilingual(
    "More today? `llmdrills start KATA` begins any kata again, and `llmdrills list` shows them all.",
    "还想练？运行 `llmdrills start KATA` 可以再练任意一题，`llmdrills list` 列出全部练习。",
)
_STEP = 5  # minutes
_MOST_MINUTES = 600  # what the setting allows


def more_text(history: History, katas: Sequence[Kata], now: Moment, options: PlanOptions, language: Language) -> str:
    """The next kata that is due or new, with the command that makes room for it; else how to begin any other."""
    for new in (options.new, options.new + 1):
        ample = plans.today(history, katas, now, options._replace(minutes=_MOST_MINUTES, new=new))
        if ample.items:
            break
    else:
        return _ANY[language]
    item = ample.items[0]
    minutes = max(options.minutes, _STEP * math.ceil((ample.spent + item.minutes) / _STEP))
    while minutes < _MOST_MINUTES:
        planned = plans.today(history, katas, now, options._replace(minutes=minutes, new=new))
        if planned.items:
            break
        minutes += _STEP
    words = ["llmdrills today"]
    words += [f"--minutes {minutes}"] if minutes != options.minutes else []
    words += [f"--new {new}"] if new != options.new else []
    words += [f"--topic {options.topic}"] if options.topic else []
    return _MORE.format(command=" ".join(words), kata=item.kata, why=item.why[language], minutes=item.minutes)[language]
