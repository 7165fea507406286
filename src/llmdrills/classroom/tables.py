"""The results as data: results.json for programs, results.csv for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.classroom.submissions import LeftOut, Submission
    from llmdrills.language import Language

__all__ = ["FIELDS", "Row", "as_csv", "as_json"]

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")

FIELDS = ("student", "kata", "variant", "file", "passed", "outcome", "diagnosis")


@dataclass(frozen=True)
class Row:
    """A submission with its verdict (`Verdict.to_json`), or without one and with `why`."""

    submission: Submission
    verdict: dict[str, Any] | None
    why: Bilingual | None = None

    @property
    def graded(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict is not None

    @property
    def outcome(self) -> str:
        """The verdict's; "error" where there is none."""
        return "error" if self.verdict is None else str(self.verdict["outcome"])

    @property
    def diagnosis(self) -> str | None:
        """The id of the known mistake that explains the failure."""
        found = self.verdict and self.verdict["diagnosis"]
        return str(found["id"]) if found else None

    def to_json(self) -> dict[str, Any]:
        """The seven fields of schema 1."""
        one = self.submission
        return {
            "student": one.student,
            "kata": one.kata,
            "variant": one.variant,
            "file": one.file,
            "passed": self.outcome == "passed",
            "outcome": self.outcome,
            "diagnosis": self.diagnosis,
        }


def as_json(rows: Sequence[Row], left_out: Sequence[LeftOut], language: Language) -> dict[str, Any]:
    """Schema 1: it may gain keys, never lose one. `not_graded` has a reason for each row with outcome "error"."""
    return {
        "schema": 1,
        "rows": [row.to_json() for row in rows],
        "not_graded": [
            {"student": row.submission.student, "file": row.submission.file, "why": row.why[language]}
            for row in rows
            if row.why is not None
        ],
        "left_out": [{"file": one.file, "why": one.why[language]} for one in left_out],
    }


def json_text(data: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each row, with a mark that has spreadsheets read it as UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(FIELDS)
    for row in rows:
        data = row.to_json()
        writer.writerow([_cell(data[name]) for name in FIELDS])
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> str:
    """A cell's text; one that a spreadsheet would take for a formula gets an apostrophe in front.

    Spreadsheets in East Asian languages take the full-width signs too.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\r", "\n")) else text
