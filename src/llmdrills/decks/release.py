"""Compute the next release of one language in memory: what changed, times and ids, and the new lock."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from llmdrills.content.workspacefile import DECK_ROOT
from llmdrills.decks.compose import RETIRED_TAG, content_hash, tombstone_fields
from llmdrills.decks.forecast import DeckForecast, Forecast, classify, forecast_note
from llmdrills.decks.identity import deck_id_for, guid_for
from llmdrills.decks.lock import DeckLine, Lock, NoteLine, NoteTypeLine
from llmdrills.decks.markdown import clean, render_inline
from llmdrills.decks.package import PackageDeck, PackageNote
from llmdrills.errors import BuildError, LockError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.content.model import Deck, NoteType
    from llmdrills.decks.compose import ComposedNote
    from llmdrills.decks.forecast import NoteForecast, NoteTypeForecast
    from llmdrills.decks.notetypes import NoteTypeSpec
    from llmdrills.language import Language

__all__ = ["DECK_ROOT", "Release", "plan_release"]

_NID_STEP = 32  # milliseconds between notes, so that card ids, which count up from a note's, seldom meet


@dataclass(frozen=True)
class Release:
    """One language's part of a release. `lock` is the lock with this language's lines moved."""

    language: Language
    notes: tuple[PackageNote, ...]  # alive, in the order in which they are met
    tombstones: tuple[PackageNote, ...]
    note_type_times: Mapping[int, int]  # id → seconds
    media: Mapping[str, bytes]
    forecast: Forecast
    lock: Lock


def deck_name(deck: Deck, language: Language, root: str = DECK_ROOT) -> str:
    """A deck's name in Anki."""
    return f"{root}::{clean(deck.title[language])}"


def plan_release(
    lock: Lock,
    decks: Sequence[tuple[Deck, Sequence[ComposedNote]]],
    language: Language,
    specs: Mapping[NoteType, NoteTypeSpec],
    *,
    time: int,
    pinned: bool = False,
    root: str = DECK_ROOT,
) -> Release:
    """Work out the release at `time` (seconds) that follows the one in `lock`.

    `pinned` keeps the time of every note that the lock knows: for content that came with the wheel, where another
    version of a library may render other HTML. Raises BuildError for notes that vanished or changed their type, and for
    note types that can't follow.
    """
    planner = _Planner(lock, language, specs, (time, pinned), root)
    _check(lock, decks, language, specs)
    for deck, notes in decks:
        for note in notes:
            planner.add(deck, note)
    planner.add_tombstones()
    return planner.release(decks)


def _check(
    lock: Lock,
    decks: Sequence[tuple[Deck, Sequence[ComposedNote]]],
    language: Language,
    specs: Mapping[NoteType, NoteTypeSpec],
) -> None:
    unknown = sorted({line.type for line in lock.notes.values()} - set(specs))
    if unknown:
        raise LockError(
            f"the lock has notes of an unknown type {unknown[0]!r}", "update llmdrills: a newer one wrote it"
        )
    alive = {note.id: note for _, notes in decks for note in notes}
    gone = sorted(
        line.note
        for line in lock.notes.values()
        if line.language == language and not line.retired and line.note not in alive
    )
    if gone:
        raise BuildError(
            f"{_several(gone)} in the last release and {'is' if len(gone) == 1 else 'are'} gone from the decks",
            _way_back(lock, gone, language, {deck.id for deck, _ in decks}),
        )
    for note in alive.values():
        old = lock.notes.get((note.id, language))
        if old and old.type != note.type:
            raise BuildError(
                f"note {note.id!r} was a {old.type} and is now a {note.type}: Anki can't change a note's type",
                f"give it a new id, and retire the old one: `llmdrills retire {note.id} --why '…'`",
            )


def _way_back(lock: Lock, gone: list[str], language: Language, decks: set[str]) -> str:
    deck = lock.notes[gone[0], language].deck
    if deck not in decks and any(line.deck == deck and line.language != language for line in lock.notes.values()):
        return (
            f"put them back; or, if the deck `{deck}` is no longer written in this language, retire what it had: "
            f"`llmdrills retire {deck} --in {language} --why '…'`"
        )
    return f"put {'it' if len(gone) == 1 else 'them'} back, or retire: `llmdrills retire {gone[0]} --why '…'`"


def _several(ids: list[str]) -> str:
    shown = ", ".join(map(repr, ids[:5])) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
    return f"note {shown} was" if len(ids) == 1 else f"notes {shown} were"


class _Planner:
    """Collects the lines of the next lock and the notes of the packages."""

    def __init__(
        self,
        lock: Lock,
        language: Language,
        specs: Mapping[NoteType, NoteTypeSpec],
        moment: tuple[int, bool],
        root: str,
    ) -> None:
        self._lock, self._language, self._specs, self._root = lock, language, specs, root
        time, self._pinned = moment
        self._time = time
        self._next_nid = max([time * 1000, *(line.nid + _NID_STEP for line in lock.notes.values())])
        self._taken: set[int] = set()
        self._lines: list[NoteLine] = []
        self._decks: dict[str, PackageDeck] = {}
        self._notes: list[PackageNote] = []
        self._tombstones: list[PackageNote] = []
        self._media: dict[str, bytes] = {}

    def add(self, deck: Deck, note: ComposedNote) -> None:
        """One note that is alive."""
        line = self._line(
            NoteLine(
                note=note.id,
                language=self._language,
                guid="",
                type=note.type,
                deck=deck.id,
                hash=note.hash,
                mtime=0,
                nid=0,
                cards=note.cards,
                hidden=note.hidden,
            )
        )
        if deck.id not in self._decks:
            name = deck_name(deck, self._language, self._root)
            description = render_inline(deck.description[self._language])
            self._decks[deck.id] = PackageDeck(
                deck_id_for(self._lock.namespace, self._language, deck.id), name, description
            )
        self._notes.append(
            PackageNote(
                guid=line.guid,
                nid=line.nid,
                mtime=line.mtime,
                type=self._specs[note.type],
                deck=self._decks[deck.id],
                fields=note.fields,
                tags=note.tags,
                cards=note.cards,
                due=len(self._notes),
            )
        )
        self._lines.append(line)
        self._media.update(note.media)

    def add_tombstones(self) -> None:
        """The notes that were retired and are not back."""
        alive = {line.note for line in self._lines}
        for old in [
            line for line in self._lock.notes.values() if line.language == self._language and line.note not in alive
        ]:
            spec = self._specs[old.type]  # type: ignore[index]  # `_check` has seen that it is one of them
            fields = tombstone_fields(spec, old.note, old.retired)
            line = self._line(old._replace(hash=content_hash(spec.id, fields, (RETIRED_TAG,))))
            # No cards: a collection that has the note has its cards, and any other collection must not get them.
            deck = self._decks.get(old.deck) or self._old_deck(old.deck)
            self._tombstones.append(
                PackageNote(
                    guid=line.guid,
                    nid=line.nid,
                    mtime=line.mtime,
                    type=spec,
                    deck=deck,
                    fields=fields,
                    tags=(RETIRED_TAG,),
                    cards=(),
                    due=0,
                )
            )
            self._lines.append(line)

    def release(self, decks: Sequence[tuple[Deck, Sequence[ComposedNote]]]) -> Release:
        """Everything together. Raises BuildError when a note type can't follow."""
        language = self._language
        used = dict.fromkeys(line.type for line in self._lines)
        kinds = [self._note_type(kind) for kind in self._specs if kind in used]
        changes = tuple(classify(self._lock.note_types.get((kind.note_type, language)), kind) for kind in kinds)
        for change in changes:
            if change.verdict == "refused":
                raise BuildError(
                    f"the note type {change.name!r} cannot follow its last release: {change.change}",
                    "give it a new name and new notes",
                )
        names = {deck.id: DeckLine(deck.id, language, deck_name(deck, language, self._root)) for deck, _ in decks}
        for line in self._lines:  # a tombstone may outlive its deck
            names.setdefault(
                line.deck,
                self._lock.decks.get((line.deck, language))
                or DeckLine(line.deck, language, f"{self._root}::{line.deck}"),
            )
        lock = Lock(
            self._lock.namespace,
            {key: line for key, line in self._lock.notes.items() if key[1] != language}
            | {(line.note, language): line for line in self._lines},
            {key: line for key, line in self._lock.note_types.items() if key[1] != language}
            | {(k.note_type, language): k for k in kinds},
            {key: line for key, line in self._lock.decks.items() if key[1] != language}
            | {(deck, language): line for deck, line in names.items()},
        )
        return Release(
            language=language,
            notes=tuple(self._notes),
            tombstones=tuple(self._tombstones),
            note_type_times={kind.id: kind.mtime for kind in kinds},
            media=self._media,
            forecast=self._forecast(names, changes),
            lock=lock,
        )

    def _line(self, content: NoteLine) -> NoteLine:
        """`content` with the identity and the time that the release gives it: guid, nid and mtime are settled here."""
        old = self._lock.notes.get((content.note, self._language))
        if old is None:
            guid = guid_for(self._lock.namespace, self._language, content.note)
            return _identified(content, guid, self._time, self._nid(None))
        mtime = self._mtime(old.hash, old.mtime, content.hash)
        return _identified(content, old.guid, mtime, self._nid(old.nid))

    def _nid(self, old: int | None) -> int:
        # Two branches may have given the same id to two notes. Anki matches notes by guid, so a new id is safe.
        nid = self._next_nid if old is None or old in self._taken else old
        if nid == self._next_nid:
            self._next_nid += _NID_STEP
        self._taken.add(nid)
        return nid

    def _mtime(self, old_hash: str, old_mtime: int, new_hash: str) -> int:
        """Unchanged content keeps its time; what changed gets the release's, and always a greater one than before."""
        if old_hash == new_hash or self._pinned:
            return old_mtime
        return max(self._time, old_mtime + 1)

    def _note_type(self, kind: NoteType) -> NoteTypeLine:
        spec = self._specs[kind]
        found = hashlib.sha256(json.dumps(asdict(spec), ensure_ascii=False).encode()).hexdigest()[:32]
        old = self._lock.note_types.get((kind, self._language))
        mtime = self._mtime(old.hash, old.mtime, found) if old else self._time
        fields = tuple((known.id, known.name) for known in spec.fields)
        templates = tuple((known.id, known.name) for known in spec.templates)
        return NoteTypeLine(
            note_type=kind,
            language=self._language,
            id=spec.id,
            name=spec.name,
            cloze=spec.cloze,
            fields=fields,
            templates=templates,
            sort_field=spec.sort_field,
            hash=found,
            mtime=mtime,
        )

    def _old_deck(self, id: str) -> PackageDeck:  # noqa: A002  # the word of the design
        line = self._lock.decks.get((id, self._language))
        name = line.name if line else f"{self._root}::{id}"
        return PackageDeck(deck_id_for(self._lock.namespace, self._language, id), name, "")

    def _forecast(self, names: Mapping[str, DeckLine], note_types: tuple[NoteTypeForecast, ...]) -> Forecast:
        notes: list[NoteForecast] = []
        for line in self._lines:
            old = self._lock.notes.get((line.note, self._language))
            # A tombstone of an earlier release is not reported again.
            if not (line.retired and old and old.mtime == line.mtime):
                notes.append(forecast_note(old, line))
        decks = tuple(self._deck(line, [note for note in notes if note.deck == line.deck]) for line in names.values())
        return Forecast(self._language, decks, tuple(notes), note_types)

    def _deck(self, line: DeckLine, notes: list[NoteForecast]) -> DeckForecast:
        old = self._lock.decks.get((line.deck, self._language))
        counts = {
            status: sum(note.status == status for note in notes)
            for status in ("new", "updated", "unchanged", "retired")
        }
        return DeckForecast(
            line.deck, line.name, **counts, renamed_from=old.name if old and old.name != line.name else ""
        )


def _identified(line: NoteLine, guid: str, mtime: int, nid: int) -> NoteLine:
    """The line with what a release gives it; `_replace` takes more than twice as long."""
    note, language, _, kind, deck, digest, _, _, cards, retired, hidden = line
    return NoteLine._make((note, language, guid, kind, deck, digest, mtime, nid, cards, retired, hidden))
