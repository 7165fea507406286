"""Compare our notes in a collection with the last release: which are current, which are not and why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from llmdrills.anki.foundtypes import is_part, same_parts
from llmdrills.decks.compose import content_hash
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from llmdrills.anki.reading import Collection, FoundNote
    from llmdrills.decks.lock import Lock, NoteLine, NoteTypeLine
    from llmdrills.decks.package import PackageNote
    from llmdrills.language import Language

__all__ = ["ADVICE", "TITLES", "Kind", "Report", "State", "examine"]

Kind = Literal[
    "current",
    "older",
    "edited",
    "tagged",
    "forked",
    "own-field",
    "moved",
    "retired",
    "emptied",
    "missing",
    "twice",
    "cards",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
FINE: frozenset[Kind] = frozenset({"current", "moved"})
"""What asks for nothing: a card may lie in any deck."""

TITLES: Mapping[Kind, Bilingual] = {
    "current": Bilingual("as in the last release", "与最新版本一致"),
    "older": Bilingual("of an older release", "来自旧版本"),
    "edited": Bilingual(
        "edited in Anki after the last release: an import leaves them as they are",
        "在最新版本之后于 Anki 中改过：导入时不会更新",
    ),
    "tagged": Bilingual(
        "tagged in Anki after the last release (a leech is tagged too): an import leaves them as they are",
        "在最新版本之后于 Anki 中改过标签（难点卡片会被自动加标签）：导入时不会更新",
    ),
    "forked": Bilingual(
        "of another note type than ours (Anki made a copy “Name+”, or it was changed): they will never update",
        "不再使用我们的笔记模板（Anki 建了副本“名称+”，或被改成了别的模板）：以后不会再更新",
    ),
    "own-field": Bilingual(
        "their note type was given a field or a card template of your own, or lacks one of ours: an import cannot "
        "update them",
        "其笔记模板加了你自己的字段或卡片模板，或缺了我们的：导入时无法更新它们",
    ),
    "moved": Bilingual(
        "in another deck than the release's: you moved them, or we renamed it since",
        "不在发布时的牌组里：你移动过，或我们后来改了牌组名",
    ),
    "retired": Bilingual("retired by us, and still there", "已被我们停用，但还在集合里"),
    "emptied": Bilingual("retired and emptied", "已停用并清空"),
    "missing": Bilingual("not in the collection", "不在集合里"),
    "twice": Bilingual("there twice", "出现了两次"),
    "cards": Bilingual("with cards too few or too many", "卡片有缺失或多余"),
}
_IMPORT = Bilingual(
    "File → Import, build/{package}, with the options as they are", "文件 → 导入，选 build/{package}，选项保持默认"
)
ADVICE: Mapping[Kind, Bilingual] = {
    "current": Bilingual("nothing", "无需处理"),
    "older": _IMPORT,
    "edited": Bilingual(
        "to keep your words: `llmdrills anki pull`, then `llmdrills build`; to take ours: File → Import, "
        "build/{package}, Update notes: Always",
        "保留你的改动：运行 `llmdrills anki pull`，再运行 `llmdrills build`；"
        "采用我们的版本：文件 → 导入，选 build/{package}，“更新笔记”选“始终”",
    ),
    "tagged": Bilingual(
        "nothing is lost: the next release whose text changes updates them, and takes your tags. To have ours now: "
        "File → Import, build/{package}, Update notes: Always",
        "不会丢失内容：下次正文有变化的版本会更新它们，并替换你的标签。"
        "要现在更新：文件 → 导入，选 build/{package}，“更新笔记”选“始终”",
    ),
    "forked": Bilingual(
        "in the browser select them, Notes → Change Note Type…, choose the type “LLM Drills … ({language})” without a "
        "+, fields by name; then import build/{package} with Update notes: Always. Reviews stay",
        "在浏览器中选中它们，笔记 → 更改笔记模板…，选不带 + 的“LLM Drills … ({language})”，字段按名称对应；"
        "然后导入 build/{package}，“更新笔记”选“始终”。复习记录会保留",
    ),
    "own-field": Bilingual(
        "nothing is lost while you import with the options as they are; with Merge note types on, an update empties "
        "your own field. To have our releases again: copy your words to notes of your own, take your field or template "
        "out (Tools → Manage Note Types → Fields or Cards), then File → Import, build/{package}",
        "只要导入选项保持默认，就不会丢失内容；若开启“合并笔记模板”，更新时会清空你自己的字段。"
        "想重新获得我们的更新：把你写的内容复制到你自己的笔记里，移除自己加的字段或卡片模板"
        "（工具 → 管理笔记模板 → 字段或卡片），然后用“文件 → 导入”导入 build/{package}",
    ),
    "moved": Bilingual(
        "nothing; new cards of these notes come into the deck they have in the package",
        "无需处理；这些笔记新增的卡片会进入牌组包里的牌组",
    ),
    "retired": Bilingual(
        "import build/{upgrade}, then Tools → Empty Cards offers to delete them",
        "导入 build/{upgrade}，然后用“工具 → 空卡片”删除",
    ),
    "emptied": Bilingual("Tools → Empty Cards deletes them", "用“工具 → 空卡片”删除"),
    "missing": Bilingual(
        "deleted, or never imported. To have them: File → Import, build/{package}; to be rid of them for good: suspend "
        "instead of deleting",
        "已删除或从未导入。想要它们：文件 → 导入，选 build/{package}；不想再看到：请暂停而不要删除",
    ),
    "twice": Bilingual(
        "Notes → Find Duplicates in the browser (search NoteId:{example}): delete the one without reviews",
        "在浏览器中用“笔记 → 查找重复”（搜索 NoteId:{example}）：删除没有复习记录的那一条",
    ),
    "cards": Bilingual(
        "too many: Tools → Empty Cards. Too few: import build/{package} again, which adds them",
        "多余：工具 → 空卡片。缺失：再导入一次 build/{package} 即可补上",
    ),
}


class State(NamedTuple):
    """One note of ours in one language. `details`: the fields or tags that differ, the deck, the cards."""

    note: str
    language: Language
    kind: Kind
    details: str = ""


@dataclass(frozen=True)
class Report:
    """All notes of the languages that the collection has; `absent`: languages of which it has none."""

    states: tuple[State, ...]
    absent: tuple[Language, ...]
    found: int  # notes of ours that are there

    @property
    def healthy(self) -> bool:
        """Whether nothing is to be done."""
        return all(state.kind in FINE for state in self.states)

    def of(self, kind: Kind, language: Language) -> list[State]:
        """The notes of one kind in one language."""
        return [one for one in self.states if one.kind == kind and one.language == language]

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        kinds = {kind: sum(one.kind == kind for one in self.states) for kind in KINDS}
        return {
            "schema": 1,
            "found": self.found,
            "absent": list(self.absent),
            "counts": {kind: count for kind, count in kinds.items() if count},
            "notes": [one._asdict() for one in self.states if one.kind != "current"],
        }


def examine(lock: Lock, released: Iterable[PackageNote], collection: Collection) -> Report:
    """What there is to say of every note of the lock. `released`: the notes of the last release, as far as known."""
    known = {note.guid: note for note in released}
    lines = sorted(lock.notes.values())
    there = {line.language for line in lines if line.guid in collection.notes}
    states = []
    for line in lines:
        if line.language in there:
            found = collection.notes.get(line.guid, ())
            states += _states(lock, line, known.get(line.guid), found)
    absent = sorted({line.language for line in lines if not line.retired} - there)
    return Report(tuple(states), tuple(absent), sum(line.guid in collection.notes for line in lines))


def _states(lock: Lock, line: NoteLine, released: PackageNote | None, found: Sequence[FoundNote]) -> list[State]:
    def say(kind: Kind, details: str = "") -> State:
        return State(line.note, line.language, kind, details)

    if not found:
        return [] if line.retired else [say("missing")]
    said = [say("twice", f"{len(found)}×")] if len(found) > 1 else []
    note = max(found, key=lambda one: sum(len(card.answers) for card in one.cards))
    kind = lock.note_types.get((line.type, line.language))
    other = _other_type(kind, note) if kind is not None else None
    if line.retired:
        emptied = kind is not None and _value(note, kind, "Retired")
        said.append(say("emptied" if emptied else "retired", line.retired))
        return [*said, say(*other)] if other and not emptied else said
    text = other or _text(line, released, note)
    said.append(say(*text))
    if other is None:
        lacking = set(line.cards) - {card.ordinal for card in note.cards}
        surplus = {card.ordinal for card in note.cards} - set(line.cards)
        # A note of an older release has the cards of that; an import adds those that it lacks.
        if text[0] != "older" and (lacking or surplus):
            parts = [("−" + _numbers(lacking)) if lacking else "", ("+" + _numbers(surplus)) if surplus else ""]
            said.append(say("cards", " ".join(filter(None, parts))))
    deck = lock.decks.get((line.deck, line.language))
    elsewhere = sorted({card.deck for card in note.cards} - {deck.name if deck else ""})
    if elsewhere:
        said.append(say("moved", ", ".join(elsewhere)))
    return said


def _numbers(cards: set[int]) -> str:
    return ",".join(str(card + 1) for card in sorted(cards))


def _other_type(kind: NoteTypeLine, note: FoundNote) -> tuple[Kind, str] | None:
    """What Anki sees of a note's type that is not ours, so that it updates the note no more; None where it is ours."""
    if note.type.id != kind.id:
        return "forked", note.type.name
    if same_parts(note.type.fields, kind.fields) and same_parts(note.type.templates, kind.templates):
        return None
    pairs = ((note.type.fields, kind.fields), (note.type.templates, kind.templates))
    own = [part.name for found, ours in pairs for part in found if not any(is_part(part, one) for one in ours)]
    return "own-field", ", ".join(own)


def _value(note: FoundNote, kind: NoteTypeLine, name: str) -> str:
    """A field by the name that it has with us, whatever it is called in the collection; empty where there is none."""
    (ours,) = [one for one in kind.fields if one[1] == name] or [(0, name)]
    parts = zip(note.type.fields, note.fields.values(), strict=False)
    return next((value for part, value in parts if is_part(part, ours)), "")


def _text(line: NoteLine, released: PackageNote | None, note: FoundNote) -> tuple[Kind, str]:
    """Whether the note's fields and tags are those of the release, and if not, why."""
    if content_hash(note.type.id, tuple(note.fields.values()), tuple(sorted(note.tags))) == line.hash:
        return "current", ""
    if note.mtime < line.mtime:
        return "older", ""
    if released is None or released.mtime != line.mtime:
        return "edited", ""  # the decks have changed since the release: what differs cannot be told
    names = [field.name for field in released.type.fields]
    values = zip(names, released.fields, note.fields.values(), strict=True)  # in order: a name may be the learner's
    differing = [name for name, ours, theirs in values if theirs != ours]
    if differing:
        return "edited", ", ".join(differing)
    return "tagged", " ".join(sorted(set(note.tags) ^ set(released.tags)))
