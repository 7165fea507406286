"""A learner's collection in the real Anki backend: import, review, suspend, flag, tag, edit, look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anki.collection import (
    Collection,
    DeckIdLimit,
    ExportAnkiPackageOptions,
    ImportAnkiPackageOptions,
    ImportAnkiPackageRequest,
)
from anki.scheduler.v3 import CardAnswer

IF_NEWER, ALWAYS, NEVER = 0, 1, 2


@dataclass(frozen=True)
class Log:
    """Anki's import log: the notes' first fields do not matter, their ids do."""

    new: frozenset[int]
    updated: frozenset[int]
    duplicate: frozenset[int]
    conflicting: frozenset[int]

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return len(self.new), len(self.updated), len(self.duplicate), len(self.conflicting)


@dataclass(frozen=True)
class NoteState:
    nid: int
    mtime: int
    model: int
    fields: tuple[str, ...]
    tags: tuple[str, ...]


# Everything of a card but its own mtime, by (guid, template).
CardState = tuple[Any, ...]


class AnkiLearner:
    """One collection in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.col = Collection(str(folder / "collection.anki2"))

    def close(self) -> None:
        self.col.close()

    def take(self, package: Path, *, merge: bool = False, notes: int = IF_NEWER, types: int = IF_NEWER) -> Log:
        """Import a package; the options are those of the dialog, at their defaults."""
        options = ImportAnkiPackageOptions(merge_notetypes=merge, update_notes=notes, update_notetypes=types)
        request = ImportAnkiPackageRequest(package_path=str(package), options=options)
        log = self.col.import_anki_package(request).log
        found = {name: frozenset(one.id.nid for one in getattr(log, name)) for name in Log.__dataclass_fields__}
        return Log(**found)

    # What the learner does

    def cards(self, slug: str) -> list[int]:
        return list(self.col.find_cards(f"NoteId:{slug}", order="c.ord asc"))

    def answer(self, card_id: int, rating: Any = CardAnswer.GOOD) -> None:
        card = self.col.get_card(card_id)
        card.start_timer()
        states = self.col._backend.get_scheduling_states(card_id)
        self.col.sched.answer_card(self.col.sched.build_answer(card=card, states=states, rating=rating))

    def review(self, slug: str) -> None:
        for card in self.cards(slug):
            self.answer(card)

    def suspend(self, slug: str) -> None:
        self.col.sched.suspend_cards(self.cards(slug))

    def flag(self, slug: str, colour: int = 1) -> None:
        self.col.set_user_flag_for_cards(colour, self.cards(slug))

    def tag(self, slug: str, tag: str) -> None:
        self.col.tags.bulk_add([self.nid(slug)], tag)

    def edit(self, slug: str, text: str, field: int = 0) -> None:
        one = self.col.get_note(self.nid(slug))
        one.fields[field] = text
        self.col.update_note(one)

    def delete(self, slug: str) -> None:
        self.col.remove_notes([self.nid(slug)])

    def move(self, slug: str, deck: str) -> None:
        self.col.set_deck(self.cards(slug), self.col.decks.id(deck))

    def empty_cards(self, *, delete: bool = False) -> set[int]:
        """The cards that Tools → Empty Cards offers to delete."""
        found = {card for note in self.col.get_empty_cards().notes for card in note.card_ids}
        if delete:
            self.col.remove_cards_and_orphaned_notes(list(found))
        return found

    # What there is

    def nid(self, slug: str) -> int:
        (nid,) = self.col.find_notes(f"NoteId:{slug}")
        return int(nid)

    def notes(self) -> dict[str, NoteState]:
        """By guid. A guid that stands twice fails."""
        rows = self.col.db.all("select guid, id, mod, mid, flds, tags from notes")
        assert len({row[0] for row in rows}) == len(rows), "a guid stands twice"
        return {
            guid: NoteState(nid, mod, mid, tuple(flds.split("\x1f")), tuple(tags.split()))
            for guid, nid, mod, mid, flds, tags in rows
        }

    def card_states(self) -> dict[tuple[str, int], CardState]:
        rows = self.col.db.all(
            "select n.guid, c.ord, c.id, c.did, c.type, c.queue, c.due, c.ivl, c.factor, c.reps, c.lapses, c.flags, "
            "c.data from cards c join notes n on n.id = c.nid"
        )
        return {(row[0], row[1]): tuple(row[2:]) for row in rows}

    def reviews(self) -> set[tuple[Any, ...]]:
        return {tuple(row) for row in self.col.db.all("select id, cid, ease, ivl, time from revlog")}

    def deck_of(self, slug: str) -> str:
        return str(self.col.decks.name(self.col.get_card(self.cards(slug)[0]).did))

    def deck_names(self) -> set[str]:
        return {one.name for one in self.col.decks.all_names_and_ids()} - {"Default"}

    def note_types(self) -> set[str]:
        """Ours, forks included."""
        return {one.name for one in self.col.models.all_names_and_ids() if one.name.startswith("LLM Drills")}

    def schema(self) -> int:
        """A new value means that Anki will ask for a full sync."""
        return int(self.col.db.scalar("select scm from col"))

    def sides(self, card_id: int) -> tuple[str, str]:
        """Question and answer as Anki renders them, without the style."""
        card = self.col.get_card(card_id)
        return card.question().split("</style>", 1)[1], card.answer().split("</style>", 1)[1]

    def question(self, slug: str) -> str:
        return self.sides(self.cards(slug)[0])[0]

    # Time, and ways out

    def pass_days(self, days: int) -> None:
        """Let so many days go by: everything that happened is that much longer ago.

        The backend asks the system for the time, so the collection's past is moved instead.
        """
        seconds = days * 86_400
        self.col.db.execute("update col set crt = crt - ?", seconds)
        self.col.db.execute("update revlog set id = id - ?", seconds * 1000)
        for card, data in self.col.db.all("select id, data from cards where data like '%lrt%'"):
            known = json.loads(data)
            known["lrt"] -= seconds
            self.col.db.execute("update cards set data = ? where id = ?", json.dumps(known), card)
        self.col.close()
        self.col.reopen()

    def review_due(self, rating: Any = CardAnswer.GOOD, search: str = "is:due or is:learn or is:new") -> int:
        """Answer what is due, learning or new once, and return how many cards that were."""
        cards = self.col.find_cards(search)
        for card in cards:
            self.answer(card, rating)
        return len(cards)

    def export(self, path: Path, *, legacy: bool = False, deck: str = "LLM Drills", scheduling: bool = True) -> Path:
        """The collection (.colpkg) or a deck (.apkg), as File → Export writes it."""
        if path.suffix == ".colpkg":
            self.col.export_collection_package(str(path), include_media=True, legacy=legacy)
            self.col.reopen()
            return path
        options = ExportAnkiPackageOptions(
            with_scheduling=scheduling, with_deck_configs=False, with_media=True, legacy=legacy
        )
        self.col.export_anki_package(
            out_path=str(path), options=options, limit=DeckIdLimit(self.col.decks.id(deck, create=False))
        )
        return path

    @property
    def file(self) -> Path:
        return Path(self.col.path)
