"""decks/NAME.yaml: its keys, and how one file becomes a Deck."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast, get_args

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from llmdrills.content import cloze
from llmdrills.content.familyfile import FAMILY, PLACEHOLDER, TOLERANCE, check_family, read_family
from llmdrills.content.model import Deck, Note, NoteType, NumberAnswer, Source
from llmdrills.content.places import Places
from llmdrills.content.remarks import is_doubtful
from llmdrills.content.shapes import Both, Choice, Key, Many, Reader, Record, Table, Text, Topic, Word, kind_of, slug
from llmdrills.content.workspacefile import WorkspaceFile
from llmdrills.content.yamlfile import compose_text, read_text
from llmdrills.language import LANGUAGE_TAG, LANGUAGES, Bilingual, Language

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.report import Report
    from llmdrills.content.shapes import Schema

__all__ = ["DECK", "DERIVED_PREFIX", "MOST_CORE", "NOTE", "SOURCES", "DeckDraft", "Reference", "Sources", "read_deck"]

DERIVED_PREFIX = "bug-"
"""Ids that begin with this belong to the notes derived from drills/."""

MOST_CORE = 3
"""Katas that may be asked for to show an item of the checklist."""

_WRITTEN = tuple(kind for kind in get_args(NoteType) if kind != "bug")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


@dataclass(frozen=True)
class Sources:
    """`{title, url}`, or a bare title."""

    record: Record = field(
        default_factory=lambda: Record(
            "a source",
            {
                "title": Key(Text(shown=True), "author, year, title, and the section", needed=True),
                "url": Key(Word(r"https?://[^\s\"<>]+", "an address that begins with https://"), "where to read it"),
            },
        )
    )

    def read(self, reader: Reader, node: Node, path: str) -> Source | None:
        """See Shape."""
        if isinstance(node, ScalarNode):
            title = Text(shown=True).read(reader, node, path)
            return None if title is None else Source(title)
        values = self.record.read(reader, node, path)
        return None if values is None else Source(values.get("title") or "", values.get("url") or "")

    def schema(self) -> Schema:
        """See Shape."""
        return {"anyOf": [Text().schema(), self.record.schema()]}


SOURCES = Many(Sources(), at_least=1, what="source")

_NUMBER = r"[+-]?(\d[\d,_]*)?\.?\d+([eE][+-]?\d+)?"
_ANSWER = Record(
    "an answer",
    {
        "value": Key(
            Word(
                rf"{_NUMBER}|\[\[[^\W\d]\w*(:[^\[\]]*)?\]\]",
                "a number, or `[[name]]` of a value of the proof",
                numbers=True,
            ),
            "the number, or [[name]] of a value that the proof computes",
            needed=True,
        ),
        "unit": Key(Both(plain=True), "the unit, in both languages or one text for both"),
        "tolerance": Key(TOLERANCE, "how far from the answer is still right"),
    },
)

NOTE = Record(
    "a note",
    {
        "id": Key(slug(), "the note's identity for ever: never reuse, never rename", needed=True),
        "type": Key(
            Choice(_WRITTEN, {"bug": "bug notes come from `fix=` in drills/KATA/cases.py: write it there"}),
            "which kind of card",
            needed=True,
        ),
        "topic": Key(Topic(), "what it belongs to", needed=True),
        "front": Key(Both(), "the question; for a cloze the whole text with its {{c1::…}}", needed=True),
        "back": Key(Both(), "the answer", needed_by=("question",)),
        "items": Key(
            Many(Both(), at_least=2, what="item"),
            "the items, revealed one by one",
            only=("checklist",),
            needed_by=("checklist",),
        ),
        "answer": Key(_ANSWER, "the number to type", only=("number",), needed_by=("number",)),
        "family": Key(FAMILY, "ranges that `llmdrills ask` draws fresh numbers from", only=("number",)),
        "extra": Key(Both(), "shown small beneath the answer"),
        "sources": Key(SOURCES, "where the fact can be looked up; the linter reports a note without one"),
        "proves": Key(Many(slug()), "notes of the deck `readiness` that this is evidence for"),
        "kata": Key(slug(), "the kata that exercises the fact"),
        "core": Key(
            Many(slug(), at_least=1, what="kata"),
            "in the deck `readiness`: the katas, three at most, that show this item",
            only=("checklist",),
        ),
        "tags": Key(Many(Word(r"[^\s\"]+", "one word without spaces")), "extra Anki tags"),
        "figure": Key(slug(), "the name of a figure in decks/figures"),
        "proof": Key(Text(), "Python that must run without an error"),
        "values": Key(Many(Word(r"[^\W\d]\w*", "a Python name")), "names that the proof leaves behind"),
        "waive": Key(Table(slug(), Text(), at_least=1), "rule: why it does not hold here"),
        "translation_of": Key(
            Word(r"[0-9a-f]{12}", "the 12 hex digits that the lint shows"), "the English that the Chinese follows"
        ),
        "retired": Key(Text(), "kept in the lock", instead="take the note out with `llmdrills retire ID --why …`"),
    },
    kind="type",
)

_LANGUAGES = Many(
    Word(LANGUAGE_TAG.pattern, "the tag of a language, such as en, zh or pt-BR"), at_least=1, what="language"
)

DECK = Record(
    "a deck",
    {
        "deck": Key(slug(), "the deck's id: the file's name without .yaml", needed=True),
        "title": Key(Both(), "its name in Anki", needed=True),
        "description": Key(Both(), "what it is about"),
        "languages": Key(
            _LANGUAGES, "the languages that the whole file is written in; those of the workspace unless said"
        ),
        "waive": Key(Table(slug(), Text(), at_least=1), "rule: why it does not hold for this deck"),
        "notes": Key(Many(NOTE), "the notes, in the order in which they are met", needed=True),
    },
)
_HEAD = Record(DECK.name, {name: key for name, key in DECK.keys.items() if name != "notes"})


_NO_FILE = WorkspaceFile()


@dataclass(frozen=True)
class Reference:
    """A word of a file that must be the id of something elsewhere."""

    kind: str
    id: str
    position: tuple[Path, int, int]


@dataclass
class DeckDraft:
    """A deck file as read, its references not yet looked up; `deck` is None where the file has problems."""

    file: Path
    deck: Deck | None = None
    ids: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    languages: tuple[Language, ...] = LANGUAGES


def read_deck(path: Path, report: Report, about: WorkspaceFile = _NO_FILE) -> DeckDraft:
    """Read one file of decks/ of the workspace that `about` is said of; problems go to `report`."""
    draft = DeckDraft(path)
    before = len(report.problems)
    text = read_text(path, report)
    node = None if text is None else compose_text(text, path, report)
    if text is None or node is None:
        return draft
    reader = Reader(path, report)
    reader.text, reader.doubtful, reader.shows_values = text, is_doubtful(text), "[[" in text or "answer" in text
    head, listed = _split(node)
    if listed is None or not isinstance(head, MappingNode):
        DECK.read(reader, node, "")
        return draft
    reader.languages = draft.languages = _languages(head, about.languages)
    reader.topics = about.all_topics
    values = _HEAD.read(reader, head, "") or {}
    places, remarks = reader.places, tuple(reader.remarks)
    if values.get("deck") and values["deck"] != path.stem:
        line, column = reader.places["deck"]
        report.add(
            path, line, column, f"deck is `{values['deck']}` in a file named {path.name}", f"write `deck: {path.stem}`"
        )
    notes = _read_notes(reader, listed, draft)
    if len(report.problems) == before:
        draft.deck = Deck(
            id=values["deck"],
            title=values["title"],
            description=values.get("description") or Bilingual("", ""),
            notes=tuple(notes),
            position=reader.position(node),
            languages=reader.languages,
            waive=values.get("waive") or {},
            remarks=remarks,
            positions=Places(reader.shown, places),
        )
    return draft


def _split(node: Node) -> tuple[Node, Node | None]:
    """The file without its notes, and its notes: they are read one by one, after the head says in which languages."""
    if not isinstance(node, MappingNode):
        return node, None
    listed = [pair for pair in node.value if pair[0].value == "notes"]
    rest = [pair for pair in node.value if pair not in listed[:1]]
    head = MappingNode(node.tag, rest, node.start_mark, node.end_mark)
    return head, listed[0][1] if listed else None


def _languages(head: MappingNode, otherwise: tuple[Language, ...]) -> tuple[Language, ...]:
    for key, value in head.value:
        if key.value == "languages" and isinstance(value, SequenceNode):
            named = [item.value for item in value.value if isinstance(item, ScalarNode)]
            known = [name for name in LANGUAGES if name in named]
            more = [name for name in dict.fromkeys(named) if name not in LANGUAGES and LANGUAGE_TAG.fullmatch(name)]
            return cast("tuple[Language, ...]", (*known, *more)) or otherwise
    return otherwise


def _read_notes(reader: Reader, node: Node, draft: DeckDraft) -> list[Note]:
    if not isinstance(node, SequenceNode):
        reader.wrong(node, f"notes is {kind_of(node)}, not a list", "write one `- id: …` a note")
        return []
    if reader.again(node, "notes"):
        return []
    if not node.value:
        reader.wrong(node, "notes is empty", "write at least one note, or delete the file")
    return [note for item in node.value if (note := _read_note(reader, item, draft)) is not None]


def _read_note(reader: Reader, node: Node, draft: DeckDraft) -> Note | None:
    problems = reader.report.problems
    before = len(problems)
    places = reader.places = {}
    reader.remarks = []
    values = NOTE.read(reader, node, "")
    if values is None:
        return None
    if name := values.get("id"):
        draft.ids.append((name, places["id"]))
        if name.startswith(DERIVED_PREFIX):
            reader.report.add(
                reader.file,
                *places["id"],
                f"the id `{name}` begins with `{DERIVED_PREFIX}`",
                "choose another: these belong to the notes derived from drills/",
            )
    _refer(reader, values, draft)
    if len(problems) > before:
        return None
    languages = reader.languages
    note = _make(reader, node, values, Places(reader.shown, places))
    if note is None:
        return None
    _check_values(reader, note, languages)
    check_family(reader, note, languages)
    if note.type == "cloze":
        for language in languages:
            for fault in cloze.faults(note.front[language]):
                reader.report.add(
                    reader.file, *_at(places, f"front.{language}"), fault.what, fault.todo, rule="unbalanced-cloze"
                )
    return note


def _at(places: dict[str, tuple[int, int]], path: str) -> tuple[int, int]:
    """The position of a text; in a deck with one language the text may stand without a language key."""
    return places.get(path) or places.get(path.rpartition(".")[0]) or places["id"]


def _make(reader: Reader, node: Node, values: dict[str, Any], places: Places) -> Note | None:
    """The note of those values, for the rest of which the defaults of the class speak; None for a wrong family."""
    if values.get("family") is not None:
        values["family"] = read_family(reader, values)
        if values["family"] is None:
            return None
    answer, stale = values.pop("answer", None), values.pop("translation_of", None)
    values.update(
        position=reader.position(node),
        waive=values.get("waive") or {},
        translation={"of": stale} if stale else {},
        positions=places,
    )
    if answer:
        unit = answer.get("unit") or Bilingual("", "")
        values["answer"] = NumberAnswer(answer["value"], unit, answer.get("tolerance", "exact"))
    if reader.remarks:
        values["remarks"] = tuple(reader.remarks)
    return Note.of(values)


def _refer(reader: Reader, values: dict[str, Any], draft: DeckDraft) -> None:
    for key in ("kata", "figure"):
        if word := values.get(key):
            draft.references.append(Reference(key, word, (reader.file, *reader.places[key])))
    for key, kind in (("proves", "proves"), ("core", "kata")):
        for i, word in enumerate(values.get(key) or ()):
            if word:
                draft.references.append(Reference(kind, word, (reader.file, *reader.places[f"{key}.{i}"])))
    if len(values.get("core") or ()) > MOST_CORE:
        what = f"`core` names {len(values['core'])} katas"
        reader.report.add(
            reader.file, *reader.places[f"core.{MOST_CORE}"], what, f"name the {MOST_CORE} that matter most"
        )


def _check_values(reader: Reader, note: Note, languages: tuple[Language, ...]) -> None:
    """`[[name]]` must be among `values`, which only a proof can leave behind."""
    add, file = reader.report.add, reader.file
    at = reader.places
    if note.values and not note.proof:
        add(
            file,
            *at["values"],
            "`values` without a `proof`",
            "add the Python that computes them, or leave `values` out",
        )
    if not note.values and not (reader.shows_values and _may_show_values(note)):
        return
    known = {*note.values, *(note.family.names if note.family else ())}
    elsewhere = ("front.", "back.") if note.family and not note.family.front else ()  # `check_family` tells of these
    used: set[str] = set()
    for path, text in texts_of(note, languages):
        if "[[" not in text:
            continue
        for name, _ in PLACEHOLDER.findall(text if note.shows_values else _CODE.sub("", text)):
            used.add(name)
            if name not in known and not path.startswith(elsewhere):
                add(
                    file,
                    *_at(at, path),
                    f"`[[{name}]]` in {path} is not among the note's values",
                    "add it to `values:`, or write it in backquotes if it is code",
                )
    for i, name in enumerate(note.values):
        if name not in used:
            add(
                file,
                *at[f"values.{i}"],
                f"the value `{name}` is not shown anywhere",
                f"write `[[{name}]]` in a text, or drop it",
            )


def _may_show_values(note: Note) -> bool:
    """Whether the text may hold a placeholder: a cheap test that rules out nearly every note."""
    texts = [note.front, *note.items, *filter(None, (note.back, note.extra))]
    return note.answer is not None or any("[[" in f"{both.en}{both.zh}{both.more}" for both in texts)


def texts_of(note: Note, languages: tuple[Language, ...] = LANGUAGES) -> list[tuple[str, str]]:
    """Every text of a note that a card shows, by its key path ("items.2.zh")."""
    found: list[tuple[str, Bilingual | None]] = [("front", note.front), ("back", note.back), ("extra", note.extra)]
    found += [(f"items.{i}", item) for i, item in enumerate(note.items)]
    texts = [(f"{path}.{name}", both[name]) for path, both in found if both for name in languages]
    return [*texts, ("answer.value", note.answer.value)] if note.answer else texts
