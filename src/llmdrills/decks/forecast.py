"""Predict from the lock what Anki will do with the next packages, before anything is written.

It is exact for a collection that imported the previous release and did not edit the notes; for any other, Anki updates
a note if and only if the package's time is greater than the one in the collection (docs/decks.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.decks.lock import NoteLine, NoteTypeLine
    from llmdrills.language import Language

__all__ = ["MERGE_OPTIONS", "DeckForecast", "Forecast", "NoteForecast", "NoteTypeForecast", "classify", "forecast_note"]

Status = Literal["new", "updated", "unchanged", "retired"]
Verdict = Literal["safe", "needs-option", "refused"]

# The words of Anki 25.09 and later, in its import dialog.
MERGE_OPTIONS = Bilingual(
    en="Merge note types: on; Update notes: Always; Update note types: If newer",
    zh="合并笔记模板：开启；更新笔记：始终；更新笔记模板：仅在笔记较现有新时",
)


class NoteForecast(NamedTuple):
    """What happens to one note. `retired`: with the upgrade package; with the other one the note stays as it is."""

    id: str
    deck: str
    status: Status
    restored: bool = False  # it was a tombstone: updated where it is still there, new where Empty Cards took it
    moved_from: str = ""  # the deck it was in: cards that are there stay there
    cards_added: int = 0  # new cards on a note that is there (for a new note: its cards)
    cards_emptied: int = 0  # cards that have nothing to show any more: Empty Cards offers to delete them
    why: str = ""  # of a retired note


@dataclass(frozen=True)
class DeckForecast:
    """Counts of one deck. `renamed_from`: the name it had; cards that are there stay under that name."""

    deck: str
    name: str
    new: int
    updated: int
    unchanged: int
    retired: int
    renamed_from: str = ""


@dataclass(frozen=True)
class NoteTypeForecast:
    """What happens to one note type. `settings` names what to choose in Anki's import dialog; empty: nothing."""

    name: str
    change: str  # new, unchanged, restyled, renamed, or what is different
    verdict: Verdict
    settings: Bilingual | None = None


@dataclass(frozen=True)
class Forecast:
    """Everything that Anki will do with one language's packages."""

    language: Language
    decks: tuple[DeckForecast, ...]
    notes: tuple[NoteForecast, ...]
    note_types: tuple[NoteTypeForecast, ...]

    def count(self, status: Status) -> int:
        """How many notes have that status."""
        return sum(note.status == status for note in self.notes)

    def to_json(self) -> dict[str, Any]:
        """For `--json`: counts, decks, note types, and the notes that are not unchanged."""
        return {
            "language": self.language,
            "counts": {status: self.count(status) for status in ("new", "updated", "unchanged", "retired")},
            "decks": [asdict(deck) for deck in self.decks],
            "note_types": [asdict(kind) for kind in self.note_types],
            "notes": [note._asdict() for note in self.notes if note.status != "unchanged" or note.moved_from],
        }


def forecast_note(old: NoteLine | None, new: NoteLine) -> NoteForecast:
    """What happens to a note that stood in the lock as `old` and will stand as `new`."""
    moved = old.deck if old and old.deck != new.deck and not new.retired else ""
    if new.retired:
        return NoteForecast(new.note, new.deck, "retired", cards_emptied=len(new.cards), why=new.retired)
    if old is None:
        return NoteForecast(new.note, new.deck, "new", cards_added=len(new.cards))
    return NoteForecast(
        new.note,
        new.deck,
        "updated" if new.mtime > old.mtime else "unchanged",
        restored=bool(old.retired),
        moved_from=moved,
        cards_added=len(set(new.cards) - set(old.cards)),
        cards_emptied=len(set(old.cards) - set(new.cards)),
    )


def classify(old: NoteTypeLine | None, new: NoteTypeLine) -> NoteTypeForecast:
    """What Anki will do with a note type: by its rules on ids, counts and order of fields and templates."""
    if old is None:
        return NoteTypeForecast(new.name, "new", "safe")
    if old.id != new.id:
        return _refused(new, "it has another id: its notes would never update again")
    if old.cloze != new.cloze:
        return _refused(new, "a standard note type cannot become a cloze one, nor the reverse")
    if old.sort_field != new.sort_field:
        return _needs_option(new, "another sort field: Anki asks for a full sync and changes the time of every note")
    for what, before, after in (("fields", old.fields, new.fields), ("templates", old.templates, new.templates)):
        if _ids(before) != _ids(after):
            return _needs_option(new, _schema_change(what, _ids(before), _ids(after)))
    if (old.fields, old.templates) != (new.fields, new.templates):
        return NoteTypeForecast(new.name, "renamed", "safe")
    if old.hash != new.hash:
        return NoteTypeForecast(new.name, "restyled", "safe")
    return NoteTypeForecast(new.name, "unchanged", "safe")


def _ids(parts: Iterable[tuple[int, str]]) -> list[int]:
    return [part[0] for part in parts]


def _schema_change(what: str, before: list[int], after: list[int]) -> str:
    if set(before) == set(after):
        return f"{what} in another order: without the option Anki makes a second note type"
    added, removed = len(set(after) - set(before)), len(set(before) - set(after))
    return f"{what}: {added} added, {removed} removed: without the option Anki makes a second note type"


def _refused(new: NoteTypeLine, why: str) -> NoteTypeForecast:
    return NoteTypeForecast(new.name, why, "refused")


def _needs_option(new: NoteTypeLine, why: str) -> NoteTypeForecast:
    return NoteTypeForecast(new.name, why, "needs-option", MERGE_OPTIONS)
