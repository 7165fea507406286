"""Take what Anki knows of our notes into the history: every answer once, and what is remembered of every card."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.practice.moments import LAST, Moment
from llmdrills.practice.note_memory import CardMemory, record_memories
from llmdrills.practice.note_reviews import NoteReview, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.anki.ours import Ours
    from llmdrills.anki.reading import Collection, FoundCard, FoundNote
    from llmdrills.practice.history import History

__all__ = ["Taken", "take"]


class Taken(NamedTuple):
    """What an import came to. `notes`: of ours in the collection, English and Chinese as one; `reviews`: all answers.

    `estimated`: cards whose memory is estimated from an interval, because FSRS is off; `new` and `remembered`: answers
    and memories that the history did not hold yet.
    """

    notes: int
    reviewed: int
    reviews: int
    new: int
    remembered: int
    estimated: int


def take(history: History, collection: Collection, ours: Mapping[str, Ours]) -> Taken:
    """Record what is new, all or none. Raises HistoryError."""
    answers: list[NoteReview] = []
    memories: dict[str, CardMemory] = {}
    seen: set[str] = set()
    reviewed: set[str] = set()
    for guid, notes in collection.notes.items():
        name = ours[guid]
        seen.add(name.note)
        for note in notes:
            for card in note.cards:
                found = _answers(note, card, name)
                answers += found
                if found:
                    reviewed.add(name.note)
                memory = _memory(note, card, name, collection.changed)
                if memory is not None:
                    memories[memory.origin] = memory

    def work() -> tuple[int, int]:
        return record(history, answers), record_memories(history, memories.values())

    new, remembered = history.transaction(work)
    return Taken(
        notes=len(seen),
        reviewed=len(reviewed),
        reviews=len({one.origin for one in answers}),
        new=new,
        remembered=remembered,
        estimated=sum(one.method == "interval" for one in memories.values()),
    )


def _answers(note: FoundNote, card: FoundCard, name: Ours) -> list[NoteReview]:
    return [
        NoteReview(
            note=name.note,
            language=name.language,
            rating=answer.rating,
            source="anki",
            origin=f"anki {note.guid} {card.ordinal} {answer.at}",
            moment=_moment(answer.at),
        )
        for answer in card.answers
        if _plausible(answer.at)
    ]


def _memory(note: FoundNote, card: FoundCard, name: Ours, changed: int) -> CardMemory | None:
    known = card.memory
    if known is None or not _plausible(known.last) or card.ordinal > 1000:
        return None
    figures = f"{known.stability:.4g} {known.difficulty or 0:.4g} {known.decay:.4g}"
    return CardMemory(
        note=name.note,
        language=name.language,
        card=card.ordinal,
        rating=known.rating,
        stability=min(known.stability, 1e6),
        difficulty=known.difficulty,
        decay=known.decay,
        method=known.method,
        as_of=min(max(changed, 0), LAST // 1000),
        origin=f"anki {note.guid} {card.ordinal} {known.method} {known.last} {known.rating} {figures}",
        moment=_moment(known.last),
    )


def _plausible(at: int) -> bool:
    """Whether a time of Anki's, in milliseconds, is one: a broken clock leaves others."""
    return 0 < at * 1000 < LAST


def _moment(at: int) -> Moment:
    """A time of Anki's, in milliseconds, on this machine's clock and in the zone that it had then."""
    return Moment(at * 1000, Moment.of(datetime.fromtimestamp(at // 1000, UTC).astimezone()).zone)
