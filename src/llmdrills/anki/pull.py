"""The learner's own edits of our notes in Anki, as changes of the deck files that render to the same cards.

Every field that differs from the last release is looked at alone. A text that can be merged becomes a change of one
YAML scalar; anything else is shown as a difference, with what stands in the way. Nothing is written here: `Pull.files`
holds what the files would become.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.anki.foundtypes import same_parts
from llmdrills.anki.merging import Merged, merge
from llmdrills.anki.ours import Ours
from llmdrills.anki.yamltext import CannotWriteError, find, put
from llmdrills.content import cloze
from llmdrills.content.computed import Computed, fill, load_computed
from llmdrills.decks.compose import content_hash
from llmdrills.decks.markdown import render, render_cloze, render_inline
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llmdrills.anki.reading import Collection, FoundNote
    from llmdrills.content.model import Deck, Note, Workspace
    from llmdrills.decks.lock import Lock, NoteLine
    from llmdrills.decks.package import PackageNote
    from llmdrills.language import Language

__all__ = ["Change", "Difference", "Pull", "pull"]

_TEXTS = {"Front": "front", "Text": "front", "Back": "back", "Extra": "extra"}
_LI = re.compile(r"<(/?)li\b[^>]*>", re.IGNORECASE)
_AUTOMATIC = frozenset({"leech", "marked"})  # tags that Anki sets itself

_DERIVED = Bilingual(
    "this note is made from a slip of drills/: edit it there", "这条笔记由 drills/ 中的常见错误生成：请在那里修改"
)
_MADE = Bilingual("this field is made from other parts of the note", "该字段由笔记的其他部分生成")
_CHANGED = Bilingual(
    "the deck changed since the release: what was edited in Anki cannot be told from that",
    "牌组文件在发布后又改过：无法分辨哪些是在 Anki 中的修改",
)
_NO_TEXT = Bilingual("the note has no such text: add it by hand", "笔记原本没有这段文字：请手动添加")
_ITEMS = Bilingual("an item was added or taken out: do that in the file", "增删了条目：请在文件中修改")
_SHARED = Bilingual("one text stands for both languages", "两种语言共用同一段文字")
_NO_WAY = Bilingual("no Markdown renders to it", "没有能渲染成这样的 Markdown")
_MARKUP = Bilingual("no Markdown renders to it: {what}", "没有能渲染成这样的 Markdown：{what}")
_CLOZE = Bilingual("its deletions would not pass `check`: {what}", "挖空无法通过 `check`：{what}")
_NUMBER = Bilingual("the answer would not be a number", "答案将不再是数字")
_YAML = Bilingual("it cannot be written in its place ({what})", "无法写回原处（{what}）")
_TAGS = Bilingual("tags are written in the file: `tags:`", "标签请写在文件的 `tags:` 中")
_TYPE = Bilingual(
    "its note type was changed: `llmdrills anki doctor` says more", "笔记模板已改变：详见 `llmdrills anki doctor`"
)


class Change(NamedTuple):
    """A text that is taken over. `place`: file and line; `plainer`: colours stay behind."""

    note: str
    language: Language
    field: str
    place: str
    before: str
    after: str
    plainer: bool


class Difference(NamedTuple):
    """An edit that is not taken over, with the field's HTML before and after, and why."""

    note: str
    language: Language
    field: str
    place: str
    before: str
    after: str
    why: Bilingual


@dataclass
class Pull:
    """What was edited in Anki. `files`: each file that changes (relative to the workspace), before and after."""

    changes: list[Change] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    files: dict[Path, tuple[str, str]] = field(default_factory=dict)
    renewed: set[Ours] = field(default_factory=set)  # notes that the decks say otherwise than the release

    @property
    def at_stake(self) -> list[Ours]:
        """Notes with edits that do not come back, and that the next release replaces as a whole."""
        taken = {Ours(one.note, one.language) for one in self.changes}
        return sorted((taken | self.renewed) & {Ours(one.note, one.language) for one in self.differences})


def pull(
    workspace: Workspace,
    lock: Lock,
    released: Iterable[PackageNote],
    collection: Collection,
    ours: Mapping[str, Ours],
) -> Pull:
    """Everything that was edited after the last release. `released`: the notes as the decks say them now.

    Raises ContentError when decks/computed.json cannot be read.
    """
    puller = _Puller(workspace, load_computed(workspace.root))
    for note in released:
        found = collection.notes.get(note.guid, ())
        name = ours[note.guid]
        line = lock.notes.get((name.note, name.language))
        if found and line is not None and _is_edited(found[0], line):
            puller.note(note, found[0], name, changed=line.mtime != note.mtime)
    return puller.pull


def _is_edited(found: FoundNote, line: NoteLine) -> bool:
    """Whether a note is not what was last released. One edited in the second of its release has the release's time."""
    fields, tags = tuple(found.fields.values()), tuple(sorted(found.tags))
    return found.mtime >= line.mtime and content_hash(found.type.id, fields, tags) != line.hash


class _Puller:
    def __init__(self, workspace: Workspace, computed: Computed) -> None:
        self.pull = Pull()
        self._root = workspace.root
        self._computed = computed
        self._notes: dict[str, tuple[Deck, Note]] = {
            note.id: (deck, note) for deck in workspace.decks for note in deck.notes
        }

    def note(self, released: PackageNote, found: FoundNote, name: Ours, *, changed: bool) -> None:
        parts = [(one.id, one.name) for one in released.type.fields]
        if found.type.id != released.type.id or not same_parts(found.type.fields, parts):
            self._show(name, "", "", found.type.name, _TYPE)
            return
        # In order, not by name: the learner may have renamed a field.
        if changed:
            self.pull.renewed.add(name)
        for (_, key), old, new in zip(parts, released.fields, found.fields.values(), strict=True):
            if new != old:
                self._field(name, key, old, new, changed=changed)
        own = {tag for tag in found.tags if tag not in released.tags} - _AUTOMATIC
        if own:
            self._show(name, "Tags", " ".join(released.tags), " ".join(sorted(own)), _CHANGED if changed else _TAGS)

    def _show(self, name: Ours, key: str, old: str, new: str, why: Bilingual) -> None:
        known = self._notes.get(name.note)
        place = f"{known[1].position.file}:{known[1].position.line}" if known else ""
        self.pull.differences.append(
            Difference(note=name.note, language=name.language, field=key, place=place, before=old, after=new, why=why)
        )

    def _field(self, name: Ours, key: str, old: str, new: str, *, changed: bool) -> None:
        known = self._notes.get(name.note)
        if known is None or changed:
            self._show(name, key, old, new, _CHANGED if known else _DERIVED)
        elif key in _TEXTS:
            self._text(name, key, (_TEXTS[key],), (old, new))
        elif key == "Unit":
            self._text(name, key, ("answer", "unit"), (old, new))
        elif key == "Answer":
            self._answer(name, old, new)
        elif key == "Items":
            before, after = _items(old), _items(new)
            if len(before) != len(after):
                self._show(name, key, old, new, _ITEMS)
                return
            for number, pair in enumerate(zip(before, after, strict=True)):
                if pair[0] != pair[1]:
                    self._text(name, key, ("items", str(number)), pair)
        else:
            self._show(name, key, old, new, _MADE)

    def _text(self, name: Ours, key: str, path: tuple[str, ...], html: tuple[str, str]) -> None:
        deck, note = self._notes[name.note]
        text = self._file(note)[1]
        shared = find(text, note.id, path) is not None
        scalar = find(text, note.id, (*path, name.language))
        if scalar is None or (shared and len(deck.languages) > 1):
            self._show(name, key, *html, _SHARED if scalar is not None else _NO_TEXT)
            return
        merged = merge(scalar.value, *html, self._render(note, key))
        if merged.text is None:
            self._show(name, key, *html, _MARKUP.format(what=merged.why) if merged.why else _NO_WAY)
            return
        if note.type == "cloze" and key == "Text" and (faults := cloze.faults(merged.text)):
            self._show(name, key, *html, _CLOZE.format(what=faults[0].what))
            return
        self._take(name, key, (*path, name.language), scalar.value, merged)

    def _answer(self, name: Ours, old: str, new: str) -> None:
        note = self._notes[name.note][1]
        value = unescape(new).strip()
        before = note.answer.value if note.answer else ""
        if (
            "[[" in before
            or escape(value, quote=False) != new.strip()
            or not re.fullmatch(r"[+-]?[\d_,.]+(e[+-]?\d+)?", value)
        ):
            self._show(name, "Answer", old, new, _NUMBER)
            return
        self._take(name, "Answer", ("answer", "value"), before, Merged(value))

    def _take(self, name: Ours, key: str, path: tuple[str, ...], before: str, merged: Merged) -> None:
        note = self._notes[name.note][1]
        file = Path(note.position.file)
        original, text = self._file(note)
        after = merged.text or ""
        place = note.positions.get(".".join(path), note.position)
        if after != before:
            try:
                self.pull.files[file] = (original, put(text, note.id, path, after))
            except CannotWriteError as error:
                self._show(name, key, before, after, _YAML.format(what=error))
                return
            self.pull.changes.append(
                Change(
                    note=name.note,
                    language=name.language,
                    field=key,
                    place=f"{file}:{place.line}",
                    before=before,
                    after=after,
                    plainer=merged.plainer,
                )
            )

    def _file(self, note: Note) -> tuple[str, str]:
        """The text of the note's file, as it was and as it would be by now."""
        file = Path(note.position.file)
        if file not in self.pull.files:
            text = (self._root / file).read_bytes().decode("utf-8")
            return text, text
        return self.pull.files[file]

    def _render(self, note: Note, key: str) -> Callable[[str], str]:
        shown = render_cloze if key == "Text" else render_inline if key in {"Items", "Unit"} else render
        if not note.shows_values:
            return shown
        values = self._computed.values(note)
        return lambda text: shown(fill(text, values)[0])


def _items(html: str) -> list[str]:
    """The HTML of the items of the outermost list."""
    found, depth, start = [], 0, 0
    for tag in _LI.finditer(html):
        if tag[1]:
            depth -= 1
            if depth == 0:
                found.append(html[start : tag.start()])
        else:
            if depth == 0:
                start = tag.end()
            depth += 1
    return found
