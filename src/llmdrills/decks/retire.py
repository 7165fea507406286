"""Retire a note: remove it from its deck and mark it in the lock, so that an upgrade package can empty its cards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmdrills.decks.cut import Cut, places
from llmdrills.decks.files import prepare
from llmdrills.decks.lock import lock_file, read_lock
from llmdrills.errors import BuildError, LockError

if TYPE_CHECKING:
    from llmdrills.decks.lock import Lock
    from llmdrills.language import Language

__all__ = ["Retirement", "retire", "retire_language"]


@dataclass(frozen=True)
class Retirement:
    """What was done. `file` and `line` say where the note was in the decks; None if it was removed before."""

    id: str
    why: str
    languages: tuple[str, ...]
    file: Path | None = None
    line: int = 0
    text: str = ""  # what was taken out, so that it can be shown
    removed: bool = False  # whether it was the deck's only note, and the file is gone

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        shown = {**self.__dict__, "file": str(self.file) if self.file else None}
        return {"schema": 1, **shown}


def retire(workspace_root: Path, id: str, why: str) -> Retirement:  # noqa: A002  # the word of the design
    """Take the note out of its deck file, comments around it left alone, and make it a tombstone in the lock.

    The file of a deck's only note is removed, because a deck without notes is none. What is left is read again before
    anything is written: every other note must say what it said.
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
    found = next(places(workspace_root, id), None)
    if found is None and all(line.retired for line in released):
        raise BuildError(f"note {id!r} is retired already: {released[0].retired}", "there is nothing to do")
    next_lock = prepare(lock_file(workspace_root), lock.retire(id, why.strip()).text().encode())
    if found is not None:
        try:
            _write(found)
        except BuildError:
            next_lock.discard()
            raise
    next_lock.commit()
    languages = tuple(sorted(line.language for line in released))
    if found is None:
        return Retirement(id, why.strip(), languages)
    return Retirement(
        id=id,
        why=why.strip(),
        languages=languages,
        file=found.file,
        line=found.line,
        text=found.text,
        removed=found.rest is None,
    )


def retire_language(workspace_root: Path, deck: str, language: Language, why: str) -> Retirement:
    """Make the notes of a deck tombstones in one language, which the deck is no longer written in.

    Raises BuildError where the deck is still written in it, or had nothing in it.
    """
    from llmdrills.content.load import load_workspace

    if not why.strip():
        raise BuildError("a retired note needs a reason", "write `--why '…'`: release notes and the lock keep it")
    lock = read_lock(workspace_root)
    decks = load_workspace(workspace_root).decks
    here = {note.id for written in decks if written.id == deck for note in written.notes}
    alive = {note.id for written in decks if language in written.languages for note in written.notes}
    released = [
        line
        for line in (lock.notes.values() if lock else ())
        # A note may have been moved since the release, into this deck or out of it.
        if (line.deck == deck or line.note in here) and line.language == language and not line.retired
    ]
    for written in decks:
        if released and written.id == deck and language in written.languages:
            raise BuildError(
                f"{written.position.file}: the deck is still written in {language!r}",
                f"take {language} out of its `languages`, and its texts, then run this again",
            )
    released = [line for line in released if line.note not in alive]
    if lock is None or not released:
        raise BuildError(
            f"no released note of the deck {deck!r} is in {language!r}", "look at its id and its languages"
        )
    notes = {(line.note, line.language): line._replace(retired=why.strip()) for line in released}
    text = replace(lock, notes={**lock.notes, **notes}).text()
    prepare(lock_file(workspace_root), text.encode()).commit()
    return Retirement(deck, why.strip(), (language,))


def _write(cut: Cut) -> None:
    if cut.rest is not None:
        prepare(cut.file, cut.rest.encode()).commit()
        return
    try:
        cut.file.unlink()
    except OSError as error:
        raise BuildError(f"cannot remove {cut.file}: {error.strerror or error}", "make its folder writable") from None


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
                "take its `card` away (or the slip), then retire the note",
            )
