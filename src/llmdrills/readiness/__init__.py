"""The readiness checklist, answered by evidence: `assess` weighs it, `keep_shown` records what was shown."""

from llmdrills.readiness.assessment import (
    CLEAN_DAYS,
    LABELS,
    NOTE_RECALL,
    RECALL,
    ItemState,
    KataEvidence,
    NoteReviews,
    NotesEvidence,
    Readiness,
    assess,
    keep_shown,
)

__all__ = [
    "CLEAN_DAYS",
    "LABELS",
    "NOTE_RECALL",
    "RECALL",
    "ItemState",
    "KataEvidence",
    "NoteReviews",
    "NotesEvidence",
    "Readiness",
    "assess",
    "keep_shown",
]
