"""A note of the workspace as Anki stores it: fields, tags, and the cards it makes."""

from __future__ import annotations

import hashlib
import re
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.decks.cloze import hidden_hashes, ordinals
from llmdrills.decks.labels import LABELS, tolerance_text, topic_label
from llmdrills.decks.markdown import clean, guard, render, render_cloze, render_inline
from llmdrills.decks.media import Media
from llmdrills.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmdrills.content.model import Kata, Note, NoteType
    from llmdrills.decks.cache import RenderCache
    from llmdrills.decks.figures import Figure, Figures
    from llmdrills.decks.notetypes import NoteTypeSpec
    from llmdrills.language import Bilingual, Language

    Fill = Callable[[Note, str, str], str]  # note, text, its key ("front.en") → the text with [[name]] filled in

__all__ = ["ComposedNote", "Composer", "content_hash", "tombstone_fields"]

TAG_ROOT = "llmdrills"
RETIRED_TAG = f"{TAG_ROOT}::retired"


class ComposedNote(NamedTuple):
    """Fields in the order of the note type, HTML; tags sorted; cards by template (or cloze) ordinal, from 0."""

    id: str
    type: NoteType
    fields: tuple[str, ...]
    tags: tuple[str, ...]
    cards: tuple[int, ...]
    hash: str
    media: dict[str, bytes]  # what the figure needs
    hidden: tuple[str, ...] = ()  # of a cloze: a hash of what each card asks


def content_hash(model: int, fields: tuple[str, ...], tags: tuple[str, ...]) -> str:
    """What decides whether a note needs an update: 128 bits of SHA-256 over note type, fields and tags."""
    text = "\x1f".join((str(model), *fields)) + "\x1e" + " ".join(tags)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def tombstone_fields(spec: NoteTypeSpec, id: str, why: str) -> tuple[str, ...]:  # noqa: A002  # the word of the design
    """The fields of a retired note: its id and the reason. A cloze without deletions has no card to show."""
    texts = {spec.fields[0].name: escape(id), "NoteId": escape(id), "Retired": escape(why) or "retired"}
    return tuple(texts.get(known.name, "") for known in spec.fields)


def _tag(text: str) -> str:
    return re.sub(r"\s+", "-", clean(text).strip())


def _source(title: str) -> str:
    return guard(escape(clean(title), quote=False))


class Composer:
    """Composes the notes of one workspace in one language."""

    def __init__(
        self,
        *,
        katas: Sequence[Kata],
        language: Language,
        specs: dict[NoteType, NoteTypeSpec],
        figures: Figures,
        cache: RenderCache,
        fill: Fill,
        topics: Mapping[str, Bilingual] | None = None,
    ) -> None:
        self._language = language
        self._specs = specs
        self._figures = figures
        self._media = Media(figures.root)
        self._cache = cache
        self._fill = fill
        self._topics = topics or {}
        self._names = {kind: [known.name for known in spec.fields] for kind, spec in specs.items()}
        self._prefixes = {
            kind: "\x1f".join((str(spec.id), language, *self._names[kind])) for kind, spec in specs.items()
        }
        self._katas = {kata.id: kata.title[language] for kata in katas}

    def compose(self, note: Note) -> ComposedNote:
        """Render one note. Raises BuildError for a cloze without deletions, and for a figure that is not there."""
        texts, media = self._with_media(note, self._texts(note))
        figure = self._figure(note)
        # The key holds everything that decides the result, so an unchanged note needs one look-up only.
        own = self._topics.get(note.topic)
        topic = f"{note.topic} {own[self._language]}" if own else note.topic
        parts = [self._prefixes[note.type], note.id, topic, note.kata or "", self._katas.get(note.kata or "", "")]
        for source in note.sources:
            parts += (source.title, source.url)
        parts += (
            "\x1e",
            *note.tags,
            "\x1e",
            *note.proves,
            "\x1e",
            figure.html if figure else "",
            *texts,
            *texts.values(),
        )
        if note.answer is not None:
            parts.append(note.answer.tolerance)
        digest, cards, hidden, tags, *fields = self._cache.get(parts, lambda: self._make(note, texts, figure))
        places = (0,) if cards == "0" else tuple(map(int, cards.split()))
        media |= figure.media if figure else {}
        return ComposedNote(
            id=note.id,
            type=note.type,
            fields=tuple(fields),
            tags=tuple(tags.split()),
            cards=places,
            hash=digest,
            media=media,
            hidden=tuple(hidden.split()),
        )

    def _with_media(self, note: Note, texts: dict[str, str]) -> tuple[dict[str, str], dict[str, bytes]]:
        """The texts with the names that their pictures and sounds have in Anki, and these."""
        found: dict[str, bytes] = {}
        for name, text in texts.items() if any("![" in text for text in texts.values()) else ():
            try:
                texts = texts | {name: self._media.resolve(text)[0]}
                found |= self._media.resolve(text)[1]
            except BuildError as error:
                path = _key(name)
                found_at = note.positions.get(f"{path}.{self._language}") or note.positions.get(path)
                place = found_at or note.position
                raise BuildError(f"{place.file}:{place.line}:{place.column}: {error.what}", error.todo) from None
        return texts, found

    def _figure(self, note: Note) -> Figure | None:
        if not note.figure:
            return None
        try:
            return self._figures.get(note.figure, self._language)
        except BuildError as error:
            place = note.positions.get("figure", note.position)
            raise BuildError(f"{place.file}:{place.line}:{place.column}: {error.what}", error.todo) from None

    def _make(self, note: Note, texts: dict[str, str], figure: Figure | None) -> list[str]:
        """The content hash, the cards, the tags, and the fields."""
        spec = self._specs[note.type]
        shown = self._render(texts) | self._plain(note)
        if figure:
            shown["Figure"] = figure.html
        fields = tuple([shown.get(name, "") for name in self._names[note.type]])
        cards, tags = " ".join(map(str, self._cards(note, texts))), self._tags(note)
        hidden = " ".join(hidden_hashes(texts["Text"])) if note.type == "cloze" else ""
        return [content_hash(spec.id, fields, tags), cards, hidden, " ".join(tags), *fields]

    def _texts(self, note: Note) -> dict[str, str]:
        """The Markdown texts of a note by field; the items of a checklist as Item1, Item2 and so on."""
        language = self._language
        texts = {"Text" if note.type == "cloze" else "Front": note.front[language]}
        if note.back is not None:
            texts["Back"] = note.back[language]
        if note.extra is not None:
            texts["Extra"] = note.extra[language]
        for number, item in enumerate(note.items, 1):
            texts[f"Item{number}"] = item[language]
        if note.answer is not None:
            texts["Unit"] = note.answer.unit[language]
            texts["Answer"] = note.answer.value
        if not note.shows_values:
            return texts
        return {name: self._fill(note, text, f"{_key(name)}.{language}") for name, text in texts.items()}

    def _render(self, texts: dict[str, str]) -> dict[str, str]:
        shown: dict[str, str] = {}
        items: list[str] = []
        for name, text in texts.items():
            if name.startswith("Item"):
                items.append(render_inline(text))
            elif name == "Unit":
                shown[name] = render_inline(text)
            elif name == "Answer":  # typed by the learner: compared as text
                shown[name] = escape(clean(text), quote=False)
            else:
                shown[name] = render_cloze(text) if name == "Text" else render(text)
        if items:
            shown["Items"] = "<ol>" + "".join(f"<li>{item}</li>" for item in items) + "</ol>"
            shown["Steps"] = "".join(self._step(number, item) for number, item in enumerate(items, 1))
        return shown

    def _step(self, number: int, item: str) -> str:
        summary = LABELS["item"][self._language].format(n=number)
        return f"<details><summary>{summary}</summary><div>{item}</div></details>"

    def _plain(self, note: Note) -> dict[str, str]:
        """The fields that hold no Markdown."""
        language = self._language
        topic = topic_label(note.topic, self._topics.get(note.topic))
        shown = {"Topic": escape(topic[language]), "NoteId": escape(note.id)}
        if note.kata:
            title = self._katas.get(note.kata, "")
            shown["Kata"] = f"{escape(title)} <code>{escape(note.kata)}</code>".strip()
        if note.answer is not None:
            shown["Tolerance"] = escape(tolerance_text(note.answer.tolerance)[language], quote=False)
        shown["Sources"] = "; ".join(
            f'<a href="{escape(source.url)}">{_source(source.title)}</a>' if source.url else _source(source.title)
            for source in note.sources
        )
        return shown

    def _tags(self, note: Note) -> tuple[str, ...]:
        tags = {f"{TAG_ROOT}::topic::{note.topic}", f"{TAG_ROOT}::type::{note.type}"}
        if note.kata:
            tags.add(f"{TAG_ROOT}::kata::{note.kata}")
        tags.update(f"{TAG_ROOT}::proves::{item}" for item in note.proves)
        tags.update(_tag(tag) for tag in note.tags if tag.strip())
        return tuple(sorted(tags))

    def _cards(self, note: Note, texts: dict[str, str]) -> tuple[int, ...]:
        if note.type != "cloze":
            return (0,)
        cards = ordinals(texts["Text"])
        if not cards:
            place = note.positions.get(f"front.{self._language}", note.position)
            raise BuildError(
                f"{place.file}:{place.line}:{place.column}: the cloze {note.id!r} hides nothing in {self._language!r}",
                "write {{c1::…}} around what is to be recalled",
            )
        return cards


def _key(name: str) -> str:
    """Where the text of a field stands in the note's YAML."""
    if name.startswith("Item"):
        return f"items.{int(name[4:]) - 1}"
    return {"Text": "front", "Front": "front", "Unit": "answer.unit", "Answer": "answer.value"}.get(name, name.lower())
