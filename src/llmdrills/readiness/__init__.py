"""The readiness checklist, answered by evidence: `assess` weighs it, `keep_shown` records what was shown."""

from llmdrills.readiness.assessment import (
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
from llmdrills.readiness.steps import CLEAN_DAYS, Missing

__all__ = [
    "CLEAN_DAYS",
    "LABELS",
    "NOTE_RECALL",
    "RECALL",
    "ItemState",
    "KataEvidence",
    "Missing",
    "NoteReviews",
    "NotesEvidence",
    "Readiness",
    "assess",
    "keep_shown",
]
