"""The readiness checklist, answered by evidence: what was written and passed, what is recalled in Anki, and still is.

An item is shown by its core katas, three at most, each passed without help on two days; where reviews were imported
from Anki, 80 % of its notes must be recalled too, each at 0.9 or better. Its other katas are listed, and not asked for.
It is *ready* while all that would be recalled now, *fading* when it was shown once and too much of it would not be, and
*not shown yet* otherwise. Nothing is ever ticked by hand.

What was ready is recorded (`keep_shown`). From then on nothing but forgetting takes it from ready: neither notes and
core katas that a new release adds, nor an import that shows how few of its notes were reviewed. Of such an item, what
counts is the katas that showed it, and those of its notes that were reviewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmdrills.content.kata_notes import card_ordinals
from llmdrills.language import Bilingual
from llmdrills.practice.evidence import clean_days
from llmdrills.practice.note_memory import note_memories, record_shown, shown_by
from llmdrills.practice.schedule import load
from llmdrills.readiness.steps import CLEAN_DAYS, OF_NOTES, Missing, missing, next_step
from llmdrills.settings import Scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.content.model import Kata, Workspace
    from llmdrills.practice.history import History
    from llmdrills.practice.moments import Moment
    from llmdrills.practice.schedule import Schedule

__all__ = [
    "CLEAN_DAYS",
    "NOTE_RECALL",
    "RECALL",
    "ItemState",
    "KataEvidence",
    "NoteReviews",
    "NotesEvidence",
    "Readiness",
    "assess",
    "keep_shown",
]

RECALL = 0.8  # the chance of recall below which a kata has faded
NOTE_RECALL = 0.9  # … below which a note counts as forgotten
_CORE = 3  # katas that show an item where its note names none

_DEFAULT = Scheduling()

State = Literal["ready", "fading", "not-shown"]

LABELS: dict[State, Bilingual] = {
    "ready": Bilingual("ready", "已具备"),
    "fading": Bilingual("fading", "正在遗忘"),
    "not-shown": Bilingual("not shown yet", "尚未证明"),
}


class NoteReviews(NamedTuple):
    """What Anki knows of one note: answers, and the chance of recall in [0, 1].

    `estimated`: from an interval, because FSRS is off; `whole`: every card of the note was reviewed; `failing`: the
    last answer to one of them was Again, however likely FSRS finds it after that look at the answer.
    """

    reviews: int
    retrievability: float
    estimated: bool = False
    whole: bool = True
    failing: bool = False

    @property
    def recalled(self) -> bool:
        """Whether it counts as recalled: as likely as is asked for, and not just failed."""
        return self.retrievability >= NOTE_RECALL and not self.failing


@dataclass(frozen=True)
class KataEvidence:
    """What one kata says for an item; without `core` it is listed and not asked for."""

    kata: str
    clean_days: int
    retrievability: float | None  # None: never practised
    state: State
    core: bool = True


class NotesEvidence(NamedTuple):
    """What Anki says of an item's notes, by id: the reviewed ones are those recalled and those forgotten.

    `estimated` counts those whose recall is an estimate.
    """

    recalled: tuple[str, ...]
    forgotten: tuple[str, ...]
    all: int
    estimated: int

    @property
    def reviewed(self) -> int:
        """How many of them were reviewed."""
        return len(self.recalled) + len(self.forgotten)

    def state(self, *, shown: bool) -> State:
        """What they say for the item. Of one that was `shown`, what was never reviewed says nothing."""
        of = self.reviewed if shown else self.all
        if 100 * self.reviewed < OF_NOTES * of:
            return "not-shown"
        return "ready" if 100 * len(self.recalled) >= OF_NOTES * of else "fading"


@dataclass(frozen=True)
class ItemState:
    """One item of the checklist, its evidence, and what to do next."""

    id: str
    title: Bilingual
    state: State
    katas: tuple[KataEvidence, ...]
    notes: tuple[str, ...]
    anki: NotesEvidence | None  # None: no reviews imported from Anki
    shown: bool  # it was ready before, and stays so but for what is forgotten
    missing: Missing
    next: Bilingual

    @property
    def notes_reviewed(self) -> int | None:
        """How many of its notes were reviewed; None where no reviews were imported from Anki."""
        return None if self.anki is None else self.anki.reviewed

    def to_json(self) -> dict[str, Any]:
        """Part of the readiness schema."""
        return {
            "id": self.id,
            "title": {"en": self.title.en, "zh": self.title.zh},
            "state": self.state,
            "shown": self.shown,
            "katas": [
                {
                    "kata": one.kata,
                    "core": one.core,
                    "clean_days": one.clean_days,
                    "retrievability": None if one.retrievability is None else round(one.retrievability, 4),
                    "state": one.state,
                }
                for one in self.katas
            ],
            "notes": list(self.notes),
            "notes_reviewed": self.notes_reviewed,
            "notes_recalled": None if self.anki is None else len(self.anki.recalled),
            "notes_forgotten": None if self.anki is None else list(self.anki.forgotten),
            "notes_estimated": None if self.anki is None else self.anki.estimated,
            "missing": self.missing.to_json(),
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

    `anki`: reviews by note id; those that the history holds unless given. Raises HistoryError.
    """
    judge = _Judge(workspace, history, load(history, scheduling), now, _imported(workspace, history, now, anki))
    return Readiness(tuple(judge.item(name) for name in workspace.readiness))


def keep_shown(history: History, found: Readiness, now: Moment) -> None:
    """Record which items are ready now. Raises HistoryError."""
    ready = {
        item.id: [one.kata for one in item.katas if one.core]
        for item in found.items
        if item.state == "ready" and not item.shown
    }
    if ready:
        record_shown(history, ready, now)


def _imported(
    workspace: Workspace, history: History, now: Moment, given: Mapping[str, NoteReviews] | None
) -> Mapping[str, NoteReviews] | None:
    if given is not None:
        return given
    cards = {note.id: card_ordinals(note) for note in workspace.notes}
    found = note_memories(history, now, cards)
    if found is None:
        return None
    return {
        name: NoteReviews(
            reviews=one.reviews,
            retrievability=one.recall,
            estimated=one.estimated,
            whole=one.cards >= cards.get(name, frozenset()),
            failing=one.failing,
        )
        for name, one in found.items()
    }


class _Judge:
    """What the evidence of one moment says of each item."""

    def __init__(
        self,
        workspace: Workspace,
        history: History,
        schedule: Schedule,
        now: Moment,
        anki: Mapping[str, NoteReviews] | None,
    ) -> None:
        self._workspace = workspace
        self._history = history
        self._schedule = schedule
        self._now = now
        self._anki = anki
        self._shown = shown_by(history)
        self._katas = {kata.id: kata for kata in workspace.katas}
        self._notes = {note.id: note for note in workspace.notes}
        self._known: dict[str, KataEvidence] = {}

    def item(self, name: str) -> ItemState:
        note = self._notes.get(name)
        proving = [kata.id for kata in self._workspace.katas if name in kata.proves]
        core = note.core if note is not None and note.core else tuple(proving[:_CORE])
        katas = tuple(self._kata(kata, core=kata in core) for kata in [*core, *(k for k in proving if k not in core)])
        notes = tuple(one.id for one in self._workspace.notes if one.id == name or name in one.proves)
        anki = self._of_notes(notes)
        shown = self._shown_by(name)
        states = self._states(katas, anki, shown)
        return ItemState(
            id=name,
            title=note.front if note else Bilingual(name, name),
            state=_together(states),
            katas=katas,
            notes=notes,
            anki=anki,
            shown=shown is not None,
            missing=missing(katas, anki, shown=shown is not None),
            next=next_step(name, katas, notes, anki, shown=shown is not None),
        )

    def _shown_by(self, name: str) -> tuple[str, ...] | None:
        """The katas that showed the item once, as far as nothing of that was taken back since; None: never shown."""
        for katas in reversed(self._shown.get(name, [])):
            if all(self._kata(kata).clean_days >= CLEAN_DAYS for kata in katas):
                return katas
        return None

    def _states(
        self, katas: Sequence[KataEvidence], anki: NotesEvidence | None, shown: tuple[str, ...] | None
    ) -> list[State]:
        if shown is None:
            states = [one.state for one in katas if one.core]
            return [*states, anki.state(shown=False)] if anki is not None and anki.all else states
        passed = {one.kata for one in katas if one.core and one.state != "not-shown"}
        states = [self._kata(kata).state for kata in {*shown, *passed}]
        return [*states, "ready" if anki is None else anki.state(shown=True)]

    def _kata(self, name: str, *, core: bool = True) -> KataEvidence:
        if name not in self._known:
            self._known[name] = self._evidence(name)
        one = self._known[name]
        return one if core else KataEvidence(one.kata, one.clean_days, one.retrievability, one.state, core=False)

    def _evidence(self, name: str) -> KataEvidence:
        memory = self._schedule.memories.get(name)
        if memory is None:
            return KataEvidence(name, 0, None, "not-shown")
        recall = self._schedule.retrievability(name, self._now.day_number)
        kata: Kata | None = self._katas.get(name)  # None: it left the workspace, and what was shown by it stays shown
        days = memory.clean if kata is None else clean_days(self._history, kata, memory.clean)
        if days < CLEAN_DAYS:
            state: State = "not-shown"
        else:
            state = "ready" if recall >= RECALL and memory.rating > 1 else "fading"
        return KataEvidence(name, days, recall, state)

    def _of_notes(self, notes: Sequence[str]) -> NotesEvidence | None:
        if self._anki is None:
            return None
        reviewed = {name: self._anki[name] for name in notes if name in self._anki and self._anki[name].reviews}
        return NotesEvidence(
            recalled=tuple(name for name, one in reviewed.items() if one.recalled and one.whole),
            forgotten=tuple(name for name, one in reviewed.items() if not one.recalled),
            all=len(notes),
            estimated=sum(one.estimated for one in reviewed.values()),
        )


def _together(states: Sequence[State]) -> State:
    """The state of the weakest piece of evidence; without any evidence the item is not shown."""
    if not states or "not-shown" in states:
        return "not-shown"
    return "fading" if "fading" in states else "ready"
