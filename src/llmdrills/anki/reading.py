"""What a collection says of our notes, found by their guids: fields, tags, cards, answers, and what FSRS remembers.

The tables that matter are the same in every collection from Anki 2.1.28 on; names of fields, note types and decks stand
in JSON up to schema 11 (and in older packages), in tables of their own since.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from llmdrills.anki.foundtypes import FoundType, has_tables, read_types
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

__all__ = ["Answer", "Collection", "FoundCard", "FoundNote", "Memory", "deck_names", "read"]

_NEW, _LEARNING, _RELEARNING = 0, 1, 3
_FILTERED, _MANUAL = 3, 4  # types of an entry of the review log
_OLD_DECAY = 0.5  # of FSRS before its sixth version, which wrote none
_FIRST_DAY = 1.0  # days of stability that a card has, by estimate, until it has an interval
_FORGOTTEN = 0.01  # … that a card has once its owner chose Forget
_DAMAGED = Bilingual("the collection is damaged: {why}", "集合已损坏：{why}")
_CHECK = Bilingual("run Tools → Check Database in Anki", "请在 Anki 中运行“工具 → 检查数据库”")


class Answer(NamedTuple):
    """One press of Again (1), Hard, Good or Easy (4); `at` in milliseconds since 1970, which is its id in Anki."""

    at: int
    rating: int


class Memory(NamedTuple):
    """How well a card is remembered: the chance of recall falls to 0.9 `stability` days after `last` (milliseconds).

    `rating`: of the last answer.
    `method`: fsrs where Anki computed it; interval where FSRS is off and the card's interval stands for the stability,
    which is an estimate; forgotten where the learner chose Forget and has not answered since.
    """

    last: int
    rating: int
    stability: float
    difficulty: float | None
    decay: float
    method: str


class FoundCard(NamedTuple):
    """A card: its template or cloze number (from 0), the name of its deck, its answers, oldest first."""

    ordinal: int
    deck: str
    suspended: bool
    lapses: int
    answers: tuple[Answer, ...]
    memory: Memory | None  # None: new


class FoundNote(NamedTuple):
    """A note of ours; `mtime` in seconds, `fields` by name, in the note type's order."""

    guid: str
    nid: int
    mtime: int
    type: FoundType
    fields: Mapping[str, str]
    tags: tuple[str, ...]
    cards: tuple[FoundCard, ...]


class Collection(NamedTuple):
    """What was found, by guid (two notes may have one guid), and when the collection was last changed (ms)."""

    notes: Mapping[str, tuple[FoundNote, ...]]
    changed: int
    total: int  # notes in it, ours or not


def read(connection: sqlite3.Connection, guids: Iterable[str]) -> Collection:
    """The notes with those guids. Raises UsageError when the collection is damaged."""
    try:
        changed, total = connection.execute("SELECT mod, (SELECT count(*) FROM notes) FROM col").fetchone()
        connection.execute("CREATE TEMP TABLE want (guid TEXT PRIMARY KEY) WITHOUT ROWID")
        connection.executemany("INSERT OR IGNORE INTO want VALUES (?)", ((guid,) for guid in guids))
        types, decks = read_types(connection), deck_names(connection)
        cards = _cards(connection, decks)
        found: dict[str, list[FoundNote]] = {}
        query = "SELECT n.guid, n.id, n.mod, n.mid, n.tags, n.flds FROM want w JOIN notes n ON n.guid = w.guid"
        for guid, nid, mtime, mid, tags, fields in connection.execute(f"{query} ORDER BY n.id"):
            kind = types.get(mid, FoundType(mid))
            values = fields.split("\x1f")
            whole = len(kind.fields) == len(values)
            names = [part.name for part in kind.fields] if whole else [str(n) for n in range(len(values))]
            found.setdefault(guid, []).append(
                FoundNote(
                    guid=guid,
                    nid=nid,
                    mtime=mtime,
                    type=kind,
                    fields=dict(zip(names, values, strict=True)),
                    tags=tuple(tags.split()),
                    cards=tuple(cards.get(nid, ())),
                )
            )
    except (sqlite3.DatabaseError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise UsageError(_DAMAGED.format(why=error), _CHECK) from error
    return Collection({guid: tuple(notes) for guid, notes in found.items()}, int(changed), int(total))


def deck_names(connection: sqlite3.Connection) -> dict[int, str]:
    """The name of every deck by its id. Raises what a damaged collection raises."""
    if not has_tables(connection):
        decks = json.loads(connection.execute("SELECT decks FROM col").fetchone()[0])
        return {int(key): str(deck["name"]) for key, deck in decks.items()}
    return {did: name.replace("\x1f", "::") for did, name in connection.execute("SELECT id, name FROM decks")}


def _cards(connection: sqlite3.Connection, decks: Mapping[int, str]) -> dict[int, list[FoundCard]]:
    """The cards of the notes in `want`, by note id."""
    log: dict[int, list[tuple[int, int, int, int]]] = {}
    query = (
        "SELECT r.cid, r.id, r.ease, r.type, r.factor FROM want w JOIN notes n ON n.guid = w.guid "
        "JOIN cards c ON c.nid = n.id JOIN revlog r ON r.cid = c.id ORDER BY r.id"
    )
    for card, *entry in connection.execute(query):
        log.setdefault(card, []).append((entry[0], entry[1], entry[2], entry[3]))
    query = (
        "SELECT c.id, c.nid, c.ord, c.did, c.odid, c.type, c.queue, c.ivl, c.lapses, c.data FROM want w "
        "JOIN notes n ON n.guid = w.guid JOIN cards c ON c.nid = n.id ORDER BY c.nid, c.ord"
    )
    found: dict[int, list[FoundCard]] = {}
    for card, nid, ordinal, did, home, kind, queue, days, lapses, data in connection.execute(query):
        entries = log.get(card, [])
        found.setdefault(nid, []).append(
            FoundCard(
                ordinal=ordinal,
                deck=decks.get(home or did, ""),
                suspended=queue == -1,
                lapses=lapses,
                answers=tuple(Answer(at, ease) for at, ease, how, factor in entries if _counts(ease, how, factor)),
                memory=_memory(entries, kind, days, data),
            )
        )
    return found


def _counts(ease: int, how: int, factor: int) -> bool:
    """Whether an entry of the log is an answer: not a change by hand, nor a look in a filtered deck without a grade."""
    return 1 <= ease <= 4 and not (how == _FILTERED and factor == 0)


def _memory(entries: list[tuple[int, int, int, int]], kind: int, days: int, data: str) -> Memory | None:
    forgotten = max((at for at, _, how, factor in entries if how == _MANUAL and factor == 0), default=0)
    last, rating = max(
        ((at, ease) for at, ease, *entry in entries if _counts(ease, *entry) and at > forgotten), default=(0, 0)
    )
    if kind == _NEW or not last:
        if kind == _NEW and forgotten and any(_counts(*entry) for _, *entry in entries):
            return Memory(
                last=forgotten, rating=1, stability=_FORGOTTEN, difficulty=None, decay=_OLD_DECAY, method="forgotten"
            )
        return None
    known = _data(data)
    stability, at = known.get("s"), known.get("lrt")
    last = int(at * 1000) if isinstance(at, int | float) and at > 0 else last
    if isinstance(stability, int | float) and stability > 0:
        difficulty, decay = known.get("d"), known.get("decay")
        return Memory(
            last=last,
            rating=rating,
            stability=float(stability),
            difficulty=float(difficulty) if isinstance(difficulty, int | float) else None,
            decay=float(decay) if isinstance(decay, int | float) and decay > 0 else _OLD_DECAY,
            method="fsrs",
        )
    known_days = days if kind != _LEARNING and days > 0 else 0
    return Memory(
        last=last,
        rating=rating,
        stability=float(known_days) or _FIRST_DAY,
        difficulty=None,
        decay=_OLD_DECAY,
        method="interval",
    )


def _data(text: str) -> dict[str, Any]:
    """What Anki keeps of a card beside its columns; nothing where it is no JSON, as an add-on may leave it."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
