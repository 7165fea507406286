"""What was found in a file: its notes, where each stands, and what of them could not be taken."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Literal, NamedTuple

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.importing.media import MediaSource

__all__ = ["CannotTakeError", "File", "Found", "Remark", "short", "why_not"]

_MOST_SHOWN = 48  # characters of a note's text in a message


class CannotTakeError(Exception):
    """A note, or a part of it, cannot be taken; `why` says so in both languages."""

    def __init__(self, why: Bilingual) -> None:
        super().__init__(why.en)
        self.why = why


def why_not(english: str, chinese: str) -> CannotTakeError:
    """The error with this reason."""
    return CannotTakeError(Bilingual(english, chinese))


@dataclass(frozen=True)
class Found:
    """One note as the file has it. `place` says where it stands; texts are HTML, or Markdown where `markdown` is set.

    A cloze has its whole text in `front`, and may have no `back`.
    """

    place: Bilingual
    kind: Literal["question", "cloze"]
    front: str
    back: str = ""
    extra: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""  # what the note itself names as its source
    deck: str = ""  # of Anki's
    markdown: bool = False
    lost: tuple[Bilingual, ...] = ()  # what reading it left behind


class Remark(NamedTuple):
    """Something that is to be said of a note: why it was not taken, or what of it was left behind."""

    place: Bilingual
    text: str  # the beginning of its front, to be recognised by
    why: Bilingual


@dataclass
class File:
    """Everything that a file holds."""

    title: str
    notes: list[Found] = field(default_factory=list)
    refused: list[Remark] = field(default_factory=list)
    said: list[Bilingual] = field(default_factory=list)  # how the file was read, where that was a choice
    media: MediaSource | None = None


def short(text: str) -> str:
    """The beginning of a text without markup, on one line."""
    lines = re.sub(r"</?(?:br|div|p|li|tr|td|hr)\b[^>]*>", " ", text, flags=re.IGNORECASE)
    plain = " ".join(unescape(re.sub(r"<[^>]*>", "", lines)).split())
    return plain if len(plain) <= _MOST_SHOWN else plain[: _MOST_SHOWN - 1] + "…"
