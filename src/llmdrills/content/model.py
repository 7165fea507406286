"""What a workspace holds, once loaded: notes in decks (`content.note`) and katas (`content.kata`), in one place."""

from __future__ import annotations

from llmdrills.content.kata import TOPICS, Budget, Forbidden, Kata, Position, Source, Variant, WrongKernel
from llmdrills.content.note import Deck, Note, NoteType, NumberAnswer, Retired, Workspace

__all__ = [
    "TOPICS",
    "Budget",
    "Deck",
    "Forbidden",
    "Kata",
    "Note",
    "NoteType",
    "NumberAnswer",
    "Position",
    "Retired",
    "Source",
    "Variant",
    "Workspace",
    "WrongKernel",
]
