"""Which notes of a collection are ours: their guids, as the lock released them or as the next build would make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.decks.identity import guid_for
from llmdrills.decks.lock import read_lock
from llmdrills.language import LANGUAGES

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.model import Workspace
    from llmdrills.language import Language

__all__ = ["Ours", "our_guids"]


class Ours(NamedTuple):
    """A note of the workspace in one language."""

    note: str
    language: Language


def our_guids(workspace: Workspace, *others: Path) -> dict[str, Ours]:
    """Every guid that a package of this workspace has or had, and of what was released from the `others` folders.

    Raises LockError when a lock cannot be read.
    """
    from llmdrills.content.derive import bug_notes

    names = [note.id for note in (*workspace.notes, *bug_notes(workspace.katas))]
    languages = {*LANGUAGES, *(language for deck in workspace.decks for language in deck.languages)}
    found = {
        guid_for(workspace.namespace, language, name): Ours(name, language) for name in names for language in languages
    }
    for root in (workspace.root, *others):
        lock = read_lock(root)
        if lock is not None:
            found |= {line.guid: Ours(line.note, line.language) for line in lock.notes.values()}
    return found
