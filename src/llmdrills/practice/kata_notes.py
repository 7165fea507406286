"""What Anki says of a kata's notes: which of them fail, and whether that is newer than the kata's last repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.language import Bilingual
from llmdrills.practice.note_memory import note_memories

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.content.kata_notes import KataNote
    from llmdrills.practice.agenda import Reason
    from llmdrills.practice.history import History
    from llmdrills.practice.moments import Moment
    from llmdrills.practice.replay import Memory
    from llmdrills.practice.schedule import Schedule

__all__ = ["NotesOfKata", "matter", "weigh"]

_RECALL = 0.8  # the chance of recall below which a note fails; so does one whose last answer was Again
_SHARE = 3  # a kata's notes fail when a third of those that were reviewed do …
_NAMED = 3  # notes of a kata that are named
_LEAST = 2  # … and at least so many, unless there are fewer


class NotesOfKata(NamedTuple):
    """The notes of one kata, by id, those that fail first, the worst of them first.

    `failing`: how many of them fail; `failed_at`: the newest answer to one of these, in microseconds since 1970;
    `alarming`: so many that the kata itself should be done again.
    """

    names: tuple[str, ...]
    failing: int
    failed_at: int
    alarming: bool

    def call_for(self, memory: Memory | None, day: int) -> bool:
        """Whether the kata should be done again on that day: they failed since it was practised last."""
        if memory is None or memory.last_day >= day:
            return False
        return self.alarming and self.failed_at > memory.last_at

    def named(self, memory: Memory | None, reason: Reason) -> tuple[str, ...]:
        """The few to review in Anki: those that fail, or the first of a kata whose last repetition failed."""
        if reason == "notes":
            return self.names[: min(self.failing, _NAMED)]
        return self.names[:_NAMED] if memory and memory.failures else ()

    @property
    def why(self) -> Bilingual:
        """Why the kata is brought forward."""
        count = self.failing
        en = "a note of it fails in Anki" if count == 1 else f"{count} of its notes fail in Anki"
        return Bilingual(f"{en}: do it again before it is due", f"它在 Anki 里有 {count} 条笔记没记住：提前再做一次")


def matter(history: History, schedule: Schedule) -> bool:
    """Whether a plan has to know of notes: a kata is failing, or reviews were imported. Raises HistoryError."""
    failing = any(memory.failures for memory in schedule.memories.values())
    return failing or bool(history.rows("SELECT 1 FROM note_reviews WHERE source = 'anki' LIMIT 1"))


def weigh(history: History, notes: Iterable[KataNote], now: Moment) -> dict[str, NotesOfKata]:
    """What is known of the notes of each kata that has some. Raises HistoryError."""
    given = tuple(notes)
    memories = note_memories(history, now, {one.note: frozenset(one.cards) for one in given}) or {}
    by_kata: dict[str, list[str]] = {}
    for one in given:
        by_kata.setdefault(one.kata, []).append(one.note)
    found = {}
    for kata, names in by_kata.items():
        known = [memories[name] for name in names if name in memories]
        failing = sorted((one for one in known if one.recall < _RECALL or one.failing), key=lambda one: one.recall)
        worst = [one.note for one in failing]
        found[kata] = NotesOfKata(
            names=(*worst, *(name for name in names if name not in worst)),
            failing=len(failing),
            failed_at=max((one.last for one in failing), default=0),
            alarming=len(failing) >= min(_LEAST, len(known) or 1) and len(failing) * _SHARE >= len(known),
        )
    return found
