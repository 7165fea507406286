"""The readiness checklist, answered by evidence: what was written and passed, and what is still remembered of it.

An item is *ready* when every kata that proves it has been passed without help on two days and would be recalled now,
*fading* when it was shown once but would not be now, and *not shown yet* otherwise. Nothing is ever ticked by hand.

The notes of an item are reviewed in Anki, which llmdrills does not see. `NoteReviews` is the place where imported
reviews will count: an item that only notes prove stays *not shown yet* until they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from llmdrills.language import Bilingual, counted
from llmdrills.practice.evidence import clean_days
from llmdrills.practice.schedule import load
from llmdrills.settings import Scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.content.model import Kata, Note, Workspace
    from llmdrills.practice.history import History
    from llmdrills.practice.moments import Moment
    from llmdrills.practice.schedule import Schedule

__all__ = ["CLEAN_DAYS", "RECALL", "ItemState", "KataEvidence", "NoteReviews", "Readiness", "assess"]

CLEAN_DAYS = 2  # days with a pass without help: one may be luck
RECALL = 0.8  # the chance of recall below which evidence has faded

_DEFAULT = Scheduling()

State = Literal["ready", "fading", "not-shown"]

LABELS: dict[State, Bilingual] = {
    "ready": Bilingual("ready", "已具备"),
    "fading": Bilingual("fading", "正在遗忘"),
    "not-shown": Bilingual("not shown yet", "尚未证明"),
}


@dataclass(frozen=True)
class NoteReviews:
    """What Anki knows of one note: reviews, and the chance of recall in [0, 1]."""

    reviews: int
    retrievability: float


@dataclass(frozen=True)
class KataEvidence:
    """What one kata says for an item."""

    kata: str
    clean_days: int
    retrievability: float | None  # None: never practised
    state: State


@dataclass(frozen=True)
class ItemState:
    """One item of the checklist, its evidence, and what to do next."""

    id: str
    title: Bilingual
    state: State
    katas: tuple[KataEvidence, ...]
    notes: tuple[str, ...]
    notes_reviewed: int | None  # None: no reviews imported from Anki
    next: Bilingual

    def to_json(self) -> dict[str, Any]:
        """Part of the readiness schema."""
        return {
            "id": self.id,
            "title": {"en": self.title.en, "zh": self.title.zh},
            "state": self.state,
            "katas": [
                {
                    "kata": one.kata,
                    "clean_days": one.clean_days,
                    "retrievability": None if one.retrievability is None else round(one.retrievability, 4),
                    "state": one.state,
                }
                for one in self.katas
            ],
            "notes": list(self.notes),
            "notes_reviewed": self.notes_reviewed,
            "next": {"en": self.next.en, "zh": self.next.zh},
        }


@dataclass(frozen=True)
class Readiness:
    """All items, in the checklist's order."""

    items: tuple[ItemState, ...]

    def count(self, state: State) -> int:
        """How many items are in that state."""
        return sum(item.state == state for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        return {
            "schema": 1,
            "ready": self.count("ready"),
            "fading": self.count("fading"),
            "not_shown": self.count("not-shown"),
            "items": [item.to_json() for item in self.items],
        }


def assess(
    workspace: Workspace,
    history: History,
    now: Moment,
    scheduling: Scheduling = _DEFAULT,
    anki: Mapping[str, NoteReviews] | None = None,
) -> Readiness:
    """Every item of the checklist with its evidence.

    `anki`: imported reviews by note id; None while there is no import. Raises HistoryError.
    """
    schedule = load(history, scheduling)
    proving = [kata for kata in workspace.katas if kata.proves]
    evidence = {kata.id: _evidence(kata, history, schedule, now) for kata in proving}
    by_id = {note.id: note for note in workspace.notes}
    return Readiness(
        tuple(
            _item(
                workspace, name, by_id.get(name), [evidence[kata.id] for kata in proving if name in kata.proves], anki
            )
            for name in workspace.readiness
        )
    )


def _item(
    workspace: Workspace,
    name: str,
    note: Note | None,
    evidence: Sequence[KataEvidence],
    anki: Mapping[str, NoteReviews] | None,
) -> ItemState:
    katas = tuple(evidence)
    notes = tuple(one.id for one in workspace.notes if one.id == name or name in one.proves)
    states = [one.state for one in katas]
    if anki is not None:
        states += [_note_state(anki.get(one)) for one in notes]
    title = note.front if note else Bilingual(name, name)
    return ItemState(
        id=name,
        title=title,
        state=_together(states),
        katas=katas,
        notes=notes,
        notes_reviewed=None if anki is None else sum(anki[one].reviews > 0 for one in notes if one in anki),
        next=_next(name, katas, notes, anki),
    )


def _evidence(kata: Kata, history: History, schedule: Schedule, now: Moment) -> KataEvidence:
    memory = schedule.memories.get(kata.id)
    if memory is None:
        return KataEvidence(kata.id, 0, None, "not-shown")
    recall = schedule.retrievability(kata.id, now.day_number)
    days = clean_days(history, kata, memory.clean)
    if days < CLEAN_DAYS:
        state: State = "not-shown"
    else:
        state = "ready" if recall >= RECALL and memory.rating > 1 else "fading"
    return KataEvidence(kata.id, days, recall, state)


def _note_state(reviews: NoteReviews | None) -> State:
    if reviews is None or not reviews.reviews:
        return "not-shown"
    return "ready" if reviews.retrievability >= RECALL else "fading"


def _together(states: list[State]) -> State:
    """The state of the weakest piece of evidence; without any evidence the item is not shown."""
    if not states or "not-shown" in states:
        return "not-shown"
    return "fading" if "fading" in states else "ready"


def _next(
    name: str, katas: tuple[KataEvidence, ...], notes: tuple[str, ...], anki: Mapping[str, NoteReviews] | None
) -> Bilingual:
    """The one thing to do now."""
    search = f"tag:llmdrills::proves::{name}"
    open_katas = [one for one in katas if one.state == "not-shown"]
    if open_katas:
        # The one nearest to being shown.
        one = max(open_katas, key=lambda evidence: evidence.clean_days)
        left = CLEAN_DAYS - one.clean_days
        days = "one more day" if left == 1 else f"{left} days"
        return Bilingual(
            f"pass {one.kata} without help on {days}: `llmdrills start {one.kata}`",
            f"还需在另外 {left} 个不同的日子各独立通过一次 {one.kata}：`llmdrills start {one.kata}`",
        )
    fading = [one for one in katas if one.state == "fading"]
    if fading:
        weakest = min(fading, key=lambda evidence: evidence.retrievability or 0.0)
        return Bilingual(
            f"do {weakest.kata} again before you forget it: `llmdrills start {weakest.kata}`",
            f"趁还没忘，再做一次 {weakest.kata}：`llmdrills start {weakest.kata}`",
        )
    if not katas and anki is None:
        return Bilingual(
            f"no kata proves this; learn its {counted(len(notes), 'note', '').en} in Anki (search {search}). "
            "Their reviews live in Anki and are not counted here yet",
            f"没有对应的编码练习；在 Anki 里学习它的 {len(notes)} 条笔记（搜索 {search}）。"
            "复习记录在 Anki 中，这里暂不统计",
        )
    return Bilingual(
        f"keep it: `llmdrills today` brings it back in time, Anki its {counted(len(notes), 'note', '').en}",
        f"保持即可：`llmdrills today` 会按时安排，{len(notes)} 条笔记由 Anki 安排",
    )
