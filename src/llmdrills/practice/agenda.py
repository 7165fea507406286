"""What a plan is made of: the katas of a day, those set aside, and the words about them. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from datetime import date

    from llmdrills.content.model import Kata


__all__ = ["Item", "Plan", "Reason", "RepairOffer", "SetAside", "advice"]

Reason = Literal["unfinished", "due", "notes", "new", "audit"]
"""`notes`: not due, but its notes fail in Anki."""


@dataclass(frozen=True)
class Item:
    """One kata of the day."""

    kata: str
    title: Bilingual
    topic: str
    variant: str
    reason: Reason
    why: Bilingual
    minutes: int
    retrievability: float | None = None  # chance of recall today; None: never practised
    due: date | None = None
    notes: tuple[str, ...] = ()  # to be reviewed in Anki: those of a kata that is failing, or whose notes are

    def to_json(self) -> dict[str, Any]:
        """Part of the plan's schema."""
        return {
            "kata": self.kata,
            "title": _both(self.title),
            "topic": self.topic,
            "variant": self.variant,
            "reason": self.reason,
            "why": _both(self.why),
            "minutes": self.minutes,
            "retrievability": None if self.retrievability is None else round(self.retrievability, 4),
            "due": self.due.isoformat() if self.due else None,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class RepairOffer:
    """A repair that the day offers beside its katas; it takes nothing of their minutes. `begun`: one is open."""

    kata: str
    title: Bilingual
    minutes: int
    why: Bilingual
    begun: bool = False

    def to_json(self) -> dict[str, Any]:
        """Part of the plan's schema."""
        shown = {"kata": self.kata, "title": _both(self.title), "minutes": self.minutes, "why": _both(self.why)}
        return {**shown, "begun": self.begun}


@dataclass(frozen=True)
class SetAside:
    """A leech: until when it rests, and what to do instead."""

    kata: str
    until: date
    advice: Bilingual
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Part of the plan's schema."""
        shown = {"kata": self.kata, "until": self.until.isoformat(), "advice": _both(self.advice)}
        return {**shown, "notes": list(self.notes)}


@dataclass(frozen=True)
class Plan:
    """The day. Minutes are whole; `waiting` counts what is due and does not fit today."""

    day: date
    items: tuple[Item, ...]
    budget: int
    spent: int
    streak: int
    waiting: int
    catch_up_days: int
    set_aside: tuple[SetAside, ...]
    next_due: date | None
    note: Bilingual
    repair: RepairOffer | None = None

    @property
    def minutes(self) -> int:
        """What the items take, by this learner's own times."""
        return sum(item.minutes for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        return {
            "schema": 1,
            "day": self.day.isoformat(),
            "items": [item.to_json() for item in self.items],
            "minutes": self.minutes,
            "budget": self.budget,
            "spent": self.spent,
            "streak": self.streak,
            "waiting": self.waiting,
            "catch_up_days": self.catch_up_days,
            "set_aside": [leech.to_json() for leech in self.set_aside],
            "next_due": self.next_due.isoformat() if self.next_due else None,
            "note": _both(self.note),
            "repair": self.repair.to_json() if self.repair else None,
        }


def _both(text: Bilingual) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


def advice(kata: Kata, failures: int) -> Bilingual:
    """What to do about a kata that failed so often in a row."""
    first = " ".join(kata.requires)
    cards = f"tag:llmdrills::kata::{kata.id}"
    en = f"failed {failures} times in a row: let it rest, and go through its cards in Anki (search {cards})"
    zh = f"连续 {failures} 次没过：先放一放，在 Anki 里复习它的卡片（搜索 {cards}）"
    if first:
        en += f"; then do again what it builds on: `llmdrills start {kata.requires[0]}`"
        zh += f"；再重做前置练习：`llmdrills start {kata.requires[0]}`"
    return Bilingual(en, zh)
