"""Read and write decks/deck.lock, which records the last release, so that the next build updates only what changed.

Each line is one JSON object, for one note in one language, and the lines are sorted: a merge in git touches only the
lines of notes that changed. If a merge kept both sides of a note, its newer line counts.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from llmdrills.errors import LockError
from llmdrills.language import LANGUAGES

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.language import Language

__all__ = ["DeckLine", "Lock", "NoteLine", "NoteTypeLine", "lock_file", "parse_lock", "read_lock"]

FORMAT = 1
_CONFLICT = re.compile(r"<{7}|={7}|>{7}|\|{7}")
_NOTE_LINE = (str, str, str, str, str, str, int, int)  # the types of a note's line, up to `cards`
_RESTORE = "restore it with `git checkout -- decks/deck.lock` (or from a backup)"


class NoteLine(NamedTuple):
    """One note in one language, as released. A tombstone has its reason in `retired`."""

    note: str
    language: Language
    guid: str
    type: str
    deck: str
    hash: str  # of note type, fields and tags
    mtime: int  # seconds; Anki updates a note when this is greater than its own
    nid: int  # the id that a package gives the note
    cards: tuple[int, ...]  # template or cloze ordinals, from 0
    retired: str = ""  # why; empty: alive


@dataclass(frozen=True)
class NoteTypeLine:
    """One note type in one language, as released: its identity, its schema, and a hash of the rest."""

    note_type: str
    language: Language
    id: int
    name: str
    cloze: bool
    fields: tuple[tuple[int, str], ...]
    templates: tuple[tuple[int, str], ...]
    sort_field: int
    hash: str
    mtime: int


@dataclass(frozen=True)
class DeckLine:
    """One deck in one language: its name in Anki, by which Anki knows it."""

    deck: str
    language: Language
    name: str


@dataclass(frozen=True)
class Lock:
    """Everything that the last build released."""

    namespace: str
    notes: dict[tuple[str, Language], NoteLine] = field(default_factory=dict)
    note_types: dict[tuple[str, Language], NoteTypeLine] = field(default_factory=dict)
    decks: dict[tuple[str, Language], DeckLine] = field(default_factory=dict)

    def text(self) -> str:
        """The whole file, in an order that depends on nothing but its content."""
        lines = [json.dumps({"llmdrills_lock": FORMAT, "namespace": self.namespace})]
        lines += [_shown(self.decks[key]) for key in sorted(self.decks)]
        lines += [_shown(self.note_types[key]) for key in sorted(self.note_types)]
        lines += [_shown_note(self.notes[key]) for key in sorted(self.notes)]
        return "\n".join(lines) + "\n"

    def retire(self, id: str, why: str) -> Lock:  # noqa: A002  # the word of the design
        """The lock in which that note is a tombstone in every language; the next build sets its time."""
        notes = {key: line._replace(retired=why) if line.note == id else line for key, line in self.notes.items()}
        return replace(self, notes=notes)


def _shown(line: NoteTypeLine | DeckLine) -> str:
    return json.dumps(asdict(line), ensure_ascii=False)


def _shown_note(line: NoteLine) -> str:
    """The same text as `_shown` writes, five times as fast: only the reason may need escaping."""
    retired = f', "retired": {json.dumps(line.retired, ensure_ascii=False)}' if line.retired else ""
    return (
        f'{{"note": "{line.note}", "language": "{line.language}", "guid": "{line.guid}", "type": "{line.type}", '
        f'"deck": "{line.deck}", "hash": "{line.hash}", "mtime": {line.mtime}, "nid": {line.nid}, '
        f'"cards": {list(line.cards)}{retired}}}'
    )


def lock_file(root: Path) -> Path:
    """Where the workspace's lock stands."""
    return root / "decks" / "deck.lock"


def read_lock(root: Path) -> Lock | None:
    """The lock of the workspace at `root`; None when there is none. Raises LockError when it can't be used."""
    path = lock_file(root)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise LockError(f"{path} is damaged: it is not UTF-8 at byte {error.start}", _RESTORE) from None
    except OSError as error:
        raise LockError(f"cannot read {path}: {error.strerror or error}", "make it readable") from None
    return parse_lock(text, path)


def parse_lock(text: str, path: Path) -> Lock:
    """Read the text of a lock. Raises LockError, which names the wrong line and how to restore it."""
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if _CONFLICT.match(line):
            raise LockError(
                f"{path}:{number}: a merge left conflict markers here",
                "delete the marker lines, keep the lines of both sides (the newer line of a note counts), "
                "then run `llmdrills build`",
            )
    objects = _objects(lines, path)
    if not objects or not isinstance(objects[0].get("namespace"), str) or objects[0].get("llmdrills_lock") != FORMAT:
        newer = objects and isinstance(objects[0].get("llmdrills_lock"), int) and objects[0]["llmdrills_lock"] > FORMAT
        todo = "update llmdrills: a newer version wrote it" if newer else _RESTORE
        raise LockError(f"{path}:1: this is not the first line of a lock of format {FORMAT}", todo)
    lock = Lock(objects[0]["namespace"])
    for number, found in enumerate(objects[1:], 2):
        try:
            _add(lock, found)
        except (KeyError, TypeError, ValueError) as error:
            raise LockError(f"{path}:{number}: this line of the lock is damaged ({error})", _RESTORE) from None
    return lock


def _objects(lines: list[str], path: Path) -> list[dict[str, Any]]:
    try:
        # Parse all lines in one call: ten thousand calls of `loads` take five times as long.
        found = json.loads("[" + ",".join(lines) + "]")
        if len(found) == len(lines) and all(isinstance(one, dict) for one in found):
            return cast("list[dict[str, Any]]", found)
    except (ValueError, RecursionError):
        pass
    for number, line in enumerate(lines, 1):
        try:
            if isinstance(json.loads(line), dict):
                continue
        except (ValueError, RecursionError):
            pass
        raise LockError(f"{path}:{number}: this line of the lock is damaged", _RESTORE)
    raise LockError(f"{path} is damaged", _RESTORE)


def _add(lock: Lock, found: dict[str, Any]) -> None:
    language = found.get("language")
    if language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}")
    if "note" in found:
        found["cards"] = tuple(found["cards"])
        note = NoteLine(**found)
        if tuple(map(type, note[:-2])) != _NOTE_LINE or not isinstance(note.retired, str) or not _safe(note[:6]):
            raise ValueError("a value of another type, or with characters that do not belong there")
        if not all(type(card) is int for card in note.cards):
            raise TypeError("cards are whole numbers")
        known = lock.notes.get((note.note, note.language))
        if known is None or (note.mtime, note.retired) >= (known.mtime, known.retired):
            lock.notes[note.note, note.language] = note
    elif "note_type" in found:
        for part in ("fields", "templates"):
            found[part] = tuple((_whole(number), _text(name)) for number, name in found[part])
        line = NoteTypeLine(**found)
        earlier = lock.note_types.get((_text(line.note_type), line.language))
        if _whole(line.id) and (earlier is None or _whole(line.mtime) >= earlier.mtime):
            lock.note_types[line.note_type, line.language] = line
    elif "deck" in found:
        deck = DeckLine(**found)
        lock.decks[_text(deck.deck), deck.language] = DeckLine(deck.deck, deck.language, _text(deck.name))
    else:
        raise ValueError("neither a note, a note type nor a deck")


def _safe(texts: tuple[object, ...]) -> bool:
    """Whether the texts of a note's line are as we write them: they are written without escapes."""
    joined = "".join(map(str, texts))
    return '"' not in joined and "\\" not in joined and joined.isprintable()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} should be text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} should be a whole number")
    return value
