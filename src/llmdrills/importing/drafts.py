"""From what a file holds to the notes of a deck: Markdown that is proved, ids, tags, sources; and what is left out."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmdrills.content.deckfile import DERIVED_PREFIX
from llmdrills.decks.markdown import shown_text
from llmdrills.decks.media import references
from llmdrills.importing.dialect import translate
from llmdrills.importing.found import CannotTakeError, Found, Remark, short, why_not
from llmdrills.importing.proving import prove, shown
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.importing.found import File
    from llmdrills.importing.media import MediaBox

__all__ = ["Draft", "Drafts", "drafted"]

_LONGEST_ID = 48
_MOST_WORDS = 8
_OUR_TAGS = "llmdrills::"

_SAME = Bilingual("it says the same as {place}", "与{place}内容相同")
_ALIKE = Bilingual("{place} has the same front, and another back", "{place}的正面相同而背面不同")
_TAGS = Bilingual("tags that mean something else here stay behind: {tags}", "未保留在这里另有含义的标签：{tags}")
_FROM_DECK = "{file}, deck {deck}"


@dataclass
class Draft:
    """A note of the new deck. `front`, `back` and `extra` are Markdown; `waive` is filled once `check` was asked."""

    id: str
    kind: str
    place: Bilingual
    front: str
    back: str = ""
    extra: str = ""
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    lost: tuple[Bilingual, ...] = ()  # what of it is left behind, or changed
    waive: dict[str, str] = field(default_factory=dict)

    @property
    def texts(self) -> tuple[str, ...]:
        """What it shows."""
        return tuple(text for text in (self.front, self.back, self.extra) if text)

    @property
    def media(self) -> set[str]:
        """The files of decks/media that it shows."""
        return {one[2] for text in self.texts for one in references(text)}

    @property
    def name(self) -> str:
        """The beginning of its front, to be recognised by."""
        return short(shown(self.front))


@dataclass
class Drafts:
    """The notes that can be taken, and what is to be said of the others."""

    notes: list[Draft] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)


def drafted(given: File, media: MediaBox, *, deck: str, file: str, taken_ids: Iterable[str]) -> Drafts:
    """The notes of a file as notes of the deck of that id. `taken_ids`: ids that others have."""
    drafts = Drafts(refused=list(given.refused))
    ids = set(taken_ids)
    known: dict[tuple[str, str], Draft] = {}
    fronts: dict[str, Draft] = {}
    for found in given.notes:
        try:
            draft = _draft(found, media, file)
        except CannotTakeError as error:
            drafts.refused.append(Remark(found.place, short(found.front), error.why))
            continue
        same = known.setdefault((draft.front, draft.back), draft)
        if same is not draft:
            drafts.refused.append(Remark(found.place, draft.name, _SAME.format(place=same.place)))
            continue
        alike = fronts.setdefault(draft.front, draft)
        if alike is not draft:
            draft.lost = (*draft.lost, _ALIKE.format(place=alike.place))
        draft.id = _id(draft, deck, ids)
        ids.add(draft.id)
        drafts.notes.append(draft)
    return drafts


def _draft(found: Found, media: MediaBox, file: str) -> Draft:
    make = translate if found.markdown else prove
    cloze = found.kind == "cloze"
    front = make(found.front, media, deletions=cloze)
    back, extra = make(found.back, media), make(found.extra, media)
    for proved, english, chinese in ((front, "front", "正面"), (back, "back", "背面")):
        if _is_empty(proved.text) and (english == "front" or not cloze):
            raise why_not(f"its {english} is empty", f"{chinese}为空")
    tags = tuple(dict.fromkeys(tag.replace('"', "") for tag in found.tags))
    ours = tuple(tag for tag in tags if tag.lower().startswith(_OUR_TAGS) or tag.lower() == "leech")
    lost = (*found.lost, *front.lost, *back.lost, *extra.lost)
    if ours:
        lost = (*lost, _TAGS.format(tags=" ".join(ours)))
    source = _FROM_DECK.format(file=file, deck=found.deck) if found.deck else file
    return Draft(
        id="",
        kind=found.kind,
        place=found.place,
        front=front.text,
        back="" if _is_empty(back.text) else back.text,
        extra="" if _is_empty(extra.text) else extra.text,
        tags=tuple(tag for tag in tags if tag and tag not in ours),
        sources=(source, *([found.source] if found.source else [])),
        lost=tuple(dict.fromkeys(lost)),
    )


def _is_empty(text: str) -> bool:
    html = shown(text)
    return "<img" not in html and "[sound:" not in html and not re.sub(r"<[^>]*>", "", html).strip()


def _id(draft: Draft, deck: str, taken: set[str]) -> str:
    """An id made of the words of the front; of its hash, where it has none that an id may hold."""
    text = shown_text(re.sub(r"\{\{c\d+::|::[^{}]*\}\}|\}\}", " ", draft.front))
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])'(?=[a-z])", "", plain))[:_MOST_WORDS]
    name = ""
    for word in words:
        if len(f"{name}-{word}") > _LONGEST_ID and name:
            break
        name = f"{name}-{word}"[: _LONGEST_ID + 1].strip("-")
    if not name:
        name = f"{deck}-{hashlib.sha256(draft.front.encode('utf-8')).hexdigest()[:8]}"
    if name.startswith(DERIVED_PREFIX):
        name = f"{deck}-{name}" if not deck.startswith(DERIVED_PREFIX) else f"on-{name}"
    number, one = 1, name
    while one in taken:
        number += 1
        one = f"{name}-{number}"
    return one
