"""Which attempt is graded, and how: carried from the client to the judge and the report. No torch here."""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmdrills.grading.rules.limits import Limits

if TYPE_CHECKING:
    from llmdrills.content.model import Kata
    from llmdrills.content.notebookfile import Cell
    from llmdrills.language import Language

__all__ = ["AttemptSpec"]


@dataclass(frozen=True, kw_only=True)
class AttemptSpec:
    """One attempt to grade.

    `source` are the file's bytes, `file` its name in messages and in the snippet, `variant` the id of one of the
    kata's variants. `device` is "cpu", "cuda" or "mps", never "auto", and `seed` the one that the inputs follow from.
    `further` asks for locked draws that a grade under this seed leaves out, and for no named case; `traced` for that
    case alone, and for the calls that are made in it. `cell` is what is known of the source where it is the cell
    of a notebook.
    """

    kata: Kata
    variant: str
    source: bytes
    file: str
    device: str
    seed: int
    language: Language = "en"
    limits: Limits = field(default_factory=Limits)
    further: bool = False
    traced: str = ""
    cell: Cell | None = None

    @property
    def text(self) -> str:
        """The source as Python reads it: a coding line counts. What cannot be decoded is replaced."""
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(self.source).readline)
            return self.source.decode(encoding)
        except (SyntaxError, UnicodeError, LookupError):
            return self.source.decode("utf-8", "replace")
