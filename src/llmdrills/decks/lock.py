"""Read and write decks/deck.lock, which records the last release, so that the next build updates only what changed.

Each line is one JSON object, for one note in one language, and the lines are sorted: a merge in git touches only the
lines of notes that changed. If a merge kept both sides of a note, its newer line counts. The last line says how many
lines there are, and their checksum, so that a file which was cut, or mixed of two, is noticed; a merge that kept the
lines of both sides leaves two of them, and then each line stands for itself. Format 1 had no such line, and no
`hidden` in the lines of clozes: it is read for ever, and the next build writes the newest.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from llmdrills.errors import LockError
from llmdrills.language import LANGUAGE_TAG

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.language import Language

__all__ = ["DeckLine", "Lock", "NoteLine", "NoteTypeLine", "lock_file", "parse_lock", "read_lock"]

FORMAT = 2
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
    hidden: tuple[str, ...] = ()  # of a cloze: a hash of what each card asks, in the order of `cards`


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
        head = json.dumps({"llmdrills_lock": FORMAT, "namespace": self.namespace})
        lines = [_shown(self.decks[key]) for key in sorted(self.decks)]
        lines += [_shown(self.note_types[key]) for key in sorted(self.note_types)]
        lines += [_shown_note(self.notes[key]) for key in sorted(self.notes)]
        return "\n".join([head, *lines, json.dumps(_summary(lines))]) + "\n"

    def says_the_same(self, other: Lock) -> bool:
        """Whether the same was released; what a cloze hides follows from its hash, and format 1 does not say it."""
        return self._bare() == other._bare()

    def _bare(self) -> Lock:
        notes = {key: line._replace(hidden=()) if line.hidden else line for key, line in self.notes.items()}
        return replace(self, notes=notes)

    def retire(self, id: str, why: str) -> Lock:  # noqa: A002  # the word of the design
        """The lock in which that note is a tombstone in every language; the next build sets its time."""
        notes = {key: line._replace(retired=why) if line.note == id else line for key, line in self.notes.items()}
        return replace(self, notes=notes)


def _summary(lines: list[str]) -> dict[str, Any]:
    """The last line of a lock, of all between it and the first: their number and checksum, in whatever order."""
    digest = hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()
    return {"lines": len(lines), "sum": digest[:16]}


def _shown(line: NoteTypeLine | DeckLine) -> str:
    return json.dumps(asdict(line), ensure_ascii=False)


def _shown_note(line: NoteLine) -> str:
    """The same text as `_shown` writes, five times as fast: only the reason may need escaping."""
    hidden = f', "hidden": {json.dumps(line.hidden)}' if line.hidden else ""
    retired = f', "retired": {json.dumps(line.retired, ensure_ascii=False)}' if line.retired else ""
    return (
        f'{{"note": "{line.note}", "language": "{line.language}", "guid": "{line.guid}", "type": "{line.type}", '
        f'"deck": "{line.deck}", "hash": "{line.hash}", "mtime": {line.mtime}, "nid": {line.nid}, '
        f'"cards": {list(line.cards)}{hidden}{retired}}}'
    )


def lock_file(root: Path) -> Path:
    """Where the workspace's lock stands."""
    return root / "decks" / "deck.lock"


def read_lock(root: Path, *, accept: bool = False) -> Lock | None:
    """The lock of the workspace at `root`; None when there is none. Raises LockError when it can't be used.

    `accept`: go on with the lines that are there, though the last line says that others are missing.
    """
    path = lock_file(root)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise LockError(f"{path} is damaged: it is not UTF-8 at byte {error.start}", _RESTORE) from None
    except OSError as error:
        raise LockError(f"cannot read {path}: {error.strerror or error}", "make it readable") from None
    return parse_lock(text, path, accept=accept)


def parse_lock(text: str, path: Path, *, accept: bool = False) -> Lock:
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
    heads = [found for found in objects if "llmdrills_lock" in found]
    sums = [found for found in objects if "sum" in found]
    _check_heads(objects, heads, path)
    if not accept:
        _check_sums(lines, objects, heads, sums, path)
    lock = Lock(heads[0]["namespace"])
    for number, found in enumerate(objects, 1):
        try:
            if "llmdrills_lock" not in found and "sum" not in found:
                _add(lock, found)
        except (KeyError, TypeError, ValueError) as error:
            raise LockError(f"{path}:{number}: this line of the lock is damaged ({error})", _RESTORE) from None
    return lock


def _check_heads(objects: list[dict[str, Any]], heads: list[dict[str, Any]], path: Path) -> None:
    """A merge may leave the first lines of both sides; they must be of one namespace."""
    formats = [found["llmdrills_lock"] for found in heads]
    known = [type(one) is int and 1 <= one <= FORMAT for one in formats]
    named = [isinstance(found.get("namespace"), str) for found in heads]
    if not objects or objects[0] not in heads[:1] or not all(known) or not all(named):
        newer = any(isinstance(one, int) and one > FORMAT for one in formats)
        todo = "update llmdrills: a newer version wrote it" if newer else _RESTORE
        raise LockError(f"{path}:1: this is not the first line of a lock of format 1 to {FORMAT}", todo)
    spaces = {str(found["namespace"]) for found in heads}
    if len(spaces) > 1:
        told = " and ".join(sorted(map(repr, spaces)))
        raise LockError(f"{path} holds the lines of two workspaces, {told}", "keep the lines of this one")


def _check_sums(
    lines: list[str],
    objects: list[dict[str, Any]],
    heads: list[dict[str, Any]],
    sums: list[dict[str, Any]],
    path: Path,
) -> None:
    """Whether every line is there that the last one counts. After a merge of both sides each stands for itself."""
    if len(sums) > 1 or len(heads) > 1 or (not sums and heads[0]["llmdrills_lock"] == 1):
        return
    own = [line for line, found in zip(lines, objects, strict=True) if found not in heads and found not in sums]
    if sums and (sums[0] == _summary(own) or _is_count_below(sums[0].get("lines"), len(own))):
        return  # more lines than counted: those of a side that was written in format 1, and merged
    if not sums:
        counted = "its end is cut off"
    elif sums[0].get("lines") == len(own):
        counted = "its lines are not those that its last line was made of"
    else:
        counted = f"its last line counts {sums[0].get('lines')} lines, and there are {len(own)}"
    raise LockError(
        f"{path} is not whole: {counted}",
        "if a merge kept one side only, keep the lines of both; if it was cut, "
        f"{_RESTORE}. `llmdrills build --accept-lock` goes on with the lines that are there",
    )


def _is_count_below(counted: object, lines: int) -> bool:
    return isinstance(counted, int) and counted < lines


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
    if not isinstance(language, str) or not LANGUAGE_TAG.fullmatch(language):
        raise ValueError(f"unknown language {language!r}")
    if "note" in found:
        found["cards"] = tuple(found["cards"])
        found["hidden"] = tuple(map(_text, found.get("hidden", ())))
        note = NoteLine(**found)
        if tuple(map(type, note[:8])) != _NOTE_LINE or not isinstance(note.retired, str) or not _safe(note[:6]):
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
