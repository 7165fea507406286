"""How well notes are remembered, as Anki said when its reviews were last imported; and which items were ever ready.

A note has a card for each of its clozes, in each language that the learner has. It is recalled as well as the worst of
its cards, in the language in which that is best: English and Chinese of one note are one fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.errors import UsageError
from llmdrills.practice import domains
from llmdrills.practice.exchange import has_origin
from llmdrills.practice.memory import retrievability
from llmdrills.practice.moments import Moment
from llmdrills.practice.note_reviews import identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from llmdrills.language import Language
    from llmdrills.practice.history import History

__all__ = ["CardMemory", "NoteMemory", "note_memories", "record_memories", "record_shown", "shown_by"]

_DAY = 86_400e6  # microseconds


class CardMemory(NamedTuple):
    """What Anki remembers of one card after its last answer, which was `rating`, at `moment`.

    `as_of`: when the collection that says so was changed last, in milliseconds since 1970.
    The chance of recall falls to 0.9 `stability` days after the last answer. `method`: fsrs; interval, which is an
    estimate from the interval of Anki's older scheduler; forgotten, where the learner chose Forget.
    """

    note: str
    language: Language
    card: int
    rating: int
    stability: float
    difficulty: float | None
    decay: float
    method: str
    as_of: int
    origin: str
    moment: Moment

    def recall(self, now: Moment) -> float:
        """The chance of recall, in [0, 1]."""
        days = (now.at - self.moment.at) / _DAY
        return retrievability(max(self.stability, 1e-3), days, min(max(self.decay, 1e-2), 2.0))


class NoteMemory(NamedTuple):
    """A note that was answered in Anki: its answers, its chance of recall, and what that is made of.

    `cards`: of the language in which it is known best; `failing`: the last answer to one of these was Again;
    `estimated`: FSRS was off for one of them. `last`: the newest answer, in microseconds since 1970.
    """

    note: str
    reviews: int
    recall: float
    failing: bool
    estimated: bool
    cards: frozenset[int]
    last: int


def record_memories(history: History, memories: Iterable[CardMemory]) -> int:
    """Record what is not there yet, all or none, and return how many. Raises HistoryError and UsageError."""
    given = [
        (one.moment, {name: value for name, value in one._asdict().items() if name != "moment"}) for one in memories
    ]
    return _record(history, "note_memories", given)


def record_shown(history: History, items: Mapping[str, Iterable[str]], now: Moment) -> int:
    """Record that items are ready now, each shown by those katas; what is there already is not recorded again."""
    rows = []
    for item, katas in items.items():
        names = " ".join(sorted(katas))
        rows.append((now, {"item": item, "katas": names, "origin": f"shown {item} {names}".strip()}))
    return _record(history, "shown", rows)


def shown_by(history: History) -> dict[str, list[tuple[str, ...]]]:
    """The items that were ready once, each with the katas that showed it then, once for each such set of katas."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for row in history.rows("SELECT item, katas FROM shown ORDER BY at, id"):
        found.setdefault(row["item"], []).append(tuple(row["katas"].split()))
    return found


def note_memories(
    history: History, now: Moment, cards: Mapping[str, frozenset[int]] | None = None
) -> dict[str, NoteMemory] | None:
    """The notes that were answered in Anki, by id; None where nothing was ever imported from Anki.

    `cards`: the cards that a note has today, where they are known; others are not looked at. Raises HistoryError.
    """
    answers = history.rows(
        "SELECT note, count(*) AS n, max(at) AS last FROM note_reviews WHERE source = 'anki' GROUP BY note"
    )
    if not answers:
        return None
    latest: dict[str, dict[str, list[CardMemory]]] = {}
    for one in _latest(history):
        if cards is None or one.note not in cards or one.card in cards[one.note]:
            latest.setdefault(one.note, {}).setdefault(one.language, []).append(one)
    found = {}
    for row in answers:
        languages = [_in_one_language(known, now) for known in latest.get(row["note"], {}).values()]
        best = max(languages, key=lambda one: (len(one.cards), not one.failing, one.recall), default=_NOTHING)
        found[row["note"]] = best._replace(note=row["note"], reviews=row["n"], last=row["last"])
    return found


def _in_one_language(known: list[CardMemory], now: Moment) -> NoteMemory:
    return _NOTHING._replace(
        recall=min(one.recall(now) for one in known),
        failing=any(one.rating == 1 for one in known),
        estimated=any(one.method == "interval" for one in known),
        cards=frozenset(one.card for one in known),
    )


_NOTHING = NoteMemory(note="", reviews=0, recall=0.0, failing=False, estimated=False, cards=frozenset(), last=0)


def _latest(history: History) -> list[CardMemory]:
    """The memory of each card after its last answer; of two, the one that the younger collection held comes last."""
    rows = history.rows("SELECT * FROM note_memories ORDER BY at, as_of, id")
    newest = {(row["note"], row["language"], row["card"]): row for row in rows}
    return [
        CardMemory(
            note=row["note"],
            language=row["language"],
            card=row["card"],
            rating=row["rating"],
            stability=row["stability"],
            difficulty=row["difficulty"],
            decay=row["decay"],
            method=row["method"],
            as_of=row["as_of"],
            origin=row["origin"],
            moment=Moment(row["at"], row["zone"]),
        )
        for row in newest.values()
    ]


def _record(history: History, kind: str, given: list[tuple[Moment, dict[str, Any]]]) -> int:
    for moment, fields in given:
        fault = domains.fault(kind, {"id": identity(fields["origin"]), "at": moment.at, "zone": moment.zone, **fields})
        if fault is not None:
            raise UsageError(f"{kind}: {fault.message.en}", "correct it")

    def work() -> int:
        new = 0
        for moment, fields in given:
            if not has_origin(history, kind, fields["origin"]):
                history.append(kind, moment, id=identity(fields["origin"]), **fields)
                new += 1
        return new

    return history.transaction(work)
