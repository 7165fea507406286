"""The permanent identity of a note: guids and deck ids.

A guid is made from (namespace, language, id), never from the text, so a reworded note stays the same note in every
collection. The namespace keeps a copy of the shipped decks that somebody edits apart from the original.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmdrills.language import Language

__all__ = ["deck_id_for", "guid_for"]


def guid_for(namespace: str, language: Language, id: str) -> str:  # noqa: A002  # the word of the design
    """The note's guid: 64 bits of SHA-256 in ten characters, all of which Anki's own guids use."""
    digest = hashlib.sha256(f"{namespace}\x1f{language}\x1f{id}".encode()).digest()
    return base64.b85encode(digest[:8]).decode()


def deck_id_for(namespace: str, language: Language, id: str) -> int:  # noqa: A002  # the word of the design
    """The deck's id in a package: a past time in milliseconds. Anki matches decks by name, the id is new there."""
    digest = hashlib.sha256(f"deck\x1f{namespace}\x1f{language}\x1f{id}".encode()).digest()
    return 1_600_000_000_000 + int.from_bytes(digest[:8], "big") % 100_000_000_000
