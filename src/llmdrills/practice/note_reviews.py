"""Answers to notes, as events: those that the learner marked in an exam, and those that Anki recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from llmdrills.errors import UsageError
from llmdrills.practice import domains
from llmdrills.practice.exchange import has_origin
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.language import Language
    from llmdrills.practice.history import History

__all__ = ["NoteReview", "identity", "of_note", "record"]

_NAMESPACE = "6c6c6d64-7269-4c6c-8000-6e6f74657265"


class NoteReview(NamedTuple):
    """One answer. `rating`: 1 (Again) … 4 (Easy); `origin` names it where it was given, and is there once."""

    note: str
    language: Language
    rating: int
    source: Literal["self", "anki"]
    origin: str
    moment: Moment


def record(history: History, reviews: Iterable[NoteReview]) -> int:
    """Record the answers that are not there yet, all or none, and return how many.

    The UUID follows from the origin, so that two machines that record the same answer record the same event. Raises
    HistoryError, and UsageError for a value that no event can have.
    """
    given = list(reviews)
    for one in given:
        row = {"id": identity(one.origin), **one._asdict(), "at": one.moment.at, "zone": one.moment.zone}
        fault = domains.fault("note_reviews", row)
        if fault is not None:
            raise UsageError(f"the answer to {one.note!r} cannot be recorded: {fault.message.en}", "correct it")

    def work() -> int:
        new = 0
        for one in given:
            if not has_origin(history, "note_reviews", one.origin):
                fields = {name: value for name, value in one._asdict().items() if name != "moment"}
                history.append("note_reviews", one.moment, id=identity(one.origin), **fields)
                new += 1
        return new

    return history.transaction(work)


def of_note(history: History, note: str) -> list[NoteReview]:
    """The answers to a note, oldest first. Raises HistoryError."""
    rows = history.rows("SELECT * FROM note_reviews WHERE note = ? ORDER BY at, id", note)
    return [
        NoteReview(
            note=row["note"],
            language=row["language"],
            rating=row["rating"],
            source=row["source"],
            origin=row["origin"],
            moment=Moment(row["at"], row["zone"]),
        )
        for row in rows
    ]


def identity(origin: str) -> str:
    """The UUID of an event of that origin, the same on every machine."""
    import uuid  # 5 ms, and needed only when something is written

    return str(uuid.uuid5(uuid.UUID(_NAMESPACE), origin))
