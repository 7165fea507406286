"""Hand packages to a running Anki: what it will do with them, and from two exports, before and after, what it did."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.anki.foundtypes import is_part
from llmdrills.anki.live import read_live
from llmdrills.decks.compose import RETIRED_TAG
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llmdrills.anki.connect import AnkiConnect
    from llmdrills.anki.ours import Ours
    from llmdrills.anki.reading import Collection, FoundNote
    from llmdrills.language import Language

__all__ = ["Expected", "Happened", "check_own_words", "compare", "expect", "push"]

_REFUSED = Bilingual("Anki did not import {path}", "Anki 没有导入 {path}")
_BY_HAND = Bilingual("import it by hand to see why: File → Import", "请手动导入以查看原因：文件 → 导入")


_OWN_WORDS = Bilingual(
    "Anki would empty your own field {fields} in these notes ({n}): {names}",
    "Anki 会清空 {n} 条笔记中你自己的字段 {fields}：{names}",
)
_NOT_SO = Bilingual(
    "AnkiConnect imports with Merge note types on. Import by hand with the options as they are (File → Import), which "
    "leaves these notes alone; or copy your words to notes of your own and take the field out: `llmdrills anki doctor`",
    "AnkiConnect 导入时会开启“合并笔记模板”。请手动导入并保持默认选项（文件 → 导入），这样不会改动这些笔记；"
    "或把内容复制到你自己的笔记里，再移除该字段：见 `llmdrills anki doctor`",
)
_SHOWN = 8  # notes that a message names


class Expected(NamedTuple):
    """What an import will do in one language. `kept`: edited or tagged in Anki later, so that Anki leaves them.

    `stuck`: of another note type, which no import updates; `retired`: emptied, as an upgrade package does.
    """

    language: Language
    new: tuple[str, ...]
    updated: tuple[str, ...]
    kept: tuple[str, ...]
    unchanged: int
    stuck: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()


class Happened(NamedTuple):
    """What it did: note ids by language and name; `reviews`: answers before and after, of our notes."""

    new: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: int
    gone: tuple[str, ...]  # never, as long as Anki itself deletes nothing
    reviews: tuple[int, int]


def expect(packages: Iterable[Collection], before: Collection, ours: Mapping[str, Ours]) -> list[Expected]:
    """By Anki's rules, for what the packages hold: a note is updated where its time there is greater than its own."""
    coming: dict[str, FoundNote] = {}
    for package in packages:
        for guid, (note, *_) in package.notes.items():
            if guid not in coming or note.mtime > coming[guid].mtime:
                coming[guid] = note
    languages = dict.fromkeys(ours[guid].language for guid in coming)
    return [
        _expect({ours[guid].note: guid for guid in coming if ours[guid].language == one}, coming, before, one)
        for one in languages
    ]


def _expect(
    guids: Mapping[str, str], coming: Mapping[str, FoundNote], before: Collection, language: Language
) -> Expected:
    """`guids`: of one language's notes in the packages, by name."""
    there = {name: before.notes[guid][0] for name, guid in guids.items() if guid in before.notes}
    retired = {name for name, guid in guids.items() if RETIRED_TAG in coming[guid].tags}
    late = {name: coming[guids[name]].mtime - _time(note, coming[guids[name]]) for name, note in there.items()}
    other = {name for name, note in there.items() if note.type.id != coming[guids[name]].type.id}
    stuck = {name for name in other if late[name] <= 0}
    later = {name: by for name, by in late.items() if name not in stuck}
    return Expected(
        language=language,
        new=tuple(sorted(guids.keys() - there.keys() - retired)),
        updated=tuple(sorted(name for name, by in later.items() if by > 0 and name not in retired)),
        kept=tuple(sorted(name for name, by in later.items() if by < 0)),
        unchanged=sum(by == 0 for by in later.values()),
        stuck=tuple(sorted(stuck - retired)),
        retired=tuple(sorted(name for name, by in later.items() if by > 0 and name in retired)),
    )


def _time(note: FoundNote, coming: FoundNote) -> float:
    """What the time of what comes is compared with, in seconds since 1970, where Anki merges note types.

    A note on a copy of our type, which an earlier import made, is first put back into ours, and that gives it the time
    of the import: only a package from a clock that is ahead of this one's is newer still.
    """
    return note.mtime if note.type.id == coming.type.id else time.time()


def check_own_words(packages: Iterable[Collection], before: Collection, ours: Mapping[str, Ours]) -> None:
    """Raise UsageError where the import would empty a field that the learner added: an update replaces every field."""
    at_stake: dict[str, set[str]] = {}
    for package in packages:
        for guid, (coming, *_) in package.notes.items():
            for note in before.notes.get(guid, ())[:1]:
                if coming.mtime > _time(note, coming) and (own := _own_words(note, coming)):
                    at_stake[f"{ours[guid].language} {ours[guid].note}"] = own
    if at_stake:
        names = sorted(at_stake)
        shown = ", ".join(names[:_SHOWN]) + (f" … +{len(names) - _SHOWN}" if len(names) > _SHOWN else "")
        fields = ", ".join(sorted(set().union(*at_stake.values())))
        raise UsageError(_OWN_WORDS.format(fields=fields, n=len(names), names=shown), _NOT_SO)


def _own_words(note: FoundNote, coming: FoundNote) -> set[str]:
    """The fields that the package does not have, and in which the note has something."""
    ours = [(part.id, part.name) for part in coming.type.fields if part.id is not None]
    parts = zip(note.type.fields, note.fields.values(), strict=False)
    return {part.name for part, text in parts if text and not any(is_part(part, one) for one in ours)}


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
