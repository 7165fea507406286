"""The daily loop: the plan, then one kata after another until the learner quits or nothing is left."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

from llmdrills.cli.day.beginning import begin, repair
from llmdrills.cli.day.events import Events, Key, Redraw
from llmdrills.cli.day.repetition_view import RepetitionView
from llmdrills.cli.day.screen import Screen
from llmdrills.cli.day.words import WORDS
from llmdrills.cli.day.workplace import at_the_desk
from llmdrills.cli.more_view import more_text
from llmdrills.cli.options import kata_notes
from llmdrills.cli.packs import all_katas
from llmdrills.cli.plan_view import plan_text
from llmdrills.cli.record import open_history
from llmdrills.content.engines import with_engines
from llmdrills.language import counted
from llmdrills.practice import plan as plans
from llmdrills.practice.history import History
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    from llmdrills.cli.day.repetition_view import Tools
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.practice.plan import Item, Plan

__all__ = ["run_day"]

_LOOK = 60.0  # seconds between two looks at whether the learner wants the repair


def run_day(here: Place, *, topic: str | None, seed: int) -> int:
    """Practise until the plan is done or the learner quits; the exit code. KeyboardInterrupt passes through."""
    screen = Screen()
    katas = with_engines(all_katas(here))
    with contextlib.closing(Events()) as events, open_history(here, check=True) as history:
        day = _Day(here, plans.PlanOptions.from_settings(here.settings, topic=topic, seed=seed), katas, history)
        plan = day.plan()
        more = day.more() if not plan.items else ""
        screen.text(plan_text(plan, here.language, more, inside=True))  # the first frame: torch is not up yet
        if not plan.items and plan.repair is None:
            return 0
        with at_the_desk(here, screen, events, history, day.by_id) as tools:
            return day.practise(tools, plan)


class _Day:
    """What the day holds, asked anew after every kata."""

    def __init__(self, here: Place, options: plans.PlanOptions, katas: tuple[Kata, ...], history: History) -> None:
        self._here = here
        self._options = options
        self._katas = katas
        self.by_id = {kata.id: kata for kata in katas}
        self._history = history

    def plan(self) -> Plan:
        """The plan that the history implies now."""
        return plans.today(
            self._history, self._katas, Moment.now(), self._options, notes=partial(kata_notes, self._here)
        )

    def more(self) -> str:
        """What could be practised once the plan is done."""
        return more_text(self._history, self._katas, Moment.now(), self._options, self._here.language)

    def practise(self, tools: Tools, plan: Plan) -> int:
        """One kata after another; then the repair that the day offers, where the learner wants it."""
        asked = bool(plan.items)
        rated = 0
        while plan.items:
            view = self._begin(tools, plan.items[0])
            outcome = view.run()
            if outcome == "quit":
                tools.screen.text(WORDS["quit"][self._here.language])
                return 0
            rated += outcome == "rated"
            plan = self.plan()
            if outcome == "rated" and plan.items:
                tools.screen.text("\n" + plan_text(plan, self._here.language, inside=True))
        if asked:
            language = self._here.language
            count = counted(rated, "kata", "个练习")[language]
            head = WORDS["done"].format(katas=count, minutes=plan.spent)[language]
            tools.screen.text("\n" + plan_text(plan, language, self.more(), head, inside=True))
        if plan.repair is None or not self._wants_repair(tools, plan.repair.kata):
            return 0
        if self._repair(tools, plan.repair.kata).run() == "quit":
            tools.screen.text(WORDS["quit"][self._here.language])
            return 0
        plan = self.plan()
        tools.screen.text(plan_text(plan, self._here.language, "" if plan.items else self.more(), inside=True))
        return self.practise(tools, plan) if plan.items else 0  # an undo may have brought a kata back

    def _wants_repair(self, tools: Tools, kata: str) -> bool:
        """Ask for a key; the end of the input means no."""
        while True:
            tools.screen.status(WORDS["repair_keys"].format(kata=kata)[self._here.language])
            for event in tools.events.wait(tools.keyboard, None, _LOOK):
                if isinstance(event, Redraw):
                    tools.screen.redraw()
                elif isinstance(event, Key):
                    tools.screen.status("")
                    return event.key == "b"

    def _repair(self, tools: Tools, name: str) -> RepetitionView:
        """Go on with the repair of the kata that is open, or begin one."""
        kata = self.by_id[name]
        begun = repair(self._here, self._history, kata)
        return RepetitionView(tools, kata, begun.repetition, resumed=begun.resumed)

    def _begin(self, tools: Tools, item: Item) -> RepetitionView:
        """Go on with the kata's unfinished repetition, or begin one from a blank starter."""
        kata = self.by_id[item.kata]
        begun = begin(self._here, self._history, kata, item.variant)
        return RepetitionView(tools, kata, begun.repetition, resumed=begun.resumed)
