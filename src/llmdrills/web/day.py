"""The plan of the day, the list of katas and the figures, as the page gets them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from llmdrills.cli.options import kata_notes
from llmdrills.cli.plan_view import plan_text
from llmdrills.cli.undo_view import name_step, undo_last
from llmdrills.decks.labels import topic_label
from llmdrills.mathtext import unicode_math
from llmdrills.practice import plan as plans
from llmdrills.practice import report, stats
from llmdrills.practice.moments import Moment
from llmdrills.practice.rotation import is_easier
from llmdrills.practice.undoing import last_step
from llmdrills.readiness import assess, keep_shown

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Workspace
    from llmdrills.practice.plan import Item, Plan
    from llmdrills.web.study import Study

__all__ = ["Day"]

Json = dict[str, Any]
_AMPLE = 600  # minutes: what the setting allows


class Day:
    """Asked by the owner's thread alone. `topic`: only katas of this topic; `seed`: of the plan's random audit."""

    def __init__(self, study: Study, topic: str | None = None, seed: int = 0) -> None:
        self._study = study
        self._topic = topic
        self._seed = seed

    def plan(self) -> Json:
        """What today holds, with the next thing to do. Raises HistoryError and ContentError."""
        study, now = self._study, Moment.now()
        study.read_katas()
        found = self._made(now)
        step = last_step(study.history)
        offer = found.repair
        return {
            "packs": study.packs_left_out(),
            "head": plan_text(found, study.language).splitlines()[0],
            "items": [self._item(item) for item in found.items],
            "note": study.told(found.note) if found.items else "",
            "aside": [
                {"kata": one.kata, "until": str(one.until), "advice": study.told(one.advice), "search": _search(one)}
                for one in found.set_aside
            ],
            "repair": offer
            and {
                "kata": offer.kata,
                "title": study.told(offer.title),
                "minutes": offer.minutes,
                "why": study.told(offer.why),
                "begun": offer.begun,
            },
            "next_due": str(found.next_due) if found.next_due else "",
            "more": None if found.items else self._more(now),
            "undo": step and {"id": step.id, "what": study.told(name_step(step))},
        }

    def undo(self, step: str) -> Json:
        """Take back the last rating or skip: only the one of that id, which the learner has seen named."""
        study = self._study
        found = last_step(study.history)
        if found is None or found.id != step:
            return {"plan": self.plan(), "undone": ""}
        study.read_katas()
        undone = undo_last(study.here, study.history, study.katas)
        opened = undone is not None and undone.repetition is not None
        return {
            "undone": study.told(name_step(found)),
            "kata": found.kata if opened and found.kata in study.katas else "",
            "repair": found.repair,
        }

    def katas(self) -> Json:
        """All katas, by topic, those that come first first. Raises ContentError."""
        study = self._study
        topics: dict[str, list[Kata]] = {}
        for kata in sorted(study.read_katas().values(), key=lambda kata: kata.rank):
            topics.setdefault(kata.topic, []).append(kata)
        return {
            "packs": study.packs_left_out(),
            "topics": [
                {
                    "title": study.told(topic_label(topic, katas[0].own_topic)),
                    "katas": [self._row(kata) for kata in katas],
                }
                for topic, katas in topics.items()
            ],
        }

    def stats(self) -> Json:
        """The figures as HTML. Raises HistoryError."""
        study = self._study
        katas = study.read_katas()
        found = stats.gather(study.history, list(katas.values()), Moment.now(), study.here.settings.scheduling)
        empty = not (found.attempts or found.reviews or found.repairs.begun or found.notes)
        titles = {kata.id: kata.title for kata in katas.values()}
        return {"html": "" if empty else report.figures(found, study.language, titles)}

    def readiness(self, workspace: Workspace) -> Json:
        """The checklist as HTML; what is ready is recorded, as the command does. Raises HistoryError."""
        study, now = self._study, Moment.now()
        found = assess(workspace, study.history, now, study.here.settings.scheduling)
        keep_shown(study.history, found, now)
        titles = {kata.id: kata.title for kata in workspace.katas}
        return {"html": report.readiness_list(found.to_json(), study.language, titles)}

    # ---- inside ----------------------------------------

    def _made(self, now: Moment, *, minutes: int | None = None, new: int | None = None) -> Plan:
        study = self._study
        options = plans.PlanOptions.from_settings(study.here.settings, topic=self._topic, seed=self._seed)
        if minutes is not None and new is not None:
            options = options._replace(minutes=minutes, new=new)
        notes = partial(kata_notes, study.here)
        return plans.today(study.history, list(study.katas.values()), now, options, notes=notes)

    def _more(self, now: Moment) -> Json | None:
        """The next kata that is due or new, where the minutes of the day are used up."""
        new = self._study.here.settings.integer("new")
        for most in (new, new + 1):
            ample = self._made(now, minutes=_AMPLE, new=most)
            if ample.items:
                return self._item(ample.items[0])
        return None

    def _item(self, item: Item) -> Json:
        study = self._study
        return {
            "kata": item.kata,
            "title": unicode_math(study.told(item.title)),
            "topic": study.told(topic_label(item.topic, study.katas[item.kata].own_topic)),
            "variant": item.variant,
            "minutes": item.minutes,
            "why": study.told(item.why),
            "begun": item.reason == "unfinished",
            "search": _search(item),
        }

    def _row(self, kata: Kata) -> Json:
        told = self._study.told
        variants = [
            {"id": one.id, "title": told(one.title), "easier": is_easier(kata, one.id)} for one in kata.variants
        ]
        return {
            "kata": kata.id,
            "title": unicode_math(told(kata.title)),
            "minutes": kata.minutes,
            "variants": variants if len(variants) > 1 else [],
        }


def _search(one: Any) -> str:
    """Where the notes that should be reviewed are found, as Anki's search takes it."""
    return " or ".join(f"NoteId:{name}" for name in one.notes)
