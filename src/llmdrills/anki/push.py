"""Hand packages to a running Anki, and tell from two exports, before and after, what it did with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.anki.live import read_live
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmdrills.anki.connect import AnkiConnect
    from llmdrills.anki.reading import Collection, FoundNote
    from llmdrills.decks.lock import Lock
    from llmdrills.language import Language

__all__ = ["Expected", "Happened", "compare", "expect", "push"]

_REFUSED = Bilingual("Anki did not import {path}", "Anki 没有导入 {path}")
_BY_HAND = Bilingual("import it by hand to see why: File → Import", "请手动导入以查看原因：文件 → 导入")


class Expected(NamedTuple):
    """What an import will do in one language. `kept`: edited or tagged in Anki later, so that Anki leaves them."""

    language: Language
    new: tuple[str, ...]
    updated: tuple[str, ...]
    kept: tuple[str, ...]
    unchanged: int


class Happened(NamedTuple):
    """What it did: note ids by language and name; `reviews`: answers before and after, of our notes."""

    new: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: int
    gone: tuple[str, ...]  # never, as long as Anki itself deletes nothing
    reviews: tuple[int, int]


def expect(lock: Lock, before: Collection, languages: Iterable[Language]) -> list[Expected]:
    """By Anki's rules: a note is updated where the package's time is greater than its own."""
    found = []
    for language in languages:
        lines = [line for line in lock.notes.values() if line.language == language and not line.retired]
        there = {line.note: before.notes[line.guid][0].mtime for line in lines if line.guid in before.notes}
        times = {line.note: line.mtime for line in lines}
        found.append(
            Expected(
                language=language,
                new=tuple(sorted(name for name in times if name not in there)),
                updated=tuple(sorted(name for name, mtime in there.items() if times[name] > mtime)),
                kept=tuple(sorted(name for name, mtime in there.items() if times[name] < mtime)),
                unchanged=sum(times[name] == mtime for name, mtime in there.items()),
            )
        )
    return found


def push(anki: AnkiConnect, packages: Sequence[Path]) -> None:
    """Have Anki import the packages. Raises UsageError."""
    for path in packages:
        if anki.ask("importPackage", path=str(path.absolute())) is not True:
            raise UsageError(_REFUSED.format(path=path), _BY_HAND)


def compare(anki: AnkiConnect, before: Collection, names: dict[str, str]) -> Happened:
    """What is different now. `names`: of the notes, by guid. Raises UsageError."""
    after = read_live(anki, names)
    new = sorted(names[guid] for guid in after.notes if guid not in before.notes)
    common = [guid for guid in after.notes if guid in before.notes]
    updated = sorted(names[guid] for guid in common if _text(after.notes[guid]) != _text(before.notes[guid]))
    return Happened(
        new=tuple(new),
        updated=tuple(updated),
        unchanged=len(common) - len(updated),
        gone=tuple(sorted(names[guid] for guid in before.notes if guid not in after.notes)),
        reviews=(_answers(before), _answers(after)),
    )


def _text(notes: tuple[FoundNote, ...]) -> list[tuple[object, ...]]:
    return [(note.mtime, tuple(note.fields.values()), note.tags) for note in notes]


def _answers(collection: Collection) -> int:
    return sum(len(card.answers) for notes in collection.notes.values() for note in notes for card in note.cards)
