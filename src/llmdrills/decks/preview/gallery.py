"""Every card of a workspace, composed as `build` composes it and rendered as Anki renders it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from typing import TYPE_CHECKING

from llmdrills.content import load_workspace
from llmdrills.content.computed import load_computed
from llmdrills.decks.build import all_decks, languages_of, look_of
from llmdrills.decks.cache import RenderCache
from llmdrills.decks.compose import ComposedNote, Composer
from llmdrills.decks.figures import Figures
from llmdrills.decks.markdown import renderer
from llmdrills.decks.notetypes import NoteTypeSpec, note_types
from llmdrills.decks.preview.template import CardTemplate, render
from llmdrills.decks.values import Values
from llmdrills.errors import LLMDrillsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmdrills.content.model import Deck, Workspace
    from llmdrills.language import Language

__all__ = ["Gallery", "PreviewCard", "cards_of", "load_gallery"]


_SOUND = re.compile(r"\[sound:([\w.-]+)\]")
_PLAYER = r'<audio controls src="\1"></audio>'


@dataclass(frozen=True)
class PreviewCard:
    """One card: both sides as HTML. `number` is the cloze asked, from 1; 1 for other types."""

    note: str
    deck: str
    type: str
    language: Language
    number: int
    question: str
    answer: str
    css: str

    @property
    def title(self) -> str:
        """The beginning of the question's text."""
        body = re.sub(r"(?s)<(style|script).*?</\1>", "", self.question)
        prompt = body.partition('class="prompt">')[2] or body
        text = unescape(re.sub(r"<[^>]+>", " ", prompt))
        return " ".join(text.split())[:120]


@dataclass(frozen=True)
class Gallery:
    """The cards of both languages, their media, and what is wrong with the workspace, if anything."""

    cards: tuple[PreviewCard, ...]
    media: dict[str, bytes]
    problems: tuple[str, ...] = ()

    def find(self, language: str, note: str, number: str) -> PreviewCard | None:
        """The card of a note, if there is one."""
        return self._index.get((language, note, number))

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], PreviewCard]:
        return {(card.language, card.note, str(card.number)): card for card in self.cards}


def load_gallery(
    root: Path, cache_dir: Path | None = None, before: Gallery | None = None, *, told: Language = "en"
) -> Gallery:
    """Load the workspace and render every card. `told`: the language of what is wrong.

    A workspace with problems gives the cards of `before` (or none) with the problems beside them: an author in the
    middle of an edit sees what is wrong without losing the page.
    """
    try:
        return _render(load_workspace(root), cache_dir)
    except LLMDrillsError as error:
        return Gallery(
            before.cards if before else (), before.media if before else {}, tuple(error.told(told).splitlines())
        )


def cards_of(workspace: Workspace, cache_dir: Path | None, language: Language, kata: str) -> Gallery:
    """The cards in one language of the notes that belong to a kata. Raises ContentError, and BuildError."""
    return _render(workspace, cache_dir, language, kata)


def _render(
    workspace: Workspace, cache_dir: Path | None, only: Language | None = None, kata: str | None = None
) -> Gallery:
    """Every card, or those in one language, or of one kata."""
    computed = load_computed(workspace.root)
    decks = all_decks(workspace, computed)
    cache, figures, values = RenderCache(cache_dir, renderer()), Figures(workspace.root), Values(computed)
    cards: list[PreviewCard] = []
    media: dict[str, bytes] = {}
    for language in languages_of(workspace):
        if only is not None and language != only:
            continue
        specs = note_types(language, look_of(workspace, language, None))
        composer = Composer(
            katas=workspace.katas,
            language=language,
            specs=specs,
            figures=figures,
            cache=cache,
            fill=values,
            topics=workspace.about.topics,
        )
        for deck in decks:
            if language not in deck.languages:
                continue
            for note in deck.notes:
                if kata is not None and note.kata != kata:
                    continue
                composed = composer.compose(note)
                media |= composed.media
                cards += _cards(composed, specs[note.type], deck, language)
    values.raise_if_any()
    cache.save()
    return Gallery(tuple(cards), media)


def _cards(note: ComposedNote, spec: NoteTypeSpec, deck: Deck, language: Language) -> Iterator[PreviewCard]:
    fields = {known.name: value for known, value in zip(spec.fields, note.fields, strict=True)}
    for ordinal in note.cards:
        template = spec.templates[0 if spec.cloze else ordinal]
        number = ordinal + 1
        question, answer = render(
            CardTemplate(template.name, template.front, template.back, spec.cloze), fields, number if spec.cloze else 0
        )
        yield PreviewCard(
            note=note.id,
            deck=deck.title[language],
            type=note.type,
            language=language,
            number=number,
            question=_SOUND.sub(_PLAYER, question),
            answer=_SOUND.sub(_PLAYER, answer),
            css=spec.css,
        )
