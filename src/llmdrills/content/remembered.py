"""Remember deck files by their content, so that after an edit only the edited file is read again.

Each deck has one file in the user's cache folder, protected by a checksum. It is pickled and therefore trusted like
Python's own byte-code caches: whoever can write there can run code as the user anyway. Only decks without problems are
remembered, so the reader itself always reports the problems.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.content.deckfile import DeckDraft, read_deck
from llmdrills.files import write_atomically

if TYPE_CHECKING:
    from llmdrills.content.report import Report
    from llmdrills.content.workspacefile import WorkspaceFile

__all__ = ["read_deck_again"]


@cache
def _code() -> str:
    """What decides the draft besides the file: this package's own text, and the interpreter."""
    digest = hashlib.blake2b(sys.version.encode(), digest_size=16)
    for source in (*sorted(Path(__file__).parent.glob("*.py")), Path(__file__).parents[1] / "language.py"):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def read_deck_again(path: Path, report: Report, folder: Path, about: WorkspaceFile) -> DeckDraft:
    """As `read_deck`, from `folder` where this very text was read before from the same place."""
    try:
        text = path.read_bytes()
    except OSError:
        return read_deck(path, report, about)
    key = (
        hashlib.blake2b(
            f"{_code()}\0{report.root}\0{path}\0{about.languages}{about.all_topics}\0".encode() + text, digest_size=16
        )
        .hexdigest()
        .encode()
    )
    place = hashlib.blake2b(str(path).encode(), digest_size=8).hexdigest()
    kept = folder / "decks" / f"{path.stem}-{place}.pickle"
    known = _recall(kept, key)
    if known is not None:
        return known
    before = len(report.problems)
    draft = read_deck(path, report, about)
    if draft.deck is not None and len(report.problems) == before:
        _keep(kept, key, draft)
    return draft


def _recall(kept: Path, key: bytes) -> DeckDraft | None:
    try:
        head, _, body = kept.read_bytes().partition(b"\n")
    except OSError:
        return None
    if head != key + b" " + hashlib.blake2b(body, digest_size=16).hexdigest().encode():
        return None
    draft = pickle.loads(body)  # noqa: S301  # written by `_keep`, checksummed, in the user's own cache
    return draft if isinstance(draft, DeckDraft) else None


def _keep(kept: Path, key: bytes, draft: DeckDraft) -> None:
    body = pickle.dumps(draft, pickle.HIGHEST_PROTOCOL)
    head = key + b" " + hashlib.blake2b(body, digest_size=16).hexdigest().encode()
    # Without a cache the next run takes longer, and nothing else changes.
    with contextlib.suppress(OSError):
        write_atomically(kept, head + b"\n" + body, durable=False)
