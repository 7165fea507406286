"""What a workspace holds, once loaded: notes in decks (`content.note`) and katas (`content.kata`), in one place."""

from __future__ import annotations

from llmdrills.content.kata import (
    TOPICS,
    Budget,
    Card,
    Clause,
    Edit,
    Engine,
    Forbidden,
    Kata,
    Position,
    Same,
    Slip,
    Source,
    Stage,
    Stages,
    Starter,
    Variant,
)
from llmdrills.content.note import Deck, Note, NoteType, NumberAnswer, Retired, Workspace

__all__ = [
    "TOPICS",
    "Budget",
    "Card",
    "Clause",
    "Deck",
    "Edit",
    "Engine",
    "Forbidden",
    "Kata",
    "Note",
    "NoteType",
    "NumberAnswer",
    "Position",
    "Retired",
    "Same",
    "Slip",
    "Source",
    "Stage",
    "Stages",
    "Starter",
    "Variant",
    "Workspace",
]
