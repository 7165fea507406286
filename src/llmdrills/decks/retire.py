"""Retire a note: remove it from its deck and mark it in the lock, so that an upgrade package can empty its cards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from llmdrills.decks.files import prepare
from llmdrills.decks.lock import lock_file, read_lock
from llmdrills.errors import BuildError, LockError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmdrills.decks.lock import Lock

__all__ = ["Retirement", "retire"]


@dataclass(frozen=True)
class Retirement:
    """What was done. `file` and `line` say where the note was in the decks; None if it was removed before."""

    id: str
    why: str
    languages: tuple[str, ...]
    file: Path | None = None
    line: int = 0
    text: str = ""  # what was taken out, so that it can be shown

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        shown = {**self.__dict__, "file": str(self.file) if self.file else None}
        return {"schema": 1, **shown}


def retire(workspace_root: Path, id: str, why: str) -> Retirement:  # noqa: A002  # the word of the design
    """Take the note out of its deck file, comments around it left alone, and make it a tombstone in the lock.

    Packages change with the next build. To take it back, restore its text: the next build revives it.
    Raises LockError; BuildError for an unknown id, an empty reason, a derived note whose source is still there.
    """
    if not why.strip():
        raise BuildError("a retired note needs a reason", "write `--why '…'`: release notes and the lock keep it")
    lock = read_lock(workspace_root)
    if lock is None:
        raise LockError(
            f"there is no {lock_file(workspace_root)}", "nothing was released yet: delete the note from its deck"
        )
    released = [line for line in lock.notes.values() if line.note == id]
    if not released:
        raise BuildError(f"no released note is called {id!r}", _near(id, lock))
    _check_not_derived(workspace_root, id)
    found = next(_places(workspace_root, id), None)
    if found is None and all(line.retired for line in released):
        raise BuildError(f"note {id!r} is retired already: {released[0].retired}", "there is nothing to do")
    next_lock = prepare(lock_file(workspace_root), lock.retire(id, why.strip()).text().encode())
    if found is not None:
        try:
            prepare(found.file, found.rest.encode()).commit()
        except BuildError:
            next_lock.discard()
            raise
    next_lock.commit()
    languages = tuple(sorted(line.language for line in released))
    if found is None:
        return Retirement(id, why.strip(), languages)
    return Retirement(id=id, why=why.strip(), languages=languages, file=found.file, line=found.line, text=found.text)


def _near(id: str, lock: Lock) -> str:  # noqa: A002  # as above
    from difflib import get_close_matches

    near = get_close_matches(id, {line.note for line in lock.notes.values()}, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}A note that was never released can simply be deleted from its deck"


def _check_not_derived(root: Path, id: str) -> None:  # noqa: A002  # as above
    from llmdrills.content import load_katas
    from llmdrills.content.derive import bug_notes

    for note in bug_notes(load_katas(root)):
        if note.id == id:
            raise BuildError(
                f"{note.position.file}:{note.position.line}: note {id!r} is derived from this slip",
                "take its `card: true` away (or the slip), then retire the note",
            )


@dataclass(frozen=True)
class _Place:
    """A note in a deck file: its text, the line where it starts (from 1), and the file's text without it."""

    file: Path
    line: int
    text: str
    rest: str


def _places(root: Path, id: str) -> Iterator[_Place]:  # noqa: A002  # as above
    for file in sorted((root / "decks").glob("*.yaml")):
        try:
            text = file.read_text("utf-8")
            tree = yaml.compose(text, Loader=yaml.CSafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise BuildError(f"cannot read {file}: {error}", "run `llmdrills check` and fix it first") from None
        notes = _value(tree, "notes")
        if not isinstance(notes, yaml.SequenceNode):
            continue
        for place, note in enumerate(notes.value):
            if getattr(_value(note, "id"), "value", None) == id:
                yield _cut(file, text, notes, place)


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if getattr(name, "value", None) == key), None)


def _cut(file: Path, text: str, notes: yaml.SequenceNode, place: int) -> _Place:
    """Take one item of a block sequence out of a file's text, line by line."""
    note = notes.value[place]
    lines = text.splitlines(keepends=True)
    start, end = note.start_mark.line, note.end_mark.line
    if notes.flow_style or not lines[start].lstrip().startswith("- "):
        raise BuildError(
            f"{file}:{start + 1}: this note is not written as a block", "delete it by hand, then run this again"
        )
    end = max(end, start + 1) if note.end_mark.column == 0 or end > start else end + 1
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1  # what follows belongs to the next note
    rest = lines[:start] + lines[end:]
    if len(notes.value) == 1:
        head = next(number for number in range(start - 1, -1, -1) if lines[number].startswith("notes:"))
        rest[head] = "notes: []\n"
    return _Place(file, start + 1, "".join(lines[start:end]), "".join(rest))
